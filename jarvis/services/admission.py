"""Who may begin a turn, and in which order turns run: one at a time in a conversation, a few in all.

Decides from memory only, at once; it neither stores nor streams anything.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from uuid import UUID

from jarvis.core.errors import Busy, Overloaded

MAX_WAITING_IN_CONVERSATION = 8
ABOUT_S = 600.0
"""For so long after a message a user counts as being about, and the queue is not another's alone."""

Place = tuple[UUID, UUID]
"""A user's id and a conversation's: who names another's conversation neither waits there nor learns of it."""


class Ticket:
    """One turn's place. `granted` is set when it may run; whoever holds it must leave in the end."""

    __slots__ = ("conversation_id", "granted", "user_id")

    def __init__(self, user_id: UUID, conversation_id: UUID | None) -> None:
        self.user_id = user_id
        self.conversation_id = conversation_id
        self.granted = asyncio.Event()

    @property
    def place(self) -> Place | None:
        """None while its conversation is only about to be made."""
        return (self.user_id, self.conversation_id) if self.conversation_id else None


class _Lane:
    """The tickets of one conversation, the one that runs first. `beginning` keeps begins in their order."""

    __slots__ = ("beginning", "tickets")

    def __init__(self) -> None:
        self.tickets: deque[Ticket] = deque()
        self.beginning = asyncio.Lock()


class Admission:
    """`max_running` turns at once and `max_waiting` behind them, which run by turns of their users.

    A place that becomes free goes round the users who wait for one: each is granted one within as many
    grants as there are such users. Of one user, whoever came first goes first.
    """

    def __init__(
        self, *, max_running: int, max_waiting: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._clock = clock
        self._lanes: dict[Place, _Lane] = {}
        self._queues: OrderedDict[UUID, dict[Ticket, None]] = OrderedDict()
        """What waits, by users, each in the order of arrival. `_in_turn` has the users' order."""
        self._served: UUID | None = None
        """Who was granted a place last."""
        self._about: OrderedDict[UUID, float] = OrderedDict()
        """The two users who asked last, and when."""
        self._waiting = 0
        self._running = 0

    @property
    def waiting(self) -> int:
        return self._waiting

    def enter(
        self, user_id: UUID, conversation_id: UUID | None = None, *, if_busy_reject: bool = False
    ) -> Ticket:
        """Take a place, granted at once where one is free.

        Raises Busy (only with `if_busy_reject`) or Overloaded; then nothing was taken.
        """
        ticket = Ticket(user_id, conversation_id)
        self._note_about(user_id)
        lane = self._lanes.get(ticket.place) if ticket.place else None
        if lane is not None:
            if if_busy_reject:
                raise Busy
            if len(lane.tickets) > MAX_WAITING_IN_CONVERSATION:
                raise Overloaded("Too many messages wait in this conversation.")
        if lane is not None or self._running >= self._max_running:
            self._check_room(user_id)
        self._join_lane(ticket)
        self._queues.setdefault(user_id, {})[ticket] = None
        self._waiting += 1
        self._grant()
        return ticket

    def beginning(self, ticket: Ticket) -> asyncio.Lock:
        """Return the lock under which a turn begins, so that places in the store follow tickets.

        Fair: to be acquired without any wait between `enter` and it.
        """
        if ticket.place is None:
            return asyncio.Lock()
        return self._lanes[ticket.place].beginning

    def name(self, ticket: Ticket, conversation_id: UUID) -> None:
        """Tell the conversation that a ticket without one has made."""
        if ticket.conversation_id is None:
            ticket.conversation_id = conversation_id
            self._join_lane(ticket)

    def position(self, ticket: Ticket) -> int:
        """Return its place among all that wait, 1 for the next to be granted; 0 once it is.

        As if nobody else came, and no conversation kept what is behind it waiting.
        """
        own = self._queues.get(ticket.user_id, {})
        if ticket not in own:
            return 0
        before = list(own).index(ticket)
        position, comes_first = before + 1, True
        for user_id in self._in_turn():
            if user_id == ticket.user_id:
                comes_first = False
            else:
                position += min(len(self._queues[user_id]), before + comes_first)
        return position

    def rounds(self, ticket: Ticket) -> int:
        """Return after about how many turns, one after the other, this one runs."""
        in_all = -(-self.position(ticket) // self._max_running)
        if ticket.place is None:
            return in_all
        return max(in_all, self._lanes[ticket.place].tickets.index(ticket))

    def leave(self, ticket: Ticket) -> None:
        """Give the place up, whether it was granted or not, and let the next run."""
        if ticket.granted.is_set():
            self._running -= 1
        else:
            self._leave_queue(ticket)
        if ticket.place is not None:
            lane = self._lanes[ticket.place]
            lane.tickets.remove(ticket)
            if not lane.tickets:
                del self._lanes[ticket.place]
        self._grant()

    def _check_room(self, user_id: UUID) -> None:
        """Raises Overloaded where all places to wait are taken, or he has more than he leaves to others.

        One user alone may fill the queue. While others are about, nobody has more turns waiting than there is
        room left: with n who send all they can, each comes to have 1/(n+1) of the queue, and as much is left
        for whoever has nothing waiting, whom only a full queue refuses. (Choudhury and Hahne, "Dynamic queue
        length thresholds for shared-memory packet switches", 1998, with a factor of 1.)
        """
        room = self._max_waiting - self._waiting
        if room <= 0:
            raise Overloaded("Too many turns wait for the model.")
        if len(self._queues.get(user_id, ())) >= room and self._are_others_about(user_id):
            raise Overloaded("Too many of your turns wait for the model, and others need it too.")

    def _note_about(self, user_id: UUID) -> None:
        self._about[user_id] = self._clock()
        self._about.move_to_end(user_id)
        if len(self._about) > 2:  # of the others, only the newest counts
            self._about.popitem(last=False)

    def _are_others_about(self, user_id: UUID) -> bool:
        since_s = self._clock() - ABOUT_S
        return any(other != user_id and asked_s > since_s for other, asked_s in self._about.items())

    def _join_lane(self, ticket: Ticket) -> None:
        if ticket.place is not None:
            self._lanes.setdefault(ticket.place, _Lane()).tickets.append(ticket)

    def _leave_queue(self, ticket: Ticket) -> None:
        queue = self._queues[ticket.user_id]
        del queue[ticket]
        if not queue:
            del self._queues[ticket.user_id]
        self._waiting -= 1

    def _grant(self) -> None:
        while self._running < self._max_running and (ticket := self._next()) is not None:
            if self._served is not None and self._served in self._queues:
                self._queues.move_to_end(self._served)
            self._served = ticket.user_id
            self._leave_queue(ticket)
            self._running += 1
            ticket.granted.set()

    def _next(self) -> Ticket | None:
        for user_id in self._in_turn():
            for ticket in self._queues[user_id]:
                if ticket.place is None or self._lanes[ticket.place].tickets[0] is ticket:
                    return ticket
        return None

    def _in_turn(self) -> Iterator[UUID]:
        """Whoever was served last comes last, also behind those who come until the next is served."""
        for user_id in self._queues:
            if user_id != self._served:
                yield user_id
        if self._served is not None and self._served in self._queues:
            yield self._served
