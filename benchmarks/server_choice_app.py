"""The raw ASGI app and child process of server_choice.py."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

PIECE_BYTES = 65_536
PIECE = b"x" * PIECE_BYTES
DRAIN_S = 1.5
TOKEN = b'data: {"type":"delta","turn_id":"t","seq":12,"text":" word"}\n\n'
state: dict[str, Any] = {"draining": False, "flood": {}, "gone": {}}
sockets: set[asyncio.Task[Any]] = set()


async def app(scope: Any, receive: Any, send: Any) -> None:
    match scope["type"]:
        case "http":
            await http(scope, receive, send)
        case "websocket":
            await websocket(scope, receive, send)
        case _:
            state["lifespan"] = True
            raise NotImplementedError


async def answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"server", b"jarvis"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def stream(send: Any, body: bytes) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def http(scope: Any, receive: Any, send: Any) -> None:
    match scope["path"]:
        case "/":
            await answer(send, 503 if state["draining"] else 200, b"ok")
        case "/state":
            await answer(send, 200, json.dumps(state).encode())
        case "/seen":
            await answer(
                send, 200, json.dumps([name.decode() for name, _ in scope["headers"]] + ["]]"]).encode()
            )
        case "/body" | "/watch" | "/watch2":
            await listen(scope["path"], receive, send)
        case "/hang":
            await asyncio.sleep(60)
        case _:
            await talk(scope["path"], scope["query_string"], send)


async def listen(path: str, receive: Any, send: Any) -> None:
    message = await receive()
    size = len(message["body"])
    if path == "/body":
        while message.get("more_body"):
            message = await receive()
            size += len(message.get("body", b""))
        await answer(send, 200, f"{size} {message['type']}".encode())
        return
    if path == "/watch2":
        await stream(send, b"x")
    await watch(receive)


async def talk(path: str, query: bytes, send: Any) -> None:
    await stream(send, TOKEN)
    match path:
        case "/sse":
            for _ in range(int(query) - 1):
                await asyncio.sleep(0)
                await send({"type": "http.response.body", "body": TOKEN, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        case "/slow":
            await asyncio.sleep(1)
            await send({"type": "http.response.body", "body": b"last"})
        case "/torn":
            await asyncio.sleep(0.05)
            raise RuntimeError
        case _:
            await flood(send, {"type": "http.response.body", "body": PIECE, "more_body": True})


async def flood(send: Any, piece: dict[str, Any]) -> None:
    progress: dict[str, Any] = {"pieces": 0, "error": None}
    state["flood"] = progress
    try:
        for _ in range(800):
            await send(piece)
            progress["pieces"] += 1
            await asyncio.sleep(0)
    except Exception as exc:  # noqa: BLE001 - the probe reports whatever the server raises
        progress["error"] = f"{type(exc).__name__}: {exc}"[:80]


async def watch(receive: Any) -> None:
    state["gone"] = {}
    while (message := await receive())["type"] not in {"http.disconnect", "websocket.disconnect"}:
        pass
    state["gone"] = {"at": time.time(), "message": {k: str(v) for k, v in message.items()}}


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    if scope["path"] == "/reject":
        headers = [(b"content-type", b"application/problem+json"), (b"server", b"jarvis")]
        await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b'{"code":"origin_not_allowed"}'})
        return
    await send({"type": "websocket.accept"})
    task = asyncio.current_task()
    assert task is not None
    sockets.add(task)
    try:
        await converse(scope["path"], scope["query_string"], receive, send)
    except asyncio.CancelledError:
        # Only now is no receive() pending any more: granian's close would wait for it.
        await send({"type": "websocket.close", "code": 1012, "reason": "restart"})
    finally:
        sockets.discard(task)


async def converse(path: str, query: bytes, receive: Any, send: Any) -> None:
    match path:
        case "/push":
            for _ in range(int(query)):
                await send(
                    {
                        "type": "websocket.send",
                        "text": "a token frame of sixty bytes: delta, turn_id, seq, text",
                    }
                )
                await asyncio.sleep(0)
        case "/flood":
            await flood(send, {"type": "websocket.send", "bytes": PIECE})
        case "/watch":
            await watch(receive)
        case "/close":
            pending = asyncio.ensure_future(receive())
            await asyncio.sleep(0.1)
            closing = {"type": "websocket.close", "code": 1012, "reason": "restart"}
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(send(closing), 2)
            pending.cancel()
        case _:
            while (message := await receive())["type"] == "websocket.receive":
                text, data = message.get("text"), message.get("bytes")
                if len(text or data or b"") > 10_000:
                    text, data = str(len(text or data or b"")), None
                await send({"type": "websocket.send", "text": text, "bytes": data})


async def drain(stop: asyncio.Event) -> None:
    state["draining"] = True
    await asyncio.sleep(DRAIN_S)
    for task in list(sockets):
        task.cancel()
    await asyncio.wait(sockets, timeout=1) if sockets else None
    stop.set()


async def run_granian(port: int, stop: asyncio.Event) -> None:
    from jarvis.web.server import bind, serve  # noqa: PLC0415 - the other server's child must not pay for it

    await serve(app, await bind("127.0.0.1", port), stop=stop, header_timeout_s=2)


async def run_uvicorn(port: int, stop: asyncio.Event) -> None:
    import uvicorn  # noqa: PLC0415 - as above

    config = uvicorn.Config(
        app,
        port=port,
        http="httptools",
        ws="websockets-sansio",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        ws_ping_interval=20,
        ws_per_message_deflate=False,
        ws_max_size=256 * 1024,
        timeout_graceful_shutdown=2,
        backlog=2048,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # pyright: ignore[reportAttributeAccessIssue] - our own signals

    async def stopper() -> None:
        await stop.wait()
        server.should_exit = True

    async with asyncio.TaskGroup() as group:
        group.create_task(stopper())
        await server.serve()


async def main(variant: str, port: int) -> None:
    stop, draining = asyncio.Event(), set[Any]()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: draining.add(loop.create_task(drain(stop))))
    await (run_granian if variant.startswith("granian") else run_uvicorn)(port, stop)


if __name__ == "__main__":
    if sys.argv[1].endswith("uvloop"):
        import uvloop

        uvloop.run(main(sys.argv[1], int(sys.argv[2])))
    else:
        asyncio.run(main(sys.argv[1], int(sys.argv[2])))
