"""The bytes of an exported conversation become a transcript: cut, decoded, checked and placed.

Pure, and in steps that are all short, so that a thread can do it while the loop goes on.
"""

from array import array
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from jarvis.core.errors import Invalid
from jarvis.core.transcripts import (
    ImportedConversation,
    ImportedMessage,
    Said,
    Transcript,
    in_utc,
    places_of,
)
from jarvis.web.decoding import T, decode_json
from jarvis.web.pieces import Piece, pieces_of
from jarvis.web.requests import bounded

_MESSAGES = "messages"


class ImportBounds(msgspec.Struct, frozen=True, kw_only=True):
    max_prompt_chars: int
    max_content_bytes: int


def read_transcript(data: bytes, bounds: ImportBounds) -> Transcript:
    """Check all of it; the messages are decoded again when they are read. Raises Invalid naming the field."""
    conversation: ImportedConversation | None = None
    messages: _Messages | None = None
    for piece in pieces_of(data, listed=_MESSAGES):
        if piece.number is not None and messages is not None:
            messages.take(piece, bounds)
        elif piece.path == "conversation":
            conversation = _checked_conversation(_decoded(data, piece, ImportedConversation), bounds)
        elif piece.path == _MESSAGES and piece.start == piece.end:
            messages = _Messages(data)  # of a name given twice the last counts
        else:
            _decoded(data, piece, list[Any] if piece.path == _MESSAGES else Any)
    if conversation is None:
        raise Invalid("conversation", "is required")
    if messages is None:
        raise Invalid(_MESSAGES, "is required")
    return Transcript(conversation=conversation, places=places_of(messages.said), messages=messages.read())


class _Messages:
    """Where the messages lie in `data`: texts take several times the room once they are decoded."""

    def __init__(self, data: bytes) -> None:
        self.said: list[Said] = []
        self._data = data
        self._starts = array("Q")
        self._ends = array("Q")

    def take(self, piece: Piece, bounds: ImportBounds) -> None:
        """Note a message after the others. Raises Invalid."""
        message = _decoded(self._data, piece, ImportedMessage)
        if (
            piece.end - piece.start > bounds.max_content_bytes
        ):  # a text is no larger than all that tells of it
            size = len(message.content.encode())
            if size > bounds.max_content_bytes:
                raise Invalid(f"{piece.path}.content", f"has more than {bounds.max_content_bytes} bytes")
        _in_utc(message, piece.path)
        self.said.append(Said(message.id, message.role, message.alternative_of))
        self._starts.append(piece.start)
        self._ends.append(piece.end)

    def read(self) -> Iterator[ImportedMessage]:
        """Decode what has been taken, again."""
        for number, (start, end) in enumerate(zip(self._starts, self._ends, strict=True)):
            yield _in_utc(_message.decode(self._data[start:end]), f"{_MESSAGES}[{number}]")


_message = msgspec.json.Decoder(ImportedMessage)


def _decoded(data: bytes, piece: Piece, shape: type[T]) -> T:
    try:
        return decode_json(data[piece.start : piece.end], shape)
    except Invalid as exc:
        (error,) = exc.errors
        field = f"{piece.path}.{error.field}" if error.field else piece.path
        raise Invalid(field, error.message) from None


def _checked_conversation(conversation: ImportedConversation, bounds: ImportBounds) -> ImportedConversation:
    bounded("conversation.system_prompt", conversation.system_prompt, bounds.max_prompt_chars)
    moved = _in_utc(conversation, "conversation")
    if moved.last_message_at is None:
        return moved
    last = in_utc("conversation.last_message_at", moved.last_message_at)
    return msgspec.structs.replace(moved, last_message_at=last)


DatedT = TypeVar("DatedT", ImportedConversation, ImportedMessage)


def _in_utc(dated: DatedT, path: str) -> DatedT:
    """Return it with its times in UTC. Raises Invalid."""
    return msgspec.structs.replace(
        dated,
        created_at=in_utc(f"{path}.created_at", dated.created_at),
        updated_at=dated.updated_at and in_utc(f"{path}.updated_at", dated.updated_at),
    )
