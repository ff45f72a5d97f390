"""The running summaries of conversations, in Postgres.

`summary_upto` is the place of the last message that a summary covers. Below 0 there is none, and each reset
lowers it: so a summary that was begun before a reset is not stored after it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.schema import conversations, messages
from jarvis.adapters.postgres.statement import Statement, bind, constant
from jarvis.core.summaries import EXCERPT_CHARS, Said, Unsummarised
from jarvis.core.types import User

_wanted = (
    conversations.c.id == bind("conversation_id", Uuid),
    conversations.c.user_id == bind("user_id", Uuid),
)
UPTO_WITHOUT_SUMMARY = sa.func.least(
    sa.func.coalesce(conversations.c.summary_upto, constant("0")) - constant("1"), constant("-1")
)
"""What `summary_upto` becomes when the summary goes."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    upto: UUID


class Standing(NamedTuple):
    summary: str | None
    summary_upto: int | None
    end: int


STANDING = Statement(
    sa.select(conversations.c.summary, conversations.c.summary_upto, messages.c.position.label("end"))
    .join_from(conversations, messages, messages.c.conversation_id == conversations.c.id)
    .where(*_wanted, messages.c.id == bind("upto", Uuid)),
    arguments=Wanted,
    row=Standing,
)


class Between(msgspec.Struct, frozen=True, kw_only=True):
    """Places after `after` up to `end`."""

    user_id: UUID
    conversation_id: UUID
    after: int
    end: int
    limit: int


class SaidRow(NamedTuple):
    position: int
    role: Any
    content: str


BETWEEN = Statement(
    sa.select(
        messages.c.position,
        sa.cast(messages.c.role, Text).label("role"),
        sa.func.left(messages.c.content, constant(str(EXCERPT_CHARS))).label("content"),
    )
    .where(
        messages.c.conversation_id == bind("conversation_id", Uuid),
        messages.c.user_id == bind("user_id", Uuid),
        messages.c.position > bind("after", Integer),
        messages.c.position <= bind("end", Integer),
        messages.c.alternative_of.is_(None),
    )
    .order_by(messages.c.position)
    .limit(bind("limit", Integer)),
    arguments=Between,
    row=SaidRow,
)


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    base: int | None
    summary: str
    upto: int


class Changed(NamedTuple):
    id: UUID


_kept = (
    sa.update(conversations)
    .where(*_wanted, conversations.c.summary_upto.is_not_distinct_from(bind("base", Integer)))
    .values(summary=bind("summary", Text), summary_upto=bind("upto", Integer))
    .returning(conversations.c.id)
    .cte("kept")
)
KEEP = Statement(sa.select(_kept.c.id), arguments=Keep, row=Changed)


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """`conversation_ids` None means all of the user's."""

    user_id: UUID
    conversation_ids: list[UUID] | None


_ids = bind("conversation_ids", ARRAY(Uuid))
_reset = (
    sa.update(conversations)
    .where(
        conversations.c.user_id == bind("user_id", Uuid),
        sa.or_(_ids.is_(None), conversations.c.id == sa.func.any(_ids)),
    )
    .values(summary=sa.null(), summary_upto=UPTO_WITHOUT_SUMMARY)
    .returning(conversations.c.id)
    .cte("reset")
)
RESET = Statement(sa.select(_reset.c.id), arguments=Reset, row=Changed)


class PostgresSummaries:
    """Fills the SummaryStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unsummarised(
        self, user: User, conversation_id: UUID, *, upto: UUID, limit: int
    ) -> Unsummarised | None:
        wanted = Wanted(user_id=user.id, conversation_id=conversation_id, upto=upto)
        async with self._database.transaction(user) as transaction:
            standing = await transaction.first(STANDING, wanted)
            if standing is None:
                return None
            after = -1 if standing.summary_upto is None else max(standing.summary_upto, -1)
            between = Between(
                user_id=user.id, conversation_id=conversation_id, after=after, end=standing.end, limit=limit
            )
            rows = await transaction.all(BETWEEN, between)
        if not rows:
            return None
        return Unsummarised(
            summary=standing.summary or "",
            base=standing.summary_upto,
            messages=[Said(position=row.position, role=row.role, content=row.content) for row in rows],
        )

    async def keep(
        self, user: User, conversation_id: UUID, summary: str, *, base: int | None, upto: int
    ) -> bool:
        keep = Keep(user_id=user.id, conversation_id=conversation_id, summary=summary, base=base, upto=upto)
        async with self._database.transaction(user) as transaction:
            return await transaction.first(KEEP, keep) is not None

    async def reset(self, user: User, conversation_ids: Sequence[UUID] | None = None) -> None:
        ids = None if conversation_ids is None else list(conversation_ids)
        async with self._database.transaction(user) as transaction:
            await transaction.all(RESET, Reset(user_id=user.id, conversation_ids=ids))
