"""Listening to a stream: what is told of each thing said, and when."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence

import pytest

from jarvis.core.errors import InvalidAudio, JarvisError, Unavailable
from jarvis.core.speaking.endpointing import CHUNK_SAMPLES
from jarvis.core.speech import SAMPLE_BYTES, Transcript
from jarvis.services.listening import INSISTS_MS, Listener
from jarvis.services.transcribers import Transcribers

CHUNK_MS = 32
CHUNK_BYTES = CHUNK_SAMPLES * SAMPLE_BYTES
SPEECH, SILENCE = b"\1", b"\0"


def sound(kind: bytes, ms: float) -> bytes:
    return kind * CHUNK_BYTES * round(ms / CHUNK_MS)


class Microphone:
    """A stream of these pieces, which then ends or breaks."""

    def __init__(self, pieces: Sequence[bytes], failure: JarvisError | None = None) -> None:
        self._pieces = pieces
        self._failure = failure

    async def feed(self, data: bytes) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        raise NotImplementedError

    async def pieces(self) -> AsyncGenerator[bytes]:
        for piece in self._pieces:
            await asyncio.sleep(0)  # a stream waits for what comes
            yield piece
        if self._failure is not None:
            raise self._failure

    async def aclose(self) -> None:
        pass


class Detector:
    """Hears speech where the bytes say so."""

    def __init__(self) -> None:
        self._left = b""
        self.closed = False

    def listen(self) -> "Detector":
        return self

    async def share_of(self, pcm: object) -> None:
        raise NotImplementedError

    async def probabilities(self, samples: bytes) -> list[float]:
        samples = self._left + samples
        whole = len(samples) // CHUNK_BYTES * CHUNK_BYTES
        self._left = samples[whole:]
        return [float(samples[begin] == SPEECH[0]) for begin in range(0, whole, CHUNK_BYTES)]

    def close(self) -> None:
        self.closed = True


class Engine:
    """Transcribes into how many milliseconds of speech it heard; the first waits until the second is done."""

    name = "fake"

    def __init__(self) -> None:
        self.fails = False
        self.reverses = False
        self.heard: list[bytes] = []
        self._second_is_done = asyncio.Event()

    async def transcribe(
        self, speech: AsyncIterable[bytes], *, language: str | None = None, prompt: str | None = None
    ) -> AsyncGenerator[Transcript]:
        del language, prompt
        number = len(self.heard)
        self.heard.append(b"")
        async for piece in speech:
            self.heard[number] += piece
        if self.fails:
            raise Unavailable("stt", "The engine is away.")
        if self.reverses and number == 0:
            await self._second_is_done.wait()
        yield Transcript(text="so far", final=False)
        yield Transcript(text=f"{self.heard[number].count(SPEECH) // CHUNK_BYTES * CHUNK_MS} ms")
        if number == 1:
            self._second_is_done.set()

    async def languages(self) -> list[str]:
        return ["en"]

    async def ping(self) -> None:
        pass


class Notes:
    """Ears that write down what they are told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def speech_began(self) -> None:
        self.told.append("began")

    async def speech_insists(self) -> None:
        self.told.append("insists")

    def is_saying(self, transcript: Transcript) -> None:
        self.told.append(f"{transcript.text}...")

    async def has_said(self, transcript: Transcript) -> None:
        self.told.append(transcript.text)

    def has_missed(self, error: JarvisError) -> None:
        self.told.append(error.code)


async def listen(
    *pieces: bytes, engine: Engine | None = None, by_itself: bool = True, failure: JarvisError | None = None
) -> list[str]:
    notes, detector = Notes(), Detector()
    listener = Listener(
        Microphone(pieces, failure),
        notes,
        transcribers=Transcribers([engine or Engine()]),
        detector=detector,  # pyright: ignore[reportArgumentType] it judges no clips
        language=None,
        by_itself=by_itself,
    )
    try:
        async with asyncio.timeout(5):
            await listener.run()
    except InvalidAudio as exc:
        notes.told.append(exc.code)
    assert detector.closed
    return notes.told


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[begin : begin + size] for begin in range(0, len(data), size)]


@pytest.mark.parametrize(
    "size", [CHUNK_BYTES // 4, CHUNK_BYTES * 3 + 4, 10**9], ids=["small", "odd", "whole"]
)
async def test_a_pause_ends_what_is_said(size: int) -> None:
    said = (
        sound(SILENCE, 992)
        + sound(SPEECH, 640)
        + sound(SILENCE, 992)
        + sound(SPEECH, 320)
        + sound(SILENCE, 992)
    )
    told = await listen(*in_pieces(said, size))
    assert told.count("began") == 2
    assert [each for each in told if each.endswith(" ms")] == ["640 ms", "320 ms"]


async def test_what_is_said_is_heard_from_a_little_before_it() -> None:
    engine = Engine()
    await listen(
        *in_pieces(sound(SILENCE, 992) + sound(SPEECH, 640) + sound(SILENCE, 992), CHUNK_BYTES), engine=engine
    )
    (heard,) = engine.heard
    before = heard.index(SPEECH) // CHUNK_BYTES * CHUNK_MS
    assert before == pytest.approx(300, abs=CHUNK_MS)


async def test_without_pauses_all_of_it_is_one_thing() -> None:
    said = sound(SPEECH, 640) + sound(SILENCE, 1_984) + sound(SPEECH, 320)
    told = await listen(*in_pieces(said, CHUNK_BYTES), by_itself=False)
    assert told.count("began") == 1
    assert told[-1] == "960 ms"


@pytest.mark.parametrize("by_itself", [True, False])
@pytest.mark.parametrize("pieces", [(), (SILENCE * CHUNK_BYTES * 40,)], ids=["nothing", "silence"])
async def test_nothing_said_is_told_once(by_itself: object, pieces: tuple[bytes, ...]) -> None:
    assert await listen(*pieces, by_itself=bool(by_itself)) == [""]


@pytest.mark.parametrize("by_itself", [True, False], ids=["hands-free", "push to talk"])
async def test_who_goes_on_insists_once(by_itself: object) -> None:
    short = sound(SILENCE, 1_984) + sound(SPEECH, INSISTS_MS - 2 * CHUNK_MS) + sound(SILENCE, 608)
    assert "insists" not in await listen(*in_pieces(short, CHUNK_BYTES), by_itself=bool(by_itself))
    long = sound(SILENCE, 1_984) + sound(SPEECH, INSISTS_MS + 1_000)
    told = await listen(*in_pieces(long, CHUNK_BYTES), by_itself=bool(by_itself))
    assert told.count("insists") == 1
    assert told.index("began") < told.index("insists") < len(told) - 1


async def test_what_is_said_later_is_told_later() -> None:
    """Also where it is understood sooner."""
    engine = Engine()
    said = sound(SPEECH, 640) + sound(SILENCE, 992) + sound(SPEECH, 320) + sound(SILENCE, 992)
    engine.reverses = True
    told = await listen(*in_pieces(said, CHUNK_BYTES), engine=engine)
    assert [each for each in told if each.endswith(" ms")] == ["640 ms", "320 ms"]


async def test_what_nobody_understood_is_told_and_the_next_is_heard() -> None:
    engine = Engine()
    engine.fails = True
    said = sound(SPEECH, 640) + sound(SILENCE, 992)
    assert await listen(*in_pieces(said, CHUNK_BYTES), engine=engine) == ["began", "stt_unavailable"]


async def test_a_stream_that_breaks_is_heard_up_to_there() -> None:
    told = await listen(sound(SPEECH, 640), failure=InvalidAudio("It broke."))
    assert told == ["began", "so far...", "640 ms", "invalid_audio"]
