"""The statements that forget memories, what turns were told of them, and what was not looked through yet."""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import BigInteger, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from jarvis.adapters.postgres.memory_statements import Id, OfUser, One, Some
from jarvis.adapters.postgres.schema import erasure_wanted, memories, messages, turns
from jarvis.adapters.postgres.statement import Statement, bind, constant

_of_user = memories.c.user_id == bind("user_id", Uuid)


def _deleted(delete: sa.Delete) -> sa.SelectBase:
    deleted = delete.returning(memories.c.id).cte("deleted")
    return sa.select(deleted.c.id)


DELETE = Statement(
    _deleted(sa.delete(memories).where(_of_user, memories.c.id == bind("memory_id", Uuid))),
    arguments=One,
    row=Id,
)


class DeleteSlice(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    limit: int


_slice = sa.select(memories.c.id).where(_of_user).limit(bind("limit", Integer)).scalar_subquery()
DELETE_SLICE = Statement(
    _deleted(
        sa.delete(memories).where(
            _of_user, memories.c.id == sa.func.any(sa.func.array(_slice, type_=ARRAY(Uuid)))
        )
    ),
    arguments=DeleteSlice,
    row=Id,
)

# --- what turns were told

_of_turn_user = turns.c.user_id == bind("user_id", Uuid)


def _told(ending: sa.ColumnElement[Any]) -> Any:
    """Make a table of the memories that an ending says were told."""
    return (
        sa.func.jsonb_path_query(ending, constant("'$.context.memories[*]'::jsonpath"))
        .table_valued(sa.column("memory", JSONB), with_ordinality="place", name="told")
        .render_derived()
    )


def _is_among(told: Any, ids: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return told.c.memory.op("->>")(constant("'id'")) == sa.func.any(sa.cast(ids, ARRAY(Text)))


def without(ending: sa.ColumnElement[Any], ids: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the ending of a turn, which is not null, as if these memories had not been told."""
    return _only_told(ending, lambda told: sa.not_(_is_among(told, ids)))


def without_forgotten(ending: sa.ColumnElement[Any], ids: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the ending of a turn without these memories, and without any that there is no more."""
    remains = sa.exists().where(
        memories.c.user_id == bind("user_id", Uuid),
        memories.c.id == sa.cast(sa.literal_column("memory ->> 'id'", Text), Uuid),
    )
    kept = _only_told(ending, lambda told: sa.and_(sa.not_(_is_among(told, ids)), remains))
    told_any = sa.func.jsonb_path_exists(
        ending, constant("'$.context.memories[0]'::jsonpath"), type_=sa.Boolean
    )
    return sa.case((told_any, kept), else_=ending)


def _only_told(
    ending: sa.ColumnElement[Any], stays: Callable[[Any], sa.ColumnElement[bool]]
) -> sa.ColumnElement[Any]:
    told = _told(ending)
    left = (
        sa.select(
            sa.func.coalesce(
                sa.func.jsonb_agg(sa.text("memory ORDER BY place")), sa.cast(constant("'[]'"), JSONB)
            )
        )
        .select_from(told)
        .where(stays(told))
        .correlate(turns)
        .scalar_subquery()
    )
    return sa.func.jsonb_set(ending, constant("'{context,memories}'"), left, type_=JSONB)


def _scrub(is_told: sa.ColumnElement[bool], ending: sa.ColumnElement[Any]) -> sa.SelectBase:
    """Take memories out of what turns were told; a stored answer has them too, and can be made again."""
    scrubbed = (
        sa.update(turns)
        .where(_of_turn_user, is_told)
        .values(ending=ending, answer=sa.null())
        .returning(turns.c.id)
        .cte("scrubbed")
    )
    wanted = (
        sa.insert(erasure_wanted)
        .from_select(["table_name"], sa.select(constant("'turns'")).where(sa.exists().select_from(scrubbed)))
        .cte("wanted")
    )
    return sa.select(scrubbed.c.id).add_cte(wanted)


def _scrub_some() -> sa.SelectBase:
    ids = bind("ids", ARRAY(Uuid))
    told = _told(turns.c.ending)
    return _scrub(sa.exists().select_from(told).where(_is_among(told, ids)), without(turns.c.ending, ids))


def _scrub_all() -> sa.SelectBase:
    told = constant("'$.context.memories[*]'::jsonpath")
    nothing = sa.func.jsonb_set(
        turns.c.ending, constant("'{context,memories}'"), sa.cast(constant("'[]'"), JSONB)
    )
    return _scrub(sa.func.jsonb_path_exists(turns.c.ending, told, type_=sa.Boolean), nothing)


SCRUB = Statement(_scrub_some(), arguments=Some, row=Id)
SCRUB_ALL = Statement(_scrub_all(), arguments=OfUser, row=Id)


def _note_in_live_turns() -> sa.SelectBase:
    """Have turns that have not ended leave these out of what they say at their end.

    One that ends just now is waited for, and has ended for the next statement.
    """
    noted = (
        sa.update(turns)
        .where(_of_turn_user, sa.literal_column("turns.status IN ('queued', 'running')", sa.Boolean))
        .values(forgotten=turns.c.forgotten + bind("ids", ARRAY(Uuid)))
        .returning(turns.c.id)
        .cte("noted")
    )
    return sa.select(noted.c.id)


NOTE_IN_LIVE_TURNS = Statement(_note_in_live_turns(), arguments=Some, row=Id)


# --- what is true again


def _place(of: Any) -> sa.ColumnElement[Any]:
    return sa.tuple_(sa.func.coalesce(of.c.valid_from, of.c.created_at), of.c.id)


def _revive() -> sa.SelectBase:
    """Have what these had superseded last until the next one that says otherwise, or for ever.

    Or until it was told again, for of live ones no two say the same: where its like is live, or revived with
    it, in another line, it stays as it is.
    """
    ids = bind("ids", ARRAY(Uuid))
    ended, later, same = memories.alias("ended"), memories.alias("later"), memories.alias("same")
    says_the_same = sa.and_(same.c.kind == ended.c.kind, same.c.digest == ended.c.digest)
    next_ = (
        sa.select(later.c.id, sa.func.coalesce(later.c.valid_from, later.c.created_at).label("since"))
        .where(
            later.c.user_id == ended.c.user_id,
            later.c.attribute == ended.c.attribute,
            _place(later) > _place(ended),
            sa.or_(
                later.c.value.is_distinct_from(ended.c.value),
                sa.and_(later.c.kind == ended.c.kind, later.c.digest == ended.c.digest),
            ),
        )
        .order_by(sa.func.coalesce(later.c.valid_from, later.c.created_at), later.c.id)
        .limit(constant("1"))
        .correlate(ended)
        .lateral("next")
    )
    has_its_like = sa.or_(
        sa.exists().where(
            same.c.user_id == ended.c.user_id,
            says_the_same,
            sa.literal_column("same.valid_to IS NULL", sa.Boolean),
        ),
        sa.exists().where(
            same.c.user_id == ended.c.user_id,
            says_the_same,
            same.c.superseded_by == sa.func.any(ids),
            _place(same) > _place(ended),
        ),
    )
    revived = (
        sa.select(ended.c.id, next_.c.since, next_.c.id.label("next_id"))
        .select_from(ended.outerjoin(next_, sa.true()))
        .where(
            ended.c.user_id == bind("user_id", Uuid),
            ended.c.superseded_by == sa.func.any(ids),
            sa.or_(next_.c.id.is_not(None), sa.not_(has_its_like)),
        )
        .cte("revived")
    )
    changed = (
        sa.update(memories)
        .where(_of_user, memories.c.id == revived.c.id)
        .values(valid_to=revived.c.since, superseded_by=revived.c.next_id)
        .returning(memories.c.id)
        .cte("changed")
    )
    return sa.select(changed.c.id)


REVIVE = Statement(_revive(), arguments=Some, row=Id)


# --- what was not looked through


class Count(NamedTuple):
    total: int


_passed_over = (
    sa.update(messages)
    .where(
        messages.c.user_id == bind("user_id", Uuid),
        sa.literal_column("messages.indexed_at IS NULL AND messages.role = 'user'", sa.Boolean),
    )
    .values(indexed_at=sa.func.now())
    .returning(messages.c.id)
    .cte("passed_over")
)
PASS_OVER_MESSAGES = Statement(
    sa.select(sa.func.count(_passed_over.c.id, type_=BigInteger).label("total")), arguments=OfUser, row=Count
)
