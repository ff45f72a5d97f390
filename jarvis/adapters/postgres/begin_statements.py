"""The statements with which a turn begins: on a new message, or again on the last one."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Interval, Text, Uuid
from sqlalchemy.dialects.postgresql import BYTEA

from jarvis.adapters.postgres.schema import conversations, message_role, messages, turn_status, turns
from jarvis.adapters.postgres.statement import Statement, bind, bind_json, constant

_now = sa.func.now()


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """What both kinds of begin write."""

    user_id: UUID
    conversation_id: UUID
    turn_id: UUID
    message_id: UUID
    text: str
    title: str
    request: str
    status: str
    owner: str
    lease: timedelta
    key: str | None
    fingerprint: bytes | None


class Begun(NamedTuple):
    position: int
    model: str | None
    system_prompt: str | None
    title_is_settled: bool
    summary: str | None
    summary_upto: int | None
    created_at: datetime


SHOWN_CONVERSATION = (
    conversations.c.model,
    conversations.c.system_prompt,
    conversations.c.title_is_settled,
    conversations.c.summary,
    conversations.c.summary_upto,
)


def _begin(place: sa.CTE) -> sa.SelectBase:
    """Write message and turn into the two places that `place` has taken."""
    message = (
        sa.insert(messages)
        .from_select(
            ["id", "conversation_id", "user_id", "turn_id", "position", "role", "content"],
            sa.select(
                bind("message_id", Uuid),
                place.c.id,
                bind("user_id", Uuid),
                bind("turn_id", Uuid),
                place.c.position,
                sa.cast(constant("'user'"), message_role),
                bind("text", Text),
            ),
            include_defaults=False,
        )
        .cte("message")
    )
    return sa.select(
        place.c.position,
        place.c.model,
        place.c.system_prompt,
        place.c.title_is_settled,
        place.c.summary,
        place.c.summary_upto,
        _now.label("created_at"),
    ).add_cte(message, _turn(place.c.id))


def _turn(conversation_id: sa.ColumnElement[Any]) -> sa.CTE:
    return (
        sa.insert(turns)
        .from_select(
            [
                *("id", "conversation_id", "user_id", "user_message_id", "status", "request"),
                *("lease_owner", "lease_until", "started_at", "idempotency_key", "fingerprint"),
            ],
            sa.select(
                bind("turn_id", Uuid),
                conversation_id,
                bind("user_id", Uuid),
                bind("message_id", Uuid),
                sa.cast(bind("status", Text), turn_status),
                bind_json("request"),
                bind("owner", Text),
                _now + bind("lease", Interval),
                sa.case((bind("status", Text) == constant("'running'"), _now)),
                bind("key", Text),
                bind("fingerprint", BYTEA),
            ),
            include_defaults=False,
        )
        .cte("turn")
    )


BEGIN_IN_NEW_CONVERSATION = Statement(
    _begin(
        sa.insert(conversations)
        .values(
            id=bind("conversation_id", Uuid),
            user_id=bind("user_id", Uuid),
            title=bind("title", Text),
            next_position=constant("2"),
            message_count=constant("1"),
            last_message_at=_now,
        )
        .returning(conversations.c.id, constant("0").label("position"), *SHOWN_CONVERSATION)
        .cte("place")
    ),
    arguments=Begin,
    row=Begun,
)

BEGIN = Statement(
    _begin(
        sa.update(conversations)
        .where(
            conversations.c.id == bind("conversation_id", Uuid),
            conversations.c.user_id == bind("user_id", Uuid),
        )
        .values(
            title=sa.func.coalesce(conversations.c.title, bind("title", Text)),
            next_position=conversations.c.next_position + constant("2"),
            message_count=conversations.c.message_count + constant("1"),
            last_message_at=_now,
            updated_at=_now,
        )
        .returning(
            conversations.c.id,
            (conversations.c.next_position - constant("2")).label("position"),
            *SHOWN_CONVERSATION,
        )
        .cte("place")
    ),
    arguments=Begin,
    row=Begun,
)


class OfConversation(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID


class LastWords(NamedTuple):
    """The last user message, where there is one, with what was asked for when it was sent."""

    message_id: UUID | None
    position: int | None
    text: str | None
    request: str | None
    model: str | None
    system_prompt: str | None
    title_is_settled: bool
    summary: str | None
    summary_upto: int | None
    created_at: datetime


def _last_words() -> sa.SelectBase:
    last = (
        sa.select(messages.c.id, messages.c.position, messages.c.content, messages.c.turn_id)
        .where(
            messages.c.conversation_id == conversations.c.id,
            sa.literal_column("messages.role = 'user' AND messages.alternative_of IS NULL", sa.Boolean),
        )
        .order_by(messages.c.position.desc())
        .limit(constant("1"))
        .lateral("last")
    )
    return (
        sa.select(
            last.c.id.label("message_id"),
            last.c.position,
            last.c.content.label("text"),
            sa.cast(turns.c.request, Text).label("request"),
            *SHOWN_CONVERSATION,
            _now.label("created_at"),
        )
        .select_from(conversations.outerjoin(last, sa.true()).outerjoin(turns, turns.c.id == last.c.turn_id))
        .where(
            conversations.c.id == bind("conversation_id", Uuid),
            conversations.c.user_id == bind("user_id", Uuid),
        )
        .with_for_update(of=conversations)  # as BEGIN locks it: nobody adds a message meanwhile
    )


LAST_WORDS = Statement(_last_words(), arguments=OfConversation, row=LastWords)


class BeginAgain(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    turn_id: UUID
    message_id: UUID
    request: str
    status: str
    owner: str
    lease: timedelta
    key: str | None
    fingerprint: bytes | None


class BegunAgain(NamedTuple):
    conversation_id: UUID


_touched_conversation = (
    sa.update(conversations)
    .where(
        conversations.c.id == bind("conversation_id", Uuid),
        conversations.c.user_id == bind("user_id", Uuid),
    )
    .values(last_message_at=_now, updated_at=_now)
    .returning(conversations.c.id)
    .cte("touched")
)
BEGIN_AGAIN = Statement(
    sa.select(_touched_conversation.c.id.label("conversation_id")).add_cte(_turn(_touched_conversation.c.id)),
    arguments=BeginAgain,
    row=BegunAgain,
)
