"""Two servers on one database and one Valkey: what telling the other costs, and how soon that one tells."""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from time import perf_counter

import uvloop

from benchmarks.peer import Peer, post
from benchmarks.report import Figure, Goal, Samples, at_most, at_share, compared, figures_table
from benchmarks.servers import JARVIS, Server, serving
from benchmarks.stand import PACED_TOKENS, Stand, stand
from jarvis.telemetry import configure_logging
from tests.chaos.doors import Sent, resume, send
from tests.valkey import ValkeyServer

ROUNDS = 5
STREAMS = 16
FOLLOWED = 8
TOKEN = f"token over SSE, {STREAMS} streams, REDIS_URL set, CPU"
ALONE = "Jarvis without Redis"
GOALS: dict[float, Goal | None] = {0.5: at_most(5, " ms"), 0.99: None}


async def measure_replicas(built: Stand) -> list[Figure]:
    samples, lags_s = Samples(), list[float]()
    async with AsyncExitStack() as stack:
        valkey = ValkeyServer(Path(stack.enter_context(tempfile.TemporaryDirectory(dir=built.folder))))
        await valkey.start()
        stack.push_async_callback(valkey.kill)

        async def opened(**settings: str) -> Server:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=built.folder))
            own = {"JARVIS_DATA_DIR": folder, "VOICE": "off", "LOG_LEVEL": "WARNING"}
            server = await stack.enter_async_context(serving(JARVIS, built.settings | own | settings))
            server.pin(built.cpus.servers)
            return server

        alone, one, other = (
            await opened(),
            await opened(REDIS_URL=valkey.url),
            await opened(REDIS_URL=valkey.url),
        )
        for number in range(ROUNDS + 1):
            for who, server in (("Jarvis", one), (ALONE, alone)):
                used_us = await _cpu_us(server)
                if number:  # the first round warms
                    samples.add(TOKEN, who, used_us)
        for lags in await asyncio.gather(*(_lags_s(one, other) for _ in range(FOLLOWED))):
            lags_s += lags
    return compared(samples, TOKEN, {ALONE: at_most(1.5)}, unit="us") + [
        Figure(
            measure=f"event of another replica, later than at its own, p{share * 100:.0f}",
            jarvis=(lag_ms := at_share(lags_s, share) * 1000),
            unit="ms",
            against="",
            other=None,
            ratio=None,
            judged=lag_ms,
            goal=goal,
        )
        for share, goal in GOALS.items()
    ]


async def _cpu_us(server: Server) -> float:
    """Return the CPU for each token."""

    async def stream() -> None:
        peer = await Peer.open(server.port)
        await peer.ask(post(server.port, "/api/chat", {"message": "paced", "stream": True}))
        peer.close()

    before_s = server.cpu_s()
    await asyncio.gather(*(stream() for _ in range(STREAMS)))
    return (server.cpu_s() - before_s) / STREAMS / PACED_TOKENS * 1e6


async def _lags_s(one: Server, other: Server) -> list[float]:
    """Return how much later each event of one turn comes at the other server."""
    heard_s: dict[int, float] = {}
    heard_there_s: dict[int, float] = {}
    turn_id: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def here() -> None:
        async with aclosing(send(f"http://127.0.0.1:{one.port}", Sent(text="paced"), "sse")) as events:
            async for event in events:
                heard_s[event["seq"]] = perf_counter()
                if not turn_id.done():
                    turn_id.set_result(event["turn_id"])

    async def there() -> None:
        url = f"http://127.0.0.1:{other.port}"
        async with aclosing(resume(url, await turn_id, "sse", last_seq=-1)) as events:
            async for event in events:
                heard_there_s[event["seq"]] = perf_counter()

    await asyncio.gather(here(), there())
    live = [
        seq for seq in heard_s if seq > min(heard_s) + PACED_TOKENS // 10
    ]  # what was already there is not live
    return [heard_there_s[seq] - heard_s[seq] for seq in live if seq in heard_there_s]


async def main() -> int:
    configure_logging("WARNING", "console")
    async with stand() as built:
        figures = await measure_replicas(built)
    print(figures_table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
