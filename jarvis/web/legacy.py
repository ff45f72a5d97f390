"""What only clients of the two earlier servers need, all in one place, to be deleted in one go.

Paths without the `/api` prefix, and the WebSocket dialect of frames without a `type`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, post
from litestar.types import ASGIApp as LitestarASGIApp

from jarvis.core.errors import JarvisError, Overloaded
from jarvis.core.events import TurnError
from jarvis.core.types import Message, utc_now
from jarvis.services.identity import Caller
from jarvis.web import voice
from jarvis.web.asgi import ASGIApp, Receive, Scope, Send
from jarvis.web.context import Bounds, Services, read_body, spend, user_of
from jarvis.web.requests import OldFrame
from jarvis.web.voice_requests import SynthesizeRequest

MAX_WAITING = 8
"""Frames of the old dialect that may wait on one socket besides the one being answered."""

SYNTHESIZE = "/voice/synthesize"
"""Of the first server; the one path without `/api` that answers otherwise than with it."""
JSON = "application/json"

_encoder = msgspec.json.Encoder()


class OldResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The one answer to a frame of the old dialect."""

    response: str
    user_id: str
    conversation_id: UUID
    message: Message
    timestamp: datetime
    response_time_ms: int


class OldError(msgspec.Struct, frozen=True, kw_only=True):
    """The one answer to a frame of the old dialect that failed."""

    error: str
    code: str
    timestamp: datetime


@post(SYNTHESIZE)
async def synthesize_as_before(request: Request[Any, Any, Any]) -> LitestarASGIApp:
    """Speak a text into a file, which comes alone unless `Accept` names JSON."""
    wanted = await read_body(request, SynthesizeRequest)
    return await voice.whole(request, wanted, bare=JSON not in request.headers.get("accept", ""))


class WithoutPrefix:
    """Puts `/api` before /chat..., /voice... and /auth...: old proxies strip it, and old clients had none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith(("/chat", "/voice", "/auth")) and path != SYNTHESIZE:
            scope["path"] = f"/api{path}"
        await self._app(scope, receive, send)


class OldDialect:
    """Answers each frame with exactly one frame, in order; keeps one new conversation per `user_id`."""

    def __init__(
        self,
        services: Services,
        bounds: Bounds,
        put: Callable[[bytes], None],
        *,
        caller: Caller,
        profile: str | None,
    ) -> None:
        self._services = services
        self._caller = caller
        self._bounds = bounds
        self._put = put
        self._profile = profile
        self._waiting: deque[OldFrame] = deque()
        self._arrived = asyncio.Event()
        self.answered = asyncio.Event()
        """Set while no frame waits for its answer."""
        self.answered.set()
        self._conversations: dict[UUID, UUID] = {}

    def take(self, frame: OldFrame) -> None:
        """Queue a frame. Raises Overloaded."""
        if len(self._waiting) > MAX_WAITING:
            raise Overloaded("Too many messages wait on this socket.")
        self._waiting.append(frame)
        self.answered.clear()
        self._arrived.set()

    async def run(self) -> None:
        """Answer for ever; to be cancelled. A frame counts as waiting until it is answered."""
        while True:
            await self._arrived.wait()
            while self._waiting:
                try:
                    self._put(await self._answer(self._waiting[0]))
                except JarvisError as exc:
                    self._put(encode_old_error(exc))
                self._waiting.popleft()
            self._arrived.clear()
            self.answered.set()

    async def _answer(self, frame: OldFrame) -> bytes:
        await spend(self._caller, "chat")
        command = frame.command(
            field="message", text=frame.message, max_chars=self._bounds.max_message_chars, source="websocket"
        )
        user = await user_of(self._caller, frame.user_id or self._profile, frame.conversation_id)
        is_own = frame.conversation_id is None
        if is_own:
            command = msgspec.structs.replace(command, conversation_id=self._conversations.get(user.id))
        granted = await self._services.granting.begin(user, command, None)
        self._caller.remember(granted.conversation_id, user)
        if is_own:
            self._conversations[user.id] = granted.conversation_id
        event = await self._services.turns.reader.terminal(user, granted.turn_id)
        if isinstance(event, TurnError):
            return _encoder.encode(OldError(error=event.message, code=event.code, timestamp=utc_now()))
        return _encoder.encode(
            OldResponse(
                response=event.response,
                user_id=event.user_id,
                conversation_id=event.conversation_id,
                message=event.message,
                timestamp=event.timestamp,
                response_time_ms=event.response_time_ms,
            )
        )


def encode_old_error(error: JarvisError) -> bytes:
    return _encoder.encode(OldError(error=error.detail, code=error.code, timestamp=utc_now()))
