"""Spoken conversations: what a client with a microphone sends, and what it can tell of what it gets."""

import base64
import functools
import io
import wave
from collections.abc import Iterable, Sequence

import numpy as np

from jarvis.core.speech import HEARD_HZ
from tests import sounds
from tests.clients import Json, Socket
from tests.scripted_speech import ScriptedWyoming, hear
from tests.scripted_speech.tones import from_s16

QUESTION = "What is the weather like?"


@functools.cache
def recording(text: str = QUESTION) -> bytes:
    """Return a WAV file in which somebody says that."""
    return sounds.wav(s16(sounds.speech(text)))


def s16(samples: sounds.Samples) -> bytes:
    return np.rint(samples * (2**15 - 1)).astype("<i2").tobytes()


def silence(secs: float) -> bytes:
    return sounds.wav(bytes(2 * round(HEARD_HZ * secs)))


async def ask(ws: Socket, engines: ScriptedWyoming, text: str, **fields: object) -> None:
    """Send a clip in which `text` will be heard, to be answered aloud."""
    engines.said = text
    await send_clip(ws, recording(), speak=True, **fields)


async def send_clip(ws: Socket, clip: bytes, **fields: object) -> None:
    data = base64.b64encode(clip).decode()
    await ws.send({"type": "audio_data", "data": data, "format": "wav", **fields})


def of_type(frames: Iterable[Json], *wanted: str) -> list[Json]:
    return [frame for frame in frames if frame["type"] in wanted]


def sound_of(frame: Json) -> tuple[bytes, int]:
    """Return the 16-bit samples in an `audio_response`, which must be a whole WAV file, and their rate."""
    with wave.open(io.BytesIO(base64.b64decode(frame["data"]))) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        assert file.getframerate() == frame["sample_rate"]
        return file.readframes(file.getnframes()), file.getframerate()


def duration_ms(frame: Json) -> float:
    samples, rate_hz = sound_of(frame)
    return len(samples) / 2 / rate_hz * 1000


def heard_in(frame: Json) -> str:
    """Return the words that are in the sound itself."""
    samples, rate_hz = sound_of(frame)
    return hear(from_s16(samples), rate_hz)


def asked_to_say(engines: ScriptedWyoming) -> list[str]:
    """Return what was to be spoken, in order."""
    return [record.text for record in engines.log.of("tts")]


def assert_in_order(frames: Sequence[Json]) -> None:
    """See that events have no gap, and that audio is numbered, with its last marked once, before the end."""
    events = [frame for frame in frames if "seq" in frame]
    assert [event["seq"] for event in events] == list(range(events[0]["seq"], events[0]["seq"] + len(events)))
    audio = of_type(events, "audio_response")
    assert [event["sentence"] for event in audio] == list(range(len(audio)))
    assert [event["last"] for event in audio] == [False] * (len(audio) - 1) + [True]
