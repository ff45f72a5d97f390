"""Server-sent events as bytes, and what an idle or abandoned stream does."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from jarvis.core.events import LogEntry
from jarvis.web.responses import WRITE_BYTES, EventStream, sse_parts

ENTRY = LogEntry(seq=7, type="delta", data=b'{"text":"x"}', terminal=False)


class Client:
    """The other end of an ASGI call: leaves when told to, and keeps what it was sent."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.news = asyncio.Event()
        self.received: list[Any] = []

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: Any) -> None:
        self.received.append(event)
        self.news.set()

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.received)

    async def body_with(self, part: bytes) -> None:
        async with asyncio.timeout(5):
            while part not in self.body:
                self.news.clear()
                await self.news.wait()


def test_a_frame_has_id_event_and_data() -> None:
    assert b"".join(sse_parts(ENTRY)) == b'id: 7\nevent: delta\ndata: {"text":"x"}\n\n'


async def never() -> None:
    await asyncio.Event().wait()


async def test_a_large_event_is_sent_in_parts_and_arrives_whole() -> None:
    large = LogEntry(
        seq=7, type="delta", data=b'{"text":"' + bytes(range(97, 123)) * 40_000 + b'"}', terminal=True
    )

    async def entries() -> AsyncGenerator[LogEntry]:
        yield large

    client = Client()
    scope: Any = {}
    await EventStream(entries(), left=never)(scope, client.receive, client.send)
    assert client.body == b"".join(sse_parts(large))
    assert max(len(event.get("body", b"")) for event in client.received) == WRITE_BYTES


async def test_a_silent_stream_gets_comments_between_its_events() -> None:
    go = asyncio.Event()

    async def entries() -> AsyncGenerator[LogEntry]:
        yield ENTRY
        await go.wait()
        yield ENTRY

    client = Client()
    scope: Any = {}
    stream = EventStream(entries(), left=never, keep_alive_s=0.01)
    running = asyncio.create_task(stream(scope, client.receive, client.send))
    await client.body_with(b"".join(sse_parts(ENTRY)) + b":\n\n:\n\n")
    go.set()
    await running
    assert client.body.endswith(b"".join(sse_parts(ENTRY)))
    assert [event.get("more_body") for event in client.received[1:]][-2:] == [True, False]


@pytest.mark.parametrize("who", ["client", "caller"])
async def test_a_client_that_leaves_or_counts_no_more_ends_the_reading(who: str) -> None:
    signed_out = asyncio.Event()
    closed = asyncio.Event()

    async def entries() -> AsyncGenerator[LogEntry]:
        try:
            yield ENTRY
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def left() -> None:
        await signed_out.wait()

    client = Client()
    scope: Any = {}
    running = asyncio.create_task(EventStream(entries(), left=left)(scope, client.receive, client.send))
    await client.body_with(b"".join(sse_parts(ENTRY)))
    (client.left if who == "client" else signed_out).set()
    async with asyncio.timeout(5):
        await running
    assert closed.is_set()
