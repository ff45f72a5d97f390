"""The load: raw HTTP/1.1 and WebSocket peers that cost next to nothing and note when things arrived."""

import asyncio
import re
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Self

import msgspec

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
LAST_CHUNK = b"0\r\n\r\n"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: when the first `mark` was in it, and all its bytes."""

    first_s: float
    data: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.data.partition(b"\r\n\r\n")[2])


class Peer(asyncio.Protocol):
    """One connection, one question at a time."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._data = bytearray()
        self._mark = b""
        self._first_s = 0.0
        self._is_whole: Callable[[bytearray], bool] = _whole_http
        self._answer: asyncio.Future[Heard] | None = None

    @classmethod
    async def open(cls, port: int) -> Self:
        _, peer = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return peer

    @classmethod
    async def upgraded(cls, port: int, path: str) -> Self:
        peer = await cls.open(port)
        await peer.ask(_UPGRADE % (path.encode(), port), until=b"\r\n\r\n")
        return peer

    async def ask(self, data: bytes, *, mark: bytes = b"", until: bytes = b"") -> Heard:
        """Send, and wait for a whole HTTP answer, or for `until` where that is given."""
        self._data.clear()
        self._mark = mark
        self._first_s = 0.0
        self._is_whole = (lambda heard: until in heard[-65536:]) if until else _whole_http
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        async with asyncio.timeout(60):
            return await self._answer

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed: the server does after 30 s without a request."""
        return not self._transport.is_closing()

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._mark and not self._first_s and self._mark in self._data:
            self._first_s = perf_counter()
        if self._answer and not self._answer.done() and self._is_whole(self._data):
            self._answer.set_result(Heard(first_s=self._first_s, data=bytes(self._data)))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"closed after {bytes(self._data[-300:])!r}"))


def _whole_http(heard: bytearray) -> bool:
    head = heard.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = _LENGTH.search(heard, 0, head)
    if length is None:
        return heard.endswith(LAST_CHUNK)
    return len(heard) >= head + 4 + int(length[1])


class Volley(asyncio.Protocol):
    """Asks the same again and again, from the callback itself, until `enough` are answered in all."""

    def __init__(self, request: bytes, left: list[int], done: asyncio.Event) -> None:
        self._request = request
        self._left = left
        self._done = done
        self._data = bytearray()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not _whole_http(self._data):
            return
        self._data.clear()
        self._left[0] -= 1
        if self._left[0] > 0:
            self._transport.write(self._request)
        else:
            self._done.set()


async def volley(port: int, request: bytes, *, requests: int, connections: int) -> None:
    """Send `request` so many times over that many connections."""
    loop = asyncio.get_running_loop()
    left, done = [requests], asyncio.Event()
    opened = [
        await loop.create_connection(lambda: Volley(request, left, done), "127.0.0.1", port)
        for _ in range(connections)
    ]
    async with asyncio.timeout(60):
        await done.wait()
    for transport, _ in opened:
        transport.abort()


def get(port: int, path: str, **headers: str) -> bytes:
    return b"GET %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n%s\r\n" % (path.encode(), port, _lines(headers))


def post(port: int, path: str, body: object, **headers: str) -> bytes:
    data = msgspec.json.encode(body)
    return (
        b"POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n%s"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
        % (path.encode(), port, _lines(headers), len(data))
    ) + data


def _lines(headers: Mapping[str, str]) -> bytes:
    """`x_api_key="..."` is the header x-api-key."""
    return "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()).encode()


def text_frame(body: object) -> bytes:
    """Return a client's frame; its mask is zeros, so that the payload stands in it as it is."""
    data = msgspec.json.encode(body)
    assert len(data) < 126
    return bytes((0x81, 0x80 | len(data), 0, 0, 0, 0)) + data


_UPGRADE = (
    b"GET %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
