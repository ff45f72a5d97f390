"""Samples without a codec: what a client declares, what a WAV header says, and both as mono float32.

WAV is read here and not by FFmpeg, which holds back the first two seconds of one that is still being sent.
"""

import struct
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jarvis.core.errors import InvalidAudio
from jarvis.core.speech import RawEncoding, RawFormat

Samples = NDArray[np.float32]

MIN_HZ, MAX_HZ = 1_000, 768_000
"""Beyond these a resampler's filter takes gigabytes, and a second of sound a few bytes."""
MAX_CHANNELS = 512
"""FFmpeg's own bound."""

_BYTES: dict[RawEncoding, int] = {"u8": 1, "s16": 2, "s24": 3, "s32": 4, "f32": 4, "f64": 8}
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_WAV_ENCODINGS: dict[tuple[int, int], RawEncoding] = {
    (_PCM, 8): "u8",
    (_PCM, 16): "s16",
    (_PCM, 24): "s24",
    (_PCM, 32): "s32",
    (_FLOAT, 32): "f32",
    (_FLOAT, 64): "f64",
}
_FMT_BYTES = range(16, 1024)
_SKIP_BYTES = 64 * 1024
_MAX_CHUNKS = 1_000


class Readable(Protocol):
    def read(self, size: int, /) -> bytes:
        """Return 1 to `size` bytes, or none at the end."""
        ...


def frame_bytes(raw: RawFormat) -> int:
    """Return how many bytes one sample of every channel takes."""
    return _BYTES[raw.encoding] * raw.channels


def check_format(raw: RawFormat) -> RawFormat:
    """Raise InvalidAudio where nothing sensible has such a rate or so many channels."""
    if not MIN_HZ <= raw.sample_rate_hz <= MAX_HZ:
        raise InvalidAudio(f"A sample rate of {raw.sample_rate_hz} Hz is not taken: {MIN_HZ} to {MAX_HZ}.")
    if not 1 <= raw.channels <= MAX_CHANNELS:
        raise InvalidAudio(f"{raw.channels} channels are not taken: 1 to {MAX_CHANNELS}.")
    return raw


def read_wav_header(file: Readable) -> RawFormat:
    """Read up to the first sample. Its sizes are not believed: the samples go on to the end of the file.

    Raises InvalidAudio: no header, or an encoding that is not taken.
    """
    read_exactly(file, 12)
    raw: RawFormat | None = None
    for _ in range(_MAX_CHUNKS):
        name, size = struct.unpack("<4sI", read_exactly(file, 8))
        if name == b"data":
            if raw is None:
                break
            return raw
        if name == b"fmt ":
            if size not in _FMT_BYTES:
                break
            raw = _wav_format(read_exactly(file, size + size % 2))
        else:
            _skip(file, size + size % 2)
    raise InvalidAudio("The WAV file has no usable header.")


def to_mono(data: bytes, raw: RawFormat) -> Samples:
    """Return the mean of the channels, -1 to 1; of `data`, a whole number of frames. NaN and Inf become 0."""
    match raw.encoding:
        case "u8":
            values = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
        case "s16":
            values = np.frombuffer(data, "<i2").astype(np.float32) / 2**15
        case "s24":
            wide = np.zeros((len(data) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            values = wide.view("<i4")[:, 0].astype(np.float32) / 2**31
        case "s32":
            values = np.frombuffer(data, "<i4").astype(np.float32) / 2**31
        case "f32":
            values = np.frombuffer(data, "<f4")
        case "f64":
            values = np.frombuffer(data, "<f8")
    return mean_of(values.reshape(-1, raw.channels), axis=1)


def mean_of(values: NDArray[Any], *, axis: int) -> Samples:
    """Return the mean of the channels along `axis`, -1 to 1. NaN and Inf become 0."""
    finite = np.where(np.isfinite(values), values, 0)
    # Clipped first: the mean of values near the largest float would be infinite.
    return np.clip(finite, -1, 1).mean(axis=axis, dtype=np.float32)


def read_exactly(file: Readable, size: int) -> bytes:
    """Raise InvalidAudio where the file ends before."""
    parts: list[bytes] = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    if size:
        raise InvalidAudio("The audio ends within its header.")
    return b"".join(parts)


def _wav_format(fmt: bytes) -> RawFormat:
    kind, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", fmt[:16])
    if kind == _EXTENSIBLE and len(fmt) >= 26:
        (kind,) = struct.unpack("<H", fmt[24:26])
    encoding = _WAV_ENCODINGS.get((kind, bits))
    if encoding is None:
        raise InvalidAudio(
            f"A WAV file of {bits}-bit samples in format {kind} is not taken: 8 to 32 bits, or floats."
        )
    return check_format(RawFormat(encoding=encoding, sample_rate_hz=rate_hz, channels=channels))


def _skip(file: Readable, size: int) -> None:
    while size:
        size -= len(read_exactly(file, min(size, _SKIP_BYTES)))
