"""`jarvis reindex`: has the vectors of all memories made anew, and shows how far that is.

Marks every memory as unindexed in Postgres; a running server then does the rest, which needs no lock and fits
what that server compares meanings with. Only where none does, the index is opened here.
"""

import asyncio
import os
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, contextmanager

import anyio
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.migrations import HEAD, current_revision
from jarvis.app.assembly import database_settings
from jarvis.app.checking import effective_database
from jarvis.app.memory import EmbedderStart, keeps_vectors_here, open_vectors
from jarvis.core.memory_store import MemoryStore
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.running import holder_of
from jarvis.services.memory_index import MemoryIndex
from jarvis.settings import Settings

LOOK_S = 0.2
BEGUN_WITHIN_S = 20.0
"""A server that runs somewhere looks every 5 s, and is busy with a batch for a while."""
STALLED_S = 60.0
TELL_EVERY_PERCENT = 10
NO_VECTORS = "No vectors are kept: QDRANT_URL is empty, and the embedded store is not installed."
STALLED = (
    "No memory was indexed for a while: what keeps vectors or makes them is away; jarvis doctor tells which. "
    "The rest stays marked, and a running jarvis serve indexes it as soon as it can."
)


async def reindex(
    settings: Settings, *, begun_within_s: float = BEGUN_WITHIN_S, stalled_s: float = STALLED_S
) -> int:
    """Return 0 when every memory has a new vector, 1 when for `stalled_s` none got one.

    Raises Unavailable and EmbeddedError.
    """
    if not settings.qdrant_url and not keeps_vectors_here(settings):
        Console(stderr=True).print(NO_VECTORS)
        return 1
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(effective_database(settings))
        if await current_revision(url) != HEAD:
            Console(stderr=True).print("The database is not at this version's revision: run jarvis migrate.")
            return 1
        database = await stack.enter_async_context(Database(database_settings(settings, url)))
        if keeps_vectors_here(settings) and holder_of(settings.data_dir) is None:
            stack.enter_context(DataDir(settings.data_dir))
        store = PostgresMemories(database)
        await store.unindex_all()
        with _shown(Console(stderr=True)) as show:
            watch = _Watch(store, show)
            done = await _indexed(settings, watch, stack, begun_within_s, stalled_s)
        Console(stderr=not done).print(f"All {watch.total} memories are indexed." if done else STALLED)
    return 0 if done else 1


async def _indexed(
    settings: Settings, watch: "_Watch", stack: AsyncExitStack, begun_within_s: float, stalled_s: float
) -> bool:
    """Let a server do it; where there is none, do it here."""
    is_alone = holder_of(settings.data_dir) == os.getpid()
    if not is_alone and (keeps_vectors_here(settings) or await watch.until_begun(begun_within_s)):
        return await watch.until_done(stalled_s)
    folder = settings.data_dir / "vectors" if keeps_vectors_here(settings) else None
    vectors = await open_vectors(settings, stack, folder)
    assert vectors is not None  # noqa: S101 one of the two was seen to be there
    embedder = EmbedderStart(settings)
    reporter = structlog.stdlib.get_logger("jarvis.background")
    index = MemoryIndex(store=watch.store, embedder=embedder.embedder, vectors=vectors, reporter=reporter)
    tasks = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(tasks.cancel_scope.cancel)
    tasks.start_soon(embedder.run)
    tasks.start_soon(index.run)
    return await watch.until_done(stalled_s)


class _Watch:
    """Sees how many memories are left; `total`: how many it knows of."""

    def __init__(self, store: MemoryStore, show: Callable[[int, int], None]) -> None:
        self.store = store
        self.total = 0
        self._show = show

    async def until_begun(self, within_s: float) -> bool:
        """Wait until some are indexed; tell whether there were."""
        first = await self._left()
        with anyio.move_on_after(within_s):
            while first and await self._left() >= first:  # noqa: ASYNC110 # in another process
                await asyncio.sleep(LOOK_S)
            return True
        return False

    async def until_done(self, stalled_s: float) -> bool:
        """Wait until all are indexed; False when for `stalled_s` none was."""
        best = await self._left()
        patient_until = anyio.current_time() + stalled_s
        while left := await self._left():
            if left < best:
                best, patient_until = left, anyio.current_time() + stalled_s
            elif anyio.current_time() > patient_until:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _left(self) -> int:
        left = await self.store.unindexed_count()
        self.total = max(self.total, left)
        self._show(self.total - left, self.total)
        return left


@contextmanager
def _shown(console: Console) -> Generator[Callable[[int, int], None]]:
    """Give a callback for how many are done of how many: a bar on a terminal, elsewhere a line every 10 %."""
    if not console.is_terminal:
        told = -1

        def tell(done: int, total: int) -> None:
            nonlocal told
            percent = 100 * done // total if total else 100
            if percent // TELL_EVERY_PERCENT > told:
                told = percent // TELL_EVERY_PERCENT
                console.print(f"{done} of {total} memories are indexed.")

        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("Indexing memories", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
