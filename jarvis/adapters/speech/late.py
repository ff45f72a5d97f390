"""Speech engines that are still being fetched or started: away until they arrive, then out of the way."""

from abc import ABC
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import ClassVar, Generic, TypeVar

from jarvis.adapters.speech.failures import Role
from jarvis.core.errors import Unreachable
from jarvis.core.speech import Pcm, Synthesizer, Transcriber, Transcript, Voice

E = TypeVar("E", Transcriber, Synthesizer)


class _Late(ABC, Generic[E]):
    """Forwards to the engine that arrived; before, everything raises Unreachable that says `progress`.

    Closing what arrived is for whoever opened it.
    """

    role: ClassVar[Role]

    def __init__(self, name: str, *, progress: str) -> None:
        self.progress: str = progress
        """One sentence for people; set it at will."""
        self._name = name
        self._engine: E | None = None

    @property
    def name(self) -> str:
        return self._name

    def arrive(self, engine: E) -> None:
        """Forward to `engine` from now on."""
        self._engine = engine

    async def ping(self) -> None:
        await self._arrived().ping()

    def _arrived(self) -> E:
        if self._engine is None:
            raise Unreachable(self.role, self.progress)
        return self._engine


class LateTranscriber(_Late[Transcriber]):
    role = "stt"

    async def transcribe(
        self, speech: AsyncIterable[bytes], *, language: str | None = None, prompt: str | None = None
    ) -> AsyncGenerator[Transcript]:
        transcripts = self._arrived().transcribe(speech, language=language, prompt=prompt)
        async with aclosing(transcripts):
            async for transcript in transcripts:
                yield transcript

    async def languages(self) -> list[str]:
        return await self._arrived().languages()


class LateSynthesizer(_Late[Synthesizer]):
    role = "tts"

    async def synthesize(
        self, text: str, *, voice: str | None = None, speed: float = 1.0
    ) -> AsyncGenerator[Pcm]:
        pieces = self._arrived().synthesize(text, voice=voice, speed=speed)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def voices(self) -> list[Voice]:
        return await self._arrived().voices()
