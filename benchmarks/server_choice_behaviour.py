"""What each server does when clients misbehave and when it stops: one short text per question."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from server_choice_app import DRAIN_S, PIECE_BYTES
from server_choice_target import UPGRADE, Peer, Target, get, status
from websockets.exceptions import ConnectionClosed


async def flood_ws(target: Target) -> str:
    return await flood(target, UPGRADE.format("/flood"))


async def flood_sse(target: Target) -> str:
    return await flood(target, get("/flood"))


async def flood(target: Target, head: str) -> str:
    """Read nothing, see how far sends get; then reset, and see what they do."""
    before = target.rss_mb()
    peer = await target.open(head, small_window=True)
    await asyncio.sleep(1.5)
    stalled = (await target.state())["flood"]["pieces"]
    grown = target.rss_mb() - before
    peer.reset()
    await asyncio.sleep(0.7)
    after = (await target.state())["flood"]
    what = after["error"] or ("silent" if after["pieces"] == 800 else "blocked")
    return (
        f"blocks after {stalled * PIECE_BYTES / 1e6:.1f} MB (RSS +{grown:.0f} MB); "
        f"after RST {after['pieces'] - stalled} more succeed: {what}"
    )


async def send_after_fin_ws(target: Target) -> str:
    peer = await target.open(UPGRADE.format("/flood"))
    await peer.hear(until=b"\r\n\r\n", wait_s=1)
    peer.close()
    await asyncio.sleep(0.7)
    after = (await target.state())["flood"]
    return (
        f"{after['pieces']} of 800 sends succeed: {after['error'] or 'silent'}; RSS {target.rss_mb():.0f} MB"
    )


async def gone(target: Target, head: str, until: bytes, leave: Callable[[Peer], None], more: str = "") -> str:
    peer = await target.open(head + more)
    await peer.hear(until=until, wait_s=0.3)
    await asyncio.sleep(0.2)
    left = time.time()
    leave(peer)
    await asyncio.sleep(0.8)
    seen = (await target.state())["gone"]
    peer.close()
    if not seen:
        return "not noticed in 0.8 s"
    extra = {k: v for k, v in seen["message"].items() if k != "type"}
    return f"{(seen['at'] - left) * 1000:.1f} ms" + (f" {extra}" if extra else "")


def gone_jobs() -> dict[str, Callable[[Target], Awaitable[str]]]:
    leaves = {"FIN": Peer.close, "RST": Peer.reset, "half-close": Peer.half_close}
    places = {
        "HTTP before the response": (get("/watch"), b"never"),
        "HTTP during the response": (get("/watch2"), b"x\r\n"),
        "WebSocket": (UPGRADE.format("/watch"), b"\r\n\r\n"),
    }

    def job(
        head: str, until: bytes, leave: Callable[[Peer], None], more: str = ""
    ) -> Callable[[Target], Awaitable[str]]:
        return lambda target: gone(target, head, until, leave, more)

    jobs = {
        f"receive() says disconnect, {place}, {name}": job(head, until, leave)
        for place, (head, until) in places.items()
        for name, leave in leaves.items()
    }
    jobs["receive() says disconnect, FIN behind a pipelined request"] = job(
        get("/watch"), b"never", Peer.close, get("/")
    )
    return jobs


async def big_frame(target: Target) -> str:
    async with target.websocket("/echo") as ws:
        try:
            await ws.send(b"x" * 10_000_000)
            return f"reached the app: {await ws.recv()!r} bytes"
        except ConnectionClosed as exc:
            return f"closed {exc.rcvd.code if exc.rcvd else 'without a frame'}"


async def fragments(target: Target) -> str:
    before = target.rss_mb()
    async with target.websocket("/echo") as ws:

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(60):
                yield b"x" * 1_000_000
            await asyncio.sleep(0.3)
            grown.append(target.rss_mb() - before)

        grown: list[float] = []
        try:
            await ws.send(pieces())
            return f"60 x 1 MB buffered, RSS +{grown[0]:.0f} MB, then {await ws.recv()!r} reach the app"
        except ConnectionClosed as exc:
            return f"closed {exc.rcvd.code if exc.rcvd else 'without a frame'}"


async def closes_within(target: Target, head: str, wait_s: float) -> str:
    peer = await target.open(head)
    started = time.perf_counter()
    heard = await peer.hear(wait_s=wait_s, until=b"never")
    peer.close()
    took = time.perf_counter() - started
    first = heard.split(b"\r\n")[0].replace(b"<closed>", b"").decode()
    return (
        f"closed after {took:.1f} s" if took < wait_s - 0.05 else f"open after {wait_s:.0f} s"
    ) + f" {first}"


async def one(target: Target, head: str | bytes, wait_s: float = 1.0, until: bytes = b"\r\n\r\n") -> bytes:
    peer = await target.open()
    with contextlib.suppress(ConnectionError):
        await peer.say(head)
    heard = await peer.hear(wait_s=wait_s, until=until)
    peer.close()
    return heard


async def sizes(target: Target) -> str:
    out: list[str] = []
    for name, kb in (
        ("header", 17),
        ("header", 60),
        ("header", 100),
        ("url", 9),
        ("url", 60),
        ("url", 66),
        ("url", 100),
    ):
        filler = "a" * (kb * 1024)
        head = get("/", f"x-big: {filler}") if name == "header" else get(f"/?{filler}")
        out.append(f"{name} {kb} KB: {status(await one(target, head))}")
    many = get("/", *(f"x-{i}: 1" for i in range(200)))
    out.append(f"200 headers: {status(await one(target, many))}")
    return ", ".join(out)


async def odd_requests(target: Target) -> str:
    two = await one(target, get("/") + get("/"), 0.4, b"never")
    hostless = await one(target, "GET / HTTP/1.1\r\n\r\n")
    nonsense = await one(target, "nonsense\r\n\r\n")
    old = await one(target, "GET / HTTP/1.0\r\n\r\n", 0.5, b"<closed>")
    return ", ".join(
        [
            f"HTTP/1.0: {status(old)} {'closes' if b'<closed>' in old else 'stays open'}",
            f"HTTP/1.1 without Host: {status(hostless)}",
            f"Host twice: {status(await one(target, get('/', 'host: y')))}",
            f"pipelined: {two.count(b'HTTP/1.1 200')} answers",
            f"not HTTP: {status(nonsense)}",
        ]
    )


async def expect_continue(target: Target) -> str:
    head = "POST /body HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
    peer = await target.open(head)
    first = await peer.hear(wait_s=0.5, until=b"\r\n\r\n")
    await peer.say("abc")
    heard = await peer.hear(wait_s=0.5, until=b"3 http.request")
    return f"{status(first)} then {status(heard)}"


async def server_header(target: Target) -> str:
    heard = (await one(target, get("/"))).decode().lower()
    dup = (await one(target, get("/seen", "x-a: 1", "X-A: 2"), until=b"]]")).decode()
    lines = [line for line in heard.splitlines() if line.startswith("server")]
    return f"{lines}, both of two equal headers reach the app: {dup.count('x-a') == 2}"


async def reject(target: Target) -> str:
    heard = await one(target, UPGRADE.format("/reject"), until=b"allowed")
    return f"{status(heard)}, body {'kept' if b'origin_not_allowed' in heard else 'lost'}"


async def torn(target: Target) -> str:
    heard = await one(target, get("/torn"), 0.5, b"0\r\n\r\n")
    return "ends as if complete" if heard.endswith(b"0\r\n\r\n") else "connection closed, no last chunk"


async def nodelay(target: Target) -> str:
    started = time.perf_counter()
    await one(target, get("/sse?3"), until=b"0\r\n\r\n")
    return f"3 tiny chunks in {(time.perf_counter() - started) * 1000:.1f} ms"


async def drain(target: Target) -> str:
    idle = await target.open(get("/"))
    await idle.hear(until=b"ok")
    async with target.websocket("/echo") as ws:
        slow = await target.open(get("/slow"))
        await slow.hear(until=b"data")
        os.kill(target.child.pid, signal.SIGTERM)
        started = time.perf_counter()
        await asyncio.sleep(0.3)
        during = status(await one(target, get("/")))
        rest = await slow.hear(wait_s=2, until=b"0\r\n\r\n")
        code = "none"
        try:
            await asyncio.wait_for(ws.recv(), 3)
        except ConnectionClosed as exc:
            code = str(exc.rcvd.code if exc.rcvd else "without a frame")
        except TimeoutError:
            code = "nothing in 3 s"
        took = await exited(target, started)
    kept = await idle.hear(wait_s=1, until=b"never")
    return (
        f"new connection {during}, stream {'finished' if b'last' in rest else 'cut'}, close code {code}, "
        f"idle keep-alive {kept!r}, exit {target.child.returncode} {took:.2f} s after stop"
    )


async def exited(target: Target, signalled: float) -> float:
    """Seconds from the end of the drain to the exit; a child that stays is killed after 10."""
    while target.child.poll() is None:
        if time.perf_counter() - signalled > 10 + DRAIN_S:
            target.kill()
        await asyncio.sleep(0.01)
    return time.perf_counter() - signalled - DRAIN_S


async def close_while_receiving(target: Target) -> str:
    peer = await target.open(UPGRADE.format("/close"))
    heard = await peer.hear(wait_s=2.5, until=b"restart")
    peer.close()
    return (
        "close frame sent" if b"restart" in heard else "nothing is sent: close waits for the receive to end"
    )


async def stop_with(target: Target, head: str) -> str:
    peer = await target.open(head, small_window=True)
    await asyncio.sleep(0.5)
    os.kill(target.child.pid, signal.SIGTERM)
    started = time.perf_counter()
    took = await exited(target, started)
    heard = await peer.hear(wait_s=1, until=b"never")
    return f"exit {target.child.returncode} after {took:.1f} s, client sees {status(heard)}"


QUESTIONS: dict[str, Callable[[Target], Awaitable[str]]] = {
    "SSE to a stalled reader": flood_sse,
    "WebSocket to a stalled reader": flood_ws,
    "WebSocket sends after a FIN, app never receives": send_after_fin_ws,
    **gone_jobs(),
    "10 MB frame": big_frame,
    "unfinished fragments": fragments,
    "slow headers (limit set to 2 s)": lambda t: closes_within(t, "GET / HTTP/1.1\r\nhost:", 4),
    "idle keep-alive": lambda t: closes_within(t, get("/"), 7),
    "slow body": lambda t: closes_within(
        t, "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\na", 4
    ),
    "sizes": sizes,
    "odd requests": odd_requests,
    "Expect: 100-continue": expect_continue,
    "Server and duplicate headers": server_header,
    "websocket.http.response before the upgrade": reject,
    "websocket.close while receive() is pending": close_while_receiving,
    "app raises in mid-stream": torn,
    "small writes are not delayed": nodelay,
}
ENDINGS: dict[str, Callable[[Target], Awaitable[str]]] = {
    "drain: SIGTERM, 1.5 s, stop": drain,
    "stop with a hanging request": lambda t: stop_with(t, get("/hang")),
    "stop with a stalled SSE reader": lambda t: stop_with(t, get("/flood")),
    "stop with a stalled WebSocket reader": lambda t: stop_with(t, UPGRADE.format("/flood")),
}


async def observed(variants: tuple[str, ...]) -> dict[str, dict[str, str]]:
    answers: dict[str, dict[str, str]] = {}
    targets = [Target(variant) for variant in variants]
    try:
        for question, ask in QUESTIONS.items():
            said = await asyncio.gather(*(ask(target) for target in targets))
            answers[question] = dict(zip(variants, said, strict=True))
    finally:
        for target in targets:
            target.kill()
    for question, ask in ENDINGS.items():
        targets = [Target(variant) for variant in variants]
        said = await asyncio.gather(*(ask(target) for target in targets))
        answers[question] = dict(zip(variants, said, strict=True))
    return answers
