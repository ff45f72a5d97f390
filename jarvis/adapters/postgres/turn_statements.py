"""The statements of a turn. Each is one round trip, and answers with no row where there is nothing to do.

Constants are written into the text: they are part of what the statement means, and cost nothing when it runs.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Interval, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from jarvis.adapters.postgres.message_rows import COLUMNS, MessageRow
from jarvis.adapters.postgres.schema import (
    conversations,
    message_role,
    message_status,
    messages,
    turn_status,
    turns,
)
from jarvis.adapters.postgres.statement import Statement

_now = sa.func.now()
_null = sa.null()
_is_live = sa.literal_column("turns.status IN ('queued', 'running')", sa.Boolean)


def _bind(name: str, type_: Any) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=type_)


def _json(name: str) -> sa.ColumnElement[Any]:
    """Bind JSON as text: asyncpg would need a codec for anything else."""
    return sa.cast(_bind(name, Text), JSONB)


def _constant(value: str) -> sa.ColumnElement[Any]:
    return sa.literal_column(value)


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """What both kinds of begin write."""

    user_id: UUID
    conversation_id: UUID
    turn_id: UUID
    message_id: UUID
    text: str
    request: str
    status: str
    owner: str
    lease: timedelta


class BeginNew(Begin, frozen=True, kw_only=True):
    title: str


class Begun(NamedTuple):
    position: int
    model: str | None
    system_prompt: str | None
    created_at: datetime


def _begin(place: sa.CTE) -> sa.SelectBase:
    """Write message and turn into the two places that `place` has taken."""
    message = (
        sa.insert(messages)
        .from_select(
            ["id", "conversation_id", "user_id", "turn_id", "position", "role", "content"],
            sa.select(
                _bind("message_id", Uuid),
                place.c.id,
                _bind("user_id", Uuid),
                _bind("turn_id", Uuid),
                place.c.position,
                sa.cast(_constant("'user'"), message_role),
                _bind("text", Text),
            ),
            include_defaults=False,
        )
        .cte("message")
    )
    status = sa.cast(_bind("status", Text), turn_status)
    turn = (
        sa.insert(turns)
        .from_select(
            [
                *("id", "conversation_id", "user_id", "user_message_id", "status", "request"),
                *("lease_owner", "lease_until", "started_at"),
            ],
            sa.select(
                _bind("turn_id", Uuid),
                place.c.id,
                _bind("user_id", Uuid),
                _bind("message_id", Uuid),
                status,
                _json("request"),
                _bind("owner", Text),
                _now + _bind("lease", Interval),
                sa.case((_bind("status", Text) == _constant("'running'"), _now)),
            ),
            include_defaults=False,
        )
        .cte("turn")
    )
    return sa.select(
        place.c.position, place.c.model, place.c.system_prompt, _now.label("created_at")
    ).add_cte(message, turn)


BEGIN_IN_NEW_CONVERSATION = Statement(
    _begin(
        sa.insert(conversations)
        .values(
            id=_bind("conversation_id", Uuid),
            user_id=_bind("user_id", Uuid),
            title=_bind("title", Text),
            next_position=_constant("2"),
            last_message_at=_now,
        )
        .returning(
            conversations.c.id,
            _constant("0").label("position"),
            conversations.c.model,
            conversations.c.system_prompt,
        )
        .cte("place")
    ),
    arguments=BeginNew,
    row=Begun,
)

BEGIN = Statement(
    _begin(
        sa.update(conversations)
        .where(
            conversations.c.id == _bind("conversation_id", Uuid),
            conversations.c.user_id == _bind("user_id", Uuid),
        )
        .values(
            next_position=conversations.c.next_position + _constant("2"),
            last_message_at=_now,
            updated_at=_now,
        )
        .returning(
            conversations.c.id,
            (conversations.c.next_position - _constant("2")).label("position"),
            conversations.c.model,
            conversations.c.system_prompt,
        )
        .cte("place")
    ),
    arguments=Begin,
    row=Begun,
)


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    turn_id: UUID
    message_id: UUID
    status: str
    text: str
    metadata: str | None
    error: str | None
    ending: str | None
    last_seq: int


class Ended(NamedTuple):
    conversation_id: UUID
    user_message_id: UUID
    finished_at: datetime


def _finish() -> sa.SelectBase:
    ended = (
        sa.update(turns)
        .where(turns.c.id == _bind("turn_id", Uuid), turns.c.user_id == _bind("user_id", Uuid), _is_live)
        .values(
            status=sa.cast(_bind("status", Text), turn_status),
            assistant_message_id=_bind("message_id", Uuid),
            error=_json("error"),
            ending=_json("ending"),
            finished_at=_now,
            partial_text=_constant("''"),
            checkpoint_seq=_bind("last_seq", sa.BigInteger),
            lease_owner=_null,
            lease_until=_null,
        )
        .returning(turns.c.conversation_id, turns.c.user_message_id)
        .cte("ended")
    )
    answer = (
        sa.insert(messages)
        .from_select(
            [
                *("id", "conversation_id", "user_id", "turn_id", "position", "role"),
                *("content", "status", "metadata"),
            ],
            sa.select(
                _bind("message_id", Uuid),
                ended.c.conversation_id,
                _bind("user_id", Uuid),
                _bind("turn_id", Uuid),
                messages.c.position + _constant("1"),
                sa.cast(_constant("'assistant'"), message_role),
                _bind("text", Text),
                sa.cast(_bind("status", Text), message_status),
                _json("metadata"),
            ).join_from(ended, messages, messages.c.id == ended.c.user_message_id),
            include_defaults=False,
        )
        .cte("answer")
    )
    conversation = (
        sa.update(conversations)
        .where(conversations.c.id == ended.c.conversation_id)
        .values(last_message_at=_now, updated_at=_now)
        .cte("conversation")
    )
    return sa.select(ended.c.conversation_id, ended.c.user_message_id, _now.label("finished_at")).add_cte(
        answer, conversation
    )


FINISH = Statement(_finish(), arguments=Finished, row=Ended)


class OfTurn(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    turn_id: UUID


class TurnRow(NamedTuple):
    conversation_id: UUID
    user_message_id: UUID
    status: Any
    partial_text: str
    checkpoint_seq: int
    error: str | None
    ending: str | None


_of_turn = (turns.c.id == _bind("turn_id", Uuid), turns.c.user_id == _bind("user_id", Uuid))

GET = Statement(
    sa.select(
        turns.c.conversation_id,
        turns.c.user_message_id,
        sa.cast(turns.c.status, Text).label("status"),
        turns.c.partial_text,
        turns.c.checkpoint_seq,
        sa.cast(turns.c.error, Text).label("error"),
        sa.cast(turns.c.ending, Text).label("ending"),
    ).where(*_of_turn),
    arguments=OfTurn,
    row=TurnRow,
)


ANSWER = Statement(
    sa.select(*COLUMNS)
    .join_from(turns, messages, messages.c.id == turns.c.assistant_message_id)
    .where(*_of_turn),
    arguments=OfTurn,
    row=MessageRow,
)


class Touched(NamedTuple):
    id: UUID


def _touch(update: sa.Update) -> sa.SelectBase:
    changed = update.returning(turns.c.id).cte("changed")
    return sa.select(changed.c.id)


START = Statement(
    _touch(
        sa.update(turns)
        .where(*_of_turn, sa.literal_column("turns.status = 'queued'", sa.Boolean))
        .values(status=sa.cast(_constant("'running'"), turn_status), started_at=_now)
    ),
    arguments=OfTurn,
    row=Touched,
)

REQUEST_CANCEL = Statement(
    _touch(sa.update(turns).where(*_of_turn).values(cancel_requested=sa.true())),
    arguments=OfTurn,
    row=Touched,
)


class Checkpoint(OfTurn, frozen=True, kw_only=True):
    text: str
    seq: int


CHECKPOINT = Statement(
    _touch(
        sa.update(turns)
        .where(*_of_turn, _is_live)
        .values(partial_text=_bind("text", Text), checkpoint_seq=_bind("seq", sa.BigInteger))
    ),
    arguments=Checkpoint,
    row=Touched,
)


class Renew(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    live: list[UUID]
    lease: timedelta


class Cancelled(NamedTuple):
    turn_id: UUID


_cancelled = sa.func.jarvis_renew_leases(
    _bind("owner", Text), _bind("live", ARRAY(Uuid)), _bind("lease", Interval)
).table_valued(sa.column("turn_id", Uuid))
RENEW = Statement(sa.select(_cancelled.c.turn_id), arguments=Renew, row=Cancelled)


class TakeAbandoned(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    live: list[UUID]
    predecessors: str
    lease: timedelta
    limit: int


class Abandoned(NamedTuple):
    turn_id: UUID
    user_id: UUID
    username: str


_abandoned = sa.func.jarvis_take_abandoned(
    _bind("owner", Text),
    _bind("live", ARRAY(Uuid)),
    _bind("predecessors", Text),
    _bind("lease", Interval),
    _bind("limit", sa.Integer),
).table_valued(sa.column("turn_id", Uuid), sa.column("user_id", Uuid), sa.column("username", Text))
TAKE_ABANDONED = Statement(
    sa.select(_abandoned.c.turn_id, _abandoned.c.user_id, _abandoned.c.username),
    arguments=TakeAbandoned,
    row=Abandoned,
)
