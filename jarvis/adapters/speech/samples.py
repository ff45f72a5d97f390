"""Raw sound as engines send and take it, to and from mono float32; numpy comes with the first sound."""

import asyncio
import importlib
import io
import sys
import wave
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvis.core.speech import HEARD_HZ

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Encoding = Literal["u8", "s8", "s16", "s24", "s32", "f32"]
WIDTHS: dict[Encoding, int] = {"u8": 1, "s8": 1, "s16": 2, "s24": 3, "s32": 4, "f32": 4}

LOWEST_HZ = 4_000
HIGHEST_HZ = 192_000
MOST_CHANNELS = 8


class SoundFormat(msgspec.Struct, frozen=True, kw_only=True):
    """Little-endian samples, channels interleaved. Raises ValueError for what no engine means."""

    sample_rate_hz: int
    encoding: Encoding = "s16"
    channels: int = 1

    def __post_init__(self) -> None:
        if not LOWEST_HZ <= self.sample_rate_hz <= HIGHEST_HZ or not 1 <= self.channels <= MOST_CHANNELS:
            raise ValueError("no format of speech")

    @property
    def frame_bytes(self) -> int:
        return WIDTHS[self.encoding] * self.channels


async def load() -> None:
    """Import what the first sound needs, in a thread: it takes 0.1 s and more."""
    if "numpy" not in sys.modules:
        await asyncio.to_thread(importlib.import_module, "numpy")


class Samples:
    """Makes mono float32 of a stream that may be cut anywhere; an unfinished frame at its end is dropped."""

    def __init__(self, sound: SoundFormat) -> None:
        self._sound = sound
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        if self._rest:
            data = self._rest + data
        whole = len(data) - len(data) % self._sound.frame_bytes
        self._rest = data[whole:]
        if not whole:
            return b""
        values = _floats(data[:whole], self._sound.encoding)
        if self._sound.channels > 1:
            values = values.reshape(-1, self._sound.channels).mean(axis=1)
        return _sane(values)


def to_s16(samples: bytes) -> bytes:
    """Return float32 as 16-bit; what lies beyond -1 to 1 is clipped."""
    import numpy as np  # noqa: PLC0415 20 MB that a server without a voice does not need

    values = np.nan_to_num(np.frombuffer(samples, "<f4"), nan=0.0, posinf=1.0, neginf=-1.0)
    return np.rint(np.clip(values, -1.0, 1.0) * 32767).astype("<i2").tobytes()


def heard_as_wav(samples: bytes) -> bytes:
    """Return float32 at HEARD_HZ as a WAV file of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(HEARD_HZ)
        writer.writeframes(to_s16(samples))
    return file.getvalue()


def _floats(data: bytes, encoding: Encoding) -> "NDArray[np.float32]":
    import numpy as np  # noqa: PLC0415 likewise

    match encoding:
        case "f32":
            return np.frombuffer(data, "<f4")
        case "u8":
            return (np.frombuffer(data, "u1").astype(np.float32) - 128) / np.float32(128)
        case "s8":
            return np.frombuffer(data, "i1").astype(np.float32) / np.float32(128)
        case "s16":
            return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(2**15)
        case "s24":
            widened = np.zeros((len(data) // 3, 4), np.uint8)
            widened[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            return widened.view("<i4").reshape(-1).astype(np.float32) / np.float32(2**31)
        case "s32":
            return np.frombuffer(data, "<i4").astype(np.float32) / np.float32(2**31)


def _sane(values: "NDArray[np.float32]") -> bytes:
    import numpy as np  # noqa: PLC0415 likewise

    finite = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=-1.0)
    return np.clip(finite, -1.0, 1.0).astype("<f4", copy=False).tobytes()
