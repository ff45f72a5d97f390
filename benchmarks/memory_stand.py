"""Recall as Jarvis does it, on parts of its own: embedded Postgres, embedded encoder, Qdrant Edge."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from uuid import UUID

import msgspec

from jarvis.adapters.embedding.sentence_encoder import SentenceEncoder
from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.driver import connect
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.migrations import migrate
from jarvis.adapters.postgres.recall import PostgresRecall
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.adapters.qdrant.edge import Edge
from jarvis.core.memories import Memory, NewMemory
from jarvis.core.ports import Vector, VectorPoint
from jarvis.core.recall import rank, with_closeness
from jarvis.core.recall_store import Seeds, Surroundings
from jarvis.core.types import User
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.postgres import start_postgres
from jarvis.embedded.supervisor import Supervisor
from jarvis.services.memory import SEEDS

SLICE = 500
NOW = datetime(2030, 1, 1, tzinfo=UTC)
"""Long after all that is told: how recent it is tells nothing."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What is ranked for a query, kept so that it can be ranked again in other ways."""

    query: str
    seeds: Seeds
    surroundings: Surroundings
    by_words: frozenset[UUID]
    by_meaning: frozenset[UUID]

    def ranked(self, *, limit: int) -> list[Memory]:
        return rank(self.query, self.seeds, self.surroundings, now=NOW, limit=limit)


class MemoryStand:
    """`took_s` has, by part, how long each query took."""

    def __init__(
        self, *, database_url: str, database: Database, embedder: SentenceEncoder, vectors: Edge
    ) -> None:
        self.database_url = database_url
        self.memories = PostgresMemories(database)
        self.recall = PostgresRecall(database)
        self.database = database
        self.embedder = embedder
        self.vectors = vectors
        self.took_s: dict[str, list[float]] = {}

    async def user(self, name: str) -> User:
        return await PostgresUsers(self.database).profile(name)

    async def tell(self, user: User, told: Sequence[NewMemory]) -> list[UUID]:
        """Add them in their order, with their vectors; return their ids."""
        ids: list[UUID] = []
        for start in range(0, len(told), SLICE):
            part = await self.memories.add(user, told[start : start + SLICE])
            vectors = await self.embedder.embed([one.content for one in part])
            await self.put(user, [one.id for one in part], vectors)
            ids += [one.id for one in part]
        return ids

    async def put(self, user: User, ids: Sequence[UUID], vectors: Sequence[Vector]) -> None:
        points = [VectorPoint(id=id_, vector=vector) for id_, vector in zip(ids, vectors, strict=True)]
        await self.vectors.put(user.id, points)

    async def settle(self) -> None:
        """Do what Postgres would do in a while by itself, so that every run sees the same."""
        connection = await connect(self.database_url)
        await connection.execute("VACUUM ANALYZE memories")
        await connection.close()

    async def fetch(self, user: User, query: str) -> Fetched:
        begun_s = perf_counter()
        seeds, (vector, near) = await asyncio.gather(self._seeds(user, query), self._near(user, query))
        ids = list(dict.fromkeys([*seeds.ids, *near]))
        fetched_s = perf_counter()
        surroundings = await self.recall.around(user, seeds, ids)
        self._took("around", fetched_s)
        compared_s = perf_counter()
        known = await self.vectors.similarities(
            user.id, vector, [one.memory.id for one in surroundings.candidates]
        )
        self._took("similarities", compared_s)
        fetched = Fetched(
            query=query,
            seeds=seeds,
            surroundings=with_closeness(surroundings, known),
            by_words=frozenset(seeds.ids),
            by_meaning=frozenset(near),
        )
        ranked_s = perf_counter()
        fetched.ranked(limit=10)
        self._took("rank", ranked_s)
        self._took("in all", begun_s)
        return fetched

    async def _seeds(self, user: User, query: str) -> Seeds:
        begun_s = perf_counter()
        seeds = await self.recall.seeds(user, query, limit=SEEDS)
        self._took("seeds", begun_s)
        return seeds

    async def _near(self, user: User, query: str) -> tuple[Vector, list[UUID]]:
        begun_s = perf_counter()
        (vector,) = await self.embedder.embed([query])
        self._took("embed", begun_s)
        embedded_s = perf_counter()
        near = await self.vectors.nearest(user.id, vector, limit=SEEDS)
        self._took("nearest", embedded_s)
        return vector, [one.id for one in near]

    def _took(self, part: str, begun_s: float) -> None:
        self.took_s.setdefault(part, []).append(perf_counter() - begun_s)


@asynccontextmanager
async def memory_stand() -> AsyncGenerator[MemoryStand]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jarvis-bench-")))
        os.chmod(folder, 0o711)  # noqa: PTH101, S103 - as root, Postgres is another user and passes through
        data_dir = stack.enter_context(DataDir(folder / "database"))
        supervisor = await stack.enter_async_context(
            Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir)
        )
        url = await start_postgres(supervisor, data_dir)
        await migrate(url)
        database = await stack.enter_async_context(Database(DatabaseSettings(url=url)))
        embedder = await stack.enter_async_context(SentenceEncoder())
        vectors = await stack.enter_async_context(Edge(folder / "vectors"))
        await vectors.open(await embedder.space())
        yield MemoryStand(database_url=url, database=database, embedder=embedder, vectors=vectors)
