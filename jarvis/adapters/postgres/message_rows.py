"""How a row of `messages` is selected, and becomes a Message."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Text

from jarvis.adapters.postgres.schema import messages
from jarvis.core.types import Message, MessageMetadata


class MessageRow(NamedTuple):
    # Any: Literals of core.types, which the columns' own types guarantee.
    id: UUID
    conversation_id: UUID
    turn_id: UUID | None
    role: Any
    content: str
    status: Any
    alternative_of: UUID | None
    created_at: datetime
    updated_at: datetime
    metadata: str | None
    position: int
    alternative: int


COLUMNS: tuple[sa.ColumnElement[Any], ...] = (
    messages.c.id,
    messages.c.conversation_id,
    messages.c.turn_id,
    sa.cast(messages.c.role, Text).label("role"),
    messages.c.content,
    sa.cast(messages.c.status, Text).label("status"),
    messages.c.alternative_of,
    messages.c.created_at,
    messages.c.updated_at,
    sa.cast(messages.c.metadata, Text).label("metadata"),
    messages.c.position,
    messages.c.alternative,
)


def message_of(row: MessageRow) -> Message:
    return Message(
        id=row.id,
        conversation_id=row.conversation_id,
        turn_id=row.turn_id,
        role=row.role,
        content=row.content,
        status=row.status,
        alternative_of=row.alternative_of,
        created_at=row.created_at,
        updated_at=row.updated_at,
        timestamp=row.created_at,
        metadata=shown_metadata(row.metadata),
    )


_strict = msgspec.json.Decoder(MessageMetadata)


def shown_metadata(stored: str | None) -> MessageMetadata | None:
    """Read what the wire knows. Adopted rows hold other keys too, and other types under ours."""
    if stored is None:
        return None
    try:
        return _strict.decode(stored)
    except msgspec.ValidationError:
        return _lenient(stored)


def _lenient(stored: str) -> MessageMetadata | None:
    try:
        fields = msgspec.json.decode(stored, type=dict[str, Any])
    except msgspec.ValidationError:
        return None
    known: dict[str, Any] = {}
    for field in msgspec.structs.fields(MessageMetadata):
        try:
            known[field.name] = msgspec.convert(fields.get(field.name), field.type, strict=False)
        except msgspec.ValidationError:
            continue
    return MessageMetadata(**known)
