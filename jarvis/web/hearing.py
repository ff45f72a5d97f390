"""What one WebSocket hears: clips and streams of its client, of which each thing said is a turn.

And what interrupts: who speaks while an answer is spoken stops it, unless that only shows that he listens.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal, assert_never
from uuid import UUID

import msgspec
from anyio.abc import TaskGroup

from jarvis.core.errors import Invalid, JarvisError, NotFound, Overloaded
from jarvis.core.languages import language_of
from jarvis.core.speaking.backchannels import is_backchannel
from jarvis.core.speech import SoundStream, Transcript
from jarvis.core.types import ChatCommand, User
from jarvis.services.granting import Granted
from jarvis.services.identity import Caller
from jarvis.services.spoken import SpokenAnswer
from jarvis.web.context import Services, spend, user_of
from jarvis.web.decoding import decode_json, decode_large
from jarvis.web.voice_requests import AudioDataFrame, AudioEndFrame, AudioStartFrame, PlaybackFrame

SOURCE = "voice"
MAX_CLIPS = 4
"""Clips of one socket that are listened to at once."""
FrameType = Literal["audio_data", "audio_start", "audio_end", "playback"]

_encode = msgspec.json.Encoder().encode


class TranscriptFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="transcript"):
    """What was said; one that is not final may be revised. Belongs to no turn, and comes before its own."""

    text: str
    language: str
    final: bool


class SpeechStarted(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="speech_started"):
    """Somebody speaks; an answer that was being spoken is stopped."""


class Playing(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that somebody probably hears now."""

    user: User
    turn_id: UUID
    answer: SpokenAnswer


class Hearing:
    """One socket's ears.

    `begun` is told of every turn, and `fail` of what goes wrong with what was said; `interrupt` stops an
    answer that is being spoken.
    """

    def __init__(
        self,
        services: Services,
        *,
        tasks: TaskGroup,
        put: Callable[[bytes], None],
        fail: Callable[[JarvisError], None],
        begun: Callable[[Granted], None],
        interrupt: Callable[[User, UUID], Awaitable[None]],
        caller: Caller,
        profile: str | None,
    ) -> None:
        self._services = services
        self._caller = caller
        self._tasks = tasks
        self._put = put
        self._fail = fail
        self._begun = begun
        self._interrupt = interrupt
        self._profile = profile
        self._clips = 0
        self._stream: SoundStream | None = None
        self._is_over = False
        """The stream has failed: what its client still sends of it is let go by."""
        self._spoken: tuple[User, UUID] | None = None

    async def obey(self, type: FrameType, data: bytes) -> None:  # noqa: A002 the contract's name
        """Take a frame. Raises Invalid, NotFound, Overloaded."""
        match type:
            case "audio_data":
                clip = await decode_large(data, AudioDataFrame)
                if self._clips >= MAX_CLIPS:
                    raise Overloaded(f"This socket has {MAX_CLIPS} clips that are listened to already.")
                await spend(self._caller, "voice")
                self._clips += 1
                self._tasks.start_soon(self._hear_clip, clip)
            case "audio_start":
                start = decode_json(data, AudioStartFrame)
                if self._stream is not None and not self._is_over:
                    raise Invalid("type", "a stream is open already; end it with audio_end")
                await spend(self._caller, "voice")
                self._stream = await self._services.voice.stream(raw=start.raw(), endless=start.vad)
                self._is_over = False
                self._tasks.start_soon(self._listen, self._stream, start)
            case "audio_end":
                self._end(decode_json(data, AudioEndFrame))
            case "playback":
                playback = decode_json(data, PlaybackFrame)
                user = await self._caller.owner_of_turn(playback.turn_id)
                self._services.interruptions.answer(user, playback.turn_id).play(playback.played_ms)
            case _:
                assert_never(type)

    async def feed(self, data: bytes) -> None:
        """Take more of the stream that is open. Raises Invalid, TooLarge."""
        if self._stream is None:
            raise Invalid("", "binary frames are for sound: send audio_start first")
        if not self._is_over:
            await self._stream.feed(data)

    def _end(self, frame: AudioEndFrame) -> None:
        del frame
        if self._stream is None:
            raise Invalid("type", "no stream is open; begin one with audio_start")
        self._stream.finish()
        self._stream = None

    async def _hear_clip(self, frame: AudioDataFrame) -> None:
        try:
            heard = await self._services.voice.transcribe(
                frame.data, raw=frame.raw(), language=frame.language_code, prompt=None
            )
        except JarvisError as exc:
            self._fail(exc)
        else:
            said = Transcript(text=heard.text, language=heard.language)
            await Speech(self, frame).has_said(said)
        finally:
            self._clips -= 1

    async def _listen(self, stream: SoundStream, frame: AudioStartFrame) -> None:
        said = Speech(self, frame)
        try:
            await self._services.voice.listen(stream, said, language=frame.language_code, by_itself=frame.vad)
        except JarvisError as exc:
            self._fail(exc)
        finally:
            said.release()
            if self._stream is stream:
                self._is_over = True
            await stream.aclose()

    @property
    def playing(self) -> "Playing | None":
        """What is being spoken to this socket now."""
        if self._spoken is None:
            return None
        user, turn_id = self._spoken
        try:
            answer = self._services.interruptions.answer(user, turn_id)
        except NotFound:
            return None
        return Playing(user=user, turn_id=turn_id, answer=answer) if answer.is_playing else None

    async def interrupt(self, playing: "Playing") -> None:
        """Stop what is being spoken, unless it was over too long ago."""
        with suppress(NotFound):
            await self._interrupt(playing.user, playing.turn_id)

    def tell(self, frame: TranscriptFrame | SpeechStarted) -> None:
        self._put(_encode(frame))

    def fail(self, error: JarvisError) -> None:
        self._fail(error)

    async def begin(
        self, text: str, language: str, frame: AudioDataFrame | AudioStartFrame, conversation_id: UUID | None
    ) -> UUID:
        """Begin a turn; return its conversation. Raises as Turns.begin, and RateLimited."""
        await spend(self._caller, "chat")
        user = await user_of(self._caller, frame.user_id or self._profile, conversation_id)
        command = ChatCommand(
            text=text,
            conversation_id=conversation_id,
            source=SOURCE,
            speak_in=language if frame.speak else None,
        )
        granted = await self._services.granting.begin(user, command, None)
        if frame.speak:
            self._spoken = user, granted.turn_id
        self._begun(granted)
        return granted.conversation_id


class Speech:
    """One clip, or one stream and all that is said in it, in one conversation. Fills the Ears port."""

    def __init__(self, hearing: Hearing, frame: AudioDataFrame | AudioStartFrame) -> None:
        self._hearing = hearing
        self._frame = frame
        self._conversation_id = frame.conversation_id
        self._held: Playing | None = None

    def speech_began(self) -> None:
        """Hold back what is being spoken until it is clear whether this interrupts it."""
        self._held = self._hearing.playing
        if self._held is None:
            self._hearing.tell(SpeechStarted())
        else:
            self._held.answer.hold()

    async def speech_insists(self) -> None:
        await self._interrupt()

    def is_saying(self, transcript: Transcript) -> None:
        self._tell(transcript)

    async def has_said(self, transcript: Transcript) -> None:
        try:
            await self._take(transcript)
        except JarvisError as exc:
            self._hearing.fail(exc)

    def has_missed(self, error: JarvisError) -> None:
        self.release()
        self._hearing.fail(error)

    async def _take(self, transcript: Transcript) -> None:
        self._tell(transcript)
        self._held = self._held or self._hearing.playing
        text = transcript.text.strip()
        if not text or (self._held is not None and is_backchannel(text)):
            self.release()
            return
        await self._interrupt()
        language = transcript.language or language_of(text)
        self._conversation_id = await self._hearing.begin(text, language, self._frame, self._conversation_id)

    async def _interrupt(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._hearing.tell(SpeechStarted())
            await self._hearing.interrupt(held)

    def release(self) -> None:
        """Let what is held back go on."""
        if self._held is not None:
            self._held.answer.release()
            self._held = None

    def _tell(self, transcript: Transcript) -> None:
        text = transcript.text.strip()
        language = transcript.language or self._frame.language_code or language_of(text)
        self._hearing.tell(TranscriptFrame(text=text, language=language, final=transcript.final))
