"""What handlers answer with: ready bytes, or a turn's events as they come. Plain ASGI, encoded once."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial

import anyio
from litestar.types import Receive, Scope, Send

from jarvis.core.events import LogEntry

KEEP_ALIVE_S = 15.0
"""How often a silent event stream gets a comment line (the contract's section 3)."""
WRITE_BYTES = 64 * 1024
"""Of an event that is handed to the server at once: of a reader that has stopped it holds no more."""


class Body:
    """A whole response."""

    def __init__(
        self,
        content: bytes,
        *,
        status: int = 200,
        media_type: bytes = b"application/json",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self._start = {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", media_type),
                (b"content-length", str(len(content)).encode()),
                *headers,
            ],
        }
        self._body = {"type": "http.response.body", "body": content, "more_body": False}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(self._start)  # pyright: ignore[reportArgumentType] a dict of the right shape
        await send(self._body)  # pyright: ignore[reportArgumentType] likewise


class EventStream:
    """A turn's events as server-sent events; a client that leaves ends the reading, not the turn.

    So does a caller whose credential counts no more: then `left` returns, and the stream is cut.
    """

    def __init__(
        self,
        entries: AsyncGenerator[LogEntry],
        *,
        left: Callable[[], Awaitable[None]],
        headers: tuple[tuple[bytes, bytes], ...] = (),
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        self._entries = entries
        self._left = left
        self._headers = headers
        self._keep_alive_s = keep_alive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.Lock()
        now = asyncio.get_running_loop().time  # the clock of anyio, without its 2 us of looking for it
        sent_at = now()

        async def write(*parts: bytes) -> None:
            nonlocal sent_at
            async with sending:
                for part in parts:
                    for begin in range(0, len(part), WRITE_BYTES):
                        body = part[begin : begin + WRITE_BYTES]
                        await send({"type": "http.response.body", "body": body, "more_body": True})
            sent_at = now()

        async def keep_alive() -> None:
            while True:
                await anyio.sleep_until(sent_at + self._keep_alive_s)
                if now() >= sent_at + self._keep_alive_s:
                    await write(b":\n\n")

        async with aclosing(self._entries) as entries, anyio.create_task_group() as tasks:
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [
                        (b"content-type", b"text/event-stream; charset=utf-8"),
                        (b"x-accel-buffering", b"no"),
                        *self._headers,
                    ],
                }
            )
            tasks.start_soon(keep_alive)
            tasks.start_soon(_cancel_when_over, partial(client_gone, receive), tasks.cancel_scope.cancel)
            tasks.start_soon(_cancel_when_over, self._left, tasks.cancel_scope.cancel)
            async for entry in entries:
                await write(*sse_parts(entry))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            tasks.cancel_scope.cancel()


def sse_parts(entry: LogEntry) -> tuple[bytes, ...]:
    """Return the event in one piece, but a large one's data as the log's own: readers may have stopped."""
    head = b"id: %d\nevent: %s\ndata: " % (entry.seq, entry.type.encode())
    if len(entry.data) > WRITE_BYTES:
        return head, entry.data, b"\n\n"
    return (b"%s%s\n\n" % (head, entry.data),)


async def client_gone(receive: Receive) -> None:
    """Return when the client's end of the connection is closed; the request's body was read before."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return


async def _cancel_when_over(wait: Callable[[], Awaitable[None]], cancel: Callable[[], None]) -> None:
    await wait()
    cancel()
