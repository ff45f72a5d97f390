"""The speech engines of the earlier Jarvis: its python-bridges service, over HTTP with raw float32."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterable

import msgspec

from jarvis.adapters.speech import failures
from jarvis.adapters.speech.http import Refused, SpeechHttp
from jarvis.adapters.speech.languages import WHISPER, language_of_voice
from jarvis.adapters.speech.samples import Samples, SoundFormat
from jarvis.adapters.speech.transcripts import transcript
from jarvis.core.speech import Pcm, Transcript, Voice

_JSON = {"content-type": "application/json"}


class _Said(msgspec.Struct):
    text: str
    language: str | None = None
    confidence: float | None = None


class _Spoken(msgspec.Struct):
    audio_data: str
    sample_rate: int


class _Voices(msgspec.Struct):
    voices: dict[str, str]


_SAID = msgspec.json.Decoder(_Said)
_SPOKEN = msgspec.json.Decoder(_Spoken)
_VOICES = msgspec.json.Decoder(_Voices)


class BridgeTranscriber(SpeechHttp):
    """Fills the Transcriber port. `url` is PYTHON_BRIDGES_URL, without a path.

    The whole speech is sent when it is over; there is no use for a prompt. Close it, or use it as a context
    manager.
    """

    def __init__(self, url: str, *, name: str = "python-bridges") -> None:
        super().__init__(url, "stt")
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    async def transcribe(
        self, speech: AsyncIterable[bytes], *, language: str | None = None, prompt: str | None = None
    ) -> AsyncGenerator[Transcript]:
        del prompt
        body = await asyncio.to_thread(_asked, b"".join([piece async for piece in speech]), language)
        try:
            answer = await self.post("/api/stt/transcribe", content=body, headers=_JSON)
        except Refused as exc:
            raise failures.failed("stt") from exc
        said = self.decode(answer, _SAID)
        yield transcript(said.text, language=said.language or language, confidence=said.confidence)

    async def languages(self) -> list[str]:
        """Return Whisper's, which is what the bridge had."""
        return list(WHISPER)

    async def ping(self) -> None:
        await self.check("/health", up=_is_well)


class BridgeSynthesizer(SpeechHttp):
    """Fills the Synthesizer port. `url` is PYTHON_BRIDGES_URL, without a path.

    The sound comes in one piece. Close it, or use it as a context manager.
    """

    def __init__(self, url: str, *, name: str = "python-bridges") -> None:
        super().__init__(url, "tts")
        self._name = name
        self._default: str | None = None

    @property
    def name(self) -> str:
        return self._name

    async def synthesize(
        self, text: str, *, voice: str | None = None, speed: float = 1.0
    ) -> AsyncGenerator[Pcm]:
        if voice is None and self._default is None:
            self._default = (await self.voices())[0].id
        body = msgspec.json.encode({"text": text, "voice": voice or self._default, "speed": speed})
        try:
            answer = await self.post("/api/tts/synthesize", content=body, headers=_JSON)
        except Refused as exc:
            raise failures.failed("tts") from exc
        yield await asyncio.to_thread(self._sound, answer)

    async def voices(self) -> list[Voice]:
        status, body = await self.get("/api/tts/voices")
        if status != 200:
            raise failures.failed("tts")
        told = self.decode(body, _VOICES).voices
        if not told:
            raise failures.garbled("tts")
        return [
            Voice(id=voice_id, name=label or voice_id, language=language_of_voice(voice_id))
            for voice_id, label in told.items()
        ]

    async def ping(self) -> None:
        await self.check("/health", up=_is_well)

    def _sound(self, answer: bytes) -> Pcm:
        spoken = self.decode(answer, _SPOKEN)
        try:
            sound = SoundFormat(sample_rate_hz=spoken.sample_rate, encoding="f32")
            samples = Samples(sound).feed(base64.b64decode(spoken.audio_data, validate=True))
        except ValueError as exc:
            raise failures.garbled("tts") from exc
        if not samples:
            raise failures.silent()
        return Pcm(samples=samples, sample_rate_hz=spoken.sample_rate)


def _asked(samples: bytes, language: str | None) -> bytes:
    told: dict[str, str] = {"audio_data": base64.b64encode(samples).decode("ascii")}
    return msgspec.json.encode(told | ({"language": language} if language else {}))


def _is_well(status: int) -> bool:
    return status == 200
