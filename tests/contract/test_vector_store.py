"""What the VectorStore port promises: on Qdrant Edge, the client's local mode, a server if there is one."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import pytest
from qdrant_client import AsyncQdrantClient

from jarvis.adapters.qdrant.edge import Edge
from jarvis.adapters.qdrant.server import Server
from jarvis.core.errors import Unavailable
from jarvis.core.ports import VectorPoint, VectorStore
from tests.vectors import ANNE, BRUNO, OTHER, SPACE, cosine, ids_near, points, vector

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant")

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

    async def test_one_is_made_anew_on_request(self, store: VectorStore) -> None:
        await store.put(ANNE, points(*range(20)))
        his = points("his")
        await store.put(BRUNO, his)

        assert await store.open(SPACE, anew=True)
        assert await ids_near(store, ANNE, vector("asked")) == []
        await store.put(ANNE, his)
        assert await ids_near(store, ANNE, vector("asked")) == [his[0].id]
        assert not await store.open(SPACE)
        assert await store.open(OTHER, anew=True), "there was none"

    async def test_each_has_a_name_of_its_own(self, store: VectorStore) -> None:
        assert store.name_of(SPACE) == store.name_of(SPACE)
        assert store.name_of(SPACE) != store.name_of(OTHER)

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
