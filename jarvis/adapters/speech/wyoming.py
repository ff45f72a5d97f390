"""Speech engines that speak Wyoming: wyoming-faster-whisper, wyoming-piper, Home Assistant's add-ons, ..."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterator, Sequence
from typing import TypeVar

import msgspec
from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.info import Describe
from wyoming.tts import Synthesize, SynthesizeVoice

from jarvis.adapters.audio.tempo import stretched
from jarvis.adapters.speech import failures
from jarvis.adapters.speech.failures import Role
from jarvis.adapters.speech.samples import Encoding, Samples, SoundFormat, load, to_s16
from jarvis.adapters.speech.transcripts import transcript
from jarvis.adapters.speech.wyoming_info import Info
from jarvis.adapters.speech.wyoming_wire import (
    BrokeOff,
    Connection,
    Garbled,
    Received,
    Stuck,
    Unreached,
    connected,
)
from jarvis.core.speech import HEARD_HZ, Pcm, Transcript, Voice

T = TypeVar("T", bound=msgspec.Struct)

DESCRIBE_S = 5.0
SILENCE_S = 30.0
MAX_TERMS = 100
MAX_SOUND_S = 600.0
_WIDTHS: dict[int, Encoding] = {1: "s8", 2: "s16", 4: "s32"}
_HEARD = {"rate": HEARD_HZ, "width": 2, "channels": 1}


class _Text(msgspec.Struct):
    text: str
    language: str | None = None


class _Sound(msgspec.Struct):
    rate: int
    width: int
    channels: int


class WyomingTranscriber:
    """Fills the Transcriber port. `uri` is `tcp://host:port` or `unix://path`; each request is a connection.

    Of a prompt its parts between commas are sent as terms; Wyoming knows no other hint. Speech is sent while
    it still comes, and where the server tells what it has understood so far, that is yielded.
    """

    def __init__(self, uri: str, *, name: str = "wyoming") -> None:
        self._uri = uri
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    async def transcribe(
        self, speech: AsyncIterable[bytes], *, language: str | None = None, prompt: str | None = None
    ) -> AsyncGenerator[Transcript]:
        await load()
        with _wyoming_errors("stt"):
            async with connected(self._uri) as server:
                hearing = _Hearing(language)
                asked = Transcribe(language=language, transcript_terms=_terms(prompt))
                await server.send(asked.event())
                await server.send(AudioStart(**_HEARD).event())
                async for piece in speech:
                    await server.send(AudioChunk(audio=to_s16(piece), **_HEARD).event())
                    for heard in hearing.take(_came(server)):
                        yield heard
                    if hearing.over:
                        return
                await server.send(AudioStop().event())
                while not hearing.over:
                    for heard in hearing.take([await _next(server, "stt")]):
                        yield heard

    async def languages(self) -> list[str]:
        info = await _describe(self._uri, "stt")
        if not info.asr:
            raise failures.failed("stt")
        return info.asr[0].languages()

    async def ping(self) -> None:
        await _describe(self._uri, "stt")


class WyomingSynthesizer:
    """Fills the Synthesizer port. `uri` is `tcp://host:port` or `unix://path`; each request is a connection.

    A voice's id is its name, with `#speaker` where it has several. `offered` narrows and orders what the
    server says it has: wyoming-piper names every voice it could download. Wyoming knows no speed, so the
    sound is stretched here.
    """

    def __init__(self, uri: str, *, name: str = "wyoming", offered: Sequence[str] | None = None) -> None:
        self._uri = uri
        self._name = name
        self._offered = offered

    @property
    def name(self) -> str:
        return self._name

    def synthesize(self, text: str, *, voice: str | None = None, speed: float = 1.0) -> AsyncGenerator[Pcm]:
        return stretched(self._speak(text, voice), speed)

    async def voices(self) -> list[Voice]:
        info = await _describe(self._uri, "tts")
        if not info.tts:
            raise failures.failed("tts")
        return info.tts[0].offered(self._offered)

    async def ping(self) -> None:
        await _describe(self._uri, "tts")

    async def _speak(self, text: str, voice: str | None) -> AsyncGenerator[Pcm]:
        await load()
        speaking = _Speaking()
        with _wyoming_errors("tts"):
            async with connected(self._uri) as server:
                await server.send(Synthesize(text=text, voice=_chosen(voice)).event())
                while not speaking.over:
                    piece = speaking.take(await _next(server, "tts"))
                    if piece is not None:
                        yield piece
        if not speaking.heard_s:
            raise failures.silent()


class _Hearing:
    """Folds a server's events into transcripts."""

    def __init__(self, language: str | None) -> None:
        self.over = False
        self._language = language
        self._so_far = ""

    def take(self, events: Sequence[Received] | Iterator[Received]) -> Iterator[Transcript]:
        for event in events:
            match event.type:
                case "transcript":
                    said = _of(event, _Text)
                    self.over = True
                    yield self._told(said.text, language=said.language, final=True)
                    return
                case "transcript-start":
                    self._so_far = ""
                case "transcript-chunk":
                    self._so_far += _of(event, _Text).text
                    yield self._told(self._so_far, final=False)
                case "transcript-stop":
                    self.over = True
                    yield self._told(self._so_far, final=True)
                    return
                case "error":
                    raise failures.failed("stt")
                case _:
                    pass

    def _told(self, text: str, *, final: bool, language: str | None = None) -> Transcript:
        return transcript(text, language=language or self._language, final=final)


class _Speaking:
    """Folds a server's events into sound."""

    def __init__(self) -> None:
        self.over = False
        self.heard_s = 0.0
        self._sound: _Sound | None = None
        self._samples: Samples | None = None

    def take(self, event: Received) -> Pcm | None:
        match event.type:
            case "audio-chunk":
                return self._piece(_of(event, _Sound), event.payload)
            case "audio-stop":
                self.over = True
            case "error":
                raise failures.failed("tts")
            case _:
                pass
        return None

    def _piece(self, sound: _Sound, payload: bytes) -> Pcm | None:
        if self._sound is None or self._samples is None:
            self._sound = sound
            self._samples = Samples(_format(sound))
        elif sound != self._sound:
            raise Garbled("a format that changes")
        samples = self._samples.feed(payload)
        if not samples:
            return None
        piece = Pcm(samples=samples, sample_rate_hz=sound.rate)
        self.heard_s += piece.duration_s
        if self.heard_s > MAX_SOUND_S:
            raise Garbled("sound without end")
        return piece


@contextlib.contextmanager
def _wyoming_errors(role: Role) -> Generator[None]:
    try:
        yield
    except (Garbled, msgspec.ValidationError) as exc:
        raise failures.garbled(role) from exc
    except BrokeOff as exc:
        raise failures.broke_off(role) from exc
    except Stuck as exc:
        raise failures.stuck(role) from exc
    except Unreached as exc:
        raise failures.unreachable(role) from exc


async def _describe(uri: str, role: Role) -> Info:
    with _wyoming_errors(role):
        async with connected(uri) as server, _in_time(role, DESCRIBE_S):
            await server.send(Describe().event())
            while (event := await server.receive()).type != "info":
                pass
            return _of(event, Info)


async def _next(server: Connection, role: Role) -> Received:
    async with _in_time(role, SILENCE_S):
        return await server.receive()


@contextlib.asynccontextmanager
async def _in_time(role: Role, limit_s: float) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as exc:
        raise failures.timed_out(role) from exc


def _came(server: Connection) -> Iterator[Received]:
    while (event := server.ready()) is not None:
        yield event


def _of(event: Received, kind: type[T]) -> T:
    """Raises msgspec.ValidationError."""
    return msgspec.convert(event.data, kind)


def _format(sound: _Sound) -> SoundFormat:
    try:
        return SoundFormat(sample_rate_hz=sound.rate, encoding=_WIDTHS[sound.width], channels=sound.channels)
    except (KeyError, ValueError) as exc:
        raise Garbled("no format of speech") from exc


def _terms(prompt: str | None) -> list[str] | None:
    parts = [part.strip() for part in (prompt or "").split(",")]
    return [part for part in parts if part][:MAX_TERMS] or None


def _chosen(voice: str | None) -> SynthesizeVoice | None:
    if voice is None:
        return None
    name, _, speaker = voice.partition("#")
    return SynthesizeVoice(name=name, speaker=speaker or None)
