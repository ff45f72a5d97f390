"""Listens to one stream of sound: finds what is said in it, and has that transcribed while it is said."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from jarvis.core.errors import InvalidAudio, JarvisError, TooLarge
from jarvis.core.speaking.endpointing import Began, Ended, Endpointing, EndpointingSettings
from jarvis.core.speech import SAMPLE_BYTES, SoundStream, SpeechDetector, Transcript, VoiceActivity
from jarvis.services.transcribers import Transcribers

INSISTS_MS = 1_200
"""Who speaks for longer than this does not just show that he listens; the silence around it is none."""
_EVER_MS = 24 * 3_600_000
WHOLE = EndpointingSettings(pre_roll_ms=_EVER_MS, silence_ms=_EVER_MS, longest_utterance_ms=_EVER_MS)
"""One utterance, from the first sound of the stream to its end."""


class Ears(Protocol):
    """Who is told what is heard; utterances come one after the other."""

    def speech_began(self) -> None: ...

    async def speech_insists(self) -> None:
        """It goes on for longer than INSISTS_MS."""
        ...

    def is_saying(self, transcript: Transcript) -> None:
        """This is what was said so far; it may be revised."""
        ...

    async def has_said(self, transcript: Transcript) -> None:
        """This is what was said; an empty text where that was nothing."""
        ...

    def has_missed(self, error: JarvisError) -> None:
        """Something was said, and nobody could tell what."""
        ...


class Listener:
    """Hears a stream out. With `by_itself` a pause ends what is said, and more may follow."""

    def __init__(
        self,
        stream: SoundStream,
        ears: Ears,
        *,
        transcribers: Transcribers,
        detector: SpeechDetector,
        language: str | None,
        by_itself: bool,
    ) -> None:
        self._stream = stream
        self._ears = ears
        self._transcribers = transcribers
        self._detector = detector
        self._language = language
        self._endpointing = Endpointing(None if by_itself else WHOLE)
        self._sound = _Sound()
        self._utterance: _Utterance | None = None
        self._has_begun = False
        self._told = asyncio.Event()
        """All that was said before what is said now has been told."""
        self._told.set()

    async def run(self) -> None:
        """Listen until the stream ends, and to the end of what was said.

        Raises InvalidAudio, TooLarge, Overloaded; in an exception group, what `ears` raise.
        """
        failure: JarvisError | None = None
        with closing(self._detector.listen()) as activity:
            async with anyio.create_task_group() as tasks, aclosing(self._stream.pieces()) as pieces:
                try:
                    async for piece in pieces:
                        await self._hear(piece, activity, tasks)
                except (InvalidAudio, TooLarge) as exc:
                    failure = exc
                if ended := self._endpointing.close():
                    self._end(ended)
        if failure is not None:
            raise failure
        if not self._has_begun:
            await self._ears.has_said(Transcript(text=""))

    async def _hear(self, piece: bytes, activity: VoiceActivity, tasks: TaskGroup) -> None:
        self._sound.add(piece)
        for probability in await activity.probabilities(piece):
            match self._endpointing.hear(probability):
                case Began(start=start):
                    self._has_begun = True
                    self._utterance = _Utterance(start)
                    self._ears.speech_began()
                    tasks.start_soon(self._tell, self._utterance, self._told)
                    self._told = self._utterance.told
                case Ended() as ended:
                    self._end(ended)
                case None:
                    pass
        if self._utterance is not None:
            self._utterance.hear(self._sound)
            if self._endpointing.spoken_ms >= INSISTS_MS and self._utterance.insists():
                await self._ears.speech_insists()
        self._sound.drop_before(self._endpointing.keep_from)

    def _end(self, ended: Ended) -> None:
        if self._utterance is not None:
            self._utterance.hear(self._sound, upto=ended.end)
            self._utterance.end()
            self._utterance = None

    async def _tell(self, utterance: "_Utterance", earlier_told: asyncio.Event) -> None:
        try:
            said = await self._transcribe(utterance)
        except JarvisError as exc:
            await earlier_told.wait()
            self._ears.has_missed(exc)
        else:
            await earlier_told.wait()
            await self._ears.has_said(said)
        utterance.told.set()

    async def _transcribe(self, utterance: "_Utterance") -> Transcript:
        answer = self._transcribers.transcribe(utterance.samples(), language=self._language)
        said = Transcript(text="")
        async with aclosing(answer):
            async for transcript in answer:
                if transcript.final:
                    said = transcript
                else:
                    self._ears.is_saying(transcript)
        return said


class _Sound:
    """What was heard lately, by its place in the stream."""

    def __init__(self) -> None:
        self._samples = bytearray()
        self._start = 0

    @property
    def end(self) -> int:
        return self._start + len(self._samples) // SAMPLE_BYTES

    def add(self, piece: bytes) -> None:
        self._samples += piece

    def between(self, start: int, end: int) -> bytes:
        begin = max(0, start - self._start) * SAMPLE_BYTES
        return bytes(self._samples[begin : max(0, end - self._start) * SAMPLE_BYTES])

    def drop_before(self, start: int) -> None:
        dropped = min(max(0, start - self._start), len(self._samples) // SAMPLE_BYTES)
        del self._samples[: dropped * SAMPLE_BYTES]
        self._start += dropped


class _Utterance:
    """One thing that is said: its samples as they come, for one reader."""

    def __init__(self, start: int) -> None:
        self.told = asyncio.Event()
        self._at = start
        self._waiting: list[bytes] = []
        self._has_ended = False
        self._has_insisted = False
        self._news = asyncio.Event()

    def hear(self, sound: _Sound, *, upto: int | None = None) -> None:
        """Take what of the sound it has not."""
        end = sound.end if upto is None else upto
        if end > self._at:
            self._waiting.append(sound.between(self._at, end))
            self._at = end
            self._news.set()

    def insists(self) -> bool:
        """Take note that it has become long; True the first time."""
        had_insisted, self._has_insisted = self._has_insisted, True
        return not had_insisted

    def end(self) -> None:
        self._has_ended = True
        self._news.set()

    async def samples(self) -> AsyncGenerator[bytes]:
        while True:
            waiting, self._waiting = self._waiting, []
            for piece in waiting:
                yield piece
            if self._has_ended and not self._waiting:
                return
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
