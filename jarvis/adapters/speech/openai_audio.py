"""Speech engines that speak OpenAI's audio API (Kokoro-FastAPI, LocalAI, vLLM, OpenAI itself, ...)."""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from statistics import fmean
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec

from jarvis.adapters.speech import failures
from jarvis.adapters.speech.http import Refused, SpeechHttp
from jarvis.adapters.speech.languages import WHISPER, iso_639_1, language_of_voice
from jarvis.adapters.speech.samples import Samples, SoundFormat, heard_as_wav, load
from jarvis.adapters.speech.transcripts import transcript
from jarvis.adapters.speech.wav import read_head
from jarvis.core.speech import Pcm, Transcript, Voice, Word

STANDARD_VOICES = ("alloy", "echo", "fable", "onyx", "nova", "shimmer")
_RAW = SoundFormat(sample_rate_hz=24_000)
"""What `response_format: pcm` means. (platform.openai.com, "Text to speech")"""


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float
    probability: float | None = None


class _Segment(msgspec.Struct):
    avg_logprob: float | None = None


class _Said(msgspec.Struct):
    """`json` has the text only; the rest is of `verbose_json`."""

    text: str
    language: str | None = None
    segments: list[_Segment] | None = None
    words: list[_Word] | None = None


class _Listed(msgspec.Struct):
    id: str | None = None
    voice_id: str | None = None
    name: str | None = None
    language: str | None = None


_Named: TypeAlias = str | _Listed


class _Voices(msgspec.Struct):
    voices: list[_Named]


_SAID = msgspec.json.Decoder(_Said)
_VOICES: msgspec.json.Decoder[_Voices | list[_Named]] = msgspec.json.Decoder(_Voices | list[_Named])


def key_for(url: str, *, openai_base_url: str, openai_api_key: str) -> str | None:
    """Return the key of OPENAI_BASE_URL where `url` is of the same server: another must not see it."""
    ours, theirs = urlsplit(url), urlsplit(openai_base_url)
    same = (ours.scheme, ours.hostname, ours.port) == (theirs.scheme, theirs.hostname, theirs.port)
    return openai_api_key or None if same else None


class OpenAITranscriber(SpeechHttp):
    """Fills the Transcriber port. `base_url` is what OpenAI's clients are given, most often ending in /v1.

    The whole speech is sent when it is over. Close it, or use it as a context manager.
    """

    def __init__(
        self, base_url: str, *, api_key: str | None = None, model: str = "whisper-1", name: str = "openai"
    ) -> None:
        super().__init__(base_url, "stt", api_key=api_key)
        self._model = model
        self._name = name
        self._verbose = True

    @property
    def name(self) -> str:
        return self._name

    async def transcribe(
        self, speech: AsyncIterable[bytes], *, language: str | None = None, prompt: str | None = None
    ) -> AsyncGenerator[Transcript]:
        file = await asyncio.to_thread(heard_as_wav, b"".join([piece async for piece in speech]))
        said = await self._said(file, language=language, prompt=prompt)
        confidence = _confidence(said.segments or [])
        words = _words(said.words, confidence)
        yield transcript(said.text, language=said.language or language, confidence=confidence, words=words)

    async def languages(self) -> list[str]:
        """Return Whisper's: the API does not tell, and what it serves is Whisper or more."""
        return list(WHISPER)

    async def ping(self) -> None:
        await self.check("/models", up=_is_there)

    async def _said(self, file: bytes, *, language: str | None, prompt: str | None) -> _Said:
        told = {"model": self._model, "language": language, "prompt": prompt}
        fields: dict[str, str | list[str]] = {name: value for name, value in told.items() if value}
        if self._verbose:
            try:
                return await self._ask(file, fields | _VERBOSE)
            except Refused:
                pass  # gpt-4o-transcribe and others know `json` only
        try:
            said = await self._ask(file, fields | {"response_format": "json"})
        except Refused as exc:
            raise failures.failed("stt") from exc
        self._verbose = False
        return said

    async def _ask(self, file: bytes, fields: Mapping[str, str | list[str]]) -> _Said:
        sound = {"file": ("speech.wav", file, "audio/wav")}
        return self.decode(await self.post("/audio/transcriptions", data=fields, files=sound), _SAID)


class OpenAISynthesizer(SpeechHttp):
    """Fills the Synthesizer port. `base_url` is what OpenAI's clients are given, most often ending in /v1.

    Asks for WAV, which tells its sample rate, and for raw sound where a server has no WAV. Close it, or use
    it as a context manager.
    """

    def __init__(
        self, base_url: str, *, api_key: str | None = None, model: str = "tts-1", name: str = "openai"
    ) -> None:
        super().__init__(base_url, "tts", api_key=api_key)
        self._model = model
        self._name = name
        self._default: str | None = None
        self._as_wav = True

    @property
    def name(self) -> str:
        return self._name

    async def synthesize(
        self, text: str, *, voice: str | None = None, speed: float = 1.0
    ) -> AsyncGenerator[Pcm]:
        if voice is None and self._default is None:
            self._default = (await self.voices())[0].id
        asked = {"model": self._model, "input": text, "voice": voice or self._default, "speed": speed}
        try:
            try:
                async with contextlib.aclosing(self._speak(asked, as_wav=self._as_wav)) as pieces:
                    async for piece in pieces:
                        yield piece
            except Refused:
                if not self._as_wav:
                    raise
                async with contextlib.aclosing(self._speak(asked, as_wav=False)) as pieces:
                    async for piece in pieces:
                        self._as_wav = False
                        yield piece
        except Refused as exc:
            raise failures.failed("tts") from exc

    async def voices(self) -> list[Voice]:
        """Return those of GET /audio/voices, which OpenAI has not: its own six where there is none."""
        status, body = await self.get("/audio/voices")
        if status != 200:
            return [_voice(name) for name in STANDARD_VOICES]
        told = self.decode(body, _VOICES)
        listed: Sequence[_Named] = told.voices if isinstance(told, _Voices) else told
        return [_voice(each) for each in listed] or [_voice(name) for name in STANDARD_VOICES]

    async def ping(self) -> None:
        await self.check("/models", up=_is_there)

    async def _speak(self, asked: Mapping[str, object], *, as_wav: bool) -> AsyncGenerator[Pcm]:
        body = {**asked, "response_format": "wav" if as_wav else "pcm"}
        await load()
        sound = _Sound(None if as_wav else _RAW)
        heard = False
        async with contextlib.aclosing(self.stream("/audio/speech", body)) as pieces:
            async for piece in pieces:
                try:
                    made = sound.feed(piece)
                except ValueError as exc:
                    raise failures.garbled("tts") from exc
                if made is not None:
                    heard = True
                    yield made
        if not heard:
            raise failures.silent()


class _Sound:
    """Makes Pcm of a stream of WAV, or of what is known to be `raw`."""

    def __init__(self, raw: SoundFormat | None) -> None:
        self._start = b""
        self._sound = raw
        self._samples = None if raw is None else Samples(raw)
        self._left_bytes: float = math.inf

    def feed(self, data: bytes) -> Pcm | None:
        """Raises ValueError where it is no WAV."""
        if self._sound is None or self._samples is None:
            self._start += data
            head = read_head(self._start)
            if head is None:
                return None
            self._sound, self._samples = head.sound, Samples(head.sound)
            self._left_bytes = math.inf if head.sound_bytes is None else head.sound_bytes
            data, self._start = self._start[head.begins_at :], b""
        if len(data) > self._left_bytes:
            data = data[: int(self._left_bytes)]
        self._left_bytes -= len(data)
        samples = self._samples.feed(data)
        return Pcm(samples=samples, sample_rate_hz=self._sound.sample_rate_hz) if samples else None


_VERBOSE: dict[str, str | list[str]] = {
    "response_format": "verbose_json",
    "timestamp_granularities[]": ["segment", "word"],
}


def _is_there(status: int) -> bool:
    """Tell whether it would work; not all keep a list of models."""
    return status in {200, 404, 405}


def _confidence(segments: Sequence[_Segment]) -> float | None:
    """Return the mean of what the model gave its own tokens."""
    told = [segment.avg_logprob for segment in segments if segment.avg_logprob is not None]
    return min(1.0, math.exp(min(0.0, fmean(told)))) if told else None


def _words(words: Sequence[_Word] | None, confidence: float | None) -> list[Word] | None:
    told: list[Word] = []
    for word in words or []:
        sure = confidence if word.probability is None else word.probability
        if sure is None:
            return None
        told.append(Word(word=word.word.strip(), start_time=word.start, end_time=word.end, confidence=sure))
    return told or None


def _voice(listed: _Named) -> Voice:
    if isinstance(listed, str):
        return Voice(id=listed, name=listed, language=language_of_voice(listed))
    voice_id = listed.id or listed.voice_id or listed.name or ""
    language = iso_639_1(listed.language) if listed.language else language_of_voice(voice_id)
    return Voice(id=voice_id, name=listed.name or voice_id, language=language)
