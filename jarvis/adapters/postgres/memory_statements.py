"""The statements that add, read and change memories."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Double, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB

from jarvis.adapters.postgres.schema import instant, memories, memory_kind
from jarvis.adapters.postgres.statement import Statement, bind, constant

_of_user = memories.c.user_id == bind("user_id", Uuid)
_is_live = sa.literal_column("memories.valid_to IS NULL", sa.Boolean)
_kind = sa.cast(memories.c.kind, Text).label("kind")


class OfUser(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID


class Some(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    ids: list[UUID]


class One(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    memory_id: UUID


class Id(NamedTuple):
    id: UUID


class MemoryRow(NamedTuple):
    id: UUID
    content: str
    importance: float
    kind: Any  # a Literal, which the column's own type guarantees
    source: str | None
    created_at: datetime
    last_used_at: datetime | None
    valid_from: datetime | None
    valid_to: datetime | None


COLUMNS: tuple[sa.ColumnElement[Any], ...] = (
    memories.c.id,
    memories.c.content,
    memories.c.importance,
    _kind,
    sa.cast(memories.c.source, Text).label("source"),
    memories.c.created_at,
    memories.c.last_used_at,
    memories.c.valid_from,
    memories.c.valid_to,
)
_memory = sa.select(*COLUMNS).where(_of_user)
_one = _memory.where(memories.c.id == bind("memory_id", Uuid))


# --- adding


class Now(NamedTuple):
    now: datetime


_LOCK_SALT = "6878243"
"""Tells this lock on a user from any other that may be taken on the hash of one."""

# Who writes a user's memories is alone with them: what is there cannot change between look and insert.
LOCK = Statement(
    sa.select(sa.func.clock_timestamp(type_=instant).label("now")).select_from(
        sa.func.pg_advisory_xact_lock(
            sa.func.hashtextextended(sa.cast(bind("user_id", Uuid), Text), constant(_LOCK_SALT))
        ).alias("lock")
    ),
    arguments=OfUser,
    row=Now,
)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    digests: list[bytes]
    attributes: list[str]


class ToldRow(NamedTuple):
    id: UUID
    kind: Any  # as in MemoryRow
    digest: bytes
    created_at: datetime
    attribute: str | None
    value: str | None
    valid_from: datetime | None
    valid_to: datetime | None
    superseded_by: UUID | None


_told = sa.select(
    memories.c.id,
    _kind,
    memories.c.digest,
    memories.c.created_at,
    memories.c.attribute,
    memories.c.value,
    memories.c.valid_from,
    memories.c.valid_to,
    memories.c.superseded_by,
).where(_of_user)

# A branch each, so that each has its index.
KNOWN = Statement(
    sa.union_all(
        _told.where(memories.c.digest == sa.func.any(bind("digests", ARRAY(BYTEA))), _is_live),
        _told.where(memories.c.attribute == sa.func.any(bind("attributes", ARRAY(Text)))),
    ),
    arguments=Known,
    row=ToldRow,
)


class Supersede(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    ids: list[UUID]
    valid_to: list[datetime | None]
    superseded_by: list[UUID | None]


def _supersede() -> sa.SelectBase:
    given = (
        sa.func.unnest(
            bind("ids", ARRAY(Uuid)), bind("valid_to", ARRAY(instant)), bind("superseded_by", ARRAY(Uuid))
        )
        .table_valued(
            sa.column("id", Uuid),
            sa.column("valid_to", instant),
            sa.column("superseded_by", Uuid),
            name="given",
        )
        .render_derived()
    )
    superseded = (
        sa.update(memories)
        .where(_of_user, memories.c.id == given.c.id)
        .values(valid_to=given.c.valid_to, superseded_by=given.c.superseded_by)
        .returning(memories.c.id)
        .cte("superseded")
    )
    return sa.select(superseded.c.id)


SUPERSEDE = Statement(_supersede(), arguments=Supersede, row=Id)


class Add(msgspec.Struct, frozen=True, kw_only=True):
    """One list per column, as long as each other."""

    user_id: UUID
    ids: list[UUID]
    kinds: list[str]
    contents: list[str]
    importances: list[float]
    sources: list[str | None]
    created_at: list[datetime]
    attributes: list[str | None]
    values: list[str | None]
    valid_from: list[datetime | None]
    valid_to: list[datetime | None]
    superseded_by: list[UUID | None]


def _add() -> sa.SelectBase:
    given = (
        sa.func.unnest(
            bind("ids", ARRAY(Uuid)),
            bind("kinds", ARRAY(Text)),
            bind("contents", ARRAY(Text)),
            bind("importances", ARRAY(Double)),
            bind("sources", ARRAY(Text)),
            bind("created_at", ARRAY(instant)),
            bind("attributes", ARRAY(Text)),
            bind("values", ARRAY(Text)),
            bind("valid_from", ARRAY(instant)),
            bind("valid_to", ARRAY(instant)),
            bind("superseded_by", ARRAY(Uuid)),
        )
        .table_valued(
            sa.column("id", Uuid),
            sa.column("kind", Text),
            sa.column("content", Text),
            sa.column("importance", Double),
            sa.column("source", Text),
            sa.column("created_at", instant),
            sa.column("attribute", Text),
            sa.column("value", Text),
            sa.column("valid_from", instant),
            sa.column("valid_to", instant),
            sa.column("superseded_by", Uuid),
            name="given",
        )
        .render_derived()
    )
    added = (
        sa.insert(memories)
        .from_select(
            [
                *("id", "user_id", "kind", "content", "importance", "source", "created_at"),
                *("attribute", "value", "valid_from", "valid_to", "superseded_by"),
            ],
            sa.select(
                given.c.id,
                bind("user_id", Uuid),
                sa.cast(given.c.kind, memory_kind),
                given.c.content,
                given.c.importance,
                sa.cast(given.c.source, JSONB),
                given.c.created_at,
                given.c.attribute,
                given.c.value,
                given.c.valid_from,
                given.c.valid_to,
                given.c.superseded_by,
            ),
            include_defaults=False,
        )
        .returning(memories.c.id)
        .cte("added")
    )
    return sa.select(added.c.id)


ADD = Statement(_add(), arguments=Add, row=Id)


# --- reading

SOME = Statement(
    _memory.where(memories.c.id == sa.func.any(bind("ids", ARRAY(Uuid)))), arguments=Some, row=MemoryRow
)
GET = Statement(_one, arguments=One, row=MemoryRow)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`created_at` and `id` are those of the last memory of the page before."""

    user_id: UUID
    created_at: datetime
    id: UUID
    limit: int


PAGE = Statement(
    _memory.where(
        sa.tuple_(memories.c.created_at, memories.c.id)
        < sa.tuple_(bind("created_at", instant), bind("id", Uuid))
    )
    .order_by(memories.c.created_at.desc(), memories.c.id.desc())
    .limit(bind("limit", Integer)),
    arguments=Page,
    row=MemoryRow,
)


# --- changing


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    memory_id: UUID
    content: str
    importance: float
    kind: str
    attribute: str | None
    value: str | None


def _edit() -> sa.SelectBase:
    """Write all fields; attribute, value and the mark of being indexed change with the content only."""
    is_same = memories.c.content == bind("content", Text)
    edited = (
        sa.update(memories)
        .where(_of_user, memories.c.id == bind("memory_id", Uuid))
        .values(
            content=bind("content", Text),
            importance=bind("importance", Double),
            kind=sa.cast(bind("kind", Text), memory_kind),
            attribute=sa.case((is_same, memories.c.attribute), else_=bind("attribute", Text)),
            value=sa.case((is_same, memories.c.value), else_=bind("value", Text)),
            indexed_at=sa.case((is_same, memories.c.indexed_at), else_=sa.null()),
        )
        .returning(*COLUMNS)
        .cte("edited")
    )
    return sa.select(*(edited.c[name] for name in MemoryRow._fields))


EDIT = Statement(_edit(), arguments=Edit, row=MemoryRow)
