"""What our code relies on in the HTTP server, beyond ASGI's own text; a new release of it must pass here.

Run as a program, this file is the child process: a tiny app on `jarvis.web.server.serve` that reports on its
standard output, one JSON object a line.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from jarvis.web.server import UNREAD_S, bind, serve

ROOT = str(Path(__file__).resolve().parents[2])
PIECE = b"x" * 65_536
UPGRADE = (
    "GET {} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
RESTART = {"type": "websocket.close", "code": 1012, "reason": "restart"}
CLOSE_WITHIN_S = 0.5
HEADER_TIMEOUT_S = 0.5


# --- the child process ------------------------------------------------------------------------------------


def report(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)  # noqa: T201 - the child's voice


class App:
    """The tiny app: one path, one behaviour."""

    def __init__(self) -> None:
        self.drains = asyncio.Event()
        self.sockets: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"].strip("/").replace("-", "_") or "root"
        try:
            await getattr(self, f"{scope['type']}_{path}")(scope, receive, send)
        except asyncio.CancelledError:
            report("cancelled", path=path)
            raise

    async def answer(self, send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        sized = [*headers, (b"server", b"jarvis"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": sized})
        await send({"type": "http.response.body", "body": body})

    async def begin(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})

    async def http_root(self, _scope: Any, _receive: Any, send: Any) -> None:
        await self.answer(send, 503 if self.drains.is_set() else 200, b"ok")

    async def http_headers(self, scope: Any, _receive: Any, send: Any) -> None:
        await self.answer(send, 200, b",".join(name + b"=" + value for name, value in scope["headers"]))

    async def http_body(self, _scope: Any, receive: Any, send: Any) -> None:
        await self.answer(send, 200, b"body:" + (await receive())["body"])

    async def http_watch(self, _scope: Any, receive: Any, send: Any) -> None:
        await self.watch(receive, send, {"type": "http.response.start", "status": 200, "headers": []})

    async def http_stream(self, _scope: Any, receive: Any, send: Any) -> None:
        await self.begin(send)
        await self.watch(receive, send, {"type": "http.response.body", "body": PIECE, "more_body": True})

    async def websocket_watch(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await self.watch(receive, send, {"type": "websocket.send", "text": "late"})

    async def watch(self, receive: Any, send: Any, late: dict[str, Any]) -> None:
        message: dict[str, Any] = {"type": "http.request"}
        while not message["type"].endswith("disconnect"):
            # receive() gives an awaitable that is no coroutine: create_task would refuse it.
            message = await asyncio.ensure_future(receive())
            report("received", type=message["type"])
        sent = "silently"
        try:
            await send(late)
        except (RuntimeError, OSError) as exc:
            sent = type(exc).__name__
        report("gone", sent=sent)

    async def http_flood(self, _scope: Any, _receive: Any, send: Any) -> None:
        await self.begin(send)
        await self.flood(send, {"type": "http.response.body", "body": PIECE, "more_body": True})

    async def websocket_flood(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await self.flood(send, {"type": "websocket.send", "bytes": PIECE})

    async def flood(self, send: Any, piece: dict[str, Any]) -> None:
        for count in range(1000):
            sending = asyncio.ensure_future(send(piece))
            if not (await asyncio.wait({sending}, timeout=0.4))[0]:
                report("blocked", after_bytes=count * len(PIECE))
                await sending
        report("over")

    async def http_torn(self, _scope: Any, _receive: Any, send: Any) -> None:
        await self.begin(send)
        raise ValueError

    async def http_until_drain(self, _scope: Any, _receive: Any, send: Any) -> None:
        await self.begin(send)
        await self.drains.wait()
        await send({"type": "http.response.body", "body": b"last"})

    async def http_hang(self, _scope: Any, _receive: Any, _send: Any) -> None:
        report("hanging")
        await asyncio.sleep(60)

    async def websocket_reject(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        head = [(b"content-type", b"application/problem+json"), (b"server", b"jarvis")]
        await send({"type": "websocket.http.response.start", "status": 403, "headers": head})
        await send({"type": "websocket.http.response.body", "body": b'{"code":"origin_not_allowed"}'})

    async def websocket_close(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        pending = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        pending.cancel()
        await asyncio.wait({pending})
        await send(RESTART)

    async def websocket_close_with_reader(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        pending = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(send(RESTART))
        done, _ = await asyncio.wait({closing}, timeout=0.4)
        report("closing", done=bool(done))
        closing.cancel()
        pending.cancel()

    async def websocket_echo(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        task = asyncio.current_task()
        assert task is not None
        self.sockets.add(task)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                frame = message.get("text") or message.get("bytes")
                await send({"type": "websocket.send", "text": f"{len(frame)}"})
            report("gone", code=message["code"])
        except asyncio.CancelledError:
            await send(RESTART)
        finally:
            self.sockets.discard(task)

    async def websocket_twice(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        given_up = asyncio.ensure_future(receive())
        await asyncio.wait({given_up}, timeout=0.05)
        given_up.cancel()
        await send({"type": "websocket.send", "text": "now"})
        await send({"type": "websocket.send", "text": (await receive())["text"]})

    async def drain(self, stop: asyncio.Event) -> None:
        self.drains.set()
        report("draining")
        await asyncio.to_thread(sys.stdin.readline)
        for task in self.sockets:
            task.cancel()
        if self.sockets:
            await asyncio.wait(self.sockets, timeout=1)
        stop.set()


async def child(port: int, unread_s: float) -> None:
    app, stop = App(), asyncio.Event()
    loop = asyncio.get_running_loop()
    drains: set[asyncio.Task[None]] = set()
    loop.add_signal_handler(signal.SIGTERM, lambda: drains.add(loop.create_task(app.drain(stop))))
    listener = await bind("127.0.0.1", port, unread_s=unread_s)
    report("listening", port=listener.getsockname()[1])
    await serve(
        app,
        listener,
        stop=stop,
        header_timeout_s=HEADER_TIMEOUT_S,
        close_within_s=CLOSE_WITHIN_S,
    )
    report("returned")


# --- the tests' side --------------------------------------------------------------------------------------


class Child:
    """The child process and what it has reported."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.port = 0

    async def event(self, name: str, wait_s: float = 5.0) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(wait_s):
            while True:
                line = await self.process.stdout.readline()
                assert line, f"the child ended before {name}"
                if (fact := json.loads(line))["event"] == name:
                    return fact

    async def drain(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        await self.event("draining")

    async def stop(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await self.event("returned")
        async with asyncio.timeout(5):
            return await self.process.wait()

    async def open(self, head: str, *, small_window: bool = False) -> "Peer":
        raw = socket.socket()
        if small_window:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", self.port))
        await loop.sock_sendall(raw, head.encode())
        return Peer(raw)

    async def ask(self, head: str, until: bytes = b"") -> bytes:
        peer = await self.open(head)
        with contextlib.closing(peer.raw):
            return await peer.hear(until)

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"


class Peer:
    """A raw connection; `hear` ends at `until` or, without it, when the server closes."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw

    async def hear(self, until: bytes = b"") -> bytes:
        heard = b""
        async with asyncio.timeout(5):
            while chunk := await asyncio.get_running_loop().sock_recv(self.raw, 65_536):
                heard += chunk
                if until and until in heard:
                    break
        return heard

    def fin(self) -> None:
        self.raw.close()

    def reset(self) -> None:
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.raw.close()

    def half_close(self) -> None:
        self.raw.shutdown(socket.SHUT_WR)


def get(path: str, *headers: str) -> str:
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: x", *headers, "", ""])


@contextlib.asynccontextmanager
async def started(port: int = 0, *, unread_s: float = UNREAD_S) -> AsyncGenerator[Child]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, str(port), str(unread_s)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    server = Child(process)
    try:
        server.port = (await server.event("listening", 20))["port"]
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def server() -> AsyncGenerator[Child]:
    async with started() as running:
        yield running


@pytest.mark.parametrize("leave", [Peer.fin, Peer.reset, Peer.half_close], ids=["fin", "reset", "half-close"])
@pytest.mark.parametrize(
    ("head", "until"),
    [
        (get("/watch"), b""),
        (get("/stream"), b"first"),
        (UPGRADE.format("/watch"), b"\r\n\r\n"),
    ],
    ids=["before the response", "in the response", "websocket"],
)
async def test_receive_tells_within_a_second_that_the_peer_left_and_send_does_not(
    server: Child, head: str, until: bytes, leave: Callable[[Peer], None]
) -> None:
    peer = await server.open(head)
    if until:
        await peer.hear(until)
    else:
        await server.event("received")
    leave(peer)
    assert (await server.event("gone", 1))["sent"] == "silently"
    peer.fin()


@pytest.mark.parametrize("head", [get("/flood"), UPGRADE.format("/flood")], ids=["stream", "websocket"])
async def test_send_waits_for_a_peer_that_stopped_reading(server: Child, head: str) -> None:
    peer = await server.open(head, small_window=True)
    assert (await server.event("blocked"))["after_bytes"] < 8_000_000
    peer.reset()


async def test_a_close_frame_goes_out_once_no_receive_is_pending(server: Child) -> None:
    async with connect(server.url("/close")) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "restart")


async def test_a_close_frame_waits_while_a_receive_is_pending(server: Child) -> None:
    """When this fails the server has learnt it, and the close path of our sockets can be simpler."""
    peer = await server.open(UPGRADE.format("/close-with-reader"))
    assert (await server.event("closing"))["done"] is False
    peer.fin()


async def test_a_cancelled_receive_takes_no_message_with_it(server: Child) -> None:
    async with connect(server.url("/twice")) as ws:
        assert await ws.recv() == "now"
        await ws.send("kept")
        assert await ws.recv() == "kept"


async def test_frames_up_to_the_contracts_largest_arrive_and_larger_than_16_mib_end_the_socket(
    server: Child,
) -> None:
    async with connect(server.url("/echo"), compression=None) as ws:
        await ws.send(b"x" * (15 << 20))
        assert await ws.recv() == str(15 << 20)
        with contextlib.suppress(ConnectionClosed):
            await ws.send(b"x" * (17 << 20))
        with pytest.raises(ConnectionClosed):
            await ws.recv()
    await server.event("gone")


async def test_an_upgrade_can_be_refused_with_a_status_and_a_body(server: Child) -> None:
    heard = await server.ask(UPGRADE.format("/reject"), b"}")
    assert heard.startswith(b"HTTP/1.1 403 ")
    assert heard.endswith(b'{"code":"origin_not_allowed"}')
    assert b"server: jarvis" in heard


async def test_the_apps_server_header_is_the_only_one(server: Child) -> None:
    heard = await server.ask(get("/"), b"ok")
    assert [line for line in heard.lower().split(b"\r\n") if line.startswith(b"server:")] == [
        b"server: jarvis"
    ]


async def test_repeated_headers_reach_the_app_one_by_one_in_lower_case(server: Child) -> None:
    heard = await server.ask(get("/headers", "X-A: 1", "x-a: 2"), b"x-a=2")
    assert heard.endswith(b"host=x,x-a=1,x-a=2")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (get("/?" + "a" * 60_000), b"200"),
        (get("/?" + "a" * 66_000), b"414"),
        (get("/", "x-big: " + "a" * 40_000), b"200"),
        (get("/", "x-big: " + "a" * 1_000_000), b"431"),
        (get("/", *(f"x-{n}: 1" for n in range(98))), b"200"),
        (get("/", *(f"x-{n}: 1" for n in range(101))), b"431"),
        ("nonsense\r\n\r\n", b"400"),
        ("GET / HTTP/1.1\r\n\r\n", b"200"),
    ],
    ids=[
        "url 60 KB",
        "url 66 KB",
        "header 40 KB",
        "header 1 MB",
        "99 headers",
        "102 headers",
        "nonsense",
        "no host",
    ],
)
async def test_what_the_http_layer_refuses_by_itself(server: Child, head: str, status: bytes) -> None:
    peer = await server.open("")
    with contextlib.closing(peer.raw):
        sending = asyncio.ensure_future(asyncio.get_running_loop().sock_sendall(peer.raw, head.encode()))
        assert (await peer.hear(b"\r\n\r\n")).split(b" ")[1] == status
        sending.cancel()
        await asyncio.wait({sending})


async def test_slow_headers_end_the_connection(server: Child) -> None:
    assert await server.ask("GET / HTTP/1.1\r\nhost:") == b""


async def test_expect_continue_is_answered_when_the_app_reads(server: Child) -> None:
    peer = await server.open(
        "POST /body HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
    )
    with contextlib.closing(peer.raw):
        assert (await peer.hear(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await asyncio.get_running_loop().sock_sendall(peer.raw, b"abc")
        assert (await peer.hear(b"body:")).endswith(b"body:abc")


async def test_http_1_0_is_answered_and_closed(server: Child) -> None:
    assert (await server.ask("GET / HTTP/1.0\r\n\r\n")).endswith(b"ok")


async def test_pipelined_requests_are_answered_in_order(server: Child) -> None:
    heard = await server.ask(get("/") + get("/headers", "x-b: 1"), b"x-b=1")
    assert heard.count(b"HTTP/1.1 200 OK") == 2
    assert heard.index(b"ok") < heard.index(b"x-b=1")


async def test_a_stream_that_fails_never_looks_complete(server: Child) -> None:
    assert not (await server.ask(get("/torn"))).endswith(b"0\r\n\r\n")


async def test_a_taken_port_is_an_error(server: Child) -> None:
    with pytest.raises(OSError, match="in use"):
        await bind("127.0.0.1", server.port)


async def test_draining_accepts_answers_and_ends_in_order(server: Child) -> None:
    idle = await server.open(get("/"))
    await idle.hear(b"ok")
    stream = await server.open(get("/until-drain"))
    await stream.hear(b"first")
    async with connect(server.url("/echo")) as ws:
        await ws.send("four")
        assert await ws.recv() == "4"
        await server.drain()
        assert (await server.ask(get("/"), b"ok")).startswith(b"HTTP/1.1 503 ")
        assert b"last" in await stream.hear(b"0\r\n\r\n")
        stopping = asyncio.ensure_future(server.stop())
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert await stopping == 0
    assert await idle.hear() == b""
    stream.fin()
    idle.fin()


@pytest.mark.skipif(sys.platform != "linux", reason="the option of the socket is Linux's")
@pytest.mark.parametrize("head", [get("/flood"), UPGRADE.format("/flood")], ids=["stream", "websocket"])
async def test_a_peer_that_reads_nothing_is_let_go(head: str) -> None:
    async with started(unread_s=1.0) as server:
        peer = await server.open(head, small_window=True)
        await server.event("blocked")
        await server.event("over", 10)  # what had to wait went nowhere, and in silence
        with pytest.raises(ConnectionResetError):
            await peer.hear()
        peer.fin()


async def test_a_request_that_outlasts_the_close_is_cancelled(server: Child) -> None:
    peer = await server.open(get("/hang"))
    await server.event("hanging")
    await server.drain()
    stopping = asyncio.ensure_future(server.process.wait())
    assert server.process.stdin is not None
    server.process.stdin.write(b"\n")
    assert (await server.event("cancelled"))["path"] == "hang"
    await server.event("returned")
    assert (await peer.hear()).startswith(b"HTTP/1.1 500 ")
    assert await stopping == 0
    peer.fin()


@pytest.mark.parametrize("head", [get("/flood"), UPGRADE.format("/flood")], ids=["stream", "websocket"])
async def test_a_peer_that_reads_nothing_does_not_hold_the_exit(server: Child, head: str) -> None:
    peer = await server.open(head, small_window=True)
    await server.event("blocked")
    await server.drain()
    assert await server.stop() == 0
    peer.reset()


if __name__ == "__main__":
    import uvloop

    uvloop.run(child(int(sys.argv[1]), float(sys.argv[2])))
