"""Looks after the turns that live in this process: their leases, their texts, and whether anybody listens."""

import asyncio
import time
from collections.abc import Mapping
from uuid import UUID

from jarvis.core.errors import JarvisError
from jarvis.core.turn_store import TurnLeases, TurnStore
from jarvis.services.live import LiveTurn
from jarvis.services.sweeper import Reporter

PERIOD_S = 0.5
"""How often leases are renewed, cancel flags read and texts checkpointed."""
LEASE_S = 15.0


class Tender:
    """`owner` names this process in the rows of its turns."""

    def __init__(
        self,
        store: TurnStore,
        leases: TurnLeases,
        reporter: Reporter,
        *,
        owner: str,
        live: Mapping[UUID, LiveTurn],
        detached_s: float,
    ) -> None:
        self._store = store
        self._leases = leases
        self._reporter = reporter
        self._owner = owner
        self._live = live
        self._detached_s = detached_s

    async def run(self) -> None:
        """Tend for ever; to be cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            self._end_unheard()
            if not self._live:
                continue
            try:
                await self._renew()
                for live in list(self._live.values()):
                    await self._checkpoint(live)
            except JarvisError:
                continue  # the database is away: its own health check says so
            except Exception:  # noqa: BLE001 the tending of all turns must not end with one defect
                self._reporter.exception("tend_defect")

    def _end_unheard(self) -> None:
        now = time.perf_counter()
        for live in list(self._live.values()):
            if not live.listeners and now - live.unheard_since > self._detached_s:
                live.end("interrupted")

    async def _renew(self) -> None:
        """Obey who asked to cancel; what was taken over or deleted needs no model any more.

        What has just ended here counts among the lost, and is past being ended.
        """
        renewal = await self._leases.renew(self._owner, list(self._live), LEASE_S)
        for turn_id in renewal.cancelled:
            if turn_id in self._live:
                self._live[turn_id].end("cancelled")
        for turn_id in renewal.lost:
            if turn_id in self._live:
                self._live[turn_id].end("interrupted")

    async def _checkpoint(self, live: LiveTurn) -> None:
        text, seq = live.told, live.seq
        if seq > live.checkpoint_seq:
            await self._store.checkpoint(live.turn.user, live.turn.id, text=text, seq=seq, owner=self._owner)
            live.checkpoint_seq = seq
