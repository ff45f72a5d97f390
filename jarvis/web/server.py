"""Runs one ASGI app on granian's embedded server in the current event loop, from bind to close.

Owns the listening socket and the server's limits. Installs no signal handler and speaks no lifespan: the
caller opens and closes resources around `serve`, and ends streams and WebSockets before it sets `stop`.
"""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # pyright: ignore[reportPrivateImportUsage] - its only public door
from granian.server.embed import Server

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BACKLOG = 2048
# granian stops accepting above this many open connections; its default equals the backlog.
MAX_CONNECTIONS = 16_384
# Far beyond this hyper answers a bare 431; the app refuses smaller ones with a problem document.
HEADER_BUFFER_BYTES = 80 * 1024
# A peer that takes nothing of what it was sent for so long, or is no longer there, is let go: by the system,
# for a send to it never ends and what was sent stays here until then.
UNREAD_S = 60.0
# A connection whose peer stopped reading does not end by cancelling its task; nobody waits for it longer.
CANCEL_GRACE_S = 1.0


class _Server(Server):
    """granian's server on a socket that is ours.

    Left alone it binds with SO_REUSEPORT: a second server on the port would start and silently share it.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket, *, header_timeout_s: float) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            app,
            host,
            port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            backlog=BACKLOG,
            backpressure=MAX_CONNECTIONS,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(header_timeout_s * 1000), max_buffer_size=HEADER_BUFFER_BYTES
            ),
            log_level=LogLevels.error,
            # Incremental: without it granian closes every logging handler the program has set up.
            log_dictconfig={"incremental": True, "formatters": {}, "handlers": {}, "loggers": {}},
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # granian closes the descriptor when its acceptor ends, so it gets the ownership.
        descriptor = self._listener.detach()
        self._shd = SocketHolder(descriptor, False, BACKLOG)  # pyright: ignore[reportCallIssue] - stub without __new__


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    stop: asyncio.Event,
    header_timeout_s: float = 30.0,
    close_within_s: float = 1.0,
) -> None:
    """Serve `app` until `stop` is set, then let requests finish for `close_within_s` and cancel the rest.

    Takes `listener`, from `bind`, for its own and accepts connections until `stop`. Returns at most
    `close_within_s` + 1 s after it. Raises RuntimeError when the server ends by itself.
    """
    running: set[asyncio.Task[Any]] = set()

    async def tracked(scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - granian runs every call in a task of its own
        running.add(task)
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if not stop.is_set():  # granian would log a traceback for each that was cut off at the end
                raise
        finally:
            running.discard(task)

    server = _Server(tracked, listener, header_timeout_s=header_timeout_s)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            raise RuntimeError("the HTTP server ended by itself") from serving.exception()
        server.stop()
        await asyncio.wait({serving}, timeout=close_within_s)
        for task in running:
            task.cancel()
        await asyncio.wait({serving}, timeout=CANCEL_GRACE_S)
    finally:
        stopping.cancel()
        serving.cancel()


async def bind(host: str, port: int, *, unread_s: float = UNREAD_S) -> socket.socket:
    """Resolve `host`, bind and listen, without SO_REUSEPORT: a taken port is an OSError.

    Whoever connects before `serve` waits in the backlog. `port` 0 lets the system choose. A connection whose
    peer has acknowledged, or taken, nothing of what was sent for `unread_s` is reset.
    """
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, kind, proto, _, address = infos[0]
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit these two.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":  # elsewhere there is no such option
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(unread_s * 1000))
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
