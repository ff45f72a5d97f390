"""What a file is by its first bytes, and samples without a codec."""

import io
import struct

import numpy as np
import pytest

from jarvis.adapters.audio.mp4 import MAX_SAMPLES, check_mp4
from jarvis.adapters.audio.raw import read_wav_header, to_mono
from jarvis.adapters.audio.sniffing import id3_bytes, sniff
from jarvis.core.errors import InvalidAudio
from jarvis.core.speech import RawEncoding, RawFormat
from tests import sounds


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "wav"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", None),
        (b"fLaC\x00\x00\x00\x22", "flac"),
        (b"OggS\x00\x02", "ogg"),
        (b"\x1a\x45\xdf\xa3\x9f\x42", "webm"),
        (b"\x00\x00\x00\x20ftypM4A ", "mp4"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf3\x44\xc4", "mp3"),
        (b"\xff\xf1\x50\x80", None),
        (b"\xff\xff\xff\xff", None),
        (b"\xff\xfb", None),
        (b"", None),
        (b"#EXTM3U\nhttp://", None),
        (b"ffconcat version", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"<html><body>1234", None),
    ],
    ids=lambda value: repr(value) if isinstance(value, bytes) else "",
)
def test_the_first_bytes_tell_what_it_is(head: bytes, container: str | None) -> None:
    assert sniff(head) == container


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (b"ID3\x03\x00\x00\x00\x00\x02\x01rest", 10 + 257),
        (b"ID3\x04\x00\x10\x00\x00\x00\x05rest", 10 + 5 + 10),
        (b"ID3\x03\x00\x00\x00\x00\x02\x81rest", 0),
        (b"ID3\x03", 0),
        (b"\xff\xfb\x90\x64\x00\x00\x00\x00\x00\x00", 0),
    ],
    ids=["plain", "with a footer", "not a size", "cut", "no tag"],
)
def test_the_length_of_an_id3_tag(head: bytes, size: int) -> None:
    assert id3_bytes(head) == size


@pytest.mark.parametrize(
    ("encoding", "data", "expected"),
    [
        ("u8", bytes([0, 128, 192]), [-1, 0, 0.5]),
        ("s16", struct.pack("<3h", -(2**15), 0, 2**14), [-1, 0, 0.5]),
        ("s24", b"\x00\x00\x80" + b"\x00\x00\x00" + b"\x00\x00\x40", [-1, 0, 0.5]),
        ("s32", struct.pack("<3i", -(2**31), 0, 2**30), [-1, 0, 0.5]),
        ("f32", struct.pack("<5f", float("nan"), float("-inf"), float("inf"), -7, 0.5), [0, 0, 0, -1, 0.5]),
        ("f64", struct.pack("<3d", 1e300, float("nan"), 0.5), [1, 0, 0.5]),
    ],
    ids=["u8", "s16", "s24", "s32", "f32", "f64"],
)
def test_every_encoding_becomes_floats(encoding: RawEncoding, data: bytes, expected: list[float]) -> None:
    mono = to_mono(data, RawFormat(encoding=encoding, sample_rate_hz=16_000))
    assert (mono.dtype, mono.tolist()) == (np.float32, expected)


def test_channels_are_mixed() -> None:
    data = struct.pack("<6f", 0.5, 0.25, float("nan"), 0.5, 1, -1)
    mono = to_mono(data, RawFormat(encoding="f32", sample_rate_hz=16_000, channels=2))
    assert mono.tolist() == [0.375, 0.25, 0]


def test_a_wav_header_is_read_up_to_the_first_sample() -> None:
    plain = sounds.wav(b"\x01\x02\x03\x04", rate_hz=8_000)
    odd = struct.pack("<4sI", b"LIST", 3) + b"abc\0"
    file = io.BytesIO(plain[:12] + odd + plain[12:])
    assert read_wav_header(file) == RawFormat(encoding="s16", sample_rate_hz=8_000)
    assert file.read() == b"\x01\x02\x03\x04"


def test_the_header_of_an_extensible_wav_names_its_true_format() -> None:
    fmt = struct.pack("<HHIIHH", 0xFFFE, 2, 48_000, 48_000 * 8, 8, 32)
    fmt += struct.pack("<HHI", 22, 32, 3) + struct.pack("<H", 3) + bytes(14)
    head = b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"fmt ", len(fmt)) + fmt + b"data\0\0\0\0"
    assert read_wav_header(io.BytesIO(head)) == RawFormat(encoding="f32", sample_rate_hz=48_000, channels=2)


@pytest.mark.parametrize(
    "data",
    [
        sounds.wav(b"", rate_hz=1),
        sounds.wav(b"", rate_hz=4_000_000_000),
        sounds.wav(b"", channels=0),
        sounds.wav(b"", channels=65_535),
        sounds.wav(b"", bits=12),
        sounds.wav(b"", kind=85),
        sounds.wav(b"")[:30],
        sounds.wav(b"")[:12] + struct.pack("<4sI", b"data", 0),
        sounds.wav(b"")[:12] + struct.pack("<4sI", b"fmt ", 2**32 - 1) + bytes(64),
        sounds.wav(b"")[:12] + struct.pack("<4sI", b"LIST", 2**32 - 1) + bytes(64),
        sounds.wav(b"")[:12] + struct.pack("<4sI", b"LIST", 0) * 2_000,
    ],
    ids=[
        *("1 Hz", "4 GHz", "no channels", "65535 channels", "12 bits", "MP3 in WAV", "cut"),
        *("no format", "a huge format", "a huge chunk", "thousands of chunks"),
    ],
)
def test_a_wav_header_that_makes_no_sense_is_not_taken(data: bytes) -> None:
    with pytest.raises(InvalidAudio):
        read_wav_header(io.BytesIO(data))


def within(*names: bytes, body: bytes) -> bytes:
    for name in reversed(names):
        body = sounds.box(name, body)
    return body


TABLE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


@pytest.mark.parametrize(
    "data",
    [
        sounds.mp4_that_claims(MAX_SAMPLES + 1),
        within(
            *TABLE, b"stts", body=struct.pack(">6I", 0, 2, MAX_SAMPLES // 2 + 1, 1, MAX_SAMPLES // 2 + 1, 1)
        ),
        within(*TABLE, b"stsz", body=struct.pack(">3I", 0, 1, MAX_SAMPLES + 1)),
        within(*TABLE, b"stsz", body=struct.pack(">3I", 0, 1, MAX_SAMPLES // 2 + 1)) * 2,
        within(b"moov", b"cmov", body=b""),
        sounds.box(b"free", b"") * 30_000,
        struct.pack(">I4sQ", 1, b"moov", 2**63)
        + within(*TABLE[1:], b"stsc", body=struct.pack(">II", 0, 2**31)),
    ],
    ids=[
        *("a fragment", "times", "sizes", "two tracks", "compressed tables", "thousands of boxes"),
        "a box larger than the file",
    ],
)
def test_an_mp4_that_claims_too_much_is_not_taken(data: bytes) -> None:
    with pytest.raises(InvalidAudio):
        check_mp4(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\1moov",
        b"\0\0\0\0moov",
        b"\0\0\0\4moov" * 3,
        b"\0\0\0\x0cstts\0\0\0\0",
        b"\0\0\0\x7fmoov",
    ],
    ids=repr,
)
def test_an_mp4_that_breaks_off_is_for_ffmpeg_to_judge(data: bytes) -> None:
    check_mp4(data)
