"""The statements that fetch what recall ranks."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Double, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from jarvis.adapters.postgres.schema import instant
from jarvis.adapters.postgres.statement import Statement, bind


class Seeds(msgspec.Struct, frozen=True, kw_only=True):
    query: str
    limit: int
    as_of: datetime | None


class SeedsRow(NamedTuple):
    words: list[str]
    weights: list[float]
    usual_size: float
    memory_ids: list[UUID]


_seeds = sa.func.jarvis_recall_seeds(
    bind("query", Text), bind("limit", Integer), bind("as_of", instant)
).table_valued(
    sa.column("words", ARRAY(Text)),
    sa.column("weights", ARRAY(Double)),
    sa.column("usual_size", Double),
    sa.column("memory_ids", ARRAY(Uuid)),
)
SEEDS = Statement(sa.select(*(_seeds.c[name] for name in SeedsRow._fields)), arguments=Seeds, row=SeedsRow)


class Around(msgspec.Struct, frozen=True, kw_only=True):
    ids: list[UUID]
    words: list[str]
    as_of: datetime | None


class AroundRow(NamedTuple):
    id: UUID
    told_around: list[UUID] | None
    told_in: UUID
    content: str
    importance: float
    kind: Any  # a Literal, which the column's own type guarantees
    source: str | None
    created_at: datetime
    last_used_at: datetime | None
    valid_from: datetime | None
    valid_to: datetime | None
    use_count: int
    size: int
    hits: int


_around = sa.func.jarvis_recall_around(
    bind("ids", ARRAY(Uuid)), bind("words", ARRAY(Text)), bind("as_of", instant)
).table_valued(
    sa.column("memory_id", Uuid),
    sa.column("told_around", ARRAY(Uuid)),
    sa.column("told_in", Uuid),
    sa.column("content", Text),
    sa.column("importance", Double),
    sa.column("kind", Text),
    sa.column("source", Text),
    sa.column("created_at", instant),
    sa.column("last_used_at", instant),
    sa.column("valid_from", instant),
    sa.column("valid_to", instant),
    sa.column("use_count", Integer),
    sa.column("size", Integer),
    sa.column("hits", Integer),
)
AROUND = Statement(
    sa.select(_around.c.memory_id.label("id"), *(_around.c[name] for name in AroundRow._fields[1:])),
    arguments=Around,
    row=AroundRow,
)
