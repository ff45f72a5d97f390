"""The vectors follow Postgres, through changes of what makes them and of where they are."""

import asyncio
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.adapters.qdrant.edge import Edge
from jarvis.adapters.qdrant.server import Server
from jarvis.core.memories import Memory, MemoryEdit, NewMemory
from jarvis.core.ports import Vector, VectorSpace, VectorStore
from jarvis.core.types import User
from jarvis.services.memory_index import BATCH, MemoryIndex
from tests.qdrant import QdrantServer
from tests.vectors import DIMENSIONS, vector

WITHIN_S = 20.0


class Model:
    """An embedder of which there are versions; `room`: how many texts it embeds before it hangs."""

    def __init__(self, version: str, room: int = 1_000_000) -> None:
        self.version = version
        self.has_hung = asyncio.Event()
        self._room = room

    async def space(self) -> VectorSpace:
        return VectorSpace(model="model", version=self.version, dimensions=DIMENSIONS)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        self._room -= len(texts)
        if self._room < 0:
            self.has_hung.set()
            await asyncio.Event().wait()
        return [vector(f"{self.version} {text}") for text in texts]


class Reports:
    def exception(self, event: str) -> None:
        raise AssertionError(event)


@pytest.fixture
def memories(database: Database) -> PostgresMemories:
    return PostgresMemories(database)


@pytest.fixture
async def user(database: Database) -> User:
    return await PostgresUsers(database).profile("anna")


@asynccontextmanager
async def indexing(
    memories: PostgresMemories, vectors: VectorStore, model: Model
) -> AsyncGenerator[MemoryIndex]:
    index = MemoryIndex(store=memories, embedder=model, vectors=vectors, reporter=Reports(), purge_period_s=0)
    running = asyncio.create_task(index.run())
    yield index
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def index_all(memories: PostgresMemories, vectors: VectorStore, model: Model, user: User) -> None:
    """Run until all is indexed and nothing forgotten is left."""
    async with indexing(memories, vectors, model), asyncio.timeout(WITHIN_S):
        name = vectors.name_of(await model.space())
        while (  # noqa: ASYNC110 it tells nobody
            await memories.indexed_space() != name
            or await memories.unindexed_count()
            or await memories.forgotten(user, limit=1)
        ):
            await asyncio.sleep(0.02)


async def tell(memories: PostgresMemories, user: User, what: str, count: int = 1) -> list[Memory]:
    return await memories.add(user, [NewMemory(content=f"{what} {number}") for number in range(count)])


async def is_whole(
    memories: PostgresMemories, vectors: VectorStore, user: User, version: str, gone: Sequence[Memory] = ()
) -> None:
    """See that every memory has its vector of that version, and that those that are gone have none."""
    held = (await memories.page(user, limit=500)).memories
    for memory in held:
        (found,) = await vectors.similarities(user.id, vector(f"{version} {memory.content}"), [memory.id])
        assert found.similarity > 0.99
    near = await vectors.nearest(user.id, vector("any"), limit=1000)
    assert {one.id for one in near} == {one.id for one in held}
    assert not {one.id for one in near} & {one.id for one in gone}


@pytest.fixture(params=["edge", "server"])
async def vectors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[VectorStore]:
    if request.param == "edge":
        async with Edge(tmp_path / "vectors") as edge:
            yield edge
    else:
        async with QdrantServer() as qdrant, Server(qdrant.url) as server:
            yield server


async def test_a_change_of_model_that_is_interrupted_and_taken_back_leaves_no_hole(
    memories: PostgresMemories, user: User, vectors: VectorStore
) -> None:
    forgotten, edited, *_ = await tell(memories, user, "before", 2 * BATCH + 2)
    await index_all(memories, vectors, Model("A"), user)
    hanging = Model("B", room=BATCH)
    async with indexing(memories, vectors, hanging), asyncio.timeout(WITHIN_S):
        await hanging.has_hung.wait()
    await memories.delete(user, forgotten.id)
    await memories.edit(user, edited.id, MemoryEdit(content="edited"))
    await tell(memories, user, "meanwhile", 3)
    hanging = Model("B", room=BATCH)
    async with indexing(memories, vectors, hanging), asyncio.timeout(WITHIN_S):
        await hanging.has_hung.wait()  # has dropped what was forgotten from its own, and indexed what is new
    assert await memories.forgotten(user, limit=1) == []
    await index_all(memories, vectors, Model("A"), user)
    await is_whole(memories, vectors, user, "A", gone=[forgotten])


async def test_a_change_that_is_interrupted_goes_on_where_it_was(
    memories: PostgresMemories, user: User, vectors: VectorStore
) -> None:
    await tell(memories, user, "before", 2 * BATCH)
    await index_all(memories, vectors, Model("A"), user)
    hanging = Model("B", room=BATCH)
    async with indexing(memories, vectors, hanging), asyncio.timeout(WITHIN_S):
        await hanging.has_hung.wait()
    await index_all(memories, vectors, Model("B", room=BATCH), user)
    await is_whole(memories, vectors, user, "B")


async def test_a_store_that_was_left_for_another_and_is_taken_again_has_no_hole(
    memories: PostgresMemories, user: User, tmp_path: Path
) -> None:
    gone, *_ = await tell(memories, user, "before", 3)
    async with Edge(tmp_path / "vectors") as edge, QdrantServer() as qdrant, Server(qdrant.url) as server:
        await index_all(memories, edge, Model("A"), user)
        await memories.delete(user, gone.id)
        await tell(memories, user, "meanwhile")
        await index_all(memories, server, Model("A"), user)
        await index_all(memories, edge, Model("A"), user)
        await is_whole(memories, edge, user, "A", gone=[gone])


async def test_what_an_edit_replaced_is_in_no_file_of_the_vectors(
    memories: PostgresMemories, user: User, tmp_path: Path
) -> None:
    folder = tmp_path / "vectors"
    (memory,) = await tell(memories, user, "before")
    trace = struct.pack("<8e", *vector(f"A {memory.content}")[:8])
    async with PurgedEdge(folder) as edge:
        async with indexing(memories, edge, Model("A")) as index, asyncio.timeout(WITHIN_S):
            await edge.purged.wait()  # as after every start
            assert is_in(folder, trace), "the test looks for something else"
            edge.purged.clear()
            await memories.edit(user, memory.id, MemoryEdit(content="after"))
            index.wake(1)
            await edge.purged.wait()
        assert not is_in(folder, trace)
        await is_whole(memories, edge, user, "A")


class PurgedEdge(Edge):
    """Tells when it was purged."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.purged = asyncio.Event()

    async def purge(self) -> None:
        await super().purge()
        self.purged.set()


def is_in(folder: Path, trace: bytes) -> bool:
    return any(trace in file.read_bytes() for file in folder.rglob("*") if file.is_file())
