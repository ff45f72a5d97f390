"""Whole clips of every format: what is understood, and what broken and hostile ones come to."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator

import numpy as np
import pytest
import pytest_asyncio

from jarvis.adapters.audio.decoding import MAX_WAITING, Decoder, Stopped, decode
from jarvis.core.errors import InvalidAudio, Overloaded, TooLarge
from jarvis.core.speech import HEARD_HZ, Pcm, RawFormat
from tests import sounds

FUZZED = ["wav", "flac", "ogg", "webm", "mp3", "mp4"]
WHOLE_S = 1.0
CODEC_DELAY_S = 0.06
SILENT_DAY_S = 24 * 3600


def heard(data: bytes, *, declared: RawFormat | None = None, max_secs: float = 120) -> Pcm:
    return decode(data, declared=declared, max_secs=max_secs)


def middle_of(pcm: Pcm) -> sounds.Samples:
    """Return the half where no codec begins or ends."""
    samples = np.frombuffer(pcm.samples, np.float32)
    return samples[len(samples) // 4 : -len(samples) // 4]


def pitch_hz(pcm: Pcm) -> float:
    middle = middle_of(pcm)
    return float(np.abs(np.fft.rfft(middle)).argmax() * HEARD_HZ / len(middle))


def integers(bits: int, rate_hz: int, channels: int = 1) -> bytes:
    values = np.repeat(sounds.tone(1, rate_hz), channels)
    if bits == 8:
        return (values * 127 + 128).astype(np.uint8).tobytes()
    wide = (values * (2**31 - 1)).astype("<i4").view(np.uint8).reshape(-1, 4)
    return wide[:, 4 - bits // 8 :].tobytes()


def flac_of_24_bits() -> bytes:
    made = sounds.file("flac", "flac", rate_hz=96_000, sample_format="s32")
    assert (int.from_bytes(made[18:26]) >> 36 & 31) + 1 == 24  # STREAMINFO: bits per sample
    return made


FILES = {
    "WAV, 8 bits, 8 kHz": lambda: sounds.wav(integers(8, 8_000), bits=8, rate_hz=8_000),
    "WAV, 16 bits, 44.1 kHz, stereo": lambda: sounds.wav(integers(16, 44_100, 2), rate_hz=44_100, channels=2),
    "WAV, 24 bits, 96 kHz": lambda: sounds.wav(integers(24, 96_000), bits=24, rate_hz=96_000),
    "WAV, 32 bits, 16 kHz": lambda: sounds.wav(integers(32, 16_000), bits=32),
    "WAV, floats, 48 kHz": lambda: sounds.wav(
        sounds.tone(1, 48_000).tobytes(), bits=32, kind=3, rate_hz=48_000
    ),
    "WAV, size unknown": lambda: sounds.wav(integers(16, 16_000), size=2**32 - 1),
    "FLAC, 24 bits, 96 kHz": flac_of_24_bits,
    "Ogg/Opus, recorded": lambda: sounds.recorded(1, "ogg"),
    "WebM/Opus, recorded": lambda: sounds.recorded(1),
    "WebM/floats": lambda: sounds.file("matroska", "pcm_f32le", rate_hz=44_100),
    "MP3": lambda: sounds.file("mp3", "libmp3lame", rate_hz=44_100, channels=2),
    "MP3, picture first": lambda: sounds.with_picture(sounds.file("mp3", "libmp3lame"), 100_000),
    "MP4/AAC": lambda: sounds.file("mp4", "aac", rate_hz=44_100),
    "MP4/AAC, recorded": lambda: sounds.file(
        "mp4", "aac", live=True, options={"movflags": "frag_keyframe+empty_moov"}
    ),
    "MP4/ALAC": lambda: sounds.file("mp4", "alac"),
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_understood(name: str) -> None:
    pcm = heard(FILES[name]())
    assert pcm.sample_rate_hz == HEARD_HZ
    assert pcm.duration_s == pytest.approx(WHOLE_S, abs=CODEC_DELAY_S)
    assert pitch_hz(pcm) == pytest.approx(sounds.TONE_HZ, abs=3)
    assert np.abs(middle_of(pcm)).max() == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("encoding", ["s16", "f32"])
def test_raw_samples_are_understood_where_they_are_declared(encoding: str) -> None:
    data = integers(16, 24_000) if encoding == "s16" else sounds.tone(1, 24_000).tobytes()
    declared = RawFormat(encoding="s16" if encoding == "s16" else "f32", sample_rate_hz=24_000)
    pcm = heard(data + b"\1", declared=declared)
    assert pcm.duration_s == pytest.approx(WHOLE_S, abs=0.001)
    assert pitch_hz(pcm) == pytest.approx(sounds.TONE_HZ, abs=3)
    with pytest.raises(InvalidAudio):
        heard(data)


def test_what_is_above_the_band_is_gone_and_not_folded_into_it() -> None:
    high = sounds.tone(1, 48_000, hz=12_000).tobytes()
    pcm = heard(high, declared=RawFormat(encoding="f32", sample_rate_hz=48_000))
    assert np.abs(np.frombuffer(pcm.samples, np.float32)[800:-800]).max() < 0.01


def test_not_a_number_silences_one_sample_only() -> None:
    sound = sounds.tone(1, 16_000)
    sound[100], sound[200], sound[300] = np.nan, np.inf, 7
    samples = np.frombuffer(
        heard(sound.tobytes(), declared=RawFormat(encoding="f32", sample_rate_hz=16_000)).samples, np.float32
    )
    assert samples[[100, 200, 300]].tolist() == [0, 0, 1]
    assert samples[301:].tolist() == sound[301:].tolist()


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "webm", "mp3"])
def test_of_a_cut_file_what_is_there_is_heard(name: str) -> None:
    made = {
        "wav": lambda: sounds.wav(integers(16, 16_000)),
        "flac": lambda: sounds.file("flac", "flac"),
        "ogg": lambda: sounds.recorded(1, "ogg"),
        "webm": lambda: sounds.recorded(1),
        "mp3": lambda: sounds.file("mp3", "libmp3lame"),
    }[name]()
    pcm = heard(made[: len(made) * 6 // 10])
    assert 0.25 < pcm.duration_s < 0.7
    assert pitch_hz(pcm) == pytest.approx(sounds.TONE_HZ, abs=5)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "Send WAV"),
        (b"#EXTM3U\nhttp://127.0.0.1/secret.wav\n", "Send WAV"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "Send WAV"),
        (b"ID3\x03\x00\x00\x00\x00\x00\x05hello", "Send WAV"),
        (b"OggS" + bytes(2_000), "ogg"),
        (b"\x1a\x45\xdf\xa3" + bytes(2_000), "webm"),
        (b"fLaC" + bytes(2_000), "flac"),
        (b"\0\0\0\x10ftypisom" + bytes(2_000), "mp4"),
        (b"RIFF\0\0\0\0WAVE", "header"),
        (sounds.wav(bytes(3_000)), "94 ms"),
        (sounds.wav(b""), "0 ms"),
    ],
    ids=[
        *("empty", "picture", "playlist", "list of files", "only a tag", "no Ogg", "no WebM", "no FLAC"),
        *("no MP4", "no header", "94 ms", "no sound"),
    ],
)
def test_what_is_not_audio_is_told_so(data: bytes, told: str) -> None:
    with pytest.raises(InvalidAudio, match=told):
        heard(data)


def test_a_film_without_sound_is_told_so() -> None:
    with pytest.raises(InvalidAudio, match="no sound"):
        heard(sounds.film())


def test_a_codec_that_is_not_taken_is_told_so() -> None:
    with pytest.raises(InvalidAudio, match="coded in a way"):
        heard(sounds.file("matroska", "mp2"))


def test_silence_is_sound() -> None:
    assert heard(sounds.wav(bytes(32_000))).samples == bytes(64_000)


@pytest.mark.parametrize("declared", [False, True], ids=["file", "raw"])
def test_more_seconds_than_allowed_are_too_many(*, declared: bool) -> None:
    data = integers(16, 16_000) * 2
    raw = RawFormat(encoding="s16", sample_rate_hz=16_000)
    clip = data if declared else sounds.wav(data)
    assert heard(clip, declared=raw if declared else None, max_secs=2).duration_s == 2
    with pytest.raises(TooLarge, match=r"1\.9 s"):
        heard(clip, declared=raw if declared else None, max_secs=1.9)


BOMBS = {
    "24 hours of silence in FLAC": (lambda: sounds.silent_flac(SILENT_DAY_S), "too_large"),
    "more than 2 minutes of silence in Ogg/Opus": (lambda: silence("ogg"), "too_large"),
    "more than 2 minutes of silence in WebM/Opus": (lambda: silence("webm"), "too_large"),
    "a WAV that claims 4 GB": (lambda: sounds.wav(bytes(32_000), size=2**32 - 1), "sound"),
    "10 MB of 8-bit WAV": (lambda: sounds.wav(bytes(10 * 2**20), bits=8, rate_hz=8_000), "too_large"),
    "10 MB at 768 kHz": (lambda: sounds.wav(bytes(10 * 2**20), rate_hz=768_000), "sound"),
    "10 MB at 1 Hz": (lambda: sounds.wav(bytes(10 * 2**20), bits=8, rate_hz=1), "invalid_audio"),
    "10 MB at 4 GHz": (lambda: sounds.wav(bytes(10 * 2**20), rate_hz=4 * 10**9), "invalid_audio"),
    "255 channels": (lambda: sounds.wav(bytes(10 * 2**20), channels=255), "sound"),
    "an MP3 with 9 MB of picture": (
        lambda: sounds.with_picture(sounds.file("mp3", "libmp3lame"), 9 * 2**20),
        "sound",
    ),
    "a FLAC with 9 MB of picture": (lambda: sounds.flac_with_picture(9 * 2**20), "sound"),
    "an MP4 of 20 million samples": (lambda: sounds.mp4_that_claims(20_000_000), "invalid_audio"),
    "all that is allowed": (lambda: sounds.file("flac", "flac", sound=sounds.noise(119, 48_000)), "sound"),
}


def silence(container: str) -> bytes:
    return sounds.file(container, "libopus", rate_hz=48_000, sound=np.zeros(125 * 48_000, np.float32))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_less_than_32_mb(name: str) -> None:
    make, outcome = BOMBS[name]
    run = subprocess.run(
        [sys.executable, "-m", "tests.audio_growth"],
        input=make(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    told, grown_mb = run.stdout.split()
    assert told.decode() == outcome
    assert int(grown_mb) < 32


@pytest.mark.parametrize("container", FUZZED)
def test_broken_files_end_in_sound_or_a_clear_answer(container: str) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz_audio", container, "300", "1"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    counts = dict(one.split("=") for one in run.stdout.split())
    assert int(counts.pop("grown_mb")) < 64  # of all cases together
    assert counts.keys() >= {"sound", "invalid_audio"}
    assert sum(map(int, counts.values())) == 300


@pytest_asyncio.fixture
async def decoder() -> AsyncGenerator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


async def test_the_loop_goes_on_while_a_clip_is_decoded(decoder: Decoder) -> None:
    decoding = asyncio.ensure_future(decoder.decode(sounds.recorded(60)))
    turns = 0
    while not decoding.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await decoding).duration_s == pytest.approx(60, abs=CODEC_DELAY_S)
    assert turns > 100


async def test_a_clip_nobody_waits_for_is_not_decoded_on() -> None:
    decoder = Decoder(max_secs=2 * SILENT_DAY_S)
    day = sounds.silent_flac(SILENT_DAY_S)  # takes minutes
    waiting = [asyncio.ensure_future(decoder.decode(day)) for _ in range(MAX_WAITING)]
    done, _ = await asyncio.wait(waiting, timeout=0.2)
    assert not done
    with pytest.raises(Overloaded):
        await decoder.decode(day)
    for one in waiting:
        one.cancel()
    await asyncio.wait(waiting)
    async with asyncio.timeout(5):
        assert (await decoder.decode(sounds.wav(bytes(32_000)))).duration_s == 1
    decoder.close()


def test_a_stopped_clip_ends_at_the_next_frame() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        decode(sounds.recorded(1), declared=None, max_secs=120, stop=stop)
