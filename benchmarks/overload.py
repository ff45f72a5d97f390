"""Ten times what the model can take, nearly all of it from one user: who is served, who is refused, how fast.

`python -m benchmarks.overload [seconds]` measures it alone.
"""

import asyncio
import math
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter

import httpx
import msgspec
import uvloop

from benchmarks.gaps import Gaps, asking_health
from benchmarks.peer import Peer, get, post
from benchmarks.report import Figure, Goal, at_least, at_most, at_share, figures_table
from benchmarks.servers import JARVIS, Server, serving
from benchmarks.stand import Stand, stand
from jarvis.telemetry import configure_logging
from tests.scripted_model import Rule, Script

SLOTS = 2
WORD = "crowded"
SCRIPT = Script(tokens=10, tokens_per_s=100.0)
FULL_WITH = 4 * SLOTS
"""Turns at once that keep the model busy all the time, and are none too many."""
CAPACITY_S = IDLE_S = SOLO_S = 5.0
OVERLOAD = 10
OVERLOAD_S = 10.0
LIGHT = [f"light{number}" for number in range(9)]
LIGHT_PERIOD_S = 1.0
"""From one question to the next: half of an even share of the model, where a turn takes 0.1 s."""
LISTING_PERIOD_S = 0.02


class Answers:
    """What came back to a user: how long each took, by status; and how many were answered until `until_s`."""

    def __init__(self, until_s: float = math.inf) -> None:
        self.took_s: dict[bytes, list[float]] = {}
        self.in_time = 0
        self._until_s = until_s

    async def ask(self, peer: Peer, port: int, user: str) -> None:
        request = post(port, "/api/chat", {"message": f"A {WORD} word", "user_id": user})
        asked_s = perf_counter()
        status = (await peer.ask(request)).data.split(b" ", 2)[1]
        now_s = perf_counter()
        self.took_s.setdefault(status, []).append(now_s - asked_s)
        self.in_time += status == b"200" and now_s <= self._until_s

    def of(self, status: bytes) -> list[float]:
        return self.took_s.get(status, [])


async def measure_overload(built: Stand, overload_s: float = OVERLOAD_S) -> list[Figure]:
    settings = built.settings | {"LLM_MAX_CONCURRENCY": str(SLOTS), "LLM_MAX_QUEUE": "32"}
    async with (
        serving(JARVIS, settings) as server,
        httpx.AsyncClient(base_url=built.model_url, trust_env=False) as model,
    ):
        server.pin(built.cpus.servers)
        rule = msgspec.json.encode(Rule(match=WORD, script=SCRIPT))
        (await model.post("/__script__", content=rule)).raise_for_status()
        await _capacity(server, 1.0)  # warms
        async with asking_health(server.port) as idle, _listing(server) as idle_lists:
            await asyncio.sleep(IDLE_S)
        per_s = await _capacity(server, CAPACITY_S)
        solo = await _light(server, LIGHT[0], SOLO_S)
        before_mb = server.rss_mb()
        (await model.delete("/__log__")).raise_for_status()
        async with asking_health(server.port) as busy, _listing(server) as busy_lists:
            flood = asyncio.create_task(_flood(server, OVERLOAD * per_s, overload_s))
            lights = await asyncio.gather(*(_light(server, name, overload_s) for name in LIGHT))
            greedy = await flood
        peak = (await model.get("/__log__")).json()["peak"]
        growth_mb = server.rss_mb() - before_mb
    return [
        *_model_figures(greedy, lights, peak, per_s, overload_s),
        *_light_figures(lights, solo),
        _waits("GET /health", busy, idle),
        _waits("a list of conversations", busy_lists, idle_lists),
        _figure("memory more than before", growth_mb, "MB", goal=at_most(64, " MB")),
    ]


async def _capacity(server: Server, seconds: float) -> float:
    """Return how many turns are answered in a second, when none is refused."""
    answers = Answers()
    peers = [await Peer.open(server.port) for _ in range(FULL_WITH)]
    until_s = perf_counter() + seconds

    async def again_and_again(peer: Peer) -> None:
        while perf_counter() < until_s:
            await answers.ask(peer, server.port, "greedy")

    begun_s = perf_counter()
    await asyncio.gather(*map(again_and_again, peers))
    took_s = perf_counter() - begun_s
    assert list(answers.took_s) == [b"200"], answers.took_s
    for peer in peers:
        peer.close()
    return len(answers.of(b"200")) / took_s


async def _flood(server: Server, per_s: float, seconds: float) -> Answers:
    """Send so many in a second, whatever becomes of them; return when each has its answer."""
    answers = Answers(perf_counter() + seconds)
    idle: list[Peer] = []

    async def one() -> None:
        while idle and not idle[-1].is_open:
            idle.pop()
        peer = idle.pop() if idle else await Peer.open(server.port)
        await answers.ask(peer, server.port, "greedy")
        idle.append(peer)

    begun_s = perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(per_s * seconds)):
            await asyncio.sleep(max(begun_s + number / per_s - perf_counter(), 0))
            tasks.create_task(one())
    for peer in idle:
        peer.close()
    return answers


class Light(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks once in LIGHT_PERIOD_S, or as soon as he has his answer."""

    answers: Answers
    answered_per_s: float


async def _light(server: Server, name: str, seconds: float) -> Light:
    begun_s = perf_counter()
    answers = Answers(begun_s + seconds)
    peer = await Peer.open(server.port)
    await asyncio.sleep(LIGHT.index(name) / len(LIGHT) * LIGHT_PERIOD_S)
    first_s = perf_counter()
    number = 0
    while perf_counter() < begun_s + seconds:
        await answers.ask(peer, server.port, name)
        number += 1
        await asyncio.sleep(max(first_s + number * LIGHT_PERIOD_S - perf_counter(), 0))
    took_s = perf_counter() - first_s
    peer.close()
    return Light(answers=answers, answered_per_s=len(answers.of(b"200")) / took_s)


@asynccontextmanager
async def _listing(server: Server) -> AsyncGenerator[Gaps]:
    """List the conversations of somebody else again and again, as long as the context is open."""
    gaps, over = Gaps(), asyncio.Event()

    async def again_and_again() -> None:
        peer = await Peer.open(server.port)
        request = get(server.port, "/api/chat/conversations?user_id=somebody")
        while not over.is_set():
            asked_s = perf_counter()
            heard = await peer.ask(request)
            assert heard.data.startswith(b"HTTP/1.1 200"), heard.data[:500]
            gaps.waits_s.append(perf_counter() - asked_s)
            await asyncio.sleep(LISTING_PERIOD_S)
        peer.close()

    asking = asyncio.create_task(again_and_again())
    try:
        yield gaps
    finally:
        over.set()
        await asking


def _model_figures(
    greedy: Answers, lights: list[Light], peak: float, per_s: float, overload_s: float
) -> list[Figure]:
    everybody = [greedy, *(light.answers for light in lights)]
    answered_per_s = sum(answers.in_time for answers in everybody) / overload_s
    refused_s = [took_s for answers in everybody for took_s in answers.of(b"503")]
    failed = sum(len(taken) for one in everybody for taken in one.took_s.values()) - len(refused_s)
    failed -= sum(len(one.of(b"200")) for one in everybody)
    return [
        _figure("turns that the model had at once, at most", peak, "", goal=at_most(SLOTS, "")),
        _figure(
            "answered",
            answered_per_s,
            "/s",
            against="none refused",
            other=per_s,
            goal=at_least(0.9),
        ),
        _figure(
            f"refused, {len(refused_s)} of them, p99",
            at_share(refused_s, 0.99) * 1000,
            "ms",
            goal=at_most(300, " ms"),
        ),
        _figure("neither answered nor refused", failed, "", goal=at_most(0, "")),
    ]


def _light_figures(lights: list[Light], solo: Light) -> list[Figure]:
    worst = min(light.answered_per_s for light in lights)
    waits_s = [took_s for light in lights for took_s in light.answers.of(b"200")]
    refused = sum(len(light.answers.of(b"503")) for light in lights)
    return [
        _figure(
            f"answered to the least served of {len(LIGHT)} light users",
            worst,
            "/s",
            against="when alone",
            other=solo.answered_per_s,
            goal=at_least(0.8),
        ),
        *(
            _figure(
                f"a light user's answer is whole, {called}",
                at_share(waits_s, share) * 1000,
                "ms",
                against="when alone, p50",
                other=at_share(solo.answers.of(b"200"), 0.5) * 1000,
            )
            for called, share in (("p50", 0.5), ("p95", 0.95))
        ),
        _figure("light users refused", refused, "times"),
    ]


def _waits(route: str, busy: Gaps, idle: Gaps) -> Figure:
    one, other = busy.at_ms(0.99), idle.at_ms(0.99)
    return _figure(f"{route}, p99", one, "ms", against="idle", other=other, goal=at_most(3))


def _figure(
    measure: str,
    value: float,
    unit: str,
    *,
    against: str = "",
    other: float | None = None,
    goal: Goal | None = None,
) -> Figure:
    """Goals are about the ratio to the `other`, where there is one."""
    ratio = None if other is None else value / other
    return Figure(
        measure=f"{OVERLOAD}x overload: {measure}",
        jarvis=value,
        unit=unit,
        against=against,
        other=other,
        ratio=ratio,
        judged=value if ratio is None else ratio,
        goal=goal,
    )


async def main() -> int:
    configure_logging("WARNING", "console")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else OVERLOAD_S
    async with stand() as built:
        figures = await measure_overload(built, seconds)
    print(figures_table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
