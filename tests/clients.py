"""Clients of Jarvis as the world has them: JSON, server-sent events, a bare connection, a WebSocket.

They know the contract and nothing of the code; what they return is decoded JSON.
"""

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Protocol
from uuid import uuid4

import asyncpg
import httpx
from httpx_sse import EventSource
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.running import Running
from tests.scripted_model import Log, Record, ScriptedModel

TERMINAL = frozenset({"chat_response", "error"})
PATIENCE_S = 10.0
SIDE_BY_SIDE = 10
NOBODY = "00000000-0000-4000-8000-000000000000"
"""The id of nothing."""

Json = dict[str, Any]


async def chat(server: Running, message: str, **fields: object) -> Json:
    """Send a message and return the whole answer, which must be a 200."""
    response = await server.http.post("/api/chat", json={"message": message, **fields})
    assert response.status_code == 200, response.text
    return response.json()


async def turn_of(server: Running, turn_id: str) -> Json:
    response = await server.http.get(f"/api/chat/turns/{turn_id}")
    assert response.status_code == 200, response.text
    return response.json()


async def cancel(server: Running, turn_id: str) -> Json:
    response = await server.http.post(f"/api/chat/turns/{turn_id}/cancel")
    assert response.status_code == 200, response.text
    return response.json()


async def messages_of(server: Running, conversation_id: str) -> list[Json]:
    response = await server.http.get(f"/api/chat/history/{conversation_id}", params={"limit": 200})
    assert response.status_code == 200, response.text
    return response.json()


class Events:
    """A turn's events as a client reads them from one response."""

    def __init__(self, response: httpx.Response, events: AsyncGenerator[Json]) -> None:
        self.response = response
        self.seen: list[Json] = []
        self._events = events

    async def next(self) -> Json:
        async with asyncio.timeout(PATIENCE_S):
            event = await anext(self._events)
        self.seen.append(event)
        return event

    async def until(self, type_: str) -> Json:
        """Read up to the next event of that type."""
        while (event := await self.next())["type"] != type_:
            pass
        return event

    async def rest(self) -> list[Json]:
        """Read to the end of the response; return all events it had."""
        async with asyncio.timeout(PATIENCE_S):
            async for event in self._events:
                self.seen.append(event)
        return self.seen


@asynccontextmanager
async def streamed(server: Running, message: str, **fields: object) -> AsyncGenerator[Events]:
    """Send a message and read its events; leaving closes the connection."""
    body = {"message": message, "stream": True, **fields}
    async with server.http.stream("POST", "/api/chat", json=body) as response, _events(response) as events:
        yield events


@asynccontextmanager
async def resumed(
    server: Running, turn_id: str, *, after: int | None = None, last_event_id: int | None = None
) -> AsyncGenerator[Events]:
    params = {} if after is None else {"after": after}
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    path = f"/api/chat/turns/{turn_id}/events"
    async with (
        server.http.stream("GET", path, params=params, headers=headers) as response,
        _events(response) as events,
    ):
        yield events


@asynccontextmanager
async def _events(response: httpx.Response) -> AsyncGenerator[Events]:
    assert response.status_code == 200, (await response.aread()).decode()
    async with aclosing(_decoded(response)) as events:
        yield Events(response, events)


async def _decoded(response: httpx.Response) -> AsyncGenerator[Json]:
    async for sent in EventSource(response).aiter_sse():
        event = json.loads(sent.data)
        assert sent.event == event["type"]
        assert sent.id == str(event["seq"])
        yield event


def received_text(events: Iterable[Json]) -> str:
    """Return the text that a client holds after these events, as the contract has it build it."""
    text = ""
    for event in events:
        match event["type"]:
            case "delta":
                text += event["text"]
            case "resync":
                text = event["text"]
            case _:
                pass
    return text


def types(events: Iterable[Json]) -> list[str]:
    """Return the events' types, runs of deltas as one: how tokens share deltas is a matter of time."""
    names: list[str] = []
    for event in events:
        if event["type"] != "delta" or names[-1:] != ["delta"]:
            names.append(event["type"])
    return names


class BareConnection:
    """One HTTP/1.1 connection with nothing between the test and the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def post(self, path: str, body: Json, *, extra_head: str = "") -> None:
        data = json.dumps(body).encode()
        self._writer.write(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{extra_head}"
            f"Content-Length: {len(data)}\r\n\r\n".encode()
            + data
        )

    def begin(self, path: str, media_type: str, *, length: int) -> None:
        """Announce a body, and send nothing of it."""
        self._writer.write(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\n"
            f"Content-Length: {length}\r\n\r\n".encode()
        )

    async def read_until(self, marker: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.readuntil(marker)

    async def leave(self) -> None:
        """Close with a FIN, as a client does that exits; wait until it is out."""
        self._writer.close()
        await self._writer.wait_closed()

    def reset(self) -> None:
        """Close with a RST, as a router does that forgot the connection."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))  # close() then discards
        self._writer.transport.abort()


@asynccontextmanager
async def bare_connection(server: Running) -> AsyncGenerator[BareConnection]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield BareConnection(reader, writer)
    finally:
        writer.close()


class HasSockets(Protocol):
    """A server, in this process or in its own."""

    @property
    def ws_url(self) -> str: ...


class Socket:
    """A WebSocket whose frames are JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, frame: Json | str | bytes) -> None:
        await self.connection.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    async def say(self, content: str, **fields: object) -> None:
        await self.send({"type": "chat_message", "content": content, **fields})

    async def next(self) -> Json:
        async with asyncio.timeout(PATIENCE_S):
            return json.loads(await self.connection.recv())

    async def until(self, *wanted: str) -> list[Json]:
        """Return the frames up to the first of one of these types."""
        frames: list[Json] = []
        while not frames or frames[-1]["type"] not in wanted:
            frames.append(await self.next())
        return frames

    async def to_end(self) -> list[Json]:
        """Return the frames up to the next terminal event."""
        return await self.until(*TERMINAL)

    async def silent(self) -> bool:
        """Tell that nothing more lies ready: the answer to a ping comes next."""
        await self.send({"type": "ping"})
        return await self.next() == {"type": "pong"}

    async def closed_with(self) -> int | None:
        """Let what comes go by until the connection is closed; return the code the server gave."""
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    await self.connection.recv()
        return self.connection.close_code


@asynccontextmanager
async def socket(server: HasSockets, **options: Any) -> AsyncGenerator[Socket]:
    async with connect(server.ws_url, proxy=None, compression=None, max_size=None, **options) as connection:
        yield Socket(connection)


async def query(server: Running, sql: str, *arguments: object) -> list[Any]:
    """Ask the server's database on a connection of one's own."""
    connect_to: Any = asyncpg.connect  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  asyncpg ships no types
    connection = await connect_to(server.settings.database_url, timeout=5)
    try:
        return await connection.fetch(sql, *arguments)
    finally:
        await connection.close()


async def asked_of(llm: ScriptedModel, message: str, *, waiting: bool = False) -> Record:
    """Wait until the model is asked to answer `message` (and has come to its gate or hang)."""

    def asked(log: Log) -> list[Record]:
        return [
            record
            for record in log.generating
            if record.last_user_message == message and (record.waiting_at or not waiting)
        ]

    return (await llm.wait_for(asked))[0]


async def assert_closed_within_a_second(llm: ScriptedModel, record: Record, *, since_s: float) -> None:
    """See in the model's log that Jarvis closed this request's connection in time."""
    await llm.wait_for(lambda _: record.ended_s)
    assert record.outcome == "client_disconnected"
    assert record.ended_s is not None
    assert record.ended_s - since_s < 1.0


async def side_by_side(work: Callable[[int], Awaitable[None]], *, times: int) -> None:
    """Run `work(0)` ... `work(times - 1)`, SIDE_BY_SIDE of them at a time."""
    numbers = iter(range(times))

    async def lane() -> None:
        for number in numbers:
            await work(number)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(SIDE_BY_SIDE):
            tasks.create_task(lane())


def a_word() -> str:
    """Return a text that no other test uses, such as the name of a gate."""
    return uuid4().hex
