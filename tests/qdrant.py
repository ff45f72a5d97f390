"""A Qdrant server for tests: its REST API, as far as Jarvis asks it, on the official client's local mode.

It can go away and come back, with what it had or empty, and fall silent.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

import msgspec
from pydantic import BaseModel
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.models import CreateCollection, PointsList, QueryRequest


class QdrantServer:
    """Listens from `async with` on; always on the same port."""

    def __init__(self) -> None:
        self._kept = AsyncQdrantClient(":memory:")
        self._listener: asyncio.Server | None = None
        self._port = 0
        self._serving: set[asyncio.Task[None]] = set()
        self._talks = asyncio.Event()
        self._talks.set()
        self.unanswered = 0
        """How many requests have met with silence."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.arrive()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def arrive(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def leave(self) -> None:
        """Refuse connections and cut those there are."""
        assert self._listener is not None
        self._listener.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def lose_everything(self) -> None:
        self._kept = AsyncQdrantClient(":memory:")

    def fall_silent(self) -> None:
        """Accept connections and requests, and answer none."""
        self._talks.clear()

    def speak(self) -> None:
        self._talks.set()

    async def make(self, name: str, *, dimensions: int) -> None:
        """Make a collection as another server would, with one point in it."""
        sized = models.VectorParams(size=dimensions, distance=models.Distance.COSINE)
        await self._kept.create_collection(name, sized)
        await self._kept.upsert(name, [models.PointStruct(id=1, vector=[1.0] + [0.0] * (dimensions - 1))])

    async def names(self) -> set[str]:
        return {each.name for each in (await self._kept.get_collections()).collections}

    async def ids(self, name: str) -> set[str]:
        """Return the ids of all points of a collection."""
        points, _ = await self._kept.scroll(name, limit=100_000)
        return {str(point.id) for point in points}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split(" ", 2)
            lengths = [line.split(":")[1] for line in head.lower().splitlines() if "content-length" in line]
            body = await reader.readexactly(int(lengths[0]) if lengths else 0)
            self.unanswered += not self._talks.is_set()
            await self._talks.wait()
            status, result = await self._answer(method, target.partition("?")[0], body)
            answer = msgspec.json.encode({"result": result, "status": "ok", "time": 0})
            writer.write(
                f"HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: application/json\r\n"
                f"content-length: {len(answer)}\r\n\r\n".encode()
                + answer
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left
        except asyncio.CancelledError:
            writer.transport.abort()  # the server leaves; nobody waits for this task but itself
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status and the result, as JSON-like objects."""
        _, _, name, *rest = [*path.split("/"), ""]
        what = (method, "/".join(rest).strip("/"))
        is_there = bool(name) and await self._kept.collection_exists(name)
        match what:
            case ("GET", "") if not name:
                return 200, _plain(await self._kept.get_collections())
            case ("GET", "exists"):
                return 200, {"exists": is_there}
            case ("PUT", "") if is_there:
                return 409, None
            case ("PUT", ""):
                made = CreateCollection.model_validate_json(body)
                await self._kept.create_collection(name, made.vectors, metadata=made.metadata)
                return 200, True
            case _ if not is_there:
                return 404, None
            case _:
                return 200, _plain(await self._of_collection(name, what, body))

    async def _of_collection(self, name: str, what: tuple[str, str], body: bytes) -> object:
        kept = self._kept
        match what:
            case ("GET", ""):
                return await kept.get_collection(name)
            case ("DELETE", ""):
                return await kept.delete_collection(name)
            case ("PATCH", ""):
                return True
            case ("PUT", "index"):
                return _DONE
            case ("PUT", "points"):
                put = PointsList.model_validate_json(body)
                return await kept.upsert(name, put.points, update_filter=put.update_filter)
            case ("POST", "points/count"):
                return await kept.count(name)
            case ("POST", "points/query"):
                asked = QueryRequest.model_validate_json(body)
                return await kept.query_points(
                    name, asked.query, query_filter=asked.filter, limit=asked.limit or 10, with_payload=False
                )
            case ("POST", "points/delete"):
                return await kept.delete(name, models.FilterSelector.model_validate_json(body))
            case _:
                raise AssertionError(what)


_DONE = models.UpdateResult(operation_id=1, status=models.UpdateStatus.COMPLETED)


def _plain(result: object) -> object:
    return result.model_dump(mode="json") if isinstance(result, BaseModel) else result
