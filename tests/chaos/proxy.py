"""A TCP proxy between a client and a server, which does to their connections what networks do.

It knows bytes and no protocol. It is told in process: `weather` is how each connection fares that has none of
its own by `next`.
"""

import asyncio
import contextlib
import math
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from types import TracebackType
from typing import Literal, Self, TypeAlias

import msgspec

CHUNK_BYTES = 64 * 1024
IN_FLIGHT = 64
"""Chunks that are on their way at once in one direction; beyond, the sender is kept waiting."""

Upstream: TypeAlias = tuple[str, int] | Path
"""An address, or a Unix socket."""
How: TypeAlias = Literal["close", "reset", "blackhole", "truncate"]


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """Ends a connection when `at_byte` bytes of the reply have passed; fewer of them, never.

    `close` ends it with a FIN to both sides, `reset` with a RST. After `blackhole` it stays open and nothing
    passes any more. With `truncate` only the rest of the reply is lost. Where `once_asked` names something,
    bytes count from when the requests have held all of that, one after the other.
    """

    at_byte: int
    how: How
    once_asked: tuple[bytes, ...] = ()


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How a connection fares. The latency is each way's; the rate is the reply's."""

    latency_s: float = 0.0
    rate_bytes_per_s: float | None = None
    cut: Cut | None = None


FAIR = Weather()
HALF_OPEN = Weather(latency_s=math.inf)
"""Nothing passes, ends neither. What was sent in such weather never arrives, not even after it."""


class Proxy:
    """Listens for `upstream`, on a free port where none is given. Use as an async context manager."""

    def __init__(self, upstream: Upstream, *, port: int = 0, weather: Weather = FAIR) -> None:
        self.weather = weather
        self.cuts = 0
        """How many connections were cut."""
        self.most_cuts: int | None = None
        """After so many, none is cut any more."""
        self._upstream = upstream
        self._next: deque[Weather] = deque()
        self._passages: set[_Passage] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._port = port

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def next(self, *weather: Weather) -> None:
        """Decide how the next connections fare, in this order."""
        self._next.extend(weather)

    def reset_all(self) -> None:
        """Break every connection there is, with a RST to both sides."""
        for passage in tuple(self._passages):
            passage.reset()

    def change(self, weather: Weather) -> None:
        """Let all connections fare so: those there are, whatever was decided for them, and those to come."""
        self.weather = weather
        for passage in self._passages:
            passage.change(weather)

    def refuse_new(self) -> None:
        """Refuse connections; those there are go on."""
        if self._listener is not None:
            self._listener.close()

    def refuse(self) -> None:
        """Refuse connections, and break those there are."""
        self.refuse_new()
        self.reset_all()

    async def listen(self) -> None:
        """Take connections, at the same port as ever."""
        self._listener = await asyncio.start_server(self._accepted, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        if self._listener is not None:
            self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio would tell the loop of each that is cancelled as of an error.
        task = asyncio.create_task(self._pass(reader, writer))
        self._tasks.add(task)

        def over(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not writer.is_closing():
                writer.transport.abort()  # it was cancelled before it had begun

        task.add_done_callback(over)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chosen = self._next.popleft() if self._next else None
        try:
            opened = await self._open()
        except OSError:
            _reset(writer)  # there is no server: as good as refused
            return
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        if self._listener is None or not self._listener.is_serving():
            _reset(writer)  # refused meanwhile
            _reset(opened[1])
            return
        passage = _Passage((reader, writer), opened, chosen or self.weather, self._may_cut)
        self._passages.add(passage)
        try:
            await passage.run()
        finally:
            self._passages.discard(passage)
            for end in (writer, opened[1]):
                end.close()

    async def _open(self) -> "Ends":
        if isinstance(self._upstream, Path):
            return await asyncio.open_unix_connection(self._upstream)
        return await asyncio.open_connection(*self._upstream)

    def _may_cut(self) -> bool:
        if self.most_cuts is not None and self.cuts >= self.most_cuts:
            return False
        self.cuts += 1
        return True


Ends: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Over(Exception):
    """Nothing passes any more."""


class _Passage:
    """One connection through the proxy."""

    def __init__(self, client: Ends, server: Ends, weather: Weather, may_cut: Callable[[], bool]) -> None:
        self._may_cut = may_cut
        self._client = client
        self._server = server
        self._request_tail = b""
        self.is_cut = False
        self.change(weather)

    def change(self, weather: Weather) -> None:
        """Count for a cut from here on."""
        self._weather = weather
        self._asked = deque(weather.cut.once_asked if weather.cut else ())
        self._reply_bytes = 0

    async def run(self) -> None:
        """Return when both sides are through, or the connection is broken."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._carry(self._client[0], self._server[1], self._pass_request))
                tasks.create_task(self._carry(self._server[0], self._client[1], self._pass_reply))
        except* _Over:
            pass
        except* OSError:
            self.reset()

    def reset(self) -> None:
        for _, writer in (self._client, self._server):
            _reset(writer)

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        hand_over: Callable[[asyncio.StreamWriter, bytes], Awaitable[None]],
    ) -> None:
        """Hand over all that comes, each piece `latency_s` after it came; then the end of it."""
        now = asyncio.get_running_loop().time
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)

        async def arrive() -> None:
            data = b"..."
            while data:
                due, data = await on_the_way.get()
                await asyncio.sleep(due - now())
                await hand_over(writer, data)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(arrive())
            data = b"..."
            while data:
                data = await reader.read(CHUNK_BYTES)
                await on_the_way.put((now() + self._weather.latency_s, data))

    async def _pass_request(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        cut = self._weather.cut
        if self.is_cut and cut is not None and cut.how == "blackhole":
            if not data:
                raise _Over  # the client has given up
            return
        await _write(writer, data)
        seen = self._request_tail + data
        while self._asked and self._asked[0] in seen:
            wanted = self._asked.popleft()
            seen = seen[seen.index(wanted) + len(wanted) :]
        self._request_tail = seen[-len(self._asked[0]) :] if self._asked else b""

    async def _pass_reply(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        cut = self._weather.cut
        is_end = not data
        if self.is_cut:
            data = b""
        elif data and cut is not None and not self._asked:
            room = cut.at_byte - self._reply_bytes
            self._reply_bytes += len(data)
            if len(data) >= room and self._may_cut():
                self.is_cut = True
                data = data[:room]
        if data or (is_end and (cut is None or not self.is_cut or cut.how == "truncate")):
            await _write(writer, data)
        if self.is_cut and cut is not None and cut.how in {"close", "reset"}:
            if cut.how == "reset":
                self.reset()
            raise _Over
        if self._weather.rate_bytes_per_s is not None:
            await asyncio.sleep(len(data) / self._weather.rate_bytes_per_s)


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Hand the bytes on, or where there are none the end of them."""
    if data:
        writer.write(data)
        await writer.drain()
    else:
        writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        # close() then discards what is on its way, and says so; a Unix socket has no such thing
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
