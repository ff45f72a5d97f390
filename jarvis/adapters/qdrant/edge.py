"""Qdrant Edge, the embedded vector store, in a process of its own.

The engine keeps Python's lock during every call (0.9.0: a search up to 15 ms, a purge 1 s), which from a
thread would hold up the event loop and every answer that streams.
"""

import asyncio
import contextlib
import sys
from array import array
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

import msgspec

from jarvis.adapters.qdrant import edge_wire as wire
from jarvis.adapters.qdrant.spaces import place_name, space_name
from jarvis.core.errors import Unavailable
from jarvis.core.ports import Nearby, Vector, VectorPoint, VectorSpace

READ_S = 2.0
WRITE_S = 10.0
PURGE_S = 50.0
_CLOSE_S = 5.0
_REPLY = msgspec.msgpack.Decoder(wire.Reply)


class Edge:
    """Fills the VectorStore port. Only one at a time holds `folder`; another waits until its deadline.

    `open` starts the process, also after it ended unasked. Close it, or use it as a context manager.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._waiting: deque[asyncio.Future[wire.Reply]] = deque()
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        process, listening = self._process, self._listening
        if process is None or process.stdin is None or listening is None:
            return
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _CLOSE_S)
        if process.returncode is None:
            process.kill()
        await listening

    def name_of(self, space: VectorSpace) -> str:
        return place_name(str(self._folder.absolute()), space)

    async def open(self, space: VectorSpace, *, anew: bool = False) -> bool:
        """As the port says; files that cannot be read are dropped, since Postgres can make them again."""
        async with self._starting:
            if self._process is None:
                await self._start()
        request = wire.Open(name=space_name(space), dimensions=space.dimensions, anew=anew)
        return (await self._ask(request, limit_s=WRITE_S)).empty

    async def put(self, user_id: UUID, points: Sequence[VectorPoint]) -> None:
        packed = [(point.id, _packed(point.vector)) for point in points]
        await self._ask(wire.Put(user_id=user_id, points=packed), limit_s=WRITE_S)

    async def nearest(self, user_id: UUID, vector: Vector, *, limit: int) -> list[Nearby]:
        return await self._search(user_id, vector, limit, None)

    async def similarities(self, user_id: UUID, vector: Vector, ids: Sequence[UUID]) -> list[Nearby]:
        return await self._search(user_id, vector, len(ids), list(ids))

    async def delete(self, user_id: UUID, ids: Sequence[UUID]) -> None:
        await self._ask(wire.Delete(user_id=user_id, ids=list(ids)), limit_s=WRITE_S)

    async def delete_user(self, user_id: UUID) -> None:
        await self._ask(wire.Delete(user_id=user_id), limit_s=WRITE_S)

    async def purge(self) -> None:
        """As the port says; about 1 s at 100,000 vectors, for which everything else waits."""
        await self._ask(wire.Purge(), limit_s=PURGE_S)

    async def drop_other_spaces(self) -> None:
        await self._ask(wire.DropOthers(), limit_s=PURGE_S)

    async def ping(self) -> None:
        await self._ask(wire.Ping(), limit_s=READ_S)

    async def _search(
        self, user_id: UUID, vector: Vector, limit: int, ids: list[UUID] | None
    ) -> list[Nearby]:
        if limit <= 0:
            await self.ping()
            return []
        request = wire.Search(user_id=user_id, vector=_packed(vector), limit=limit, ids=ids)
        found = (await self._ask(request, limit_s=READ_S)).found
        return [Nearby(id=point_id, similarity=similarity) for point_id, similarity in found]

    async def _start(self) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "jarvis.adapters.qdrant.edge_process", str(self._folder)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # Rust's panics, with paths
                start_new_session=True,  # Ctrl-C is for us; the process ends with its input
            )
        except OSError as exc:
            raise Unavailable("memory", "The embedded vector store cannot be started.") from exc
        if process.stdout is None:
            raise AssertionError("asked for a pipe")
        self._process = process
        self._listening = asyncio.create_task(self._listen(process, process.stdout))

    async def _listen(self, process: asyncio.subprocess.Process, replies: asyncio.StreamReader) -> None:
        """Hand every reply to whoever asked first and has none; end with the process."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size_bytes = int.from_bytes(await replies.readexactly(wire.HEAD_BYTES), "big")
                reply = _REPLY.decode(await replies.readexactly(size_bytes))
                _settle(self._waiting.popleft(), reply)
        self._process = None
        while self._waiting:
            _settle(self._waiting.popleft(), wire.Reply(failed="The embedded vector store ended."))
        await process.wait()

    async def _ask(self, request: wire.Request, *, limit_s: float) -> wire.Reply:
        if self._process is None or self._process.stdin is None:
            raise Unavailable("memory", "The vector store is not open.")
        answer: asyncio.Future[wire.Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._process.stdin.write(wire.frame(request))
        try:
            async with asyncio.timeout(limit_s):
                reply = await answer
        except TimeoutError as exc:
            raise Unavailable("memory", f"The vector store did not answer within {limit_s:g} s.") from exc
        if reply.failed:
            raise Unavailable("memory", reply.failed)
        return reply


def _settle(answer: asyncio.Future[wire.Reply], reply: wire.Reply) -> None:
    if not answer.done():  # whoever asked may have left
        answer.set_result(reply)


def _packed(vector: Vector) -> bytes:
    return array("f", vector).tobytes()
