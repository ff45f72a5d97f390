"""The WebSocket at /ws: one reader, one writer, and a follower for each turn the client wants to hear.

Decodes frames and calls the services; the dialect of the first servers is legacy.py's.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, ExitStack, aclosing, suppress
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

import anyio
import msgspec
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect
from msgspec import UNSET, UnsetType

from jarvis.core.errors import Invalid, JarvisError, Overloaded, Unauthenticated
from jarvis.core.events import LogEntry
from jarvis.core.fingerprints import once
from jarvis.core.types import User, utc_now
from jarvis.services.granting import Granted
from jarvis.services.identity import Caller
from jarvis.web.closing import POLICY, TOO_BIG
from jarvis.web.context import Bounds, Services, spend, user_of
from jarvis.web.decoding import decode_json, decode_large
from jarvis.web.hearing import Hearing
from jarvis.web.legacy import OldDialect, encode_old_error
from jarvis.web.outbox import Outbox, SlowReader
from jarvis.web.rates import TokenBucket
from jarvis.web.requests import (
    CancelFrame,
    ChatMessageFrame,
    FrameHead,
    OldFrame,
    ResumeFrame,
    SubscribeFrame,
)
from jarvis.web.signing_in import AuthFrame, encode_authenticated
from jarvis.web.voice_requests import BargeInFrame

TEXT_FRAMES_PER_S = 30
BINARY_FRAMES_PER_S = 120
MAX_BINARY_FRAME_BYTES = 64 * 1024
SOUND_AS_JSON = 1.4
"""How much larger than its sound an `audio_data` frame may be (the contract's section 1)."""
MAX_FOLLOWED = 64
"""Turns that one socket may listen to at once."""
MAX_SUBSCRIPTIONS = 16
"""Of one socket: the status, and the conversations of so many profiles less one."""
FLUSH_S = 1.0
"""How long a closing socket waits for what it is about to tell, and for its last frames to be taken."""
QUIET_S = 0.05
"""A closing socket hears its client out until nothing came for so long."""

PONG = b'{"type":"pong"}'
SOUND = "audio_response"

FRAMES = (
    *("auth", "chat_message", "cancel", "resume", "subscribe", "ping"),
    *("audio_data", "audio_start", "audio_end", "playback", "barge_in"),
)


_encoder = msgspec.json.Encoder()


class SocketError(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """An error that belongs to no turn; the socket stays open."""

    code: str
    message: str
    error: str
    timestamp: datetime
    request_id: str | UnsetType = UNSET


class Connection:
    """One accepted WebSocket, whose frames are `profile`'s where they name no other. Never speaks first."""

    def __init__(
        self,
        socket: WebSocket[Any, Any, Any],
        services: Services,
        bounds: Bounds,
        *,
        caller: Caller,
        profile: str | None,
    ) -> None:
        self._socket = socket
        self._services = services
        self._bounds = bounds
        self._caller = caller
        self._outbox = Outbox()
        self._texts = TokenBucket(rate=TEXT_FRAMES_PER_S, burst=2 * TEXT_FRAMES_PER_S)
        self._binaries = TokenBucket(rate=BINARY_FRAMES_PER_S, burst=2 * BINARY_FRAMES_PER_S)
        self._followed: Counter[UUID] = Counter()
        self._all_told = _set_event()
        self._taken = _set_event()
        self._profile = profile
        self._subscriptions: dict[UUID | None, ExitStack] = {}
        self._old = OldDialect(services, bounds, self._put, caller=caller, profile=profile)
        self._speaks_old = False
        self._tasks = anyio.create_task_group()
        self._hearing = Hearing(
            services,
            tasks=self._tasks,
            put=self._put,
            fail=lambda error: self._put(encode_error(error)),
            begun=self._hear_answer,
            interrupt=self._interrupt,
            caller=caller,
            profile=profile,
        )
        self._close_code: int | None = None
        self._scope = anyio.CancelScope()

    async def run(self) -> None:
        """Serve until either side closes. The turns of a socket that is gone run on."""
        try:
            with self._scope:
                async with self._tasks:
                    self._tasks.start_soon(self._write)
                    self._tasks.start_soon(self._old.run)
                    self._tasks.start_soon(self._end_when_left)
                    await self._read()
                    self._tasks.cancel_scope.cancel()
        finally:
            for subscription in self._subscriptions.values():
                subscription.close()
            self._outbox.clear()
        if self._close_code is not None:
            with anyio.move_on_after(FLUSH_S, shield=True), suppress(WebSocketDisconnect):
                await self._hear_out()
                await self._socket.send({"type": "websocket.close", "code": self._close_code, "reason": ""})

    async def _hear_out(self) -> None:
        """Read what still comes, until nothing comes for QUIET_S, or for half of FLUSH_S.

        A connection closed over unread bytes is reset, and the reset overtakes the close frame.
        """
        with anyio.move_on_after(FLUSH_S / 2), suppress(TimeoutError):
            while True:
                with anyio.fail_after(QUIET_S):
                    message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return

    async def close(self, code: int) -> None:
        """Close from our side, once what waits has been sent or FLUSH_S have passed.

        The frame in hand may be beginning a turn, and the end of a turn may have happened and not been told.
        """
        with anyio.move_on_after(FLUSH_S):
            await self._taken.wait()
            await self._old.answered.wait()
            await self._all_told.wait()
            await self._outbox.flushed()
        self._end(code)

    def _end(self, code: int) -> None:
        self._close_code = code
        self._scope.cancel()

    async def _end_when_left(self) -> None:
        await self._caller.left()
        self._end(POLICY)

    def _put(self, frame: bytes, *, is_sound: bool = False) -> None:
        try:
            self._outbox.put(frame, is_sound=is_sound)
        except SlowReader:
            self._end(POLICY)

    async def _write(self) -> None:
        while True:
            try:
                # Nobody else holds the frame: a peer that reads nothing is sent it for a long time.
                await self._socket.send(
                    {"type": "websocket.send", "text": await self._outbox.get(), "bytes": None}
                )
            except WebSocketDisconnect:
                return  # the reader learns it too, and ends the connection
            self._outbox.sent()

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            data = text.encode(errors="surrogatepass") if text is not None else message.get("bytes") or b""
            if self._is_too_big(data, is_text=text is not None):
                self._end(TOO_BIG)
                return
            if not (self._binaries if text is None else self._texts).take():
                self._end(POLICY)
                return
            self._taken.clear()
            try:
                await self._take(data, is_text=text is not None)
            except JarvisError as exc:
                self._fail(exc)
            finally:
                self._taken.set()

    def _is_too_big(self, data: bytes, *, is_text: bool) -> bool:
        if not is_text:
            return len(data) > MAX_BINARY_FRAME_BYTES
        if len(data) <= self._bounds.max_ws_frame_bytes:
            return False
        return len(data) > self._bounds.max_audio_bytes * SOUND_AS_JSON or not _is_clip(data)

    def _fail(self, error: JarvisError) -> None:
        self._put(encode_old_error(error) if self._speaks_old else encode_error(error))

    async def _take(self, data: bytes, *, is_text: bool) -> None:
        if not is_text:
            await self._hearing.feed(data)
            return
        head = await decode_large(data, FrameHead)
        if head.type is UNSET and head.message is not UNSET:
            try:
                self._old.take(decode_json(data, OldFrame))
            except JarvisError as exc:
                self._put(encode_old_error(exc))
            else:
                self._speaks_old = True
            return
        try:
            await self._obey(data, head)
        except JarvisError as exc:
            self._put(encode_error(exc, head.echoed_id))
        else:
            self._speaks_old = False

    async def _obey(self, data: bytes, head: FrameHead) -> None:
        match head.type:
            case "chat_message":
                await self._chat(decode_json(data, ChatMessageFrame))
            case "cancel":
                await self._cancel(decode_json(data, CancelFrame))
            case "resume":
                frame = decode_json(data, ResumeFrame)
                await spend(self._caller, "reads")
                user = await self._caller.owner_of_turn(frame.turn_id)
                self._follow(user, frame.turn_id, after=frame.last_seq)
            case "subscribe":
                await self._subscribe(decode_json(data, SubscribeFrame))
            case "audio_data" | "audio_start" | "audio_end" | "playback":
                await self._hearing.obey(head.type, data)
            case "barge_in":
                await self._barge_in(decode_json(data, BargeInFrame))
            case "ping":
                self._put(PONG)
            case "auth":
                await self._sign_in_again(decode_json(data, AuthFrame))
            case _:
                raise Invalid("type", f"is not one of {', '.join(FRAMES)}")

    async def _sign_in_again(self, frame: AuthFrame) -> None:
        """A socket stays its user's: a token that is no good, or another's, closes it."""
        user = await self._caller.profile(self._profile)
        try:
            again = await self._services.accounts.caller(frame.token)
        except Unauthenticated:
            again = None
        if again is None or (await again.profile(self._profile)).id != user.id:
            self._end(POLICY)
        else:
            self._put(encode_authenticated(user.name))

    async def _chat(self, frame: ChatMessageFrame) -> None:
        self._check_followed()
        await spend(self._caller, "chat")
        command = frame.command(
            field="content",
            text=frame.content,
            max_chars=self._bounds.max_message_chars,
            source="websocket",
            request_id=UNSET if frame.request_id is None else frame.request_id,
        )
        user = await user_of(self._caller, frame.user_id or self._profile, frame.conversation_id)
        key = frame.idempotency_key
        granted = await self._services.granting.begin(user, command, once(key, command) if key else None)
        self._hear_answer(granted, request_id=command.request_id)

    def _hear_answer(self, granted: Granted, *, request_id: str | UnsetType = UNSET) -> None:
        self._caller.remember(granted.turn_id, granted.user)
        self._caller.remember(granted.conversation_id, granted.user)
        self._relay(granted.turn_id, self._services.granting.follow(granted, request_id=request_id))

    async def _cancel(self, frame: CancelFrame) -> None:
        """Whoever follows the turn here hears its terminal event anyway; else it is told now."""
        await spend(self._caller, "reads")
        user = await self._caller.owner_of_turn(frame.turn_id)
        heard = frame.turn_id in self._followed
        view = await self._services.turns.cancel(user, frame.turn_id)
        if not heard:
            self._follow(user, frame.turn_id, after=view.last_seq - 1)

    async def _barge_in(self, frame: BargeInFrame) -> None:
        user = await self._caller.owner_of_turn(frame.turn_id)
        await self._interrupt(user, frame.turn_id, frame.played_ms)

    async def _interrupt(self, user: User, turn_id: UUID, played_ms: int | None = None) -> None:
        """Whoever follows the turn here hears of it anyway; else its end is told now."""
        heard = turn_id in self._followed
        before = await self._services.turns.reader.view(user, turn_id)
        await self._services.interruptions.barge_in(user, turn_id, played_ms=played_ms)
        if not heard:
            self._follow(user, turn_id, after=before.last_seq)

    async def _subscribe(self, frame: SubscribeFrame) -> None:
        """Tell what is subscribed to from now on; to subscribe again only has the status told."""
        await spend(self._caller, "reads")
        for channel in frame.channels:
            match channel:
                case "status":
                    self._listen(None, self._services.health.watched(self._put))
                case "conversations":
                    user = await self._caller.profile(frame.user_id or self._profile)
                    self._listen(user.id, self._services.feed.subscribed(user, self._put))
                case _:
                    assert_never(channel)

    def _listen(self, whose: UUID | None, subscription: AbstractContextManager[None]) -> None:
        if whose not in self._subscriptions and len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise Overloaded(f"This socket has {MAX_SUBSCRIPTIONS} subscriptions already.")
        kept = self._subscriptions.setdefault(whose, ExitStack())
        kept.close()
        kept.enter_context(subscription)

    def _check_followed(self) -> None:
        if self._followed.total() >= MAX_FOLLOWED:
            raise Overloaded(f"This socket listens to {MAX_FOLLOWED} turns already.")

    def _follow(self, user: User, turn_id: UUID, *, after: int = -1) -> None:
        self._relay(turn_id, self._services.turns.reader.follow(user, turn_id, after=after))

    def _relay(self, turn_id: UUID, entries: AsyncGenerator[LogEntry]) -> None:
        self._check_followed()
        self._followed[turn_id] += 1
        self._all_told.clear()
        self._tasks.start_soon(self._tell, turn_id, entries)

    async def _tell(self, turn_id: UUID, entries: AsyncGenerator[LogEntry]) -> None:
        try:
            async with aclosing(entries):
                async for entry in entries:
                    self._put(entry.data, is_sound=entry.type == SOUND)
                    if entry.type == SOUND:
                        await self._outbox.flushed()  # and then the next sentence is spoken
        except JarvisError as exc:
            self._put(encode_error(exc))
        finally:
            self._followed[turn_id] -= 1
            self._followed = +self._followed
            if not self._followed:
                self._all_told.set()


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def _is_clip(data: bytes) -> bool:
    try:
        return msgspec.json.decode(data, type=FrameHead).type == "audio_data"
    except msgspec.DecodeError:
        return False


def encode_error(error: JarvisError, request_id: str | UnsetType = UNSET) -> bytes:
    return _encoder.encode(
        SocketError(
            code=error.code,
            message=error.detail,
            error=error.detail,
            timestamp=utc_now(),
            request_id=request_id,
        )
    )
