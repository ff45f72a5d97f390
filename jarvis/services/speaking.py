"""Speaks answers while they are written, sentence by sentence, and knows how much of each was heard."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from uuid import UUID

from jarvis.core.errors import JarvisError, NotFound
from jarvis.core.events import AudioResponse, LogEntry
from jarvis.core.ports import TurnLog
from jarvis.core.speaking.sentences import Piece, Sentences
from jarvis.core.types import User
from jarvis.services.live import LiveTurn
from jarvis.services.spoken import Say, Sound, SpokenAnswer

AUDIO = "audio_response"
LINGER_S = 60.0
"""How long after its end an answer can still be cut to what was heard (the contract's section 4)."""


async def audible(live: LiveTurn, log: TurnLog, *, after: int) -> AsyncGenerator[LogEntry]:
    """Read a turn's log; sound waits while it is held, and what was stopped is left out.

    An entry is taken when the next one is asked for.
    """
    async with aclosing(log.read(live.turn.id, after=after)) as entries:
        async for entry in entries:
            if entry.type != AUDIO or live.speech is None:
                yield entry
            elif await live.speech.passes():
                yield entry
                live.speech.take(entry.seq)


class Speaker:
    """Speaks one answer that is being written. `run` works until `finish`, or until there is no more use."""

    def __init__(
        self, live: LiveTurn, answer: SpokenAnswer, *, say: Say, tell: Callable[[AudioResponse], object]
    ) -> None:
        self._live = live
        self._answer = answer
        self._say = say
        self._tell = tell
        self._sentences = Sentences()
        self._waiting: list[Piece] = []
        self._is_finished = False
        self._has_ended = False
        self._woken = asyncio.Event()

    def write(self, text: str) -> None:
        """Take more of the answer."""
        self._waiting += self._sentences.feed(text)
        self._woken.set()

    def finish(self) -> None:
        """Take note that the answer is complete."""
        self._waiting += self._sentences.finish()
        self._is_finished = True
        self._woken.set()

    async def run(self) -> None:
        """Speak all that is written. Raises Unavailable or TimedOut: what is still to come stays unspoken."""
        while await self._awaits_piece():
            piece = self._waiting.pop(0)
            if not await self._answer.room(self._is_heard):
                return
            sound = await self._say(piece.text)
            if self._answer.is_stopped:
                return
            self._emit(piece, sound)
        if self._answer.sentences and not self._has_ended:
            nothing = await self._say("")
            end = self._live.text_chars
            self._emit(Piece(text="", start=end, end=end, marks=()), nothing)

    async def _awaits_piece(self) -> bool:
        while not self._waiting:
            if self._is_finished:
                return False
            self._woken.clear()
            await self._woken.wait()
        return True

    def _is_heard(self) -> bool:
        return self._live.listeners > 0

    def _emit(self, piece: Piece, sound: Sound) -> None:
        self._has_ended = self._is_finished and not self._waiting
        event = AudioResponse(
            turn_id=self._live.turn.id,
            seq=self._live.next_seq(),
            sentence=self._answer.sentences,
            text=piece.text,
            sample_rate=sound.sample_rate_hz,
            duration_ms=sound.duration_ms,
            data=sound.wav,
            last=self._has_ended,
        )
        self._answer.say(piece, sound, event.seq)
        self._tell(event)


class Speaking:
    """The answers that are spoken, and those that were spoken a moment ago."""

    def __init__(self, *, say: Callable[[str], Say], log: TurnLog) -> None:
        self._say = say
        self._log = log
        self._answers: dict[tuple[UUID, UUID], SpokenAnswer] = {}

    def answer(self, user: User, turn_id: UUID) -> SpokenAnswer:
        """Raises NotFound("turn") for one that is not spoken, or was longer than LINGER_S ago."""
        answer = self._answers.get((user.id, turn_id))
        if answer is None:
            raise NotFound("turn")
        return answer

    @asynccontextmanager
    async def aloud(self, live: LiveTurn, complain: Callable[[JarvisError], None]) -> AsyncGenerator[Speaker]:
        """Speak what is written to the speaker; at exit, wait until all of it has been told.

        What goes wrong is told to `complain`, once, and only costs the sound.
        """
        turn = live.turn
        key = turn.user.id, turn.id
        say = self._say(turn.command.speak_in or "")
        answer = live.speech = self._answers[key] = SpokenAnswer()
        speaker = Speaker(live, answer, say=say, tell=self._log.append)
        speaking = asyncio.ensure_future(_complaining(speaker.run(), complain))
        try:
            yield speaker
            speaker.finish()
            await speaking
        finally:
            speaking.cancel()
            answer.is_complete = True
            asyncio.get_running_loop().call_later(LINGER_S, self._answers.pop, key, None)


async def _complaining(speaking: Awaitable[None], complain: Callable[[JarvisError], None]) -> None:
    try:
        await speaking
    except JarvisError as exc:
        complain(exc)
