"""The statements of what is done with memories in the background."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import BigInteger, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, insert

from jarvis.adapters.postgres.list_statements import OwnerRow
from jarvis.adapters.postgres.memory_forgetting import Count
from jarvis.adapters.postgres.memory_statements import Id, Some
from jarvis.adapters.postgres.schema import forgotten_memories, indexed_space, memories, messages, turns
from jarvis.adapters.postgres.statement import Statement, bind, constant

_now = sa.func.now()
_of_user = memories.c.user_id == bind("user_id", Uuid)


# --- use


def _changed(update: sa.Update, id_: sa.ColumnElement[Any]) -> sa.SelectBase:
    changed = update.returning(id_).cte("changed")
    return sa.select(changed.c.id)


USED = Statement(
    _changed(
        sa.update(memories)
        .where(_of_user, memories.c.id == sa.func.any(bind("ids", ARRAY(Uuid))))
        .values(last_used_at=_now, use_count=memories.c.use_count + constant("1")),
        memories.c.id,
    ),
    arguments=Some,
    row=Id,
)


# --- remembering what was said


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    limit: int


class SaidRow(NamedTuple):
    id: UUID
    conversation_id: UUID
    answer_id: UUID | None
    content: str
    created_at: datetime
    is_wanted: bool


def _said() -> sa.SelectBase:
    """Messages without a turn were adopted or imported: nobody said that they should not be remembered.

    Turn and answer are looked up row by row, whatever the planner thinks: where 50,000 messages had just been
    imported it joined them all, for 5 s.
    """
    answers = messages.alias("answers")
    of_turn = turns.c.id == messages.c.turn_id
    has_ended = sa.literal_column("turns.status NOT IN ('queued', 'running')", sa.Boolean)
    saves = sa.cast(turns.c.request.op("->>")(constant("'save_memory'")), sa.Boolean)
    answer = (
        sa.select(answers.c.id)
        .where(
            answers.c.conversation_id == messages.c.conversation_id,
            answers.c.position == messages.c.position + constant("1"),
            sa.literal_column("answers.alternative_of IS NULL AND answers.role = 'assistant'", sa.Boolean),
        )
        .limit(constant("1"))
    )

    def unless_said(wish: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        return sa.func.coalesce(sa.select(wish).where(of_turn).scalar_subquery(), sa.true())

    return (
        sa.select(
            messages.c.id,
            messages.c.conversation_id,
            answer.scalar_subquery().label("answer_id"),
            messages.c.content,
            messages.c.created_at,
            sa.and_(unless_said(saves), messages.c.alternative_of.is_(None)).label("is_wanted"),
        )
        .where(
            messages.c.user_id == bind("user_id", Uuid),
            sa.literal_column("messages.indexed_at IS NULL AND messages.role = 'user'", sa.Boolean),
            unless_said(has_ended),
        )
        .order_by(messages.c.created_at, messages.c.id)
        .limit(bind("limit", Integer))
        .with_for_update(of=messages, skip_locked=True)
    )


SAID = Statement(_said(), arguments=Batch, row=SaidRow)


class InConversations(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_ids: list[UUID]


class ToldRow(NamedTuple):
    conversation_id: UUID
    content: str
    told_at: datetime


def _told() -> sa.SelectBase:
    """What users of these conversations have read there, and may only be repeating: answers and memories."""
    in_turns = turns.c.conversation_id == sa.func.any(bind("conversation_ids", ARRAY(Uuid)))
    memory = sa.func.jsonb_path_query(turns.c.ending, constant("'$.context.memories[*].content'"))
    recalled = sa.select(
        turns.c.conversation_id,
        memory.op("#>>")(constant("'{}'")).label("content"),
        turns.c.finished_at.label("told_at"),
    ).where(turns.c.user_id == bind("user_id", Uuid), in_turns, turns.c.finished_at.is_not(None))
    answered = sa.select(
        messages.c.conversation_id,
        sa.func.left(messages.c.content, constant("4000")).label("content"),
        messages.c.created_at.label("told_at"),
    ).where(
        messages.c.user_id == bind("user_id", Uuid),
        messages.c.conversation_id == sa.func.any(bind("conversation_ids", ARRAY(Uuid))),
        sa.literal_column("messages.role = 'assistant'", sa.Boolean),
    )
    told = sa.union_all(recalled, answered).subquery("told")
    return (
        sa.select(told.c.conversation_id, told.c.content, told.c.told_at)
        .order_by(told.c.told_at.desc())
        .limit(constant("500"))
    )


TOLD = Statement(_told(), arguments=InConversations, row=ToldRow)

MARK_REMEMBERED = Statement(
    _changed(
        sa.update(messages)
        .where(
            messages.c.user_id == bind("user_id", Uuid),
            messages.c.id == sa.func.any(bind("ids", ARRAY(Uuid))),
        )
        .values(indexed_at=_now),
        messages.c.id,
    ),
    arguments=Some,
    row=Id,
)


# --- indexing


class UnindexedRow(NamedTuple):
    id: UUID
    content: str


UNINDEXED = Statement(
    sa.select(memories.c.id, memories.c.content)
    .where(_of_user, sa.literal_column("memories.indexed_at IS NULL", sa.Boolean))
    .order_by(memories.c.created_at.desc(), memories.c.id.desc())
    .limit(bind("limit", Integer))
    .with_for_update(skip_locked=True),
    arguments=Batch,
    row=UnindexedRow,
)


class Indexed(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    ids: list[UUID]
    digests: list[bytes]


def _mark_indexed() -> sa.SelectBase:
    given = (
        sa.func.unnest(bind("ids", ARRAY(Uuid)), bind("digests", ARRAY(BYTEA)))
        .table_valued(sa.column("id", Uuid), sa.column("digest", BYTEA), name="given")
        .render_derived()
    )
    return _changed(
        sa.update(memories)
        .where(_of_user, memories.c.id == given.c.id, memories.c.digest == given.c.digest)
        .values(indexed_at=_now),
        memories.c.id,
    )


MARK_INDEXED = Statement(_mark_indexed(), arguments=Indexed, row=Id)


def _note_gone() -> sa.SelectBase:
    """Note those that were deleted while they were indexed, after whoever deletes vectors had been there."""
    given = sa.func.unnest(bind("ids", ARRAY(Uuid))).column_valued("given")
    noted = (
        insert(forgotten_memories)
        .from_select(
            ["user_id", "id"],
            sa.select(bind("user_id", Uuid), given).where(
                ~sa.exists().where(memories.c.user_id == bind("user_id", Uuid), memories.c.id == given)
            ),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
        .returning(forgotten_memories.c.id)
        .cte("noted")
    )
    return sa.select(noted.c.id)


NOTE_GONE = Statement(_note_gone(), arguments=Some, row=Id)

_forgotten_of_user = forgotten_memories.c.user_id == bind("user_id", Uuid)
FORGOTTEN = Statement(
    sa.select(forgotten_memories.c.id)
    .where(_forgotten_of_user)
    .order_by(forgotten_memories.c.id)
    .limit(bind("limit", Integer)),
    arguments=Batch,
    row=Id,
)


def _mark_forgotten() -> sa.SelectBase:
    marked = (
        sa.delete(forgotten_memories)
        .where(_forgotten_of_user, forgotten_memories.c.id == sa.func.any(bind("ids", ARRAY(Uuid))))
        .returning(forgotten_memories.c.id)
        .cte("marked")
    )
    return sa.select(marked.c.id)


MARK_FORGOTTEN = Statement(_mark_forgotten(), arguments=Some, row=Id)


# --- what spans users


class Most(msgspec.Struct, frozen=True, kw_only=True):
    limit: int


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    pass


def _users(function: str) -> Statement[Most, OwnerRow]:
    call: sa.Function[Any] = getattr(sa.func, function)(bind("limit", Integer))
    users = call.table_valued(sa.column("user_id", Uuid), sa.column("username", Text))
    return Statement(sa.select(users.c.user_id, users.c.username), arguments=Most, row=OwnerRow)


USERS_TO_REMEMBER = _users("jarvis_users_to_remember")
USERS_TO_INDEX = _users("jarvis_users_to_index")
UNINDEXED_COUNT = Statement(
    sa.select(sa.func.jarvis_unindexed_memories(type_=BigInteger).label("total")),
    arguments=Nothing,
    row=Count,
)


class Space(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class SpaceRow(NamedTuple):
    name: str


INDEXED_SPACE = Statement(sa.select(indexed_space.c.name), arguments=Nothing, row=SpaceRow)


def _set_indexed_space() -> sa.SelectBase:
    given = insert(indexed_space).values(name=bind("name", Text))
    written = (
        given.on_conflict_do_update(
            index_elements=[indexed_space.c.is_only], set_={"name": given.excluded.name}
        )
        .returning(indexed_space.c.name)
        .cte("written")
    )
    return sa.select(written.c.name)


SET_INDEXED_SPACE = Statement(_set_indexed_space(), arguments=Space, row=SpaceRow)


class Unindex(msgspec.Struct, frozen=True, kw_only=True):
    passed: UUID
    limit: int


class Passed(NamedTuple):
    id: UUID | None


UNINDEX = Statement(
    sa.select(sa.func.jarvis_unindex_memories(bind("passed", Uuid), bind("limit", Integer)).label("id")),
    arguments=Unindex,
    row=Passed,
)
