"""Speech on request: a recording becomes text, a text becomes sound."""

from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from jarvis.core.errors import Invalid
from jarvis.core.language_names import Language, language
from jarvis.core.languages import language_of
from jarvis.core.speaking.sentences import Sentences
from jarvis.core.speech import (
    HEARD_HZ,
    AudioFormat,
    Codec,
    GrowingFile,
    Pcm,
    RawFormat,
    SoundStream,
    SpeechDetector,
    Transcript,
    Voice,
    Word,
)
from jarvis.services.listening import Ears, Listener
from jarvis.services.spoken import Say, Sound
from jarvis.services.synthesizers import Synthesizers
from jarvis.services.transcribers import Transcribers

PHRASE_CHARS = 80
"""Sentences up to this length are kept once they are spoken: greetings, and what is said again and again."""
KEPT_PHRASES_BYTES = 8 * 1024 * 1024
LEAST_SPEECH = 0.02
"""Of a clip: less is a click or a breath."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording says; without speech, an empty text that no engine was asked for.

    `confidence`: the engine's own, else how sure it is that somebody speaks.
    """

    text: str
    language: str
    confidence: float
    words: list[Word] | None
    duration_s: float
    engine: str


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """A text, spoken into a whole file."""

    file: bytes
    sample_rate_hz: int
    duration_s: float
    voice: str
    engine: str


class SpeechService:
    """What is away raises Unavailable or TimedOut, of "stt" or "tts", within the engines' deadlines."""

    def __init__(
        self,
        *,
        transcribers: Transcribers,
        synthesizers: Synthesizers,
        codec: Codec,
        detector: SpeechDetector,
    ) -> None:
        self._codec = codec
        self._detector = detector
        self._transcribers = transcribers
        self._synthesizers = synthesizers
        self._phrases: OrderedDict[tuple[str | None, str], Sound] = OrderedDict()
        self._phrases_bytes = 0

    async def transcribe(
        self, data: bytes, *, raw: RawFormat | None, language: str | None, prompt: str | None
    ) -> Heard:
        """Return what is said in a recording. Raises InvalidAudio, TooLarge, Overloaded."""
        pcm = await self._codec.decode(data, declared=raw)
        found = await self._detector.share_of(pcm)
        transcript, engine = Transcript(text=""), self._transcribers.serving or ""
        if found.share >= LEAST_SPEECH:
            answer = self._transcribers.transcribe(_whole(pcm), language=language, prompt=prompt)
            async with aclosing(answer):
                transcript = [each async for each in answer][-1]
            engine = answer.engine
        return Heard(
            text=transcript.text,
            language=transcript.language or language or language_of(transcript.text),
            confidence=found.confidence if transcript.confidence is None else transcript.confidence,
            words=transcript.words,
            duration_s=pcm.duration_s,
            engine=engine,
        )

    async def stream(self, *, raw: RawFormat | None, endless: bool) -> SoundStream:
        """Open a stream of sound to be listened to; an `endless` one is bounded in nothing but its rate.

        Raises Overloaded.
        """
        return await self._codec.stream(raw, endless=endless)

    async def listen(self, stream: SoundStream, ears: Ears, *, language: str | None, by_itself: bool) -> None:
        """Hear a stream out, as Listener.run does."""
        listener = Listener(
            stream,
            ears,
            transcribers=self._transcribers,
            detector=self._detector,
            language=language,
            by_itself=by_itself,
        )
        await listener.run()

    async def synthesize(self, text: str, *, voice: str | None, speed: float, format: AudioFormat) -> Spoken:  # noqa: A002 the contract's name
        """Speak a text into a whole file. Raises Invalid("voice" or "text")."""
        chosen = voice or await self.voice_of(language_of(text))
        pieces: list[Pcm] = []
        engine = ""
        for sentence in _sentences(text):
            answer = self._synthesizers.synthesize(sentence, voice=chosen, speed=speed)
            async with aclosing(answer):
                pieces += [pcm async for pcm in answer]
            engine = engine or answer.engine
        return Spoken(
            file=await self._codec.encode(pieces, format),
            sample_rate_hz=pieces[0].sample_rate_hz,
            duration_s=sum(pcm.duration_s for pcm in pieces),
            voice=chosen or "",
            engine=engine,
        )

    async def synthesize_growing(
        self,
        text: str,
        *,
        voice: str | None,
        speed: float,
        format: AudioFormat,  # noqa: A002 the contract's name
    ) -> AsyncGenerator[bytes]:
        """Speak a text into a file that grows with each piece of sound. Raises as `synthesize`."""
        chosen = voice or await self.voice_of(language_of(text))
        file: GrowingFile | None = None
        for sentence in _sentences(text):
            answer = self._synthesizers.synthesize(sentence, voice=chosen, speed=speed)
            async with aclosing(answer):
                async for pcm in answer:
                    file = file or await self._codec.grow(format, pcm.sample_rate_hz)
                    if ready := await file.write(pcm):
                        yield ready
        if file is not None:
            yield await file.finish()

    async def say(self, sentence: str, *, voice: str | None) -> Sound:
        """Speak one sentence into a WAV file; short ones are kept."""
        key = (voice, sentence)
        if kept := self._phrases.get(key):
            self._phrases.move_to_end(key)
            return kept
        pieces: list[Pcm] = []
        if sentence:
            answer = self._synthesizers.synthesize(sentence, voice=voice)
            async with aclosing(answer):
                pieces = [pcm async for pcm in answer]
        else:
            pieces = [Pcm(samples=b"", sample_rate_hz=HEARD_HZ)]
        sound = Sound(
            wav=await self._codec.encode(pieces, "wav"),
            sample_rate_hz=pieces[0].sample_rate_hz,
            duration_ms=round(sum(pcm.duration_s for pcm in pieces) * 1000),
        )
        if len(sentence) <= PHRASE_CHARS:
            self._keep(key, sound)
        return sound

    def in_language(self, language: str) -> Say:
        """Return what speaks sentences of that language, with one voice."""

        async def say(sentence: str) -> Sound:
            return await self.say(sentence, voice=await self.voice_of(language))

        return say

    async def voice_of(self, language: str) -> str | None:
        """Return the first voice of that language; None, an engine's own choice, where there is none."""
        known = await self._synthesizers.voices()
        return next((voice.id for voice in known if voice.language == language), None)

    async def voices(self) -> list[Voice]:
        return await self._synthesizers.voices()

    async def languages(self) -> list[Language]:
        """Return the languages that are understood."""
        return [language(code) for code in await self._transcribers.languages()]

    def _keep(self, key: tuple[str | None, str], sound: Sound) -> None:
        before = self._phrases.pop(key, None)  # by somebody who said the same meanwhile
        self._phrases[key] = sound
        self._phrases_bytes += len(sound.wav) - (len(before.wav) if before else 0)
        while self._phrases_bytes > KEPT_PHRASES_BYTES:
            _, oldest = self._phrases.popitem(last=False)
            self._phrases_bytes -= len(oldest.wav)


async def _whole(pcm: Pcm) -> AsyncGenerator[bytes]:
    yield pcm.samples


def _sentences(text: str) -> list[str]:
    """Return what is to be said, piece by piece. Raises Invalid("text") where that is nothing."""
    sentences = Sentences()
    pieces = [*sentences.feed(text), *sentences.finish()]
    if not pieces:
        raise Invalid("text", "has nothing in it that can be said")
    return [piece.text for piece in pieces]
