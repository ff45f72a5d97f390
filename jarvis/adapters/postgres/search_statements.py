"""The statement that searches: one round trip for a page with its messages, titles and snippets' words."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import BigInteger, Double, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import TSQUERY

from jarvis.adapters.postgres.message_rows import COLUMNS, MessageRow
from jarvis.adapters.postgres.schema import conversations, instant, messages
from jarvis.adapters.postgres.statement import Statement, bind, constant

MARK = "\x02"
"""Stands before and after a matching word in what Postgres quotes."""
_QUOTED_CHARS = 65_536  # of a message: as many as are searched
_OPTIONS = f"StartSel={MARK},StopSel={MARK},MaxWords=2,MinWords=1,ShortWord=0"


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """`score` and `id` are those of the last hit of the page before."""

    query: str
    limit: int
    score: float
    id: UUID
    newest: datetime


class Hit(NamedTuple):
    """`quote` has the best match between two MARKs, unless neither language finds it by itself.

    An empty page is one row that is not `found`, of which only `total` is there.
    """

    found: bool
    score: float
    total: int
    newest: datetime
    title: str | None
    quote: str
    # Those of MessageRow.
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

    def message_row(self) -> MessageRow:
        return MessageRow._make(getattr(self, name) for name in MessageRow._fields)


def _quoted(config: str, content: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    query = bind("query", Text)
    return sa.func.ts_headline(
        constant(f"'{config}'::regconfig"),
        sa.func.left(content, constant(str(_QUOTED_CHARS))),
        sa.func.websearch_to_tsquery(constant("'jarvis_en'::regconfig"), query, type_=TSQUERY).op("||")(
            sa.func.websearch_to_tsquery(constant("'jarvis_fr'::regconfig"), query, type_=TSQUERY)
        ),
        constant(f"'{_OPTIONS}'"),
        type_=Text,
    )


def _search() -> sa.SelectBase:
    hit = (
        sa.func.jarvis_search_messages(
            bind("query", Text),
            bind("limit", Integer),
            bind("score", Double),
            bind("id", Uuid),
            bind("newest", instant),
        )
        .table_valued(
            sa.column("message_id", Uuid),
            sa.column("score", sa.REAL),
            sa.column("total", BigInteger),
            sa.column("newest", instant),
        )
        .alias("hit")
    )
    # Materialized, so that each message is quoted once, and in French only where English finds nothing.
    english = (
        sa.select(
            hit.c.message_id,
            hit.c.score,
            hit.c.total,
            hit.c.newest,
            conversations.c.title,
            _quoted("jarvis_en", messages.c.content).label("quote"),
            *COLUMNS,
        )
        .select_from(
            hit.outerjoin(messages, messages.c.id == hit.c.message_id).outerjoin(
                conversations, conversations.c.id == messages.c.conversation_id
            )
        )
        .cte("english")
        .prefix_with("MATERIALIZED")
    )
    is_quoted = sa.func.strpos(english.c.quote, constant(f"'{MARK}'")) > constant("0")
    return sa.select(
        english.c.message_id.is_not(None).label("found"),
        english.c.score,
        english.c.total,
        english.c.newest,
        english.c.title,
        sa.case((is_quoted, english.c.quote), else_=_quoted("jarvis_fr", english.c.content)).label("quote"),
        *(english.c[name] for name in MessageRow._fields),
    ).order_by(english.c.score.desc().nulls_last(), english.c.message_id.desc())


SEARCH = Statement(_search(), arguments=Search, row=Hit)
