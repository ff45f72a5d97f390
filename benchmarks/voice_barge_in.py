"""Interrupting a spoken answer: how soon it is silent, and how soon the model is let go."""

import asyncio
import random

from benchmarks.report import Figure, Goal, at_most, at_share
from benchmarks.voice_stand import Caller, VoiceStand
from tests.scripted_model import Script
from tests.spoken import recording

TIMES = 100
TOKENS_PER_S = 100.0
SENTENCES = 200
LATEST_S = 0.3
"""After the first sound of an answer, of which there are some 20 sentences a second."""
SILENT, LET_GO = at_most(150, " ms"), at_most(1_000, " ms")


async def measure_barge_in(stand: VoiceStand) -> list[Figure]:
    chance = random.Random(1)  # noqa: S311 - moments to interrupt at
    silent_ms: list[float] = []
    let_go_ms: list[float] = []
    told_ms: list[float] = []
    async with stand.caller() as caller:
        for number in range(TIMES):
            silent, let_go, told = await _barge_in(stand, caller, number, chance.uniform(0, LATEST_S))
            silent_ms.append(silent * 1000)
            let_go_ms.append(let_go * 1000)
            told_ms.append(told * 1000)
    assert max(silent_ms) > 0, "no answer was interrupted while it was being spoken"
    return [
        *_figures("barge-in to the last audio", silent_ms, SILENT),
        *_figures("barge-in to the answer's end told", told_ms, None),
        *_figures("barge-in to the model's connection closed", let_go_ms, LET_GO),
    ]


async def _barge_in(
    stand: VoiceStand, caller: Caller, number: int, after_s: float
) -> tuple[float, float, float]:
    """Return how long the audio went on, the model's connection stood, and the end was not told."""
    text = " ".join(f"The sentence {number} {place} is new." for place in range(SENTENCES))
    stand.script(Script(text=text, tokens_per_s=TOKENS_PER_S))
    await caller.send_clip(recording())
    turn_id = (await caller.until("audio_response"))[-1].decoded()["turn_id"]
    ending = asyncio.create_task(caller.until("chat_response"))
    await asyncio.sleep(after_s)
    barged_s = await caller.send("barge_in", turn_id=turn_id)
    frames = await ending
    assert frames[-1].decoded()["status"] == "cancelled"
    last_s = max((frame.came_s for frame in frames if frame.type == "audio_response"), default=barged_s)
    record = stand.answering
    await stand.model.wait_for(lambda _: record.ended_s)
    assert record.outcome == "client_disconnected"
    assert record.ended_s
    return max(0.0, last_s - barged_s), record.ended_s - barged_s, frames[-1].came_s - barged_s


def _figures(measure: str, values_ms: list[float], goal: Goal | None) -> list[Figure]:
    return [
        Figure(
            measure=f"{measure}, {name}",
            jarvis=value,
            unit="ms",
            against=f"median of {TIMES}",
            other=at_share(values_ms, 0.5),
            ratio=None,
            judged=value,
            goal=goal,
        )
        for name, value in (("p95", at_share(values_ms, 0.95)), ("max", max(values_ms)))
    ]
