"""Recall as Jarvis does it, on parts of its own: embedded Postgres, embedded encoder, Qdrant Edge."""

import os
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from uuid import UUID

import msgspec
import structlog

from jarvis.adapters.embedding.sentence_encoder import SentenceEncoder
from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.driver import connect
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.migrations import migrate
from jarvis.adapters.postgres.recall import PostgresRecall
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.adapters.qdrant.edge import Edge
from jarvis.core.memories import Memory, NewMemory
from jarvis.core.ports import Embedder, Nearby, Vector, VectorPoint
from jarvis.core.recall import Ranking
from jarvis.core.recall_store import Seeds, Surroundings
from jarvis.core.types import User
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.postgres import start_postgres
from jarvis.embedded.supervisor import Supervisor
from jarvis.services.memory import SEEDS, Memories
from jarvis.services.memory_index import MemoryIndex
from jarvis.services.orchestrator import RECALLED

SLICE = 500
NOW = datetime(2030, 1, 1, tzinfo=UTC)
"""Long after all that is told: how recent it is tells nothing."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What is ranked for a query, kept so that it can be ranked again in other ways."""

    query: str
    seeds: Seeds
    surroundings: Surroundings
    nearby: list[Nearby]
    by_words: frozenset[UUID]
    by_meaning: frozenset[UUID]

    def ranked(self, *, limit: int) -> list[Memory]:
        return Ranking(self.query, self.seeds, self.surroundings, now=NOW).best(self.nearby, limit=limit)


class Clock:
    """Has, by part, how long each question took: `took_s`."""

    def __init__(self) -> None:
        self.took_s: dict[str, list[float]] = {}

    @contextmanager
    def taking(self, part: str) -> Generator[None]:
        begun_s = perf_counter()
        yield
        self.took_s.setdefault(part, []).append(perf_counter() - begun_s)


class TimedRecall(PostgresRecall):
    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database)
        self._clock = clock

    async def seeds(self, user: User, query: str, *, limit: int, as_of: datetime | None = None) -> Seeds:
        with self._clock.taking("seeds"):
            return await super().seeds(user, query, limit=limit, as_of=as_of)

    async def around(
        self, user: User, seeds: Seeds, ids: Sequence[UUID], *, as_of: datetime | None = None
    ) -> Surroundings:
        with self._clock.taking("around"):
            return await super().around(user, seeds, ids, as_of=as_of)


class TimedIndex(MemoryIndex):
    """Questions only: the stand itself puts the vectors, so it never runs."""

    def __init__(self, store: PostgresMemories, embedder: Embedder, vectors: Edge, clock: Clock) -> None:
        super().__init__(store=store, embedder=embedder, vectors=vectors, reporter=structlog.get_logger())
        self._clock = clock
        self._is_open = True

    async def embed(self, text: str) -> Vector:
        with self._clock.taking("embed"):
            return await super().embed(text)

    async def nearest(self, user: User, vector: Vector, *, limit: int) -> list[Nearby]:
        with self._clock.taking("nearest"):
            return await super().nearest(user, vector, limit=limit)

    async def similarities(self, user: User, vector: Vector, ids: Sequence[UUID]) -> list[Nearby]:
        with self._clock.taking("similarities, ranking beside"):
            return await super().similarities(user, vector, ids)


class MemoryStand:
    """`clock` has how long each `search` took, and its parts."""

    def __init__(
        self, *, database_url: str, database: Database, embedder: SentenceEncoder, vectors: Edge
    ) -> None:
        self.database_url = database_url
        self.memories = PostgresMemories(database)
        self.database = database
        self.embedder = embedder
        self.vectors = vectors
        self.clock = Clock()
        self.recall = TimedRecall(database, self.clock)
        self._service = Memories(
            store=self.memories,
            recall=self.recall,
            index=TimedIndex(self.memories, embedder, vectors, self.clock),
            forget_turns=lambda _: None,
            reporter=structlog.get_logger(),
        )

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

    async def search(self, user: User, query: str) -> list[Memory]:
        """Ask the service itself."""
        with self.clock.taking("in all"):
            return await self._service.search(user, query, limit=RECALLED)

    async def fetch(self, user: User, query: str) -> Fetched:
        """Fetch by the same steps as the service does."""
        seeds = await self.recall.seeds(user, query, limit=SEEDS)
        (vector,) = await self.embedder.embed([query])
        near = [one.id for one in await self.vectors.nearest(user.id, vector, limit=SEEDS)]
        surroundings = await self.recall.around(user, seeds, list(dict.fromkeys([*seeds.ids, *near])))
        candidates = [one.memory.id for one in surroundings.candidates]
        return Fetched(
            query=query,
            seeds=seeds,
            surroundings=surroundings,
            nearby=await self.vectors.similarities(user.id, vector, candidates),
            by_words=frozenset(seeds.ids),
            by_meaning=frozenset(near),
        )


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
