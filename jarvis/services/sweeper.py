"""Ends the turns that nobody runs: those of processes that died, and those whose begin was never heard of."""

import asyncio
import time
from collections.abc import Callable
from typing import Literal, Protocol
from uuid import UUID

from jarvis.core.errors import JarvisError, NotFound
from jarvis.core.stores import TurnOutcome, TurnRef, TurnStore

PERIOD_S = 5.0
LIMIT = 100
SEQ_GAP = 1_000_000
"""Added to the checkpointed seq of a turn whose process died. An attempt cannot have used so many:
an answer has at most 2**18 bytes, and an event at least one of them."""

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
    """Sweeps when told and every PERIOD_S; the first sweep finds what a predecessor here has left."""

    def __init__(
        self,
        store: TurnStore,
        reporter: Reporter,
        *,
        owner: str,
        predecessors: str,
        live: Callable[[], list[UUID]],
    ) -> None:
        self._store = store
        self._reporter = reporter
        self._owner = owner
        self._predecessors = predecessors
        self._live = live
        self._doubted: dict[TurnRef, float] = {}

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
        """Return how many turns were ended; 0 while the database is away."""
        try:
            await self._end_doubted()
            refs = await self._store.abandoned(
                self._owner, self._live(), predecessors=self._predecessors, limit=LIMIT
            )
            for ref in refs:
                await self._end(ref, "interrupted")
        except JarvisError:
            return 0  # the database is away: its own health check says so
        except Exception:  # noqa: BLE001 one defect must not end the sweeping
            self._reporter.exception("sweep_defect")
            return 0
        return len(refs)

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
