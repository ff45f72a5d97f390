"""Clients that ask again and again and never read: what memory they take, and whether anybody else notices.

`python -m benchmarks.slow_readers [seconds]` measures it alone.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from time import perf_counter

import httpx
import msgspec
import uvloop

from benchmarks.peer import Peer, get, post
from benchmarks.report import Figure, at_least, at_most, at_share, figures_table
from benchmarks.servers import JARVIS, Server, serving
from benchmarks.stand import Stand, stand
from jarvis.telemetry import configure_logging
from tests.deaf import STREAMED, Deaf
from tests.scripted_model import Rule, Script

CLIENTS = 50
SECONDS = 60.0
ALONE_S = 10.0
WARM_TURNS = 24
ASK_PERIOD_S = 1.0
SAMPLE_PERIOD_S = 0.25
SLOTS = 8
WORD = "flood"
WHOLE_ANSWER_BYTES = 256 * 1024
# A second each, in long words: what is weighed is what waits for its reader, not the work that a token makes.
FLOOD = Script(text=("x" * 511 + " ") * (WHOLE_ANSWER_BYTES // 512 + 10), tokens_per_s=512.0)
DELTA = b"event: delta"


async def measure_slow_readers(built: Stand, seconds: float = SECONDS) -> list[Figure]:
    settings = built.settings | {"LLM_MAX_CONCURRENCY": str(SLOTS)}
    async with (
        serving(JARVIS, settings) as server,
        httpx.AsyncClient(base_url=built.model_url, trust_env=False) as model,
    ):
        server.pin(built.cpus.servers)
        rule = msgspec.json.encode(Rule(match=WORD, script=FLOOD))
        (await model.post("/__script__", content=rule)).raise_for_status()
        await _warm(server)
        alone_s = await _gaps(server, ALONE_S)
        stored = await _stored(server)
        before_mb = server.rss_mb()
        async with _watching(server) as sizes_mb, _asking(server) as deaf:
            beside_s = await _gaps(server, seconds)
        stored = await _stored(server) - stored
    ended = sum(one.connections for one in deaf) - len(deaf)
    named = f"{CLIENTS} clients that never read, {seconds:.0f} s"
    return [
        _figure(f"{named}: memory more than before, at most", max(sizes_mb) - before_mb, "MB", 64),
        _against(f"{named}: another's gap between deltas, p50", beside_s, alone_s, 0.5),
        _against(f"{named}: another's gap between deltas, p99", beside_s, alone_s, 0.99),
        Figure(
            measure=f"{named}: answers stored of {sum(one.asked for one in deaf)} asked for",
            jarvis=stored,
            unit="",
            against="",
            other=None,
            ratio=None,
            judged=stored,
            goal=at_least(CLIENTS, ""),
        ),
        _figure(f"{named}: connections that the server ended", ended, "", None),
    ]


async def _warm(server: Server) -> None:
    """Have whole answers read, so that what the process keeps anyway is there before it is weighed."""

    async def one(number: int) -> None:
        peer = await Peer.open(server.port)
        await peer.ask(post(server.port, "/api/chat", {"message": WORD, "user_id": f"warm{number}"}))
        peer.close()

    for begin in range(0, WARM_TURNS, SLOTS):
        await asyncio.gather(*map(one, range(begin, begin + SLOTS)))


async def _stored(server: Server) -> float:
    peer = await Peer.open(server.port)
    told = (await peer.ask(get(server.port, "/metrics"))).data
    peer.close()
    line = next(
        line for line in told.splitlines() if line.startswith(b'jarvis_turns_total{status="complete"}')
    )
    return float(line.split()[-1])


async def _gaps(server: Server, seconds: float) -> list[float]:
    """Have one answer after the other told at the pace of a model; return the times between their deltas."""
    gaps_s: list[float] = []
    until_s = perf_counter() + seconds
    while perf_counter() < until_s:
        async with asyncio.timeout(60):
            gaps_s += await _gaps_of_one(server)
    return gaps_s


async def _gaps_of_one(server: Server) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(post(server.port, "/api/chat", {"message": "paced", "user_id": "reader", "stream": True}))
    status = (await reader.readline()).split()[1]
    told_s: list[float] = []
    if status == b"503":  # too many wait for the model at this moment: asked again in another one
        await asyncio.sleep(ASK_PERIOD_S)
    else:
        assert status == b"200", status
        while (line := await reader.readline()) != b"0\r\n":
            assert line, "the connection ended"
            if line.startswith(DELTA):
                told_s.append(perf_counter())
    writer.close()
    return [after_s - before_s for before_s, after_s in pairwise(told_s)]


@asynccontextmanager
async def _watching(server: Server) -> AsyncGenerator[list[float]]:
    """Weigh the process again and again, as long as the context is open."""
    sizes_mb = [server.rss_mb()]

    async def again_and_again() -> None:
        while True:
            await asyncio.sleep(SAMPLE_PERIOD_S)
            sizes_mb.append(server.rss_mb())

    watching = asyncio.create_task(again_and_again())
    try:
        yield sizes_mb
    finally:
        watching.cancel()


@asynccontextmanager
async def _asking(server: Server) -> AsyncGenerator[list[Deaf]]:
    """Have the clients ask, half of them by each door; at the end all leave."""
    deaf = [Deaf(STREAMED[number % len(STREAMED)], server.port, f"deaf{number}") for number in range(CLIENTS)]

    async def again_and_again(one: Deaf) -> None:
        while True:
            await one.ask(WORD)
            await asyncio.sleep(ASK_PERIOD_S)

    asking = [asyncio.create_task(again_and_again(one)) for one in deaf]
    try:
        yield deaf
    finally:
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        for one in deaf:
            one.leave()


def _figure(measure: str, value: float, unit: str, limit: float | None) -> Figure:
    goal = None if limit is None else at_most(limit, f" {unit}")
    return Figure(
        measure=measure,
        jarvis=value,
        unit=unit,
        against="",
        other=None,
        ratio=None,
        judged=value,
        goal=goal,
    )


def _against(measure: str, beside_s: list[float], alone_s: list[float], share: float) -> Figure:
    one, other = (at_share(gaps_s, share) * 1000 for gaps_s in (beside_s, alone_s))
    return Figure(
        measure=measure,
        jarvis=one,
        unit="ms",
        against="when alone",
        other=other,
        ratio=one / other,
        judged=one / other,
        goal=at_most(2),
    )


async def main() -> int:
    configure_logging("WARNING", "console")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    async with stand() as built:
        figures = await measure_slow_readers(built, seconds)
    print(figures_table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
