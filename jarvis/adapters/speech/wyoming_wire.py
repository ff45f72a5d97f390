"""Wyoming on the wire: events out of bytes and into bytes, and a connection that carries them, in bounds.

The package's own reader takes any length that a peer names and turns what it cannot read into the end of the
stream, and its client may wait for ever to connect and to close; so the package gives the events (their names
and fields), and bytes are read and written here. Knows no role.

An event is a line of JSON (`type`, `data`, `data_length`, `payload_length`), then `data_length` bytes of JSON
that add to `data`, then `payload_length` bytes as they are. (github.com/OHF-Voice/wyoming, "Format")
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Annotated, Any, Protocol, cast
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta

CONNECT_S = 2.0
WRITE_S = 5.0
"""How long a peer may take nothing of what it is sent."""
MAX_LINE_BYTES = 256 * 1024
MAX_DATA_BYTES = 1024 * 1024
"""wyoming-piper lists every voice there is in 86 KB."""
MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
READ_AHEAD_BYTES = 1024 * 1024
READ_AHEAD_EVENTS = 256


class Received(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    data: dict[str, Any]
    payload: bytes = b""
    size_bytes: int = 0
    """Of data and payload, as they came."""


class Sendable(Protocol):
    """An event of the package's."""

    @property
    def type(self) -> str: ...
    @property
    def data(self) -> Mapping[str, Any]: ...
    @property
    def payload(self) -> bytes | None: ...


class Garbled(ValueError):
    """What came is no event, or beyond its bounds."""


class Unreached(Exception):
    """No connection came about within CONNECT_S."""


class BrokeOff(Exception):
    """The peer has closed the connection."""


class Stuck(Exception):
    """The peer has taken nothing for WRITE_S."""


class _Head(msgspec.Struct):
    type: str
    data: dict[str, Any] | None = None
    data_length: Annotated[int, Meta(ge=0, le=MAX_DATA_BYTES)] | None = None
    payload_length: Annotated[int, Meta(ge=0, le=MAX_PAYLOAD_BYTES)] | None = None


_HEAD = msgspec.json.Decoder(_Head)
_DATA = msgspec.json.Decoder(dict[str, Any])


def encode(event: Sendable) -> bytes:
    data = msgspec.json.encode(event.data) if event.data else b""
    payload = event.payload or b""
    head: dict[str, object] = {"type": event.type}
    if data:
        head["data_length"] = len(data)
    if payload:
        head["payload_length"] = len(payload)
    return b"".join((msgspec.json.encode(head), b"\n", data, payload))


class EventParser:
    """Takes bytes as they come and gives whole events; at most one event's bytes are held beside them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: _Head | None = None

    def feed(self, data: bytes) -> Iterator[Received]:
        """Yield the events that `data` completes. Raises Garbled, after which nothing more can be read."""
        self._buffer += data
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> Received | None:
        try:
            if self._head is None:
                self._head = self._read_head()
                if self._head is None:
                    return None
            return self._read_body(self._head)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Garbled("no event") from exc

    def _read_head(self) -> _Head | None:
        end = self._buffer.find(b"\n", 0, MAX_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_LINE_BYTES:
                raise Garbled("a line without end")
            return None
        head = _HEAD.decode(self._buffer[:end])
        del self._buffer[: end + 1]
        return head

    def _read_body(self, head: _Head) -> Received | None:
        data_end = head.data_length or 0
        end = data_end + (head.payload_length or 0)
        if len(self._buffer) < end:
            return None
        data = dict(head.data or {})
        if data_end:
            data |= _DATA.decode(self._buffer[:data_end])
        event = Received(type=head.type, data=data, payload=bytes(self._buffer[data_end:end]), size_bytes=end)
        del self._buffer[:end]
        self._head = None
        return event


class Connection(asyncio.Protocol):
    """One connection to a server: events come in whether or not anyone waits for them, up to a bound."""

    def __init__(self) -> None:
        self._parser = EventParser()
        self._events: deque[Received] = deque()
        self._ahead_bytes = 0
        self._end: BrokeOff | Garbled | None = None
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._end is not None:
            return
        try:
            for event in self._parser.feed(data):
                self._events.append(event)
                self._ahead_bytes += event.size_bytes
        except Garbled as exc:
            self._finish(exc)
            self.abort()
        self._news.set()
        if self._is_full() and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._finish(BrokeOff())
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._finish(BrokeOff())

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def ready(self) -> Received | None:
        """Return an event that has come already. Raises Garbled, BrokeOff after the last."""
        if self._events:
            event = self._events.popleft()
            self._ahead_bytes -= event.size_bytes
            if not self._is_full() and self._transport is not None and self._end is None:
                self._transport.resume_reading()
            return event
        if self._end is not None:
            raise self._end
        return None

    async def receive(self) -> Received:
        """Wait for the next event. Raises Garbled, BrokeOff."""
        while (event := self.ready()) is None:
            self._news.clear()
            await self._news.wait()
        return event

    async def send(self, event: Sendable) -> None:
        """Write, and wait until the peer has taken enough. Raises BrokeOff, Garbled, Stuck."""
        if self._end is not None and not self._events:
            raise self._end
        if self._transport is not None:
            self._transport.write(encode(event))
        try:
            async with asyncio.timeout(WRITE_S):
                await self._writable.wait()
        except TimeoutError:
            raise Stuck from None

    def abort(self) -> None:
        """Close now; what the peer has not taken is lost."""
        if self._transport is not None:
            self._transport.abort()

    def _is_full(self) -> bool:
        return self._ahead_bytes > READ_AHEAD_BYTES or len(self._events) > READ_AHEAD_EVENTS

    def _finish(self, end: BrokeOff | Garbled) -> None:
        self._end = self._end or end
        self._news.set()
        self._writable.set()


@contextlib.asynccontextmanager
async def connected(uri: str) -> AsyncGenerator[Connection]:
    """Give a connection to `tcp://host:port` or `unix://path`, closed when this is left.

    Raises Unreached.
    """
    try:
        async with asyncio.timeout(CONNECT_S):
            connection = await _connect(uri)
    except (OSError, TimeoutError) as exc:
        raise Unreached from exc
    try:
        yield connection
    finally:
        connection.abort()


async def _connect(uri: str) -> Connection:
    address = urlsplit(uri)
    loop = asyncio.get_running_loop()
    if address.scheme == "unix":
        _, connection = await loop.create_unix_connection(Connection, unquote(address.path))
    else:
        host, port = address.hostname or "", address.port or 0
        _, connection = await loop.create_connection(Connection, host, port)
    return connection
