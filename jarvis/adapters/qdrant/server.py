"""A Qdrant server as the vector store: deadlines round its client, which is loaded when first needed."""

import asyncio
import importlib
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

from jarvis.adapters import streaming
from jarvis.adapters.qdrant.spaces import place_name
from jarvis.core.errors import JarvisError, TimedOut, Unavailable
from jarvis.core.ports import Nearby, Vector, VectorPoint, VectorSpace

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient

    from jarvis.adapters.qdrant.client import Collection

READ_S = 2.0
WRITE_S = 10.0
PURGE_S = 50.0

T = TypeVar("T")


class Server:
    """Fills the VectorStore port, in a collection of its own for every space, named after `collection`.

    `url` without a port means 6333; ":memory:" is the client's local mode, for tests. A collection that is
    called `collection` itself is an earlier server's, and left alone. Close it, or use it as a context
    manager.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        collection: str = "jarvis_memory",
        read_s: float = READ_S,
        write_s: float = WRITE_S,
        purge_s: float = PURGE_S,
    ) -> None:
        self._url = url
        self._api_key = api_key
        self._prefix = collection
        self._read_s = read_s
        self._write_s = write_s
        self._purge_s = purge_s
        self._client: AsyncQdrantClient | None = None
        self._collection: Collection | None = None
        self._requests = streaming.Requests()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._requests.aclose()
        if self._client is not None:
            await self._client.close()

    def name_of(self, space: VectorSpace) -> str:
        return place_name(f"{self._url} {self._prefix}", space)

    async def open(self, space: VectorSpace, *, anew: bool = False) -> bool:
        await asyncio.to_thread(importlib.import_module, "jarvis.adapters.qdrant.client")
        from jarvis.adapters.qdrant.client import Collection, connect  # noqa: PLC0415 loaded just now

        if self._client is None:
            # Likewise in a thread: it reads the trust store.
            self._client = await asyncio.to_thread(connect, self._url, self._api_key)
        collection = Collection(self._client, self._prefix, space)
        await self._ask(collection.look(), limit_s=self._read_s)  # one that is silent is soon asked again
        empty = await self._ask(collection.make(anew=anew), limit_s=self._write_s)
        self._collection = collection
        return empty

    async def put(self, user_id: UUID, points: Sequence[VectorPoint]) -> None:
        await self._ask(self._opened().put(user_id, points), limit_s=self._write_s)

    async def nearest(self, user_id: UUID, vector: Vector, *, limit: int) -> list[Nearby]:
        return await self._ask(self._opened().nearest(user_id, vector, limit), limit_s=self._read_s)

    async def similarities(self, user_id: UUID, vector: Vector, ids: Sequence[UUID]) -> list[Nearby]:
        return await self._ask(self._opened().similarities(user_id, vector, ids), limit_s=self._read_s)

    async def delete(self, user_id: UUID, ids: Sequence[UUID]) -> None:
        await self._ask(self._opened().delete(user_id, ids), limit_s=self._write_s)

    async def delete_user(self, user_id: UUID) -> None:
        await self._ask(self._opened().delete(user_id), limit_s=self._write_s)

    async def purge(self) -> None:
        """As the port says, but for segments of under 100 vectors and the server's write-ahead log."""
        await self._ask(self._opened().purge(), limit_s=self._purge_s)

    async def drop_other_spaces(self) -> None:
        await self._ask(self._opened().drop_others(), limit_s=self._purge_s)

    async def ping(self) -> None:
        await self._ask(self._opened().ping(), limit_s=self._read_s)

    def _opened(self) -> "Collection":
        if self._collection is None:
            raise Unavailable("memory", "The vector store is not open.")
        return self._collection

    async def _ask(self, asking: Coroutine[Any, Any, T], *, limit_s: float) -> T:
        try:
            return await self._requests.answer(asking, limit_s=limit_s)
        except TimedOut as exc:
            detail = f"The Qdrant server did not answer within {limit_s:g} s."
            raise Unavailable("memory", detail) from exc
        except JarvisError as exc:
            raise Unavailable("memory", exc.detail) from exc
