"""Another attempt of a turn that is stored: what is read back of it, and the turn that this makes."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Text

from jarvis.adapters.postgres.begin_statements import SHOWN_CONVERSATION
from jarvis.adapters.postgres.schema import conversations, messages, turns
from jarvis.core.types import ChatCommand, Once, Turn, User

RETURNED = (
    turns.c.conversation_id,
    turns.c.user_message_id,
    turns.c.request,
    turns.c.idempotency_key,
    turns.c.fingerprint,
    turns.c.checkpoint_seq,
    turns.c.created_at,
)
"""What the statement that begins the attempt gives back of the turn."""

_command_of = msgspec.json.Decoder(ChatCommand).decode


class Attempt(NamedTuple):
    conversation_id: UUID
    message_id: UUID
    position: int
    request: str
    key: str | None
    fingerprint: bytes | None
    checkpoint_seq: int
    model: str | None
    system_prompt: str | None
    title_is_settled: bool
    summary: str | None
    summary_upto: int | None
    created_at: datetime


def read_attempt(turn: sa.CTE, *, created_at: sa.ColumnElement[Any]) -> sa.Select[*tuple[Any, ...]]:
    """Read an Attempt: the turn with its message, and what its conversation says."""
    whole = turn.join(messages, messages.c.id == turn.c.user_message_id).join(
        conversations, conversations.c.id == turn.c.conversation_id
    )
    return sa.select(
        turn.c.conversation_id,
        turn.c.user_message_id.label("message_id"),
        messages.c.position,
        sa.cast(turn.c.request, Text).label("request"),
        turn.c.idempotency_key.label("key"),
        turn.c.fingerprint,
        turn.c.checkpoint_seq,
        *SHOWN_CONVERSATION,
        created_at.label("created_at"),
    ).select_from(whole)


def turn_of(attempt: Attempt, user: User, turn_id: UUID, *, owner: str, said: str | None = None) -> Turn:
    once = None
    if attempt.key is not None and attempt.fingerprint is not None:
        once = Once(key=attempt.key, fingerprint=attempt.fingerprint)
    return Turn(
        id=turn_id,
        user=user,
        conversation_id=attempt.conversation_id,
        user_message_id=attempt.message_id,
        user_position=attempt.position,
        command=_command_of(attempt.request),
        conversation_model=attempt.model,
        conversation_system_prompt=attempt.system_prompt,
        title_is_settled=attempt.title_is_settled,
        created_at=attempt.created_at,
        owner=owner,
        once=once,
        last_seq=attempt.checkpoint_seq,
        said=said,
    )
