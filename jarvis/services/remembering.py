"""Looks through what users have said for what is worth remembering, in the background, from rows."""

import asyncio
from collections.abc import Callable, Sequence

import anyio

from jarvis.core.errors import JarvisError
from jarvis.core.memories import NewMemory
from jarvis.core.memory_store import MemoryStore, Said
from jarvis.core.types import MessageStatus, Turn
from jarvis.services.memory_index import MemoryIndex
from jarvis.services.sweeper import Reporter
from jarvis.services.watching import TurnWatcher

PERIOD_S = 5.0
"""How often messages are looked for that nobody has told of: imported ones, those of processes that died."""
RETRY_S = 2.0
BATCH = 50
USERS = 100


class Remembering(TurnWatcher):
    """Each message is looked through once, after its turn, whichever process does it."""

    def __init__(
        self,
        *,
        store: MemoryStore,
        memories_in: Callable[[Said], Sequence[NewMemory]],
        index: MemoryIndex | None,
        reporter: Reporter,
    ) -> None:
        self._store = store
        self._memories_in = memories_in
        self._index = index
        self._reporter = reporter
        self._woken = asyncio.Event()

    def turn_ended(self, turn: Turn, status: MessageStatus, answer: str) -> None:
        """Look at once for what was said."""
        del turn, status, answer
        self._woken.set()

    async def run(self) -> None:
        """Look through messages for ever; to be cancelled."""
        while True:
            self._woken.clear()
            try:
                await self._look_through_all()
            except JarvisError:
                await asyncio.sleep(RETRY_S)  # the database is away: its own health check says so
                continue
            except Exception:  # noqa: BLE001 one defect must not end the remembering
                self._reporter.exception("remember_defect")
                await asyncio.sleep(RETRY_S)
            with anyio.move_on_after(PERIOD_S):
                await self._woken.wait()

    async def _look_through_all(self) -> None:
        while users := await self._store.users_to_remember(limit=USERS):
            marked = 0
            for user in users:
                marked += await self._store.remember(user, self._memories_of, limit=BATCH)
            if not marked:
                return  # others look through what is left
            if self._index is not None:
                self._index.wake()

    def _memories_of(self, said: Said) -> Sequence[NewMemory]:
        try:
            return self._memories_in(said)
        except Exception:  # noqa: BLE001 a defect in one message must not keep the others from being looked at
            self._reporter.exception("remember_defect")
            return ()
