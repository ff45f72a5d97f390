"""The statements that make, change and delete a conversation as a whole."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Boolean, Integer, SmallInteger, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from jarvis.adapters.postgres.key_statements import digest_of
from jarvis.adapters.postgres.list_statements import (
    CONVERSATION_COLUMNS,
    ConversationRow,
    OneConversation,
    Total,
)
from jarvis.adapters.postgres.message_rows import COLUMNS, MessageRow
from jarvis.adapters.postgres.schema import (
    conversation_status,
    conversations,
    instant,
    memories,
    message_role,
    message_status,
    messages,
    spent_keys,
    turns,
)
from jarvis.adapters.postgres.statement import Statement, bind, constant

_now = sa.func.now()
_wanted = (
    conversations.c.id == bind("conversation_id", Uuid),
    conversations.c.user_id == bind("user_id", Uuid),
)


def _rows_of(written: sa.CTE) -> sa.SelectBase:
    return sa.select(*(written.c[name] for name in ConversationRow._fields))


class Create(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    title: str | None
    model: str | None
    system_prompt: str | None


CREATE = Statement(
    _rows_of(
        sa.insert(conversations)
        .values(
            id=bind("conversation_id", Uuid),
            user_id=bind("user_id", Uuid),
            title=bind("title", Text),
            title_is_settled=bind("title", Text).is_not(None),
            model=bind("model", Text),
            system_prompt=bind("system_prompt", Text),
        )
        .returning(*CONVERSATION_COLUMNS)
        .cte("created")
    ),
    arguments=Create,
    row=ConversationRow,
)


class Locked(NamedTuple):
    title: str | None
    title_is_settled: bool
    status: Any
    model: str | None
    system_prompt: str | None


LOCK = Statement(
    sa.select(
        conversations.c.title,
        conversations.c.title_is_settled,
        sa.cast(conversations.c.status, Text).label("status"),
        conversations.c.model,
        conversations.c.system_prompt,
    )
    .where(*_wanted)
    .with_for_update(),
    arguments=OneConversation,
    row=Locked,
)


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    title: str | None
    title_is_settled: bool
    status: str
    model: str | None
    system_prompt: str | None


EDIT = Statement(
    _rows_of(
        sa.update(conversations)
        .where(*_wanted)
        .values(
            title=bind("title", Text),
            title_is_settled=bind("title_is_settled", Boolean),
            status=sa.cast(bind("status", Text), conversation_status),
            model=bind("model", Text),
            system_prompt=bind("system_prompt", Text),
            updated_at=_now,
        )
        .returning(*CONVERSATION_COLUMNS)
        .cte("edited")
    ),
    arguments=Edit,
    row=ConversationRow,
)


class Deleted(NamedTuple):
    messages: int
    turn_ids: list[UUID]
    memory_ids: list[UUID]


def _delete() -> sa.SelectBase:
    """Delete it, by which its messages and turns go, and what was remembered from it; tell what there was.

    All parts see what there was before.
    """
    its_memories = (
        sa.delete(memories)
        .where(
            memories.c.user_id == bind("user_id", Uuid),
            memories.c.told_in == bind("conversation_id", Uuid),
        )
        .returning(memories.c.id)
        .cte("its_memories")
    )
    deleted = sa.delete(conversations).where(*_wanted).returning(conversations.c.id).cte("deleted")
    its_messages = (
        sa.select(sa.func.count(constant("*")))
        .select_from(messages)
        .where(messages.c.conversation_id == deleted.c.id)
    )
    its_turns = sa.select(turns.c.id).where(turns.c.conversation_id == deleted.c.id)
    spent = (
        insert(spent_keys)
        .from_select(
            ["user_id", "digest"],
            sa.select(turns.c.user_id, digest_of(turns.c.idempotency_key)).where(
                turns.c.conversation_id == deleted.c.id, turns.c.idempotency_key.is_not(None)
            ),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
        .cte("spent")
    )
    return sa.select(
        its_messages.scalar_subquery().label("messages"),
        sa.func.array(its_turns.scalar_subquery(), type_=ARRAY(Uuid)).label("turn_ids"),
        sa.func.array(sa.select(its_memories.c.id).scalar_subquery(), type_=ARRAY(Uuid)).label("memory_ids"),
    ).add_cte(spent)


DELETE = Statement(_delete(), arguments=OneConversation, row=Deleted)


class End(NamedTuple):
    next_position: int


END = Statement(sa.select(conversations.c.next_position).where(*_wanted), arguments=OneConversation, row=End)


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    first_position: int
    end_position: int


STRETCH = Statement(
    sa.select(*COLUMNS)
    .where(
        messages.c.conversation_id == bind("conversation_id", Uuid),
        messages.c.user_id == bind("user_id", Uuid),
        messages.c.position >= bind("first_position", Integer),
        messages.c.position < bind("end_position", Integer),
    )
    .order_by(messages.c.position, messages.c.alternative),
    arguments=Stretch,
    row=MessageRow,
)


class Add(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    title: str | None
    status: str
    model: str | None
    system_prompt: str | None
    next_position: int
    message_count: int
    created_at: datetime
    updated_at: datetime
    last_message_at: datetime | None


class Added(NamedTuple):
    id: UUID


ADD = Statement(
    sa.select(
        sa.insert(conversations)
        .values(
            id=bind("conversation_id", Uuid),
            user_id=bind("user_id", Uuid),
            title=bind("title", Text),
            title_is_settled=bind("title", Text).is_not(None),
            status=sa.cast(bind("status", Text), conversation_status),
            model=bind("model", Text),
            system_prompt=bind("system_prompt", Text),
            next_position=bind("next_position", Integer),
            message_count=bind("message_count", Integer),
            created_at=bind("created_at", instant),
            updated_at=bind("updated_at", instant),
            last_message_at=bind("last_message_at", instant),
        )
        .returning(conversations.c.id)
        .cte("added")
        .c.id
    ),
    arguments=Add,
    row=Added,
)


class AddMessages(msgspec.Struct, frozen=True, kw_only=True):
    """One list per column, all of one length; `contents` and so on in the order of `ids`."""

    user_id: UUID
    conversation_id: UUID
    ids: list[UUID]
    positions: list[int]
    alternatives: list[int]
    roles: list[str]
    contents: list[str]
    statuses: list[str]
    alternatives_of: list[UUID | None]
    metadata: list[str | None]
    created_at: list[datetime]
    updated_at: list[datetime]


def _add_messages() -> sa.SelectBase:
    """Insert many at once: COPY, the usual way, is refused under row security."""
    given = (
        sa.func.unnest(
            bind("ids", ARRAY(Uuid)),
            bind("positions", ARRAY(Integer)),
            bind("alternatives", ARRAY(SmallInteger)),
            bind("roles", ARRAY(Text)),
            bind("contents", ARRAY(Text)),
            bind("statuses", ARRAY(Text)),
            bind("alternatives_of", ARRAY(Uuid)),
            bind("metadata", ARRAY(Text)),
            bind("created_at", ARRAY(instant)),
            bind("updated_at", ARRAY(instant)),
        )
        .table_valued(
            sa.column("id", Uuid),
            sa.column("position", Integer),
            sa.column("alternative", SmallInteger),
            sa.column("role", Text),
            sa.column("content", Text),
            sa.column("status", Text),
            sa.column("alternative_of", Uuid),
            sa.column("metadata", Text),
            sa.column("created_at", instant),
            sa.column("updated_at", instant),
            name="given",
        )
        .render_derived()
    )
    inserted = (
        sa.insert(messages)
        .from_select(
            [
                *("id", "conversation_id", "user_id", "position", "alternative", "role", "content"),
                *("status", "alternative_of", "metadata", "created_at", "updated_at"),
            ],
            sa.select(
                given.c.id,
                bind("conversation_id", Uuid),
                bind("user_id", Uuid),
                given.c.position,
                given.c.alternative,
                sa.cast(given.c.role, message_role),
                given.c.content,
                sa.cast(given.c.status, message_status),
                given.c.alternative_of,
                sa.cast(given.c.metadata, JSONB),
                given.c.created_at,
                given.c.updated_at,
            ),
            include_defaults=False,
        )
        .returning(messages.c.id)
        .cte("inserted")
    )
    return sa.select(sa.func.count(inserted.c.id).label("total"))


ADD_MESSAGES = Statement(_add_messages(), arguments=AddMessages, row=Total)
