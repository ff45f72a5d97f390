"""Raw sound of every encoding as mono float32, and the heads of WAV streams."""

import io
import math
import struct
import wave

import numpy as np
import pytest

from jarvis.adapters.speech.languages import iso_639_1, language_of_voice
from jarvis.adapters.speech.samples import Encoding, Samples, SoundFormat, heard_as_wav, to_s16
from jarvis.adapters.speech.wav import MAX_HEAD_BYTES, read_head

VALUES = np.array([0.0, 0.5, -0.5, 0.25, -1.0], "<f4")

ENCODED: dict[Encoding, bytes] = {
    "u8": bytes([128, 192, 64, 160, 0]),
    "s8": struct.pack("5b", 0, 64, -64, 32, -128),
    "s16": struct.pack("<5h", 0, 2**14, -(2**14), 2**13, -(2**15)),
    "s24": b"".join(
        value.to_bytes(3, "little", signed=True) for value in (0, 2**22, -(2**22), 2**21, -(2**23))
    ),
    "s32": struct.pack("<5i", 0, 2**30, -(2**30), 2**29, -(2**31)),
    "f32": VALUES.tobytes(),
}


def floats(data: bytes) -> list[float]:
    return np.frombuffer(data, "<f4").tolist()


@pytest.mark.parametrize("encoding", ENCODED)
def test_every_encoding(encoding: Encoding) -> None:
    samples = Samples(SoundFormat(sample_rate_hz=16_000, encoding=encoding))
    assert floats(samples.feed(ENCODED[encoding])) == VALUES.tolist()


@pytest.mark.parametrize("encoding", ENCODED)
def test_cut_anywhere(encoding: Encoding) -> None:
    samples = Samples(SoundFormat(sample_rate_hz=16_000, encoding=encoding))
    data = ENCODED[encoding]
    assert floats(b"".join(samples.feed(bytes([byte])) for byte in data)) == VALUES.tolist()


def test_channels_are_mixed() -> None:
    stereo = struct.pack("<4h", 2**14, 0, -(2**14), -(2**14))
    samples = Samples(SoundFormat(sample_rate_hz=16_000, channels=2))
    assert floats(samples.feed(stereo)) == [0.25, -0.5]


def test_what_is_no_number_becomes_silence_and_what_is_too_loud_is_clipped() -> None:
    wild = np.array([math.nan, math.inf, -math.inf, 7.0, -7.0], "<f4").tobytes()
    samples = Samples(SoundFormat(sample_rate_hz=16_000, encoding="f32"))
    assert floats(samples.feed(wild)) == [0, 1, -1, 1, -1]
    assert struct.unpack("<5h", to_s16(wild)) == (0, 32767, -32767, 32767, -32767)


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(0, 1), (1, 1), (4_000_000_000, 1), (16_000, 0), (16_000, 255)]
)
def test_what_no_engine_means(rate_hz: int, channels: int) -> None:
    with pytest.raises(ValueError, match="no format"):
        SoundFormat(sample_rate_hz=rate_hz, channels=channels)


def test_what_is_heard_as_a_file() -> None:
    with wave.open(io.BytesIO(heard_as_wav(VALUES.tobytes()))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        assert file.getnframes() == len(VALUES)


def head(kind: int, bits: int, *, size: int, before: bytes = b"") -> bytes:
    plain = struct.pack("<HHIIHH", kind, 1, 24_000, 24_000 * bits // 8, bits // 8, bits)
    if kind == 0xFFFE:
        plain += struct.pack("<HHI16s", 22, bits, 0, struct.pack("<H", 1) + bytes(14))
    chunks = before + b"fmt " + struct.pack("<I", len(plain)) + plain + b"data" + struct.pack("<I", size)
    return b"RIFF\xff\xff\xff\xffWAVE" + chunks


@pytest.mark.parametrize(
    ("kind", "bits", "encoding"),
    [(1, 8, "u8"), (1, 16, "s16"), (1, 24, "s24"), (1, 32, "s32"), (3, 32, "f32"), (0xFFFE, 24, "s24")],
)
def test_heads_of_wav(kind: int, bits: int, encoding: Encoding) -> None:
    start = head(kind, bits, size=10, before=b"LIST\x03\x00\x00\x00abc\x00")
    read = read_head(start + b"sound")
    assert read is not None
    assert read.sound == SoundFormat(sample_rate_hz=24_000, encoding=encoding)
    assert (read.begins_at, read.sound_bytes) == (len(start), 10)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_stream_does_not_know_its_size(size: int) -> None:
    read = read_head(head(1, 16, size=size))
    assert read is not None
    assert read.sound_bytes is None


def test_a_head_that_is_not_whole_yet() -> None:
    start = head(1, 16, size=10)
    assert [read_head(start[:length]) for length in range(len(start))] == [None] * len(start)


@pytest.mark.parametrize(
    "start",
    [
        b"ID3\x04mp3 or so...",
        head(2, 16, size=10),
        head(1, 12, size=10),
        b"RIFF\0\0\0\0WAVEdata\x04\0\0\0",
        b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\xff",
        b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * (MAX_HEAD_BYTES // 8),
    ],
    ids=["mp3", "adpcm", "12 bits", "no format", "junk", "endless"],
)
def test_what_is_no_wav_of_ours(start: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_head(start)


@pytest.mark.parametrize(
    ("written", "code"),
    [("en_US", "en"), ("en-gb-x-rp", "en"), ("English", "en"), ("FR", "fr"), ("tlh", "tlh"), ("iw", "he")],
)
def test_languages_are_written_in_many_ways(written: str, code: str) -> None:
    assert iso_639_1(written) == code


@pytest.mark.parametrize(
    ("voice", "language"),
    [
        ("fr_FR-siwis-low", "fr"),
        ("de-DE-Katja", "de"),
        ("ff_siwis", "fr"),
        ("jf_alpha", "ja"),
        ("alloy", "en"),
    ],
)
def test_a_voices_id_may_tell_its_language(voice: str, language: str) -> None:
    assert language_of_voice(voice) == language
