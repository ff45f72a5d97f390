"""Compares granian's embedded server with uvicorn: CPU, memory and behaviour, on one raw ASGI app.

Each server runs in a child process; every measurement alternates between them. Prints one Markdown table.
Needs `wrk` on the path, and `uvicorn`, `uvloop`, `httptools` beside the project's own dependencies.
"""

import asyncio
import re
import resource
import statistics
import subprocess
from collections.abc import Awaitable, Callable

from server_choice_behaviour import observed
from server_choice_target import UPGRADE, Peer, Target, get

VARIANTS = ("granian/uvloop", "uvicorn/uvloop", "granian/asyncio", "uvicorn/asyncio")
ROUNDS = 3


async def tiny_get(target: Target, connections: int) -> dict[str, float]:
    before = target.cpu_s()
    wrk = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", f"-c{connections}", "-d1s", "--latency", f"http://127.0.0.1:{target.port}/"),
        stdout=subprocess.PIPE,
    )
    report = (await wrk.communicate())[0].decode()
    requests = int(re.findall(r"(\d+) requests in", report)[0])
    us = {"us": 1, "ms": 1e3, "s": 1e6}
    p50, p99 = (
        float(value) * us[unit] / 1000 for value, unit in re.findall(r"(?:50|99)% +([\d.]+)(us|ms|s)", report)
    )
    return {
        f"GET, {connections} connections: CPU us/request": (target.cpu_s() - before) * 1e6 / requests,
        f"GET, {connections} connections: requests/s": requests,
        f"GET, {connections} connections: p50 ms": p50,
        f"GET, {connections} connections: p99 ms": p99,
    }


async def echo(target: Target) -> dict[str, float]:
    async def client(frames: int) -> None:
        async with target.websocket("/echo") as ws:
            for _ in range(frames):
                await ws.send("a small frame, as a client types it")
                await ws.recv()

    before = target.cpu_s()
    await asyncio.gather(*(client(1000) for _ in range(10)))
    return {"WebSocket: CPU us per frame received and echoed": (target.cpu_s() - before) * 1e6 / 10000}


async def push(target: Target) -> dict[str, float]:
    async def reader() -> None:
        async with target.websocket("/push?3000") as ws:
            for _ in range(3000):
                await ws.recv()

    async def sse_reader() -> None:
        peer = await target.open(get("/sse?3000", "connection: close"))
        await peer.hear(wait_s=20, until_closed=True)
        peer.close()

    before = target.cpu_s()
    await asyncio.gather(*(reader() for _ in range(8)))
    middle = target.cpu_s()
    await asyncio.gather(*(sse_reader() for _ in range(8)))
    return {
        "WebSocket: CPU us per pushed token frame": (middle - before) * 1e6 / 24000,
        "SSE: CPU us per pushed event chunk": (target.cpu_s() - middle) * 1e6 / 24000,
    }


async def idle_sockets(target: Target) -> dict[str, float]:
    before = target.rss_mb()
    peers: list[Peer] = []
    for _ in range(1000):
        peers.append(await target.open(UPGRADE.format("/echo")))
        await peers[-1].hear(until=b"\r\n\r\n")
    grown = target.rss_mb() - before
    for peer in peers:
        peer.close()
    return {"WebSocket: KB per idle socket (1,000)": grown}


async def measured(targets: list[Target]) -> dict[str, dict[str, float]]:
    jobs: list[Callable[[Target], Awaitable[dict[str, float]]]] = [
        lambda t: tiny_get(t, 1),
        lambda t: tiny_get(t, 64),
        lambda t: tiny_get(t, 400),
        echo,
        push,
    ]
    samples: dict[str, dict[str, list[float]]] = {}

    async def take(job: Callable[[Target], Awaitable[dict[str, float]]], target: Target) -> None:
        for name, value in (await job(target)).items():
            samples.setdefault(name, {}).setdefault(target.variant, []).append(value)

    for target in targets:
        for name, value in (("boot ms", target.boot_ms), ("RSS MB after boot", target.boot_rss_mb)):
            samples.setdefault(name, {})[target.variant] = [value]
    for target in targets:
        await take(idle_sockets, target)
    for turn in range(ROUNDS):
        for job in jobs:
            for target in targets if turn % 2 else reversed(targets):
                await take(job, target)
    return {name: {v: statistics.median(xs) for v, xs in by.items()} for name, by in samples.items()}


def table(measurements: dict[str, dict[str, float]], answers: dict[str, dict[str, str]]) -> str:
    def shown(value: float) -> str:
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"

    rows = [["", *VARIANTS], ["---"] * (len(VARIANTS) + 1)]
    rows.extend([name, *(shown(values[v]) for v in VARIANTS)] for name, values in measurements.items())
    rows.extend([question, *(said.get(v, "") for v in VARIANTS)] for question, said in answers.items())
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


async def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    targets = [Target(variant) for variant in VARIANTS]
    try:
        measurements = await measured(targets)
    finally:
        for target in targets:
            target.kill()
    print(table(measurements, await observed(VARIANTS[:2])))


if __name__ == "__main__":
    asyncio.run(main())
