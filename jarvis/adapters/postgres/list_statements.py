"""The statements that read: messages and conversations as lists, and whose a thing is."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Boolean, Integer, SmallInteger, Text, Uuid

from jarvis.adapters.postgres.message_rows import COLUMNS, MessageRow
from jarvis.adapters.postgres.schema import activity, conversations, instant, messages
from jarvis.adapters.postgres.statement import Statement, bind, constant
from jarvis.core.types import ConversationStatus

_is_current = sa.literal_column("messages.alternative_of IS NULL", Boolean)
_count = sa.func.count(sa.literal_column("*"))


# --- the messages of a conversation


class Before(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    position: int
    limit: int


class Total(NamedTuple):
    total: int


class BeforeCount(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    position: int
    summary_upto: int


class CountedBefore(NamedTuple):
    """All messages before the place, and those of them that the summary covers."""

    total: int
    covered: int


class OneConversation(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID


_in_conversation = (
    messages.c.conversation_id == bind("conversation_id", Uuid),
    messages.c.user_id == bind("user_id", Uuid),
)
_before = (*_in_conversation, messages.c.position < bind("position", Integer), _is_current)

HISTORY = Statement(
    sa.select(*COLUMNS).where(*_before).order_by(messages.c.position.desc()).limit(bind("limit", Integer)),
    arguments=Before,
    row=MessageRow,
)
HISTORY_COUNT = Statement(
    sa.select(
        _count.label("total"),
        _count.filter(messages.c.position <= bind("summary_upto", Integer)).label("covered"),
    )
    .select_from(messages)
    .where(*_before),
    arguments=BeforeCount,
    row=CountedBefore,
)


class SummaryRow(NamedTuple):
    summary: str | None
    summary_upto: int | None


SUMMARY = Statement(
    sa.select(conversations.c.summary, conversations.c.summary_upto).where(
        conversations.c.id == bind("conversation_id", Uuid),
        conversations.c.user_id == bind("user_id", Uuid),
    ),
    arguments=OneConversation,
    row=SummaryRow,
)


class MessagesCount(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    since: datetime | None
    alternatives: bool


class Messages(MessagesCount, frozen=True, kw_only=True):
    """`position` and `alternative` are those of the oldest message of the page before."""

    position: int
    alternative: int
    limit: int
    offset: int


_since = bind("since", instant)
_shown = (
    *_in_conversation,
    sa.or_(_since.is_(None), messages.c.created_at > _since),
    sa.or_(bind("alternatives", Boolean), _is_current),
)

# The row keeps the count that is asked for most. A scalar subquery is only run where it is needed; with it, a
# conversation without messages is a row with 0, and no conversation is no row.
MESSAGES_COUNT = Statement(
    sa.select(
        sa.case(
            (
                sa.and_(_since.is_(None), sa.not_(bind("alternatives", Boolean))),
                conversations.c.message_count,
            ),
            else_=sa.select(_count).select_from(messages).where(*_shown).scalar_subquery(),
        ).label("total")
    ).where(
        conversations.c.id == bind("conversation_id", Uuid),
        conversations.c.user_id == bind("user_id", Uuid),
    ),
    arguments=MessagesCount,
    row=Total,
)
MESSAGES = Statement(
    sa.select(*COLUMNS)
    .where(
        *_shown,
        sa.tuple_(messages.c.position, messages.c.alternative)
        < sa.tuple_(bind("position", Integer), bind("alternative", SmallInteger)),
    )
    .order_by(messages.c.position.desc(), messages.c.alternative.desc())
    .limit(bind("limit", Integer))
    .offset(bind("offset", sa.BigInteger)),
    arguments=Messages,
    row=MessageRow,
)


# --- conversations


class ConversationRow(NamedTuple):
    id: UUID
    title: str | None
    status: Any
    model: str | None
    system_prompt: str | None
    message_count: int
    created_at: datetime
    updated_at: datetime
    last_message_at: datetime | None
    activity: datetime


class OfUser(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID


class TitledCount(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    title_contains: str


class Conversations(msgspec.Struct, frozen=True, kw_only=True):
    """`activity` and `id` are those of the last conversation of the page before."""

    user_id: UUID
    title_contains: str | None
    activity: datetime
    id: UUID
    limit: int
    offset: int


CONVERSATION_COLUMNS: tuple[sa.ColumnElement[Any], ...] = (
    conversations.c.id,
    conversations.c.title,
    sa.cast(conversations.c.status, Text).label("status"),
    conversations.c.model,
    conversations.c.system_prompt,
    conversations.c.message_count,
    conversations.c.created_at,
    conversations.c.updated_at,
    conversations.c.last_message_at,
    activity.label("activity"),
)
_conversation = sa.select(*CONVERSATION_COLUMNS).where(conversations.c.user_id == bind("user_id", Uuid))

CONVERSATION = Statement(
    _conversation.where(conversations.c.id == bind("conversation_id", Uuid)),
    arguments=OneConversation,
    row=ConversationRow,
)


def _has(status: ConversationStatus) -> sa.ColumnElement[Any]:
    """Name the status in the text: each has an index of its own.

    One index with the status in it would serve nobody: comparing enums is not leakproof, so that under row
    security the planner does it last.
    """
    return sa.literal_column(f"conversations.status = '{status}'", Boolean)


LAST_ACTIVE = Statement(
    _conversation.where(_has("active"))
    .order_by(activity.desc(), conversations.c.id.desc())
    .limit(constant("1")),
    arguments=OfUser,
    row=ConversationRow,
)

_title_contains = bind("title_contains", Text)
_is_titled = sa.func.strpos(sa.func.lower(conversations.c.title), sa.func.lower(_title_contains)) > constant(
    "0"
)
_total = (
    sa.select(_count.label("total"))
    .select_from(conversations)
    .where(conversations.c.user_id == bind("user_id", Uuid))
)


def _listed(status: ConversationStatus) -> Statement[Conversations, ConversationRow]:
    return Statement(
        _conversation.where(
            _has(status),
            sa.or_(_title_contains.is_(None), _is_titled),
            sa.tuple_(activity, conversations.c.id) < sa.tuple_(bind("activity", instant), bind("id", Uuid)),
        )
        .order_by(activity.desc(), conversations.c.id.desc())
        .limit(bind("limit", Integer))
        .offset(bind("offset", sa.BigInteger)),
        arguments=Conversations,
        row=ConversationRow,
    )


def _counted(status: ConversationStatus) -> Statement[OfUser, Total]:
    return Statement(_total.where(_has(status)), arguments=OfUser, row=Total)


def _titled_counted(status: ConversationStatus) -> Statement[TitledCount, Total]:
    return Statement(_total.where(_has(status), _is_titled), arguments=TitledCount, row=Total)


STATUSES: tuple[ConversationStatus, ...] = ("active", "archived")
CONVERSATIONS = {status: _listed(status) for status in STATUSES}
CONVERSATIONS_COUNT = {status: _counted(status) for status in STATUSES}
TITLED_COUNT = {status: _titled_counted(status) for status in STATUSES}


# --- users


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    new_id: UUID


class ProfileId(NamedTuple):
    id: UUID


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID


class OwnerRow(NamedTuple):
    user_id: UUID
    username: str


def _owner(function: str) -> Statement[Wanted, OwnerRow]:
    call: sa.Function[Any] = getattr(sa.func, function)(bind("id", Uuid))
    owner = call.table_valued(sa.column("user_id", Uuid), sa.column("username", Text))
    return Statement(sa.select(owner.c.user_id, owner.c.username), arguments=Wanted, row=OwnerRow)


PROFILE = Statement(
    sa.select(sa.func.jarvis_profile(bind("name", Text), bind("new_id", Uuid)).label("id")),
    arguments=Profile,
    row=ProfileId,
)
OWNER_OF_CONVERSATION = _owner("jarvis_owner_of_conversation")
OWNER_OF_TURN = _owner("jarvis_owner_of_turn")
OWNER_OF_MEMORY = _owner("jarvis_owner_of_memory")
