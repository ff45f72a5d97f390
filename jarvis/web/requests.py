"""The shapes of what clients send, and how each becomes a command. Names are the contract's."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jarvis.core.errors import Invalid
from jarvis.core.stores import ConversationEdit
from jarvis.core.transcripts import MAX_MODEL_CHARS, MAX_TITLE_CHARS
from jarvis.core.types import INT64_MAX, ChatCommand, ConversationStatus, IfBusy, MaxTokens, Temperature

# `$` alone would let a line's end through.
ProfileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.@-]{1,64}(?!\n)$")]
NOT_BLANK = {"pattern": r"[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"}
"""As JSON Schema can say it: there is one character that str.strip leaves."""
# The length is the default of MAX_MESSAGE_CHARS. Both are checked by `command`, with the settings.
Text = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": 32_000} | NOT_BLANK)]
IdempotencyKey = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,255}(?!\n)$")]
Limit = Annotated[int, Meta(ge=1, le=INT64_MAX)]
Offset = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Channel = Literal["status", "conversations"]
MAX_LIMIT = 200
MAX_REQUEST_ID_CHARS = 255
MAX_QUERY_CHARS = 1000
Title = Annotated[str, Meta(max_length=MAX_TITLE_CHARS)]
ModelName = Annotated[str, Meta(max_length=MAX_MODEL_CHARS)]


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

    message: Text | UnsetType = UNSET
    content: Text | UnsetType = UNSET
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


class SearchQuery(UserQuery, frozen=True, kw_only=True):
    """GET /api/chat/search."""

    q: Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_CHARS)]
    limit: Limit = 20
    cursor: str | None = None


class ExportQuery(UserQuery, frozen=True, kw_only=True):
    """GET /api/chat/conversation/{id}/export."""

    format: Literal["json", "markdown"] = "json"


class NewConversation(msgspec.Struct, frozen=True, kw_only=True):
    """POST /api/chat/conversation; what is blank counts as absent."""

    title: Title | None = None
    model: ModelName | None = None
    system_prompt: str | None = None
    user_id: ProfileName | None = None

    def checked(self, *, max_prompt_chars: int) -> Self:
        """Return it without what is blank. Raises Invalid("system_prompt")."""
        bounded("system_prompt", self.system_prompt, max_prompt_chars)
        return msgspec.structs.replace(
            self, title=_said(self.title), model=_said(self.model), system_prompt=_said(self.system_prompt)
        )


class ConversationChanges(msgspec.Struct, frozen=True, kw_only=True):
    """PATCH /api/chat/conversation/{id}: what is absent stays; null or blank is back to the default."""

    title: Title | UnsetType | None = UNSET
    status: ConversationStatus | UnsetType = UNSET
    model: ModelName | UnsetType | None = UNSET
    system_prompt: str | UnsetType | None = UNSET

    def to_edit(self, *, max_prompt_chars: int) -> ConversationEdit:
        """Raises Invalid("system_prompt")."""
        bounded("system_prompt", self.system_prompt, max_prompt_chars)
        return ConversationEdit(
            title=_said(self.title),
            status=self.status,
            model=_said(self.model),
            system_prompt=_said(self.system_prompt),
        )


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
    """Send a message, as POST /api/chat does; `request_id` comes back in the `ack`."""

    type: Literal["chat_message"]
    content: Text
    idempotency_key: IdempotencyKey | None = None
    request_id: Annotated[str, Meta(max_length=MAX_REQUEST_ID_CHARS)] | None = None


class CancelFrame(msgspec.Struct, frozen=True, kw_only=True):
    """End a turn `cancelled`."""

    type: Literal["cancel"]
    turn_id: UUID


class ResumeFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Hear a turn's events after `last_seq`, also on another connection than it began on."""

    type: Literal["resume"]
    turn_id: UUID
    last_seq: Annotated[int, Meta(ge=-1, le=INT64_MAX)] = -1


class SubscribeFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Be told what happens: to the server's parts, or to the conversations of a profile."""

    type: Literal["subscribe"]
    channels: Annotated[list[Channel], Meta(min_length=1, max_length=8)]
    user_id: ProfileName | None = None


class OldFrame(ChatFields, frozen=True, kw_only=True):
    """A frame of the old dialect."""

    message: Text


AbsentT = TypeVar("AbsentT", None, UnsetType | None)


def bounded(field: str, text: str | UnsetType | None, max_chars: int) -> None:
    """Raises Invalid for a text that is longer."""
    if isinstance(text, str) and len(text) > max_chars:
        raise Invalid(field, f"must have at most {max_chars} characters")


def _said(text: str | AbsentT) -> str | AbsentT | None:
    return None if isinstance(text, str) and not text.strip() else text
