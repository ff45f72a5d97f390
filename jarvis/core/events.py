"""What happens, as clients are told: in a turn, in order (the same over SSE, over WebSocket and in the turn's
log), and, to those who subscribe, in a profile's conversations.
"""

from typing import Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from jarvis.core.types import (
    ChatAnswer,
    ContextReport,
    Conversation,
    ConversationChange,
    HistoryReport,
    Message,
    MessageStatus,
    RecalledMemory,
    TurnStatus,
)


class Ack(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ack"):
    """The user's message is committed; never made before."""

    turn_id: UUID
    seq: int
    conversation_id: UUID
    message_id: UUID
    idempotency_key: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET


class Context(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="context"):
    """A ContextReport: what the model is given."""

    turn_id: UUID
    seq: int
    budget_tokens: int
    prompt_tokens: int
    history: HistoryReport
    memories: list[RecalledMemory]
    notices: list[str]

    @classmethod
    def of(cls, turn_id: UUID, seq: int, report: ContextReport) -> "Context":
        return cls(turn_id=turn_id, seq=seq, **msgspec.structs.asdict(report))


class Delta(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="delta"):
    turn_id: UUID
    seq: int
    text: str


class AudioResponse(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="audio_response"):
    """One sentence of the answer, spoken; they come in order, none left out.

    `text` is what is said: the answer's words without their markup. `data` is a whole WAV file in base64.
    Where the answer ends in nothing that can be said, the last one is silent and has no text.
    """

    turn_id: UUID
    seq: int
    sentence: int
    text: str
    format: Literal["wav"] = "wav"
    sample_rate: int
    duration_ms: int
    data: bytes
    last: bool


class Notice(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="notice"):
    """Something degraded, or waits."""

    turn_id: UUID
    seq: int
    code: str
    detail: str
    position: int | UnsetType = UNSET
    wait_s: float | UnsetType = UNSET


class Resync(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="resync"):
    """`text` replaces all text received for this turn."""

    turn_id: UUID
    seq: int
    text: str
    status: TurnStatus


class ChatResponse(ChatAnswer, frozen=True, kw_only=True, tag_field="type", tag="chat_response"):
    """Terminal: the answer is stored."""

    seq: int

    @classmethod
    def of(cls, seq: int, answer: ChatAnswer) -> "ChatResponse":
        return cls(seq=seq, **msgspec.structs.asdict(answer))

    def answer(self) -> ChatAnswer:
        """Return the same without what makes it an event."""
        return ChatAnswer(**{name: getattr(self, name) for name in ChatAnswer.__struct_fields__})


class TurnError(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """Terminal: the turn failed; `partial` is what was stored of its answer."""

    turn_id: UUID
    seq: int
    code: str
    message: str
    status: MessageStatus = "failed"
    partial: Message | None = None


class ConversationEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="conversation"):
    """Something changed in a conversation; belongs to no turn."""

    event: ConversationChange
    conversation: Conversation


Terminal = ChatResponse | TurnError
TERMINAL_TYPES = frozenset({"chat_response", "error"})
TurnEvent = Ack | Context | Delta | AudioResponse | Notice | Resync | ChatResponse | TurnError


_encoder = msgspec.json.Encoder()
_audio_decoder = msgspec.json.Decoder(AudioResponse)
_terminal_decoder = msgspec.json.Decoder(Terminal)


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One event, encoded once for all readers: `data` is its JSON."""

    seq: int
    type: str
    data: bytes
    terminal: bool

    @classmethod
    def of(cls, event: TurnEvent) -> "LogEntry":
        kind = str(event.__struct_config__.tag)
        return cls(seq=event.seq, type=kind, data=_encoder.encode(event), terminal=kind in TERMINAL_TYPES)


def without_sound(entry: LogEntry) -> LogEntry:
    """Return a spoken sentence's entry with all but what is heard."""
    event = _audio_decoder.decode(entry.data)
    return LogEntry.of(msgspec.structs.replace(event, data=b""))


def decode_terminal(data: bytes) -> Terminal:
    """Read a terminal entry's event back."""
    return _terminal_decoder.decode(data)
