"""Has what was forgotten taken out of the database's files, in the background, while no turn runs.

It knows no turn's text and no memory: which tables held something that is gone, the store knows.
"""

import asyncio
from typing import Protocol

import anyio

from jarvis.core.erasure_store import ErasureStore
from jarvis.core.errors import Unavailable
from jarvis.core.types import Turn
from jarvis.services.sweeper import Reporter
from jarvis.services.watching import TurnWatcher

QUIET_S = 5.0
"""How long no turn must have run before tables are locked."""
PERIOD_S = 60.0
"""Between one rewriting and the next look for rows: those of other processes, and of ones that died, too."""
RETRY_S = 5.0
"""After a look that found a table busy, or somebody who may still see what was deleted."""


class ErasureReporter(Reporter, Protocol):
    def warning(self, event: str, **facts: object) -> None: ...


class Erasure(TurnWatcher):
    """Rewrites only while no turn of this process runs: a turn that begins ends it at once."""

    def __init__(
        self,
        *,
        store: ErasureStore,
        reporter: ErasureReporter,
        quiet_s: float = QUIET_S,
        period_s: float = PERIOD_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._store = store
        self._reporter = reporter
        self._quiet_s = quiet_s
        self._period_s = period_s
        self._retry_s = retry_s
        self._told: set[str] = set()
        self._may_rewrite = asyncio.Event()
        self._may_rewrite.set()
        self._rewriting = anyio.CancelScope()

    def turn_began(self, turn: Turn) -> None:
        """Stop, also in the middle: the turn would wait for the locks."""
        del turn
        self._may_rewrite.clear()
        self._rewriting.cancel()

    def all_ended(self) -> None:
        """Go on after a while of quiet."""
        self._may_rewrite.set()

    async def run(self) -> None:
        """Erase for ever; to be cancelled."""
        while True:
            await self._may_rewrite.wait()
            is_done = False
            with anyio.CancelScope() as self._rewriting:
                await asyncio.sleep(self._quiet_s)
                is_done = await self._rewrite()
            await asyncio.sleep(self._period_s if is_done else self._retry_s)

    async def _rewrite(self) -> bool:
        """Return whether nothing is left to do for now."""
        try:
            erased = await self._store.rewrite()
        except Unavailable:
            return False  # the database is away: its own health check says so
        except Exception:  # noqa: BLE001 one defect must not end the erasing
            self._reporter.exception("erasure_defect")
            return True
        for table in erased.left:
            if table not in self._told:
                self._told.add(table)
                self._reporter.warning(
                    "erasure.left",
                    table=table,
                    detail="What was forgotten stays in the files of this table until an administrator "
                    f"runs VACUUM FULL {table}; see docs/forgetting.md.",
                )
        return erased.is_done
