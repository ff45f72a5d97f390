"""Who may begin a turn, and in which order turns run: one at a time in a conversation, a few in all.

Decides from memory only, at once; it neither stores nor streams anything.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from uuid import UUID

from jarvis.core.errors import Busy, Overloaded

MAX_WAITING_IN_CONVERSATION = 8

Place = tuple[UUID, UUID]
"""A user's id and a conversation's: who names another's conversation neither waits there nor learns of it."""


class Ticket:
    """One turn's place. `granted` is set when it may run; whoever holds it must leave in the end."""

    __slots__ = ("granted", "place")

    def __init__(self, place: Place | None) -> None:
        self.place = place
        self.granted = asyncio.Event()


class _Lane:
    """The tickets of one conversation, the one that runs first. `beginning` keeps begins in their order."""

    __slots__ = ("beginning", "tickets")

    def __init__(self) -> None:
        self.tickets: deque[Ticket] = deque()
        self.beginning = asyncio.Lock()


class Admission:
    """First come, first served, within `max_running` turns at once and `max_waiting` behind them."""

    def __init__(self, *, max_running: int, max_waiting: int) -> None:
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._lanes: dict[Place, _Lane] = {}
        self._waiting: dict[Ticket, None] = {}
        self._running = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def enter(self, place: Place | None, *, if_busy_reject: bool = False) -> Ticket:
        """Take a place, granted at once where one is free.

        Raises Busy (only with `if_busy_reject`) or Overloaded; then nothing was taken.
        """
        lane = self._lanes.get(place) if place else None
        if lane is not None:
            if if_busy_reject:
                raise Busy
            if len(lane.tickets) > MAX_WAITING_IN_CONVERSATION:
                raise Overloaded("Too many messages wait in this conversation.")
        if (lane is not None or self._running >= self._max_running) and self.waiting >= self._max_waiting:
            raise Overloaded("Too many turns wait for the model.")
        ticket = Ticket(place)
        self._join_lane(ticket)
        self._waiting[ticket] = None
        self._grant()
        return ticket

    def beginning(self, ticket: Ticket) -> asyncio.Lock:
        """Return the lock under which a turn begins, so that places in the store follow tickets.

        Fair: to be acquired without any wait between `enter` and it.
        """
        if ticket.place is None:
            return asyncio.Lock()
        return self._lanes[ticket.place].beginning

    def name(self, ticket: Ticket, place: Place) -> None:
        """Tell the conversation that a ticket without one has made."""
        if ticket.place is None:
            ticket.place = place
            self._join_lane(ticket)

    def position(self, ticket: Ticket) -> int:
        """Return its place among all that wait, 1 for the first; 0 once it is granted."""
        if ticket not in self._waiting:
            return 0
        return next(place for place, waiting in enumerate(self._waiting, start=1) if waiting is ticket)

    def rounds(self, ticket: Ticket) -> int:
        """Return after about how many turns, one after the other, this one runs."""
        in_all = -(-self.position(ticket) // self._max_running)
        if ticket.place is None:
            return in_all
        return max(in_all, self._lanes[ticket.place].tickets.index(ticket))

    def leave(self, ticket: Ticket) -> None:
        """Give the place up, whether it was granted or not, and let the next run."""
        if ticket in self._waiting:
            del self._waiting[ticket]
        else:
            self._running -= 1
        if ticket.place is not None:
            lane = self._lanes[ticket.place]
            lane.tickets.remove(ticket)
            if not lane.tickets:
                del self._lanes[ticket.place]
        self._grant()

    def _join_lane(self, ticket: Ticket) -> None:
        if ticket.place is not None:
            self._lanes.setdefault(ticket.place, _Lane()).tickets.append(ticket)

    def _grant(self) -> None:
        for ticket in self._grantable():
            del self._waiting[ticket]
            self._running += 1
            ticket.granted.set()

    def _grantable(self) -> Iterator[Ticket]:
        for ticket in list(self._waiting):
            if self._running >= self._max_running:
                return
            if ticket.place is None or self._lanes[ticket.place].tickets[0] is ticket:
                yield ticket
