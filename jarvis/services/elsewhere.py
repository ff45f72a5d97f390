"""Turns of other processes: read from their tails, and from their rows whatever of those is lost; cancelled;
gone on with where their process has died.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from uuid import UUID

from jarvis.core.endings import retell
from jarvis.core.errors import Unavailable
from jarvis.core.events import LogEntry, Resync
from jarvis.core.replicas import Hints, Tail, TurnHeard, TurnsCancelled, TurnTails
from jarvis.core.turn_store import SEQ_GAP, StoredTurn, TurnLeases, TurnStore
from jarvis.core.types import Once, Turn, User
from jarvis.services.tender import LEASE_S

LOOK_PERIOD_S = 0.5
"""How long a tail may be silent, or lack something, before the row is read (again): a checkpoint's period."""
ENDED_LOOK_S = 0.1
EARLIER_LOOK_S = 0.25
LIVES_S = LEASE_S - 5.0
"""A process whose lease is shorter has not renewed it for five seconds: nobody waits for its turns."""
HEARD_PERIOD_S = 1.0
"""How often the process that runs the turn is told that somebody listens."""


class Elsewhere:
    """Every method acts for its user, and raises NotFound("turn") for what belongs to another."""

    def __init__(
        self,
        *,
        store: TurnStore,
        leases: TurnLeases,
        tails: TurnTails,
        hints: Hints,
        alone: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build it; `alone`: no other process is meant to serve the same conversations."""
        self._store = store
        self._leases = leases
        self._alone = alone
        self._tails = tails
        self._hints = hints
        self._clock = clock

    async def follow(self, user: User, turn_id: UUID, *, after: int) -> AsyncGenerator[LogEntry]:
        """Yield the events above `after` as they come, the terminal one last.

        Of what its tail has lost the text comes in a `resync`, as old as the last checkpoint.
        """
        with self._tails.follow(turn_id, after=after) as tail:
            told = _Told(tail, after)
            looked_at = heard_at = float("-inf")
            while not told.ended:
                now = self._clock()
                if now - heard_at >= HEARD_PERIOD_S:
                    heard_at = now
                    self._hints.tell(TurnHeard(turn_id=turn_id))
                for entry in await told.more():
                    yield entry
                if told.is_whole or self._clock() - looked_at < LOOK_PERIOD_S:
                    continue
                looked_at = self._clock()
                try:
                    stored = await self._store.get(user, turn_id)
                except Unavailable:
                    continue  # the tail may have more; and it comes back
                for entry in told.retold(stored):
                    yield entry

    async def cancel(self, user: User, turn_id: UUID) -> None:
        """Have it ended by whoever runs it: at once if it is told, else within its next look at the row."""
        await self._leases.request_cancel(user, turn_id)
        self._hints.tell(TurnsCancelled(turn_ids=[turn_id]))

    async def take_over(
        self, left: StoredTurn, *, owner: str, lease_s: float, waiting: bool, history_limit: int
    ) -> Turn | None:
        """Begin to go on with a turn that `owner` has the lease of; None where it is not to be gone on with.

        It goes on behind its last word: white space after that belongs to the next token of many a model, and
        is cut by some templates, so that it would come twice. History is read later, as of a turn that waits.
        """
        del history_limit
        return await self._leases.take_over(
            left.user,
            left.id,
            said=left.partial_text.rstrip(),
            seq=left.checkpoint_seq + SEQ_GAP,
            owner=owner,
            lease_s=lease_s,
            waiting=waiting,
        )

    async def end_conversation(self, user: User, conversation_id: UUID, *, but: Once | None = None) -> None:
        """Have all ended that runs or waits in a conversation, but for the turn that was begun with `but`.

        Returns when it has ended; to be cancelled.
        """
        while True:
            turn_ids = await self._leases.cancel_in(user, conversation_id, but=but)
            if not turn_ids:
                return
            self._hints.tell(TurnsCancelled(turn_ids=turn_ids))
            await asyncio.sleep(ENDED_LOOK_S)

    async def is_busy(self, user: User, conversation_id: UUID | None, *, owner: str) -> bool:
        """Tell whether another than `owner` runs a turn there."""
        if self._alone or conversation_id is None:
            return False
        return await self._leases.is_busy_elsewhere(user, conversation_id, owner=owner, lease_s=LIVES_S)

    async def earlier(self, turn: Turn, *, owner: str) -> AsyncGenerator[None]:
        """Yield now and then while another than `owner` runs an earlier turn of the same conversation."""
        if self._alone or turn.command.conversation_id is None:
            return
        while await self._leases.is_busy_elsewhere(
            turn.user, turn.conversation_id, owner=owner, lease_s=LIVES_S, before=turn.id
        ):
            yield
            await asyncio.sleep(EARLIER_LOOK_S)


class _Told:
    """How far a reader is, and what came that cannot be told before something else."""

    def __init__(self, tail: Tail, after: int) -> None:
        self.ended = False
        self.is_whole = True
        """Whether something came, and nothing that came waits."""
        self._tail = tail
        self._last_seq = after
        self._waiting: deque[LogEntry] = deque()

    async def more(self) -> list[LogEntry]:
        """Return what can be told next."""
        arrived = await self._tail.more(within_s=LOOK_PERIOD_S)
        self._waiting += arrived
        tellable = self._tellable()
        self.is_whole = bool(arrived) and not self._waiting
        return tellable

    def retold(self, stored: StoredTurn) -> list[LogEntry]:
        """Return what can be told next with what the row knows."""
        if stored.message is not None:
            return self._note(retell(stored, stored.message, self._last_seq))
        if stored.checkpoint_seq <= self._last_seq:
            return []
        resync = Resync(
            turn_id=stored.id, seq=stored.checkpoint_seq, text=stored.partial_text, status=stored.status
        )
        return self._note([LogEntry.of(resync)]) + self._tellable()

    def _tellable(self) -> list[LogEntry]:
        tellable: list[LogEntry] = []
        while self._waiting:
            entry = self._waiting[0]
            if entry.seq > self._last_seq + 1 and entry.type != "resync":
                break
            self._waiting.popleft()
            if entry.seq > self._last_seq:
                tellable += self._note([entry])
        return tellable

    def _note(self, entries: list[LogEntry]) -> list[LogEntry]:
        self._last_seq = entries[-1].seq
        self.ended = entries[-1].terminal
        return entries
