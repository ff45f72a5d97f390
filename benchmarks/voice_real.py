"""The embedded engines: how well and how fast they hear and speak, and a whole spoken turn with them."""

import io
import os
import wave
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import msgspec
import numpy as np

from benchmarks.report import Figure, at_most, at_share
from benchmarks.stand import Stand
from benchmarks.voice_stand import Caller, calling, newest_answer, script_answers, speaking_server
from benchmarks.voice_turns import TOKENS_PER_S, send_stream
from jarvis.core.speech import HEARD_HZ
from tests.scripted_model import Script, ScriptedModel
from tests.spoken import s16
from tests.spoken_sentences import SENTENCES, mistakes, words

STARTED_WITHIN_S = 1_800.0
TURNS = 10
FIRST_SENTENCE = "It is going to be a sunny day in {} most places."
"""With another number in each turn: short sentences are kept once they are spoken."""
PARTS = (
    "speech is over to transcript told (Whisper)",
    "to first token (turn begun)",
    "to the token that makes the first sentence sure (model)",
    "to audio_response with the client (Piper)",
)
"""Each begins where the one before it ends."""
FAITHFUL = at_most(0.05)


class Trip(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence, said and written down again."""

    wav: bytes
    sound_s: float
    said_s: float
    heard_s: float
    wrong: int


async def measure_real(built: Stand) -> list[Figure]:
    folder = os.environ.get("JARVIS_E2E_DATA_DIR") or built.folder / "embedded"
    settings = {"JARVIS_DATA_DIR": str(Path(folder))}
    async with (
        ScriptedModel() as model,
        speaking_server(built, model, settings, within_s=STARTED_WITHIN_S) as server,
    ):
        server.pin(built.cpus.all)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=120
        ) as http:
            await _trip(http, SENTENCES[0])
            trips = [await _trip(http, sentence) for sentence in SENTENCES]
            guessed_s = [await _heard_s(http, trip.wav) for trip in trips[:TURNS]]
        async with calling(server) as caller:
            turns = [
                await _turn(caller, model, number, trip.wav) for number, trip in enumerate(trips[: TURNS + 1])
            ][1:]
    return [*_trip_figures(trips), *_guessed_figures(trips, guessed_s), *_turn_figures(turns)]


async def _trip(http: httpx.AsyncClient, sentence: str) -> Trip:
    begun_s = perf_counter()
    spoken = await _post(http, "/api/voice/synthesize", {"text": sentence})
    said_s = perf_counter() - begun_s
    begun_s = perf_counter()
    written = await _post(
        http, "/api/voice/transcribe", {"audio_data": spoken["audio_data"], "language": "en"}
    )
    return Trip(
        wav=b64decode(spoken["audio_data"]),
        sound_s=spoken["duration_secs"],
        said_s=said_s,
        heard_s=perf_counter() - begun_s,
        wrong=mistakes(words(sentence), words(written["text"])),
    )


async def _heard_s(http: httpx.AsyncClient, wav: bytes) -> float:
    """Return how long it takes where the language is not told, as on a socket that does not know it."""
    begun_s = perf_counter()
    await _post(http, "/api/voice/transcribe", {"audio_data": b64encode(wav).decode()})
    return perf_counter() - begun_s


async def _post(http: httpx.AsyncClient, path: str, body: dict[str, str]) -> dict[str, Any]:
    return (await http.post(path, json=body)).raise_for_status().json()


async def _turn(caller: Caller, model: ScriptedModel, number: int, question: bytes) -> list[float]:
    """Have a spoken turn over a stream; return when its parts began and ended, in seconds."""
    first = FIRST_SENTENCE.format(number)
    script_answers(model, Script(text=f"{first} In the evening it may rain.", tokens_per_s=TOKENS_PER_S))
    over_s = await send_stream(caller, _as_heard(question))
    *_, transcript = await caller.until("transcript")
    *_, audio = await caller.until("audio_response")
    first_token_s = newest_answer(model).first_token_s
    assert first_token_s
    await caller.until("chat_response")
    await caller.send("playback", turn_id=audio.decoded()["turn_id"], played_ms=3_600_000)
    sure_s = first_token_s + len(first.split()) / TOKENS_PER_S
    return [over_s, transcript.came_s, first_token_s, sure_s, audio.came_s]


def _as_heard(wav: bytes) -> bytes:
    with wave.open(io.BytesIO(wav)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 2**15
        rate_hz = file.getframerate()
    at = np.arange(int(len(samples) * HEARD_HZ / rate_hz)) * rate_hz / HEARD_HZ
    return s16(np.asarray(np.interp(at, np.arange(len(samples)), samples), np.float32))


def _trip_figures(trips: Sequence[Trip]) -> list[Figure]:
    count = sum(len(words(sentence)) for sentence in SENTENCES)
    wrong = sum(trip.wrong for trip in trips)
    sound_s = sum(trip.sound_s for trip in trips)
    return [
        Figure(
            measure=f"words wrong of {count}, Piper to Whisper, {len(trips)} sentences",
            jarvis=wrong,
            unit="words",
            against="",
            other=None,
            ratio=wrong / count,
            judged=wrong / count,
            goal=FAITHFUL,
        ),
        *_engine_figures("Piper", [trip.said_s for trip in trips], sound_s),
        *_engine_figures("Whisper", [trip.heard_s for trip in trips], sound_s),
    ]


def _engine_figures(name: str, took_s: Sequence[float], sound_s: float) -> list[Figure]:
    p50_ms, p95_ms = (at_share(took_s, share) * 1000 for share in (0.5, 0.95))
    return [
        _figure(f"{name}, for a second of sound", sum(took_s) / sound_s, "s", "sound in all", sound_s),
        _figure(f"{name}, a sentence, p50", p50_ms, "ms", "p95", p95_ms),
    ]


def _guessed_figures(trips: Sequence[Trip], guessed_s: Sequence[float]) -> list[Figure]:
    told_ms = at_share((trip.heard_s for trip in trips[: len(guessed_s)]), 0.5) * 1000
    return [
        _figure(
            "Whisper, without the language, p50", at_share(guessed_s, 0.5) * 1000, "ms", "with it", told_ms
        )
    ]


def _turn_figures(turns: Sequence[Sequence[float]]) -> list[Figure]:
    named: dict[str, list[float]] = {"end of speech to first audio": [turn[-1] - turn[0] for turn in turns]}
    for index, part in enumerate(PARTS):
        named[part] = [turn[index + 1] - turn[index] for turn in turns]
    return [
        _figure(f"spoken turn: {name}, p50", at_share(each, 0.5) * 1000, "ms", "max", max(each) * 1000)
        for name, each in named.items()
    ]


def _figure(measure: str, value: float, unit: str, against: str, other: float) -> Figure:
    return Figure(
        measure=measure,
        jarvis=value,
        unit=unit,
        against=against,
        other=other,
        ratio=None,
        judged=value,
    )
