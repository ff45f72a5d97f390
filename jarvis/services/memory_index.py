"""Keeps the vector store in step with Postgres, and asks it which memories mean alike.

Postgres is the truth: what it has unindexed is put, in the background; the vector store may vanish and come
back empty at any time.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import anyio

from jarvis.core.errors import JarvisError, Unavailable
from jarvis.core.memory_store import MemoryStore
from jarvis.core.ports import Embedder, Nearby, Vector, VectorPoint, VectorSpace, VectorStore
from jarvis.core.types import User
from jarvis.services.sweeper import Reporter

PERIOD_S = 5.0
"""How often rows are looked for that nobody has told of: those of other processes, and of ones that died."""
RETRY_S = 1.0
START_PATIENCE_S = 10.0
"""How long after the start what is not there yet is said to be starting."""
BATCH = 64
FORGET_BATCH = 1_000
USERS = 100
NOT_READY = "What compares meanings is not ready yet."
PURGE_PERIOD_S = 20.0
"""How often at most the store's files are rewritten without what was forgotten."""


class MemoryIndex:
    """The vectors of all memories. Questions raise Unavailable("memory", ...) while none can be asked."""

    def __init__(
        self,
        *,
        store: MemoryStore,
        embedder: Embedder,
        vectors: VectorStore,
        reporter: Reporter,
        purge_period_s: float = PURGE_PERIOD_S,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._vectors = vectors
        self._reporter = reporter
        self._purge_period_s = purge_period_s
        self._space: VectorSpace | None = None
        self._has_others = True
        self._is_open = False
        self._was_tried = False
        self._is_unclean = True  # a process that died may have left what it forgot in the store's files
        self._purge_at = 0.0
        self._woken = asyncio.Event()
        self._counted = 0
        self._added = 0

    @property
    def unindexed(self) -> int:
        """How many memories of all users have no vector yet, as of the last look."""
        return self._counted + self._added

    def wake(self, added: int = 0) -> None:
        """Look at once for what has changed; `added` memories have no vector yet."""
        self._added += added
        self._woken.set()

    async def run(self) -> None:
        """Index for ever; to be cancelled."""
        patient_until = anyio.current_time() + START_PATIENCE_S
        while True:
            self._woken.clear()
            try:
                await self._count()
                await self._open()
                self._was_tried = True
                await self._index_all()
            except JarvisError:
                self._was_tried = self._was_tried or anyio.current_time() > patient_until
                self._is_open = False  # it is away, or has lost what it had: opening tells
                await asyncio.sleep(RETRY_S)
                continue
            except Exception:  # noqa: BLE001 one defect must not end the indexing
                self._reporter.exception("index_defect")
                await asyncio.sleep(RETRY_S)
            with anyio.move_on_after(PERIOD_S):
                await self._woken.wait()

    @property
    def starting(self) -> str | None:
        """Say what is awaited, until the first opening has been tried."""
        return None if self._was_tried else NOT_READY

    async def ping(self) -> None:
        """Raises Unavailable("memory", ...) while meanings cannot be compared."""
        self._check_open()
        await self._vectors.ping()

    async def embed(self, text: str) -> Vector:
        self._check_open()
        (vector,) = await self._embedder.embed([text])
        return vector

    async def nearest(self, user: User, vector: Vector, *, limit: int) -> list[Nearby]:
        self._check_open()
        return await self._vectors.nearest(user.id, vector, limit=limit)

    async def similarities(self, user: User, vector: Vector, ids: Sequence[UUID]) -> list[Nearby]:
        self._check_open()
        return await self._vectors.similarities(user.id, vector, ids)

    def _check_open(self) -> None:
        if not self._is_open:
            raise Unavailable("memory", NOT_READY)

    async def _open(self) -> None:
        """See that what is open answers and fits the embedder; otherwise open anew."""
        space = await self._embedder.space()
        if self._is_open and space == self._space:
            await self._vectors.ping()
            return
        self._is_open = False
        name = self._vectors.name_of(space)
        # Others than those that Postgres speaks of lack what was added since, and have what was forgotten.
        is_known = await self._store.indexed_space() == name
        if await self._vectors.open(space, anew=not is_known):
            await self._store.unindex_all()
            await self._count()
        if not is_known:
            await self._store.set_indexed_space(name)
        self._space, self._has_others, self._is_open = space, True, True

    async def _index_all(self) -> None:
        while users := await self._store.users_to_index(limit=USERS):
            done = 0
            for user in users:
                done += await self._forget(user) + await self._put(user)
            if not done:
                break  # others are writing to what is left
        await self._count()
        if self._has_others and not self._counted:
            await self._vectors.drop_other_spaces()
            self._has_others = False
        if self._is_unclean and anyio.current_time() >= self._purge_at:
            await self._vectors.purge()
            self._is_unclean = False
            self._purge_at = anyio.current_time() + self._purge_period_s

    async def _count(self) -> None:
        added = self._added
        self._counted = await self._store.unindexed_count()
        self._added -= added  # what was added meanwhile may not be among them

    async def _forget(self, user: User) -> int:
        """Drop vectors of memories that are gone; return how many."""
        ids = await self._store.forgotten(user, limit=FORGET_BATCH)
        if ids:
            await self._vectors.delete(user.id, ids)
            await self._store.mark_forgotten(user, ids)
            self._is_unclean = True
        return len(ids)

    async def _put(self, user: User) -> int:
        """Give some memories their vectors; return how many."""
        batch = await self._store.unindexed(user, limit=BATCH)
        if batch:
            vectors = await self._embedder.embed([one.content for one in batch])
            if await self._vectors.similarities(user.id, vectors[0], [one.id for one in batch]):
                self._is_unclean = True  # what is replaced stays in the store's files
            points = [
                VectorPoint(id=one.id, vector=vector) for one, vector in zip(batch, vectors, strict=True)
            ]
            await self._vectors.put(user.id, points)
            await self._store.mark_indexed(user, batch)
        return len(batch)
