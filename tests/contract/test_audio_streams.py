"""Sound that is decoded while it comes in: soon, in bounds, and with an end to every thread."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable

import numpy as np
import pytest
import pytest_asyncio

from jarvis.adapters.audio.streams import MAX_STREAMS, StreamDecoder, Streams
from jarvis.core.errors import InvalidAudio, Overloaded, TooLarge
from jarvis.core.speech import HEARD_HZ, SAMPLE_BYTES, RawFormat
from tests import sounds

SOON_S = 5
"""Long, for a machine that is busy; what is waited for takes milliseconds."""
RAW = RawFormat(encoding="f32", sample_rate_hz=HEARD_HZ)
WIDE = RawFormat(encoding="f64", sample_rate_hz=96_000)
"""Many bytes for little sound."""


@pytest_asyncio.fixture
async def streams() -> AsyncGenerator[Streams]:
    streams = Streams(max_bytes=2**20, max_secs=10)
    yield streams
    await streams.aclose()
    threads = [one for one in threading.enumerate() if one.name == "audio-stream"]
    for one in threads:
        one.join(1)
    assert not [one for one in threads if one.is_alive()]


class Listener:
    """Reads a stream to its end and counts."""

    def __init__(self, stream: StreamDecoder) -> None:
        self.sound = bytearray()
        self._more = asyncio.Event()
        self._stream = stream
        self.task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for piece in self._stream.pieces():
            self.sound += piece
            self._more.set()

    @property
    def heard_s(self) -> float:
        return len(self.sound) / SAMPLE_BYTES / HEARD_HZ

    async def until(self, secs: float) -> None:
        """Wait until so much was heard; fail where it is not."""
        async with asyncio.timeout(SOON_S):
            while self.heard_s < secs:
                self._more.clear()
                await self._more.wait()

    async def end(self) -> None:
        async with asyncio.timeout(SOON_S):
            await self.task


def mp3() -> bytes:
    return sounds.file("mp3", "libmp3lame", sound=sounds.tone(4), live=True)


def wav() -> bytes:
    return sounds.wav((sounds.tone(4, 16_000) * 32767).astype("<i2").tobytes(), size=2**32 - 1)


@pytest.mark.parametrize(
    ("make", "lag_s"),
    [
        (lambda: sounds.recorded(4), 0.1),
        (lambda: sounds.recorded(4, "ogg"), 0.25),
        (wav, 0.1),
        (mp3, 0.2),
    ],
    ids=["WebM", "Ogg, in pages of 200 ms", "WAV", "MP3"],
)
async def test_a_stream_is_heard_as_it_comes(
    streams: Streams, make: Callable[[], bytes], lag_s: float
) -> None:
    data = make()
    stream = streams.open()
    listener = Listener(stream)
    steps = 16
    for step in range(steps):
        await stream.feed(data[step * len(data) // steps : (step + 1) * len(data) // steps])
        # Nothing else is fed before this much is out.
        await listener.until(4 * (step + 1) / steps - lag_s)
    stream.finish()
    await listener.end()
    assert listener.heard_s == pytest.approx(4, abs=0.06)


async def test_raw_samples_are_heard_at_once(streams: Streams) -> None:
    stream = streams.open(RawFormat(encoding="s16", sample_rate_hz=48_000))
    listener = Listener(stream)
    data = (sounds.tone(1) * 32767).astype("<i2").tobytes()
    for begin in range(0, len(data), 9_601):
        await stream.feed(data[begin : begin + 9_601])
        await listener.until(min(begin + 9_601, len(data)) / 2 / 48_000 - 0.005)
    stream.finish()
    await listener.end()
    assert listener.heard_s == pytest.approx(1, abs=0.001)
    samples = np.frombuffer(bytes(listener.sound), np.float32)
    assert np.abs(np.fft.rfft(samples)).argmax() == sounds.TONE_HZ


async def test_samples_at_the_rate_itself_are_unchanged_however_they_are_cut(streams: Streams) -> None:
    sound = sounds.noise(1).tobytes()
    stream = streams.open(RAW)
    listener = Listener(stream)
    for begin in range(0, len(sound), 4_095):
        await stream.feed(sound[begin : begin + 4_095])
    stream.finish()
    await listener.end()
    assert bytes(listener.sound) == sound


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"not a sound at all", "not audio"),
        (b"\0\0\0\x20ftypisom" + bytes(64), "MP4"),
        (b"OggS" + bytes(64), "ogg"),
        (b"RIFF\0\0\0\0WAVE", "header"),
        (b"x", "not audio"),
    ],
    ids=["text", "MP4", "broken Ogg", "cut WAV", "one byte"],
)
async def test_what_is_not_understood_is_told(streams: Streams, data: bytes, told: str) -> None:
    stream = streams.open()
    listener = Listener(stream)
    await stream.feed(data)
    stream.finish()
    with pytest.raises(InvalidAudio, match=told):
        await listener.end()
    await stream.feed(b"more")  # is ignored


async def test_a_stream_without_a_byte_just_ends(streams: Streams) -> None:
    stream = streams.open()
    listener = Listener(stream)
    stream.finish()
    await listener.end()
    assert listener.sound == b""


@pytest.mark.parametrize("begun", [b"", b"Ogg", sounds.wav(bytes(100)), sounds.recorded(0.5)[:700]])
async def test_closing_ends_a_stream_that_is_never_finished(streams: Streams, begun: bytes) -> None:
    stream = streams.open()
    listener = Listener(stream)
    await stream.feed(begun)
    async with asyncio.timeout(0.9):  # less than what `aclose` waits for a thread that is stuck
        await stream.aclose()
        await stream.aclose()
    await listener.end()


async def test_one_who_feeds_faster_than_it_is_read_waits(streams: Streams) -> None:
    stream = streams.open(WIDE)
    feeding = asyncio.ensure_future(stream.feed(bytes(2**20)))
    done, _ = await asyncio.wait([feeding], timeout=0.2)
    assert not done
    listener = Listener(stream)
    async with asyncio.timeout(SOON_S):
        await feeding
    stream.finish()
    await listener.end()
    assert listener.heard_s == pytest.approx(2**20 / 8 / 96_000, abs=0.001)


async def test_closing_ends_a_stream_that_nobody_reads(streams: Streams) -> None:
    stream = streams.open(WIDE)
    feeding = asyncio.ensure_future(stream.feed(bytes(2**20)))
    done, _ = await asyncio.wait([feeding], timeout=0.2)
    assert not done
    async with asyncio.timeout(0.9):
        await stream.aclose()
        await feeding


async def test_too_many_bytes_and_too_many_seconds_are_refused(streams: Streams) -> None:
    stream = streams.open(WIDE)
    listener = Listener(stream)
    await stream.feed(bytes(2**20))
    with pytest.raises(TooLarge, match="bytes"):
        await stream.feed(b"1")
    await stream.aclose()
    await listener.end()
    stream = streams.open(RawFormat(encoding="u8", sample_rate_hz=8_000))
    listener = Listener(stream)
    await stream.feed(bytes(8_000 * 11))
    with pytest.raises(TooLarge, match="10 s"):
        await listener.end()


async def test_there_is_room_for_so_many_streams(streams: Streams) -> None:
    opened = [streams.open() for _ in range(MAX_STREAMS)]
    with pytest.raises(Overloaded):
        streams.open()
    await opened[7].aclose()
    streams.open()
    with pytest.raises(Overloaded):
        streams.open()
