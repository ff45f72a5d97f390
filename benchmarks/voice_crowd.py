"""Many who speak at once, each answered aloud: how long others wait, and what each one costs."""

import asyncio
from time import perf_counter

from benchmarks.gaps import Gaps, asking_health
from benchmarks.report import Figure, at_most
from benchmarks.voice_stand import Caller, VoiceStand
from jarvis.core.speech import HEARD_HZ
from tests.scripted_model import Script
from tests.sounds import speech
from tests.spoken import QUESTION, s16

SOCKETS = 20
ROUNDS = 4
ROUND_S = 7.0
"""A question of 1.6 s, and silence, in which it is answered: two sentences in 2 s."""
IDLE_S = 10.0
TOKENS_PER_S = 20.0
LONG_GAP, LONGER_GAP = at_most(250, " ms"), at_most(5)

# Of sentences that are too long to be kept once they are spoken, and without a comma to be cut at.
ANSWER = (
    "The weather is going to be as fine as it can be for this time of the year in Paris. "
    "I would still take an umbrella along to be safe from the rain that may come in the late evening."
)


async def measure_crowd(stand: VoiceStand) -> list[Figure]:
    stand.script(Script(text=ANSWER, tokens_per_s=TOKENS_PER_S))
    server = stand.server
    server.pin(stand.cpus.all)  # speech is found in a thread of its own, which may have a CPU of its own
    async with asking_health(server.port) as idle:
        await asyncio.sleep(IDLE_S)
    idle_mb = server.rss_mb()
    await _crowd(stand, rounds=1)
    first_mb = server.rss_mb()
    before_s, begun_s = server.cpu_s(), perf_counter()
    async with asking_health(server.port) as busy:
        await _crowd(stand, rounds=ROUNDS)
        cpu_s, took_s = server.cpu_s() - before_s, perf_counter() - begun_s
    last_mb = server.rss_mb()
    name = f"{SOCKETS} who speak"
    cpu_ms = cpu_s / took_s / SOCKETS * 1000
    return [
        *_gap_figures(name, busy, idle),
        Figure(
            measure=f"{name}: CPU of each, for a second",
            jarvis=cpu_ms,
            unit="ms",
            against=f"questions, {ROUND_S:g} s apart",
            other=None,
            ratio=None,
            judged=cpu_ms,
        ),
        *_memory_figures(name, idle_mb, first_mb, last_mb),
    ]


def _gap_figures(name: str, busy: Gaps, idle: Gaps) -> list[Figure]:
    figures: list[Figure] = []
    for called, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        one, other = busy.at_ms(share), idle.at_ms(share)
        ratio = one / other
        figures.append(
            Figure(
                measure=f"{name}: wait for /health, {called}",
                jarvis=one,
                unit="ms",
                against="idle",
                other=other,
                ratio=ratio,
                judged=one if called == "max" else ratio,
                goal={"max": LONG_GAP, "p99": LONGER_GAP}.get(called),
            )
        )
    return figures


def _memory_figures(name: str, idle_mb: float, first_mb: float, last_mb: float) -> list[Figure]:
    return [
        Figure(
            measure=f"{name}: memory more after {rounds}",
            jarvis=now_mb - before_mb,
            unit="MB",
            against="before",
            other=before_mb,
            ratio=None,
            judged=now_mb - before_mb,
        )
        for rounds, now_mb, before_mb in (
            ("a question each", first_mb, idle_mb),
            (f"{ROUNDS} more", last_mb, first_mb),
        )
    ]


async def _crowd(stand: VoiceStand, *, rounds: int) -> None:
    """Have all of them ask so often, begun evenly spread over a round; raise where one was not answered."""
    asked = s16(speech(QUESTION))
    silence = bytes(2 * round(HEARD_HZ * ROUND_S) - len(asked))

    async def one(position: int) -> None:
        await asyncio.sleep(position * ROUND_S / SOCKETS)
        async with stand.caller() as caller:
            await caller.begin_stream()
            async with asyncio.TaskGroup() as both:
                both.create_task(_hear(caller, answers=rounds))
                await caller.stream((asked + silence) * rounds)
                await caller.send("audio_end")

    async with asyncio.TaskGroup() as tasks:
        for position in range(SOCKETS):
            tasks.create_task(one(position))


async def _hear(caller: Caller, *, answers: int) -> None:
    for _ in range(answers):
        frames = await caller.until("chat_response")
        spoken = sum(frame.type == "audio_response" for frame in frames)
        assert spoken == 2, f"{spoken} sentences were spoken, and not 2: {[each.type for each in frames]}"
