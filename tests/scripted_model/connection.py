"""One client's TCP connection: whole requests in, bytes out, a reset on command.

The end of the peer (FIN or RST) is seen by the event loop at once, whatever is being sent or waited for; it
is stamped and cancels the task that serves. A client that half-closes counts as gone.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Coroutine
from typing import cast

from tests.scripted_model.wire import Request, RequestParser

Serve = Callable[["Connection"], Coroutine[object, object, None]]


class Connection(asyncio.Protocol):
    """Runs `serve` in a task that `tasks` holds until it is done."""

    def __init__(self, serve: Serve, tasks: set[asyncio.Task[None]]) -> None:
        self.left_s: float | None = None
        self._serve = serve
        self._tasks = tasks
        self._parser = RequestParser()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        self._task = asyncio.get_running_loop().create_task(self._serve(self))
        self._tasks.add(self._task)
        self._task.add_done_callback(self._tasks.discard)

    def data_received(self, data: bytes) -> None:
        self._parser.feed(data)
        self._more.set()

    def eof_received(self) -> bool:
        self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._leave()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def next_request(self) -> Request:
        """Wait for the next whole request; raise Malformed."""
        while True:
            request = self._parser.next_request()
            if request is not None:
                return request
            self._more.clear()
            await self._more.wait()

    def write(self, data: bytes | bytearray) -> None:
        self._open_transport().write(data)

    async def drain(self) -> None:
        """Wait until the peer has read enough; a peer that never does is let go when it leaves."""
        await self._writable.wait()

    def close(self) -> None:
        """Close after what was written is out."""
        self._open_transport().close()

    def abort(self) -> None:
        """Close now; what the peer has not taken is lost."""
        self._open_transport().abort()

    def reset(self) -> None:
        """Close with RST; SO_LINGER 0 makes close() discard instead of finishing."""
        transport = self._open_transport()
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def _open_transport(self) -> asyncio.Transport:
        assert self._transport is not None, "the connection was never made"
        return self._transport

    def _leave(self) -> None:
        if self.left_s is None:
            self.left_s = time.monotonic()
            if self._task is not None:
                self._task.cancel()
