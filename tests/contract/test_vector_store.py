"""What the VectorStore port promises: on Qdrant Edge, the client's local mode, a server if there is one."""

import asyncio
import os
import random
import signal
import struct
import sys
from array import array
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from uuid import UUID, uuid4

import psutil
import pytest
from qdrant_client import AsyncQdrantClient

from jarvis.adapters.qdrant.edge import Edge
from jarvis.adapters.qdrant.server import Server
from jarvis.core.errors import Unavailable
from jarvis.core.ports import Vector, VectorPoint, VectorSpace, VectorStore

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant")

DIMENSIONS = 32
SPACE = VectorSpace(model="model", version="1", dimensions=DIMENSIONS)
OTHER = VectorSpace(model="model", version="2", dimensions=48)
ANNE, BRUNO = uuid4(), uuid4()
REPOSITORY = Path(__file__).parents[2]
REAL_SERVER = os.environ.get("QDRANT_TEST_URL", "")

Open: TypeAlias = Callable[[], AbstractAsyncContextManager[VectorStore]]


@pytest.fixture(params=["edge", "local mode", "server"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Return what opens a store that nobody has used."""
    if request.param == "edge":
        return lambda: Edge(tmp_path / "vectors")
    if request.param == "server" and not REAL_SERVER:
        pytest.skip("QDRANT_TEST_URL names no Qdrant server to test on")
    collection = f"jarvis_test_{uuid4().hex[:8]}"
    return lambda: _server(REAL_SERVER or ":memory:", collection)


@asynccontextmanager
async def _server(url: str, collection: str) -> AsyncGenerator[Server]:
    async with Server(url, collection=collection) as server:
        yield server
    if url == REAL_SERVER:
        client = AsyncQdrantClient(url)
        for other in (await client.get_collections()).collections:
            if other.name.startswith(collection):
                await client.delete_collection(other.name)
        await client.close()


@pytest.fixture
async def store(connect: Open) -> AsyncGenerator[VectorStore]:
    async with connect() as opened:
        assert await opened.open(SPACE)
        yield opened


def vector(seed: object, dimensions: int = DIMENSIONS) -> Vector:
    """Return a vector of length 1 that points somewhere else for every seed."""
    chance = random.Random(str(seed))  # noqa: S311 # no secret
    values = [chance.gauss(0, 1) for _ in range(dimensions)]
    length = sum(value * value for value in values) ** 0.5
    return array("f", [value / length for value in values])


def points(*seeds: object) -> list[VectorPoint]:
    return [VectorPoint(id=uuid4(), vector=vector(seed)) for seed in seeds]


def cosine(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def ids_near(store: VectorStore, user_id: UUID, near: Vector, limit: int = 100) -> list[UUID]:
    return [found.id for found in await store.nearest(user_id, near, limit=limit)]


async def test_finds_the_nearest_first_with_their_cosines(store: VectorStore) -> None:
    put = points(*range(200))
    await store.put(ANNE, put)
    asked = vector("asked")
    expected = sorted(put, key=lambda point: -cosine(asked, point.vector))[:10]

    found = await store.nearest(ANNE, asked, limit=10)

    assert [each.id for each in found] == [point.id for point in expected]
    cosines = [cosine(asked, point.vector) for point in expected]
    assert [each.similarity for each in found] == pytest.approx(cosines, abs=1e-3)


async def test_a_vector_is_as_near_to_itself_as_can_be(store: VectorStore) -> None:
    [point] = points("one")
    await store.put(ANNE, [point])

    [found] = await store.nearest(ANNE, point.vector, limit=5)

    assert found.id == point.id
    assert found.similarity == pytest.approx(1, abs=1e-3)
    assert found.similarity <= 1


async def test_tells_how_near_the_named_ones_are(store: VectorStore) -> None:
    put = points(*range(20))
    await store.put(ANNE, put)
    asked = vector("asked")

    found = await store.similarities(ANNE, asked, [put[3].id, uuid4(), put[7].id])

    told = {each.id: each.similarity for each in found}
    assert told.keys() == {put[3].id, put[7].id}
    assert told[put[3].id] == pytest.approx(cosine(asked, put[3].vector), abs=1e-3)


async def test_nothing_is_asked_and_nothing_is_found(store: VectorStore) -> None:
    await store.put(ANNE, [])
    await store.delete(ANNE, [])

    assert await store.similarities(ANNE, vector("asked"), []) == []
    assert await store.nearest(ANNE, vector("asked"), limit=0) == []
    assert await store.nearest(ANNE, vector("asked"), limit=5) == []


async def test_what_is_put_again_is_replaced(store: VectorStore) -> None:
    [point] = points("before")
    await store.put(ANNE, [point])
    await store.put(ANNE, [VectorPoint(id=point.id, vector=vector("after"))])

    [found] = await store.nearest(ANNE, vector("after"), limit=5)

    assert found.similarity == pytest.approx(1, abs=1e-3)


async def test_500_at_once(store: VectorStore) -> None:
    put = points(*range(500))
    await store.put(ANNE, put)

    assert set(await ids_near(store, ANNE, vector("asked"), 1000)) == {point.id for point in put}


class TestTwoUsers:
    async def test_neither_finds_the_others(self, store: VectorStore) -> None:
        hers, his = points("same", "else"), points("same")
        await store.put(ANNE, hers)
        await store.put(BRUNO, his)

        assert set(await ids_near(store, ANNE, vector("same"))) == {point.id for point in hers}
        assert await ids_near(store, BRUNO, vector("same")) == [his[0].id]
        assert await ids_near(store, uuid4(), vector("same")) == []

    async def test_naming_the_others_ids_tells_nothing(self, store: VectorStore) -> None:
        [hers] = points("hers")
        await store.put(ANNE, [hers])

        assert await store.similarities(BRUNO, hers.vector, [hers.id]) == []

    async def test_neither_deletes_the_others(self, store: VectorStore) -> None:
        [hers] = points("hers")
        await store.put(ANNE, [hers])

        await store.delete(BRUNO, [hers.id])
        await store.delete_user(BRUNO)

        assert await ids_near(store, ANNE, hers.vector) == [hers.id]

    async def test_neither_replaces_the_others(self, store: VectorStore) -> None:
        [hers] = points("hers")
        await store.put(ANNE, [hers])

        await store.put(BRUNO, [VectorPoint(id=hers.id, vector=vector("his"))])

        [found] = await store.nearest(ANNE, hers.vector, limit=5)
        assert found.similarity == pytest.approx(1, abs=1e-3)
        assert await ids_near(store, BRUNO, vector("his")) == []


class TestDeleting:
    async def test_what_is_named_goes_and_the_rest_stays(self, store: VectorStore) -> None:
        put = points(*range(5))
        await store.put(ANNE, put)

        await store.delete(ANNE, [put[0].id, put[3].id, uuid4()])
        await store.delete(ANNE, [put[0].id])

        assert set(await ids_near(store, ANNE, vector("asked"))) == {put[1].id, put[2].id, put[4].id}

    async def test_everything_of_a_user_goes(self, store: VectorStore) -> None:
        await store.put(ANNE, points(*range(30)))
        his = points("his")
        await store.put(BRUNO, his)

        await store.delete_user(ANNE)
        await store.purge()

        assert await ids_near(store, ANNE, vector("asked")) == []
        assert await ids_near(store, BRUNO, vector("asked")) == [his[0].id]


class TestSpaces:
    async def test_each_keeps_its_own_vectors(self, store: VectorStore) -> None:
        old = points("old")
        await store.put(ANNE, old)

        assert await store.open(OTHER)
        new = VectorPoint(id=old[0].id, vector=vector("new", OTHER.dimensions))
        await store.put(ANNE, [new])
        assert await ids_near(store, ANNE, new.vector) == [new.id]

        assert not await store.open(SPACE)
        [found] = await store.nearest(ANNE, old[0].vector, limit=5)
        assert found.similarity == pytest.approx(1, abs=1e-3)

    async def test_opening_what_is_open_tells_whether_it_has_vectors(self, store: VectorStore) -> None:
        assert await store.open(SPACE)
        await store.put(ANNE, points("one"))
        assert not await store.open(SPACE)

    async def test_the_others_are_dropped_on_request(self, store: VectorStore) -> None:
        await store.put(ANNE, points("old"))
        await store.open(OTHER)
        kept = VectorPoint(id=uuid4(), vector=vector("new", OTHER.dimensions))
        await store.put(ANNE, [kept])

        await store.drop_other_spaces()

        assert await ids_near(store, ANNE, kept.vector) == [kept.id]
        assert await store.open(SPACE)

    async def test_a_vector_of_another_size_is_refused(self, store: VectorStore) -> None:
        with pytest.raises(Unavailable) as refused:
            await store.put(ANNE, [VectorPoint(id=uuid4(), vector=vector("long", OTHER.dimensions))])
        assert refused.value.dependency == "memory"
        with pytest.raises(Unavailable):
            await store.nearest(ANNE, vector("long", OTHER.dimensions), limit=5)


ASKING: dict[str, Callable[[VectorStore], Awaitable[object]]] = {
    "put": lambda store: store.put(ANNE, points("one")),
    "nearest": lambda store: store.nearest(ANNE, vector("one"), limit=1),
    "similarities": lambda store: store.similarities(ANNE, vector("one"), [uuid4()]),
    "delete": lambda store: store.delete(ANNE, [uuid4()]),
    "delete_user": lambda store: store.delete_user(ANNE),
    "purge": lambda store: store.purge(),
    "drop_other_spaces": lambda store: store.drop_other_spaces(),
    "ping": lambda store: store.ping(),
}


@pytest.mark.parametrize("what", ASKING)
async def test_a_store_that_was_not_opened_is_not_available(connect: Open, what: str) -> None:
    async with connect() as unopened:
        with pytest.raises(Unavailable) as refused:
            await ASKING[what](unopened)
        assert refused.value.dependency == "memory"


async def test_answers_a_ping(store: VectorStore) -> None:
    await store.ping()


async def test_many_at_once(store: VectorStore) -> None:
    put = points(*range(100))
    users = [uuid4() for _ in range(10)]
    async with asyncio.TaskGroup() as tasks:
        for number, user_id in enumerate(users):
            tasks.create_task(store.put(user_id, put[number * 10 : number * 10 + 10]))
    found = await asyncio.gather(*(ids_near(store, user_id, vector("asked")) for user_id in users))
    assert [set(ids) for ids in found] == [
        {point.id for point in put[first : first + 10]} for first in range(0, 100, 10)
    ]


class TestEdge:
    """What only files of one's own have."""

    async def test_reopening_finds_everything(self, tmp_path: Path) -> None:
        put = points(*range(50))
        async with Edge(tmp_path) as store:
            assert await store.open(SPACE)
            await store.put(ANNE, put)
            await store.delete(ANNE, [put[0].id])
        async with Edge(tmp_path) as store:
            assert not await store.open(SPACE)
            assert set(await ids_near(store, ANNE, vector("asked"))) == {point.id for point in put[1:]}

    async def test_a_kill_loses_nothing_that_was_acknowledged(self, tmp_path: Path) -> None:
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WRITER, str(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
            cwd=REPOSITORY,
        )
        assert writer.stdout is not None
        acknowledged = [UUID((await writer.stdout.readline()).decode().strip()) for _ in range(30)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [UUID(line.decode().strip()) async for line in writer.stdout if len(line) == 37]
        await writer.wait()

        async with Edge(tmp_path) as store:
            assert not await store.open(SPACE)
            kept = await ids_near(store, ANNE, vector("asked"), 10_000)
        assert set(acknowledged) <= set(kept)

    async def test_a_process_that_was_killed_is_started_again(self, tmp_path: Path) -> None:
        async with Edge(tmp_path) as store:
            await store.open(SPACE)
            put = points(*range(20))
            await store.put(ANNE, put)
            asking = [asyncio.create_task(store.purge()), asyncio.create_task(store.ping())]
            await asyncio.sleep(0)
            engine(tmp_path).kill()
            outcomes = await asyncio.gather(*asking, return_exceptions=True)
            assert all(each is None or isinstance(each, Unavailable) for each in outcomes)
            with pytest.raises(Unavailable):
                await store.ping()

            assert not await store.open(SPACE)
            assert set(await ids_near(store, ANNE, vector("asked"))) == {point.id for point in put}

    async def test_its_process_ends_with_it(self, tmp_path: Path) -> None:
        async with Edge(tmp_path) as store:
            await store.open(SPACE)
            process = engine(tmp_path)
        assert not process.is_running()

    async def test_a_second_owner_waits_for_the_first(self, tmp_path: Path) -> None:
        put = points(*range(20))
        async with Edge(tmp_path) as second:
            async with Edge(tmp_path) as first:
                await first.open(SPACE)
                opening = asyncio.create_task(second.open(SPACE))
                await first.put(ANNE, put)
                await asyncio.wait({opening}, timeout=1)  # what must not happen gives no event
                assert not opening.done()
            assert not await opening
            assert len(await ids_near(second, ANNE, vector("asked"))) == 20

    async def test_a_caller_who_leaves_takes_no_others_answer(self, tmp_path: Path) -> None:
        async with Edge(tmp_path) as store:
            await store.open(SPACE)
            put = points("one", "two")
            await store.put(ANNE, put)
            left = asyncio.create_task(store.nearest(ANNE, put[0].vector, limit=1))
            stayed = asyncio.create_task(store.nearest(ANNE, put[1].vector, limit=1))
            await asyncio.sleep(0)
            left.cancel()
            assert [each.id for each in await stayed] == [put[1].id]

    async def test_what_was_forgotten_is_in_no_file_after_a_purge(self, tmp_path: Path) -> None:
        hers, his = points(*range(20)), points("his")
        replaced = VectorPoint(id=his[0].id, vector=vector("replaced"))
        async with Edge(tmp_path) as store:
            await store.open(SPACE)
            await store.put(ANNE, hers)
            await store.put(BRUNO, [replaced])
            await store.put(BRUNO, his)
            assert holds(tmp_path, stored(hers[4].vector)), "the test looks for something else"
            await store.delete(ANNE, [hers[4].id])
            await store.purge()
            for trace in (stored(hers[4].vector), hers[4].id.bytes, stored(replaced.vector)):
                assert not holds(tmp_path, trace)
            assert holds(tmp_path, stored(hers[5].vector))
            await store.delete_user(ANNE)
            await store.purge()
            for trace in (stored(hers[5].vector), hers[5].id.bytes, str(ANNE).encode()):
                assert not holds(tmp_path, trace)
            assert await ids_near(store, BRUNO, his[0].vector) == [his[0].id]

    async def test_dropping_the_other_spaces_leaves_strange_folders_alone(self, tmp_path: Path) -> None:
        strange = tmp_path / "of somebody else"
        strange.mkdir()
        async with Edge(tmp_path) as store:
            await store.open(OTHER)
            await store.open(SPACE)
            await store.drop_other_spaces()
        assert strange in left_in(tmp_path)
        assert len(left_in(tmp_path)) == 3  # this, the space that is open, and the lock

    @pytest.mark.parametrize("name", ["edge_config.json", "segment.json", "status.dat"])
    async def test_damaged_files_are_made_again(self, tmp_path: Path, name: str) -> None:
        async with Edge(tmp_path) as store:
            await store.open(SPACE)
            await store.put(ANNE, points("one"))
        damage(tmp_path, name)
        async with Edge(tmp_path) as store:
            assert await store.open(SPACE)
            await store.put(ANNE, points("one"))

    async def test_a_folder_that_cannot_be_written_is_not_available(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        async with Edge(tmp_path / "file") as store:
            with pytest.raises(Unavailable):
                await store.open(SPACE)

    async def test_after_the_end_it_is_not_available(self, tmp_path: Path) -> None:
        async with Edge(tmp_path) as store:
            await store.open(SPACE)
        with pytest.raises(Unavailable):
            await store.ping()


def stored(values: Vector) -> bytes:
    """Return the first eight values as Edge keeps them, in half precision."""
    return struct.pack("<8e", *values[:8])


def holds(folder: Path, trace: bytes) -> bool:
    return any(trace in file.read_bytes() for file in folder.rglob("*") if file.is_file())


def damage(folder: Path, name: str) -> None:
    for damaged in folder.rglob(name):
        damaged.write_bytes(b"")


def engine(folder: Path) -> psutil.Process:
    """Return the process that holds the folder."""
    [found] = [each for each in psutil.Process().children() if str(folder) in each.cmdline()]
    return found


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


WRITER = f"""
import asyncio, sys
from pathlib import Path
from uuid import UUID
from jarvis.adapters.qdrant.edge import Edge
from tests.contract.test_vector_store import SPACE, points

async def main():
    async with Edge(Path(sys.argv[1])) as store:
        await store.open(SPACE)
        number = 0
        while True:
            put = points(number)
            await store.put(UUID("{ANNE}"), put)
            print(put[0].id, flush=True)
            number += 1

asyncio.run(main())
"""
