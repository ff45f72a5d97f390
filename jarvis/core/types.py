"""The nouns of Jarvis, on the wire and inside: what is said, by whom, and how a turn of it ended.

Data only: no I/O, no framework, no decisions beyond a field's own shape.
"""

import secrets
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

Role = Literal["user", "assistant", "system", "tool"]
MessageStatus = Literal["complete", "cancelled", "interrupted", "failed"]
TurnStatus = Literal["queued", "running", "complete", "cancelled", "interrupted", "failed"]
ConversationStatus = Literal["active", "archived"]
ConversationChange = Literal["created", "updated", "deleted"]
IfBusy = Literal["queue", "reject", "interrupt"]

INT64_MAX = 2**63 - 1


def new_id() -> UUID:
    """Return a UUIDv7 (RFC 9562 section 5.7): time-ordered, so that indexes grow at one end.

    The 12 bits of `rand_a` carry the sub-millisecond fraction (method 3 of section 6.2), so ids made by
    one process within a millisecond still sort by their making.
    """
    ns = time.time_ns()
    milliseconds, rest = divmod(ns, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    tail = secrets.randbits(62)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | tail)


def utc_now() -> datetime:
    return datetime.now(UTC)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf something is done; `name` is what the wire calls `user_id`."""

    id: UUID
    name: str


class MessageMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    tokens_used: int | None = None
    response_time_ms: int | None = None
    model_name: str | None = None
    temperature: float | None = None
    source: str | None = None
    audio: dict[str, Any] | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    conversation_id: UUID
    turn_id: UUID | None
    role: Role
    content: str
    status: MessageStatus
    alternative_of: UUID | None
    created_at: datetime
    updated_at: datetime
    timestamp: datetime
    """The same instant as `created_at`, under the name old clients read."""
    metadata: MessageMetadata | None


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    title: str | None
    user_id: str
    status: ConversationStatus
    model: str | None
    system_prompt: str | None
    message_count: int
    created_at: datetime
    updated_at: datetime
    last_message_at: datetime | None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens as the model counted them; zeros where it never said."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class HistoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages before the last user message; the three add up to all of them."""

    sent: int
    summarised: int
    dropped: int


class RecalledMemory(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    content: str
    score: float
    why: dict[str, float]


class ContextReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the model was really given.

    `budget_tokens` is the model's window less the reserve for its answer; `prompt_tokens` is our estimate.
    """

    budget_tokens: int
    prompt_tokens: int
    history: HistoryReport
    memories: list[RecalledMemory] = []
    notices: list[str] = []


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished turn, with each fact under every name that some generation of clients reads."""

    turn_id: UUID
    status: MessageStatus
    conversation_id: UUID
    message: Message
    response: str
    content: str
    id: UUID
    role: Literal["assistant"] = "assistant"
    timestamp: datetime
    model: str
    user_id: str
    memory_saved: bool
    usage: Usage
    tokens: int
    response_time_ms: int
    context: ContextReport


Temperature = Annotated[float, Meta(ge=0, le=2)]
MaxTokens = Annotated[int, Meta(ge=1, le=8192)]


class ChatCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A user's wish for one turn, as every door (JSON, SSE, WebSocket, old or new) hands it inward."""

    text: str
    conversation_id: UUID | None = None
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    system_prompt: str | None = None
    context: str | None = None
    save_memory: bool = True
    use_memory: bool = True
    if_busy: IfBusy = "queue"
    source: str = "rest"
    speak_in: str | None = None
    """The language that the answer is spoken in; None: it is not spoken."""
    request_id: str | UnsetType = UNSET
    """The client's own mark, echoed in the turn's `ack`."""


class AgainCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A wish for another answer to a conversation's last user message, else asked for as it was then."""

    conversation_id: UUID
    model: str | None = None
    temperature: float | None = None
    source: str = "rest"


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """A client's key for a wish that is to be granted once, however often it comes.

    `fingerprint` is the SHA-256 of what was wished: the same key with another is a mistake.
    """

    key: str
    fingerprint: bytes


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What stands for the first `covered` messages of a conversation."""

    text: str
    covered: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The newest messages before some place, oldest first; `total` counts those not fetched too."""

    messages: list[Message]
    total: int
    summary: Summary | None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One user message and its one answer: the unit that is acknowledged, resumed and cancelled."""

    id: UUID
    user: User
    conversation_id: UUID
    user_message_id: UUID
    user_position: int
    """The user message's place in its conversation; the answer's is the next."""
    command: ChatCommand
    conversation_model: str | None
    conversation_system_prompt: str | None
    title_is_settled: bool
    """False: the conversation is called after its first message, for want of a better title."""
    created_at: datetime
    owner: str
    """The process that answers for it, by its name in the turn's row."""
    history: History | None = None
    """What was said before, where it was read with the beginning."""
    once: Once | None = None
    last_seq: int = -1
    """The newest of the attempt before, which failed or whose process died; -1: this is the first."""
    said: str | None = None
    """How the answer begins that a process left when it died; None: no process did."""


class TurnView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A turn as GET /api/chat/turns/{turn_id} shows it."""

    turn_id: UUID
    status: TurnStatus
    conversation_id: UUID
    text: str
    last_seq: int
    error: dict[str, str] | None = None
