"""Has what was forgotten taken out of the database's files, in the background, best while no turn runs.

It knows no turn's text and no memory: which tables held something that is gone, the store knows.
"""

import asyncio
from typing import Protocol

import anyio

from jarvis.core.erasure_store import ErasureStore
from jarvis.core.errors import Unavailable
from jarvis.services.quiet import Quiet
from jarvis.services.sweeper import Reporter

QUIET_S = 5.0
"""How long no turn must have run before tables are locked."""
PATIENCE_S = 10.0
"""How long such a quiet is waited for. Then tables are locked all the same: turns wait a little."""
PERIOD_S = 15.0
"""Between one rewriting and the next look for rows: those of other processes, and of ones that died, too."""
RETRY_S = 5.0
"""After a look that found a table busy, or somebody who may still see what was deleted."""


class ErasureReporter(Reporter, Protocol):
    def warning(self, event: str, **facts: object) -> None: ...


class Erasure(Quiet):
    """Rewrites in quiet, where a turn that begins ends it at once; after `patience_s` without one anyway."""

    def __init__(
        self,
        *,
        store: ErasureStore,
        reporter: ErasureReporter,
        quiet_s: float = QUIET_S,
        patience_s: float = PATIENCE_S,
        period_s: float = PERIOD_S,
        retry_s: float = RETRY_S,
    ) -> None:
        super().__init__(quiet_s)
        self._store = store
        self._reporter = reporter
        self._patience_s = patience_s
        self._period_s = period_s
        self._retry_s = retry_s
        self._told: set[str] = set()

    async def run(self) -> None:
        """Erase for ever; to be cancelled."""
        is_done = True
        while True:
            # What an earlier look had to leave has waited long enough.
            is_done = await self._erase(self._patience_s if is_done else 0)
            await asyncio.sleep(self._period_s if is_done else self._retry_s)

    async def _erase(self, patience_s: float) -> bool:
        """Return whether nothing is left to do for now."""
        is_done: bool | None = None
        with anyio.move_on_after(patience_s):
            while is_done is None:
                await self.no_turn_runs()
                is_done = await self.in_quiet(self._rewrite)
        return await self._rewrite() if is_done is None else is_done

    async def _rewrite(self) -> bool:
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
