"""The shapes of what clients send, and how each becomes a command. Names are the contract's."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jarvis.core.errors import Invalid
from jarvis.core.types import INT64_MAX, ChatCommand, ConversationStatus, IfBusy, MaxTokens, Temperature

# `$` alone would let a line's end through.
ProfileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.@-]{1,64}(?!\n)$")]
Limit = Annotated[int, Meta(ge=1, le=INT64_MAX)]
Offset = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Channel = Literal["status", "conversations"]
MAX_LIMIT = 200
MAX_REQUEST_ID_CHARS = 255


class ChatFields(msgspec.Struct, frozen=True, kw_only=True):
    """What every way of sending a message shares."""

    conversation_id: UUID | None = None
    model: str | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    system_prompt: str | None = None
    context: str | None = None
    save_memory: bool = True
    use_memory: bool = True
    if_busy: IfBusy = "queue"
    user_id: ProfileName | None = None

    def command(
        self, *, field: str, text: str, max_chars: int, source: str, request_id: str | UnsetType = UNSET
    ) -> ChatCommand:
        """Raises Invalid naming `field` for a text that is blank or too long."""
        if not text.strip():
            raise Invalid(field, "must not be blank")
        if len(text) > max_chars:
            raise Invalid(field, f"must have at most {max_chars} characters")
        return ChatCommand(
            text=text,
            conversation_id=self.conversation_id,
            model=self.model or None,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            system_prompt=self.system_prompt or None,
            context=self.context or None,
            save_memory=self.save_memory,
            use_memory=self.use_memory,
            if_busy=self.if_busy,
            source=source,
            request_id=request_id,
        )


class ChatRequest(ChatFields, frozen=True, kw_only=True):
    """POST /api/chat: `message` or `content`, exactly one."""

    message: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    stream: bool = False

    def to_command(self, *, max_chars: int, source: str) -> ChatCommand:
        if isinstance(self.message, str) and isinstance(self.content, str):
            raise Invalid("content", "send message or content, not both")
        if isinstance(self.message, str):
            return self.command(field="message", text=self.message, max_chars=max_chars, source=source)
        if isinstance(self.content, str):
            return self.command(field="content", text=self.content, max_chars=max_chars, source=source)
        raise Invalid("message", "is required")


class RegenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /api/chat/conversation/{id}/regenerate: what is absent is as it was when the message was sent."""

    model: str | None = None
    temperature: Temperature | None = None
    stream: bool = False


class UserQuery(msgspec.Struct, frozen=True, kw_only=True):
    user_id: ProfileName | None = None


class HistoryQuery(UserQuery, frozen=True, kw_only=True):
    """GET /api/chat/history."""

    conversation_id: UUID | None = None
    limit: Limit = 50
    offset: Offset = 0
    cursor: str | None = None
    since: datetime | None = None
    alternatives: bool = False


class MessagesQuery(UserQuery, frozen=True, kw_only=True):
    """GET /api/chat/history/{id}."""

    limit: Limit = 100
    cursor: str | None = None


class ConversationsQuery(UserQuery, frozen=True, kw_only=True):
    """GET /api/chat/conversations."""

    limit: Limit = 20
    offset: Offset = 0
    cursor: str | None = None
    q: str | None = None
    status: ConversationStatus = "active"


class EventsQuery(UserQuery, frozen=True, kw_only=True):
    """GET /api/chat/turns/{turn_id}/events."""

    after: Annotated[int, Meta(ge=-1, le=INT64_MAX)] | None = None


class FrameHead(msgspec.Struct, frozen=True, kw_only=True):
    """What tells a frame's dialect: `type` speaks the typed one, `message` without it the old one."""

    type: str | UnsetType = UNSET
    message: msgspec.Raw | UnsetType = UNSET
    request_id: Any = UNSET

    @property
    def echoed_id(self) -> str | UnsetType:
        """The client's mark where it is a valid one, for the answer to a frame that is not."""
        given: object = self.request_id
        return given if isinstance(given, str) and len(given) <= MAX_REQUEST_ID_CHARS else UNSET


class ChatMessageFrame(ChatFields, frozen=True, kw_only=True):
    type: Literal["chat_message"]
    content: str
    request_id: Annotated[str, Meta(max_length=MAX_REQUEST_ID_CHARS)] | None = None


class CancelFrame(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["cancel"]
    turn_id: UUID


class ResumeFrame(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["resume"]
    turn_id: UUID
    last_seq: Annotated[int, Meta(ge=-1, le=INT64_MAX)] = -1


class SubscribeFrame(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["subscribe"]
    channels: Annotated[list[Channel], Meta(min_length=1, max_length=8)]
    user_id: ProfileName | None = None


class OldFrame(ChatFields, frozen=True, kw_only=True):
    """A frame of the old dialect."""

    message: str
