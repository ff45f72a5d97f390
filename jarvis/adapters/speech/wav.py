"""The head of a WAV stream: what follows it is raw sound."""

import struct
from typing import Final

import msgspec

from jarvis.adapters.speech.samples import Encoding, SoundFormat

MAX_HEAD_BYTES = 64 * 1024
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_ENCODINGS: Final[dict[tuple[int, int], Encoding]] = {
    (_PCM, 8): "u8",
    (_PCM, 16): "s16",
    (_PCM, 24): "s24",
    (_PCM, 32): "s32",
    (_FLOAT, 32): "f32",
}

_ENDLESS_BYTES = 0x7FFFF000
"""Sizes from here on, and 0, are what writers put that do not know it yet."""


class WavHead(msgspec.Struct, frozen=True, kw_only=True):
    """`sound_bytes` of sound (None: up to the end of the stream) begin at `begins_at`."""

    sound: SoundFormat
    begins_at: int
    sound_bytes: int | None


def is_wav(start: bytes) -> bool:
    """Tell by the first 12 bytes."""
    return start[:4] == b"RIFF" and start[8:12] == b"WAVE"


def read_head(start: bytes) -> WavHead | None:
    """Return what `start` tells, None until it reaches to the sound.

    Raises ValueError where it is no WAV, its format is none of _ENCODINGS, or it has no sound within
    MAX_HEAD_BYTES. (Microsoft, "Multimedia Programming Interface and Data Specifications 1.0"; the subformat
    of WAVE_FORMAT_EXTENSIBLE begins with the plain format's number.)
    """
    if len(start) < 12:
        return None
    if not is_wav(start):
        raise ValueError("no WAV")
    sound: SoundFormat | None = None
    position = 12
    while position + 8 <= len(start):
        name, size = struct.unpack_from("<4sI", start, position)
        position += 8
        if name == b"data":
            if sound is None:
                raise ValueError("sound before its format")
            endless = size == 0 or size >= _ENDLESS_BYTES
            return WavHead(sound=sound, begins_at=position, sound_bytes=None if endless else size)
        if position + size > MAX_HEAD_BYTES:
            raise ValueError("a head without end")
        if name == b"fmt " and position + size <= len(start):
            sound = _format(start[position : position + size])
        position += size + size % 2
    if len(start) > MAX_HEAD_BYTES:
        raise ValueError("a head without end")
    return None


def _format(chunk: bytes) -> SoundFormat:
    try:
        kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
        if kind == _EXTENSIBLE:
            (kind,) = struct.unpack_from("<H", chunk, 24)
        return SoundFormat(sample_rate_hz=rate_hz, encoding=_ENCODINGS[kind, bits], channels=channels)
    except (struct.error, KeyError) as exc:
        raise ValueError("a format that is not spoken here") from exc
