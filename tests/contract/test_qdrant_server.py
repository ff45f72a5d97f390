"""What goes over the wire to a Qdrant server, and what its failures become; this one keeps no vectors."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import msgspec
import pytest

from jarvis.adapters.qdrant.server import Server
from jarvis.core.errors import Unavailable
from jarvis.core.ports import VectorPoint, VectorSpace, VectorStore

SPACE = VectorSpace(model="model", version="1", dimensions=2)
EARLIER = "jarvis_memory"
ANNE = uuid4()
POINT = VectorPoint(id=uuid4(), vector=[1.0, 0.0])
HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
OPTIMIZER = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "flush_interval_sec": 5,
}
UPDATED = {"operation_id": 1, "status": "completed"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    headers: str
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return msgspec.json.decode(self.body, type=dict[str, object])


class ScriptedQdrant:
    """Answers with whatever keeps the client content; knows which collections there are, and what of."""

    def __init__(self) -> None:
        self.collections: dict[str, dict[str, object]] = {
            EARLIER: {"vectors": {"size": 384, "distance": "Cosine"}}
        }
        self.asked: list[Asked] = []
        self.points = 0
        self.status = 0
        """What every request is refused with, if not 0."""
        self.silent = False
        self.garbled = False
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with listener:
            yield

    def of(self, method: str, end: str) -> list[Asked]:
        return [each for each in self.asked if each.method == method and each.path.endswith(end)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        lengths = [line.split(":")[1] for line in head.lower().splitlines() if "content-length" in line]
        body = await reader.readexactly(int(lengths[0]) if lengths else 0)
        self.asked.append(Asked(method=method, path=path, headers=head, body=body))
        if not self.silent:
            status, result = self._answer(method, path.partition("?")[0], body)
            answer = (
                b"{" if self.garbled else msgspec.json.encode({"result": result, "status": "ok", "time": 0})
            )
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(answer)}\r\n".encode())
            writer.write(b"content-type: application/json\r\n\r\n" + answer)
        await reader.read()
        writer.close()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if self.status:
            return self.status, None
        _, _, name, *rest = [*path.split("/"), ""]
        what = "/".join(rest).strip("/")
        match method, what:
            case "GET", "" if not name:
                return 200, {"collections": [{"name": each} for each in self.collections]}
            case "GET", "exists":
                return 200, {"exists": name in self.collections}
            case "PUT", "":
                if name in self.collections:
                    return 409, None
                self.collections[name] = msgspec.json.decode(body, type=dict[str, object])
                return 200, True
            case _ if name not in self.collections:
                return 404, None
            case "DELETE", "":
                del self.collections[name]
                return 200, True
            case _:
                return 200, self._result(name, method, what)

    def _result(self, name: str, method: str, what: str) -> object:
        match method, what:
            case "GET", "":
                return _info(self.collections[name])
            case "PATCH", "":
                return True
            case "POST", "points/count":
                return {"count": self.points}
            case "POST", "points/query":
                return {"points": [{"id": str(POINT.id), "version": 1, "score": 0.5}]}
            case _:
                return UPDATED


def _info(made: dict[str, object]) -> dict[str, object]:
    config = {"params": {"vectors": made["vectors"]}, "hnsw_config": HNSW, "optimizer_config": OPTIMIZER}
    return {
        "status": "green",
        "optimizer_status": "ok",
        "segments_count": 1,
        "config": config | {"metadata": made.get("metadata")},
        "payload_schema": {},
    }


ASKING: dict[str, Callable[[VectorStore], Awaitable[object]]] = {
    "put": lambda store: store.put(ANNE, [POINT]),
    "nearest": lambda store: store.nearest(ANNE, [1.0, 0.0], limit=3),
    "similarities": lambda store: store.similarities(ANNE, [1.0, 0.0], [POINT.id]),
    "delete": lambda store: store.delete(ANNE, [POINT.id]),
    "delete_user": lambda store: store.delete_user(ANNE),
    "purge": lambda store: store.purge(),
    "ping": lambda store: store.ping(),
}


@pytest.fixture
async def qdrant() -> AsyncGenerator[ScriptedQdrant]:
    scripted = ScriptedQdrant()
    async with scripted.listening():
        yield scripted


@pytest.fixture
async def store(qdrant: ScriptedQdrant) -> AsyncGenerator[Server]:
    async with Server(qdrant.url, api_key="k3y", read_s=0.5, write_s=0.6) as server:
        assert await server.open(SPACE)
        yield server


def own(qdrant: ScriptedQdrant) -> str:
    [name] = qdrant.collections.keys() - {EARLIER}
    return name


class TestOpening:
    async def test_makes_a_collection_for_many_users(self, store: Server, qdrant: ScriptedQdrant) -> None:
        del store
        made = qdrant.collections[own(qdrant)]
        assert made["vectors"] == {"size": 2, "distance": "Cosine"}
        assert made["hnsw_config"] == {"m": 0, "payload_m": 16}
        assert made["metadata"] == {"jarvis_space": {"model": "model", "version": "1", "dimensions": 2}}
        [index] = qdrant.of("PUT", "/index?wait=true")
        assert index.json == {"field_name": "user_id", "field_schema": {"type": "keyword", "is_tenant": True}}

    async def test_leaves_what_an_earlier_server_made_alone(
        self, store: Server, qdrant: ScriptedQdrant
    ) -> None:
        await store.put(ANNE, [POINT])
        await store.drop_other_spaces()
        assert EARLIER in qdrant.collections
        assert not [each for each in qdrant.asked if f"/{EARLIER}/" in f"{each.path}/"]

    async def test_tells_that_there_are_vectors_already(self, store: Server, qdrant: ScriptedQdrant) -> None:
        qdrant.points = 3
        assert not await store.open(SPACE)

    async def test_a_replica_that_was_faster_is_no_failure(
        self, store: Server, qdrant: ScriptedQdrant
    ) -> None:
        async with Server(qdrant.url) as second:
            both = await asyncio.gather(store.open(_space("2")), second.open(_space("2")))
        assert both == [True, True]

    async def test_refuses_a_collection_of_something_else(
        self, store: Server, qdrant: ScriptedQdrant
    ) -> None:
        qdrant.collections[own(qdrant)]["vectors"] = {"size": 3, "distance": "Cosine"}
        with pytest.raises(Unavailable, match="another kind"):
            await store.open(SPACE)

    async def test_drops_only_its_own_other_spaces(self, store: Server, qdrant: ScriptedQdrant) -> None:
        qdrant.collections["jarvis_memory_of_somebody"] = {}
        kept = set(qdrant.collections)
        await store.open(_space("2"))
        await store.open(SPACE)
        await store.drop_other_spaces()
        assert set(qdrant.collections) == kept


class TestAsking:
    @pytest.mark.parametrize("what", [what for what in ASKING if what not in {"purge", "ping"}])
    async def test_names_the_user_each_time(self, store: Server, qdrant: ScriptedQdrant, what: str) -> None:
        qdrant.asked.clear()
        await ASKING[what](store)
        [asked] = qdrant.asked
        user = {"key": "user_id", "match": {"value": str(ANNE)}}
        kept = asked.json.get("filter") or asked.json.get("update_filter")
        assert user in msgspec.convert(kept, dict[str, list[object]])["must"]
        assert "api-key: k3y" in asked.headers.lower()

    @pytest.mark.parametrize("what", ["put", "delete", "delete_user"])
    async def test_waits_until_it_is_done(self, store: Server, qdrant: ScriptedQdrant, what: str) -> None:
        qdrant.asked.clear()
        await ASKING[what](store)
        assert "wait=true" in qdrant.asked[0].path

    async def test_puts_in_batches(self, store: Server, qdrant: ScriptedQdrant) -> None:
        qdrant.asked.clear()
        await store.put(ANNE, [VectorPoint(id=UUID(int=n), vector=[0.6, 0.8]) for n in range(150)])
        sizes = [len(msgspec.convert(each.json["points"], list[object])) for each in qdrant.asked]
        assert sizes == [64, 64, 22]

    async def test_a_purge_has_the_server_rewrite_and_leaves_its_thresholds(
        self, store: Server, qdrant: ScriptedQdrant
    ) -> None:
        await store.purge()
        eager, usual = (each.json["optimizers_config"] for each in qdrant.of("PATCH", own(qdrant)))
        assert eager == {"deleted_threshold": 0.0, "vacuum_min_vector_number": 100}
        assert usual == {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000}


@pytest.mark.parametrize("what", ASKING)
class TestFailing:
    @pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
    async def test_a_refusal(self, store: Server, qdrant: ScriptedQdrant, what: str, status: int) -> None:
        qdrant.status = status
        await self._is_not_available(store, what)

    async def test_garbage(self, store: Server, qdrant: ScriptedQdrant, what: str) -> None:
        qdrant.garbled = True
        await self._is_not_available(store, what)

    async def test_silence(self, qdrant: ScriptedQdrant, what: str) -> None:
        async with Server(qdrant.url, read_s=0.5, write_s=0.5, purge_s=0.5) as hasty:
            await hasty.open(SPACE)
            qdrant.silent = True
            await self._is_not_available(hasty, what)

    async def test_a_collection_that_vanished(self, store: Server, qdrant: ScriptedQdrant, what: str) -> None:
        del qdrant.collections[own(qdrant)]
        await self._is_not_available(store, what)
        assert await store.open(SPACE)
        await ASKING[what](store)

    async def test_a_server_that_went_away(self, what: str) -> None:
        gone = ScriptedQdrant()
        async with gone.listening():
            server = Server(gone.url)
            await server.open(SPACE)
        async with server:
            await self._is_not_available(server, what)

    async def _is_not_available(self, store: Server, what: str) -> None:
        with pytest.raises(Unavailable) as failed:
            await ASKING[what](store)
        assert failed.value.code == "memory_unavailable"
        assert "127.0.0.1" not in failed.value.detail


async def test_a_server_that_is_not_there() -> None:
    async with Server("http://127.0.0.1:9") as server:
        with pytest.raises(Unavailable):
            await server.open(SPACE)


def _space(version: str) -> VectorSpace:
    return VectorSpace(model="model", version=version, dimensions=2)
