"""Finds the turns that nobody runs, to be gone on with or ended: those of processes that died, and those
whose begin was never heard of.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal, Protocol
from uuid import UUID

from jarvis.core.errors import JarvisError, NotFound
from jarvis.core.turn_store import SEQ_GAP, StoredTurn, TurnLeases, TurnOutcome, TurnRef, TurnStore

PERIOD_S = 5.0
LIMIT = 100
DOUBT_S = 30.0
"""How long a begin of unknown outcome may still turn out to be stored: beyond a lease nothing is in doubt."""
NOT_TOLD = {
    "code": "database_unavailable",
    "message": "The database left before it could say that it stored.",
}


class Reporter(Protocol):
    """Where a defect is told of; it never raises."""

    def exception(self, event: str) -> None: ...


class Sweeper:
    """Sweeps when told and every PERIOD_S; the first sweep finds what a predecessor here has left.

    `go_on` runs a turn whose lease is ours by then, and tells whether it does: what is not gone on with ends.
    """

    def __init__(
        self,
        store: TurnStore,
        leases: TurnLeases,
        reporter: Reporter,
        *,
        owner: str,
        predecessors: str,
        live: Callable[[], list[UUID]],
        go_on: Callable[[StoredTurn], Awaitable[bool]],
    ) -> None:
        self._store = store
        self._leases = leases
        self._reporter = reporter
        self._owner = owner
        self._predecessors = predecessors
        self._live = live
        self._go_on = go_on
        self._doubted: dict[TurnRef, float] = {}
        self._taken: list[TurnRef] = []

    def doubt(self, ref: TurnRef) -> None:
        """Have a turn that nobody runs end `failed`, if it is there: its client was told that it is not.

        Its key then begins another attempt.
        """
        self._doubted[ref] = time.monotonic()

    async def run(self) -> None:
        """Sweep for ever; to be cancelled."""
        while True:
            if await self.sweep() < LIMIT:
                await asyncio.sleep(PERIOD_S)

    async def sweep(self) -> int:
        """Return how many turns nobody ran; 0 while the database is away.

        Cancelled, or left by the database, it goes on with what it has taken when it is called again.
        """
        try:
            await self._end_doubted()
            self._taken += await self._leases.abandoned(
                self._owner, self._live(), predecessors=self._predecessors, limit=LIMIT
            )
            self._taken.sort(key=lambda ref: ref.turn_id)  # those of a conversation in their order
            found = len(self._taken)
            while self._taken:
                await self._go_on_or_end(self._taken[0])
                del self._taken[0]
        except JarvisError:
            return 0  # the database is away: its own health check says so
        except Exception:  # noqa: BLE001 one defect must not end the sweeping
            self._taken.clear()
            self._reporter.exception("sweep_defect")
            return 0
        return found

    async def _go_on_or_end(self, ref: TurnRef) -> None:
        if ref.turn_id in self._live():  # gone on with, since it was found again
            return
        with suppress(NotFound):  # deleted, now that it was found
            if not await self._go_on(await self._store.get(ref.user, ref.turn_id)):
                await self._end(ref, "interrupted")

    async def _end_doubted(self) -> None:
        for ref, since in list(self._doubted.items()):
            try:
                if ref.turn_id not in self._live():  # else its key has begun another attempt by now
                    await self._end(ref, "failed", error=NOT_TOLD)
            except NotFound:
                if time.monotonic() - since < DOUBT_S:
                    continue  # what was sent before the connection broke may still be carried out
            del self._doubted[ref]

    async def _end(
        self, ref: TurnRef, status: Literal["interrupted", "failed"], *, error: dict[str, str] | None = None
    ) -> None:
        stored = await self._store.get(ref.user, ref.turn_id)
        await self._store.finish(
            ref.user,
            ref.turn_id,
            TurnOutcome(
                status=status,
                text=stored.partial_text,
                last_seq=stored.checkpoint_seq + SEQ_GAP,
                metadata=None,
                error=error,
            ),
            owner=self._owner,
        )
