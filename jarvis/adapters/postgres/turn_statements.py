"""The statements of a turn that has begun; each answers with no row where there is nothing to do."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from jarvis.adapters.postgres.memory_forgetting import without_forgotten
from jarvis.adapters.postgres.message_rows import COLUMNS, MessageRow
from jarvis.adapters.postgres.schema import (
    conversations,
    message_role,
    message_status,
    messages,
    turn_status,
    turns,
)
from jarvis.adapters.postgres.statement import Statement, bind, bind_json, constant
from jarvis.adapters.postgres.summaries import UPTO_WITHOUT_SUMMARY

_now = sa.func.now()
_null = sa.null()
IS_LIVE = sa.literal_column("turns.status IN ('queued', 'running')", sa.Boolean)


OF_TURN = (turns.c.id == bind("turn_id", Uuid), turns.c.user_id == bind("user_id", Uuid))
IS_HELD = (*OF_TURN, turns.c.lease_owner == bind("owner", Text), IS_LIVE)


class OfTurn(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    turn_id: UUID


class Owned(OfTurn, frozen=True, kw_only=True):
    """For what only the process that answers for the turn may do: `owner` is its name in the row."""

    owner: str


class Finished(Owned, frozen=True, kw_only=True):
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
    alternative_of: UUID | None
    finished_at: datetime
    changed_ending: str | None
    """Without what was forgotten since it was recalled; None: as it was given."""


def _finish() -> sa.SelectBase:
    """End the turn and put its answer after the user's message.

    Where an answer stands there already, the new one takes its place and the others become alternatives of
    it: unless it failed or is empty, and the one that stands did not and is not. A summary that covers the
    place goes.
    """
    ended = (
        sa.update(turns)
        .where(*IS_HELD)
        .values(
            status=sa.cast(bind("status", Text), turn_status),
            assistant_message_id=bind("message_id", Uuid),
            error=bind_json("error"),
            ending=without_forgotten(bind_json("ending"), turns.c.forgotten),
            finished_at=_now,
            partial_text=constant("''"),
            checkpoint_seq=bind("last_seq", sa.BigInteger),
            lease_owner=_null,
            lease_until=_null,
        )
        .returning(
            turns.c.conversation_id,
            turns.c.user_message_id,
            sa.case((turns.c.ending != bind_json("ending"), sa.cast(turns.c.ending, Text))).label(
                "changed_ending"
            ),
        )
        .cte("ended")
    )
    asked, standing, others = messages.alias("asked"), messages.alias("standing"), messages.alias("others")
    place = (
        sa.select(
            ended.c.conversation_id,
            ended.c.user_message_id,
            ended.c.changed_ending,
            (asked.c.position + constant("1")).label("position"),
            sa.select(sa.func.max(others.c.alternative) + constant("1"))
            .where(
                others.c.conversation_id == asked.c.conversation_id,
                others.c.position == asked.c.position + constant("1"),
            )
            .scalar_subquery()
            .label("alternative"),
            sa.case((_displaces(standing), _null), else_=standing.c.id).label("alternative_of"),
        )
        .select_from(
            ended.join(asked, asked.c.id == ended.c.user_message_id).outerjoin(
                standing,
                sa.and_(
                    standing.c.conversation_id == asked.c.conversation_id,
                    standing.c.position == asked.c.position + constant("1"),
                    standing.c.alternative_of.is_(None),
                ),
            )
        )
        .cte("place")
    )
    answer = (
        sa.insert(messages)
        .from_select(
            [
                *("id", "conversation_id", "user_id", "turn_id", "position", "alternative"),
                *("alternative_of", "role", "content", "status", "metadata"),
            ],
            sa.select(
                bind("message_id", Uuid),
                place.c.conversation_id,
                bind("user_id", Uuid),
                bind("turn_id", Uuid),
                place.c.position,
                sa.func.coalesce(place.c.alternative, constant("0")),
                place.c.alternative_of,
                sa.cast(constant("'assistant'"), message_role),
                bind("text", Text),
                sa.cast(bind("status", Text), message_status),
                bind_json("metadata"),
            ),
            include_defaults=False,
        )
        .cte("answer")
    )
    displaced = (
        sa.update(messages)
        .where(
            messages.c.conversation_id == place.c.conversation_id,
            messages.c.position == place.c.position,
            place.c.alternative_of.is_(None),
        )
        .values(alternative_of=bind("message_id", Uuid))
        .cte("displaced")
    )
    is_covered = place.c.position <= conversations.c.summary_upto
    conversation = (
        sa.update(conversations)
        .where(conversations.c.id == place.c.conversation_id)
        .values(
            message_count=conversations.c.message_count
            + sa.case((place.c.alternative.is_(None), constant("1")), else_=constant("0")),
            summary=sa.case((is_covered, _null), else_=conversations.c.summary),
            summary_upto=sa.case((is_covered, UPTO_WITHOUT_SUMMARY), else_=conversations.c.summary_upto),
            last_message_at=_now,
            updated_at=_now,
        )
        .cte("conversation")
    )
    return sa.select(
        place.c.conversation_id,
        place.c.user_message_id,
        place.c.alternative_of,
        _now.label("finished_at"),
        place.c.changed_ending,
    ).add_cte(answer, displaced, conversation)


def _displaces(standing: sa.FromClause) -> sa.ColumnElement[bool]:
    """Tell whether the new answer goes in place of `standing`, a row of nulls where nothing stands."""
    says_something = sa.and_(
        bind("text", Text) != constant("''"), bind("status", Text) != constant("'failed'")
    )
    said_nothing = sa.or_(
        standing.c.content == constant("''"),
        standing.c.status == sa.cast(constant("'failed'"), message_status),
    )
    return sa.or_(says_something, standing.c.id.is_(None), said_nothing)


FINISH = Statement(_finish(), arguments=Finished, row=Ended)


class TurnRow(NamedTuple):
    """A turn, and from `id` on the fields of a MessageRow: its answer, or nothing but None."""

    turn_conversation_id: UUID
    user_message_id: UUID
    turn_status: Any
    partial_text: str
    checkpoint_seq: int
    error: str | None
    ending: str | None
    id: UUID | None
    conversation_id: UUID | None
    turn_id: UUID | None
    role: Any
    content: str | None
    status: Any
    alternative_of: UUID | None
    created_at: datetime | None
    updated_at: datetime | None
    metadata: str | None
    position: int | None
    alternative: int | None

    @property
    def answer(self) -> MessageRow | None:
        return None if self.id is None else MessageRow._make(self[-len(MessageRow._fields) :])


# One statement, so one snapshot: a turn that ends meanwhile is told either with its answer or without.
GET = Statement(
    sa.select(
        turns.c.conversation_id.label("turn_conversation_id"),
        turns.c.user_message_id,
        sa.cast(turns.c.status, Text).label("turn_status"),
        turns.c.partial_text,
        turns.c.checkpoint_seq,
        sa.cast(turns.c.error, Text).label("error"),
        sa.cast(turns.c.ending, Text).label("ending"),
        *COLUMNS,
    )
    .join_from(turns, messages, messages.c.id == turns.c.assistant_message_id, isouter=True)
    .where(*OF_TURN),
    arguments=OfTurn,
    row=TurnRow,
)


class Shorten(OfTurn, frozen=True, kw_only=True):
    text: str


class Touched(NamedTuple):
    id: UUID


def _shorten() -> sa.SelectBase:
    """Cut the answer, and end the turn `cancelled`; a summary that covers the answer goes.

    Its end is told again, as a `resync` and another terminal event.
    """
    answer = (
        sa.update(messages)
        .where(
            messages.c.user_id == bind("user_id", Uuid),
            messages.c.id == sa.select(turns.c.assistant_message_id).where(*OF_TURN).scalar_subquery(),
            sa.func.starts_with(messages.c.content, bind("text", Text)),
        )
        .values(
            content=bind("text", Text),
            status=sa.cast(constant("'cancelled'"), message_status),
            metadata=sa.func.jsonb_set(
                sa.func.coalesce(messages.c.metadata, sa.cast(constant("'{}'"), JSONB)),
                constant("'{audio}'"),
                sa.cast(constant("""'{"cut": true}'"""), JSONB),
            ),
            updated_at=_now,
        )
        .returning(messages.c.id, messages.c.conversation_id, messages.c.position)
        .cte("answer")
    )
    turn = (
        sa.update(turns)
        .where(turns.c.assistant_message_id == answer.c.id, turns.c.user_id == bind("user_id", Uuid))
        .values(
            status=sa.cast(constant("'cancelled'"), turn_status),
            answer=_null,
            checkpoint_seq=turns.c.checkpoint_seq + constant("2"),
        )
        .cte("turn")
    )
    conversation = (
        sa.update(conversations)
        .where(
            conversations.c.id == answer.c.conversation_id,
            answer.c.position <= conversations.c.summary_upto,
        )
        .values(summary=_null, summary_upto=UPTO_WITHOUT_SUMMARY)
        .cte("conversation")
    )
    return sa.select(answer.c.id).add_cte(turn, conversation)


SHORTEN = Statement(_shorten(), arguments=Shorten, row=Touched)


def touch(update: sa.Update) -> sa.SelectBase:
    changed = update.returning(turns.c.id).cte("changed")
    return sa.select(changed.c.id)


START = Statement(
    touch(
        sa.update(turns)
        .where(*IS_HELD, sa.literal_column("turns.status = 'queued'", sa.Boolean))
        .values(status=sa.cast(constant("'running'"), turn_status), started_at=_now)
    ),
    arguments=Owned,
    row=Touched,
)


class Checkpoint(Owned, frozen=True, kw_only=True):
    text: str
    seq: int


CHECKPOINT = Statement(
    touch(
        sa.update(turns)
        .where(*IS_HELD)
        .values(partial_text=bind("text", Text), checkpoint_seq=bind("seq", sa.BigInteger))
    ),
    arguments=Checkpoint,
    row=Touched,
)
