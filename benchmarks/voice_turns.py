"""One spoken turn, part by part: from the end of speech to the first sound of the answer."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from benchmarks.report import Figure, at_most, at_share
from benchmarks.voice_stand import FRAME_S, Caller, VoiceStand
from jarvis.adapters.audio.silero import Silero
from jarvis.core.speaking.endpointing import CHUNK_SAMPLES, Ended, Endpointing, EndpointingSettings
from jarvis.core.speech import HEARD_HZ
from tests import sounds
from tests.scripted_model import Script
from tests.spoken import s16

TURNS, WARMING = 50, 3
TOKENS_PER_S = 20.0
GOAL = at_most(100, " ms")
SPOKEN = "Is it raining?"
SILENCE_S = 1.5
LEAST_LOUD = 0.01
"""Of samples from -1 to 1: less is no sound."""

Door = Literal["a clip", "a stream"]
Whose = Literal["Jarvis", "engine", "model"]

PARTS: tuple[tuple[str, Whose], ...] = (
    ("speech is over to transcript asked", "Jarvis"),
    ("to transcript there", "engine"),
    ("to turn begun, model asked", "Jarvis"),
    ("to first token", "model"),
    ("to the first sentence's last token", "model"),
    ("to the token after it, which makes its end sure", "model"),
    ("to its sound asked", "Jarvis"),
    ("to its sound there", "engine"),
    ("to audio_response with the client", "Jarvis"),
)
"""Each begins where the one before it ends."""


async def measure_spoken_turns(stand: VoiceStand) -> list[Figure]:
    figures: list[Figure] = []
    async with stand.caller() as caller:
        for door in ("a clip", "a stream"):
            turns = [await _turn(stand, caller, door, number) for number in range(WARMING + TURNS)][WARMING:]
            figures += _figures(door, turns)
    return [*figures, await _endpointing()]


async def _turn(stand: VoiceStand, caller: Caller, door: Door, number: int) -> list[float]:
    """Have one spoken turn; return when its parts began and ended, in seconds."""
    first = f"This answer number {number} to {door} is new."
    stand.script(Script(text=f"{first} And it ends.", tokens_per_s=TOKENS_PER_S))
    stand.engines.log.records.clear()
    over_s = await SEND[door](caller, s16(sounds.speech(SPOKEN)))
    frames = await caller.until("audio_response")
    audio = frames[-1]
    assert audio.decoded()["text"] == first
    frames += await caller.until("chat_response")
    await caller.send("playback", turn_id=audio.decoded()["turn_id"], played_ms=3_600_000)
    heard, said = stand.engines.log.of("stt")[0], stand.engines.log.of("tts")[0]
    written = stand.answering
    assert heard.ended_s
    assert said.ended_s
    assert written.first_token_s
    words = len(first.split())
    return [
        *(over_s, heard.asked_s, heard.ended_s, written.started_s, written.first_token_s),
        written.first_token_s + (words - 1) / TOKENS_PER_S,
        written.first_token_s + words / TOKENS_PER_S,
        *(said.asked_s, said.ended_s, audio.came_s),
    ]


async def send_clip(caller: Caller, spoken: bytes) -> float:
    """Say something in 16-bit samples at HEARD_HZ; return when it was over."""
    return await caller.send_clip(sounds.wav(spoken))


async def send_stream(caller: Caller, spoken: bytes) -> float:
    """As send_clip; it is over when the frame was sent with which its end is sure."""
    decided, _ = await endpoint(spoken)
    await caller.begin_stream()
    sent_s = await caller.stream(spoken + bytes(2 * round(HEARD_HZ * SILENCE_S)))
    await caller.send("audio_end")
    return sent_s[int((decided - 1) / HEARD_HZ / FRAME_S)]


SEND = {"a clip": send_clip, "a stream": send_stream}


async def endpoint(spoken: bytes) -> tuple[int, int]:
    """Return at which sample its end is sure, where silence follows, and which is the last one heard."""
    samples = np.frombuffer(spoken, "<i2").astype(np.float32) / 2**15
    followed = np.concatenate([samples, np.zeros(round(HEARD_HZ * SILENCE_S), np.float32)])
    silero, endpointing = Silero(), Endpointing()
    with silero.listen() as activity:
        found = await activity.probabilities(followed.tobytes())
    silero.close()
    decided = next(
        (index + 1) * CHUNK_SAMPLES
        for index, probability in enumerate(found)
        if isinstance(endpointing.hear(probability), Ended)
    )
    return decided, int(np.flatnonzero(np.abs(samples) > LEAST_LOUD)[-1])


async def _endpointing() -> Figure:
    decided, last = await endpoint(s16(sounds.speech(SPOKEN)))
    silence_ms = EndpointingSettings().silence_ms
    waited_ms = (decided - last) / HEARD_HZ * 1000
    return Figure(
        measure="silence that ends a stream's speech",
        jarvis=waited_ms,
        unit="ms",
        against="chosen",
        other=silence_ms,
        ratio=waited_ms / silence_ms,
        judged=waited_ms,
    )


def _figures(door: Door, turns: Sequence[Sequence[float]]) -> list[Figure]:
    took_ms: dict[str, list[float]] = defaultdict(list)
    ours_ms = [0.0] * len(turns)
    for number, marks in enumerate(turns):
        for (part, whose), (begun_s, ended_s) in zip(PARTS, pairwise(marks), strict=True):
            part_ms = (ended_s - begun_s) * 1000
            took_ms[f"{part} ({whose})"].append(part_ms)
            ours_ms[number] += part_ms if whose == "Jarvis" else 0.0
    wholes_ms = [(marks[-1] - marks[0]) * 1000 for marks in turns]
    named = f"spoken turn, {door}: "
    figures = [
        Figure(
            measure=f"{named}end of speech to first audio, p{share * 100:.0f}",
            jarvis=at_share(ours_ms, share),
            unit="ms",
            against="with scripted engines and model",
            other=at_share(wholes_ms, share),
            ratio=None,
            judged=at_share(ours_ms, share),
            goal=GOAL if share > 0.5 else None,
        )
        for share in (0.5, 0.95)
    ]
    return figures + [
        Figure(
            measure=f"{named}{part}, p50",
            jarvis=at_share(values, 0.5),
            unit="ms",
            against="p95",
            other=at_share(values, 0.95),
            ratio=None,
            judged=at_share(values, 0.5),
        )
        for part, values in took_ms.items()
    ]
