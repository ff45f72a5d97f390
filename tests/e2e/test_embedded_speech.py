"""The real engines with the real weights: what Piper says, Whisper writes down."""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from jarvis.adapters.speech.wyoming import WyomingSynthesizer, WyomingTranscriber
from jarvis.core.errors import Unavailable
from jarvis.core.speech import HEARD_HZ, Pcm
from jarvis.embedded.catalogue import PIPER_JOE, WHISPER_BASE
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.fetching import fetch
from jarvis.embedded.piper import start_piper
from jarvis.embedded.speech import RunningEngine
from jarvis.embedded.supervisor import Supervisor
from jarvis.embedded.whisper import start_whisper
from tests.spoken_sentences import SENTENCES, mistakes, words

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MEASURED = 10
SECRET = "Please remind me to feed the crocodile"


class Speech(msgspec.Struct):
    whisper: WyomingTranscriber
    piper: WyomingSynthesizer
    engines: tuple[RunningEngine, RunningEngine]
    logs: Path
    scratch: Path


@pytest.fixture(scope="module")
async def speech(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Speech]:
    folder = Path(os.environ.get("JARVIS_E2E_DATA_DIR") or tmp_path_factory.mktemp("data"))
    with DataDir(folder) as data_dir:
        for weights in (WHISPER_BASE, PIPER_JOE):
            await fetch(weights, data_dir.models_dir)
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            whisper = await start_whisper(supervisor, data_dir)
            piper = await start_piper(supervisor, data_dir)
            yield Speech(
                whisper=WyomingTranscriber(whisper.uri),
                piper=WyomingSynthesizer(piper.uri),
                engines=(whisper, piper),
                logs=data_dir.logs_dir,
                scratch=data_dir.run_dir / "speech",
            )


def as_heard(sound: Pcm) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    samples = np.frombuffer(sound.samples, np.float32)
    count = int(len(samples) * HEARD_HZ / sound.sample_rate_hz)
    at = np.arange(count) * sound.sample_rate_hz / HEARD_HZ
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


async def spoken(piper: WyomingSynthesizer, text: str) -> tuple[Pcm, float]:
    """The sound, and the seconds until it began."""
    started_s, first_s, pieces = time.perf_counter(), 0.0, list[Pcm]()
    async for piece in piper.synthesize(text):
        first_s = first_s or time.perf_counter() - started_s
        pieces.append(piece)
    samples = b"".join(piece.samples for piece in pieces)
    return Pcm(samples=samples, sample_rate_hz=pieces[0].sample_rate_hz), first_s


async def written(whisper: WyomingTranscriber, samples: bytes, *, language: str | None = "en") -> str:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(samples), 16_384):
            yield samples[at : at + 16_384]

    return [transcript.text async for transcript in whisper.transcribe(pieces(), language=language)][-1]


async def test_what_is_said_is_written_down_word_for_word(speech: Speech) -> None:
    wrong = count = 0
    first_s: list[float] = []
    written_s: list[float] = []
    for sentence in SENTENCES[:MEASURED]:
        sound, first = await spoken(speech.piper, sentence)
        first_s.append(first)
        started_s = time.perf_counter()
        heard = await written(speech.whisper, as_heard(sound).tobytes())
        written_s.append(time.perf_counter() - started_s)
        wrong += mistakes(words(sentence), words(heard))
        count += len(words(sentence))
    print(
        f"\n{wrong} of {count} words wrong; first sound after {statistics.median(first_s):.2f} s, "
        f"written after {statistics.median(written_s):.2f} s (medians)"
    )
    assert wrong == 0


async def test_silence_and_noise_say_nothing(speech: Speech) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * HEARD_HZ).astype(np.float32)
    assert not (await written(speech.whisper, bytes(4 * 3 * HEARD_HZ))).strip()
    assert not (await written(speech.whisper, noise.tobytes(), language=None)).strip()


async def test_quiet_after_speech_is_not_made_up(speech: Speech) -> None:
    sound, _ = await spoken(speech.piper, SENTENCES[1])
    hum = np.random.default_rng(0).normal(0, 0.0015, 60 * HEARD_HZ).astype(np.float32)
    heard = await written(speech.whisper, np.concatenate([as_heard(sound), hum]).tobytes())
    assert words(heard) == words(SENTENCES[1])


async def test_only_voices_that_are_here_are_offered(speech: Speech) -> None:
    assert [voice.id for voice in await speech.piper.voices()] == ["en_US-joe-medium"]
    with pytest.raises(Unavailable):
        [piece async for piece in speech.piper.synthesize("Hello.", voice="en_US-lessac-medium")]
    await speech.piper.ping()


async def test_nothing_that_was_said_stays_on_disk(speech: Speech) -> None:
    sound, _ = await spoken(speech.piper, SECRET)
    assert "crocodile" in await written(speech.whisper, as_heard(sound).tobytes())
    await until_no_recording(speech.scratch)
    with pytest.raises(Unavailable):
        [piece async for piece in speech.piper.synthesize(SECRET, voice="nobody")]
    assert [engine.supervised.state.restarts for engine in speech.engines] == [0, 0]
    logged = "".join((speech.logs / f"{name}.log").read_text() for name in ("whisper", "piper"))
    assert "crocodile" not in logged


async def test_who_leaves_leaves_no_recording(speech: Speech) -> None:
    sound, _ = await spoken(speech.piper, SECRET)
    sent = asyncio.Event()

    async def speaks_on() -> AsyncIterator[bytes]:
        yield as_heard(sound).tobytes()
        sent.set()
        await asyncio.Event().wait()

    async def listen() -> None:
        async for _ in speech.whisper.transcribe(speaks_on(), language="en"):
            pass

    listening = asyncio.create_task(listen())
    await sent.wait()
    listening.cancel()
    await asyncio.wait([listening])
    await until_no_recording(speech.scratch)


async def until_no_recording(folder: Path) -> None:
    """Return soon, or raise TimeoutError: it goes when the server has seen the connection end."""
    async with asyncio.timeout(10):
        while await asyncio.to_thread(lambda: list(folder.rglob("*.wav"))):  # noqa: ASYNC110 - a file in another process
            await asyncio.sleep(0.01)
