"""The statements that forget: memories, what turns were told of them, and what was not looked through yet."""

from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import BigInteger, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from jarvis.adapters.postgres.memory_statements import Id, OfUser, One, Some
from jarvis.adapters.postgres.schema import memories, messages, turns
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

_TOLD = "'$.context.memories[*]'::jsonpath"
_of_turn_user = turns.c.user_id == bind("user_id", Uuid)


def _scrub(is_told: sa.ColumnElement[bool], left: sa.ColumnElement[Any]) -> sa.SelectBase:
    """Take memories out of what turns were told; a stored answer has them too, and can be made again."""
    scrubbed = (
        sa.update(turns)
        .where(_of_turn_user, is_told)
        .values(
            ending=sa.func.jsonb_set(turns.c.ending, constant("'{context,memories}'"), left), answer=sa.null()
        )
        .returning(turns.c.id)
        .cte("scrubbed")
    )
    return sa.select(scrubbed.c.id)


def _scrub_some() -> sa.SelectBase:
    told = (
        sa.func.jsonb_path_query(turns.c.ending, constant(_TOLD))
        .table_valued(sa.column("memory", JSONB), with_ordinality="place", name="told")
        .render_derived()
    )
    is_one = told.c.memory.op("->>")(constant("'id'")) == sa.func.any(
        sa.cast(bind("ids", ARRAY(Uuid)), ARRAY(Text))
    )
    left = (
        sa.select(
            sa.func.coalesce(
                sa.func.jsonb_agg(sa.text("memory ORDER BY place")), sa.cast(constant("'[]'"), JSONB)
            )
        )
        .select_from(told)
        .where(sa.not_(is_one))
        .scalar_subquery()
    )
    return _scrub(sa.exists().select_from(told).where(is_one), left)


SCRUB = Statement(_scrub_some(), arguments=Some, row=Id)
SCRUB_ALL = Statement(
    _scrub(
        sa.func.jsonb_path_exists(turns.c.ending, constant(_TOLD), type_=sa.Boolean),
        sa.cast(constant("'[]'"), JSONB),
    ),
    arguments=OfUser,
    row=Id,
)


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
