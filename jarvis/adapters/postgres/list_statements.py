"""The statements that read: messages and conversations as lists, and whose a thing is."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Boolean, Integer, SmallInteger, Text, Uuid

from jarvis.adapters.postgres.message_rows import COLUMNS, MessageRow
from jarvis.adapters.postgres.schema import activity, conversations, instant, messages
from jarvis.adapters.postgres.statement import Statement


def _bind(name: str, type_: Any) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=type_)


_is_current = sa.literal_column("messages.alternative = 0", Boolean)
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


_in_conversation = (
    messages.c.conversation_id == _bind("conversation_id", Uuid),
    messages.c.user_id == _bind("user_id", Uuid),
)
_before = (*_in_conversation, messages.c.position < _bind("position", Integer), _is_current)

HISTORY = Statement(
    sa.select(*COLUMNS).where(*_before).order_by(messages.c.position.desc()).limit(_bind("limit", Integer)),
    arguments=Before,
    row=MessageRow,
)
HISTORY_COUNT = Statement(
    sa.select(_count.label("total")).select_from(messages).where(*_before), arguments=BeforeCount, row=Total
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


_since = _bind("since", instant)
_shown = (
    *_in_conversation,
    sa.or_(_since.is_(None), messages.c.created_at > _since),
    sa.or_(_bind("alternatives", Boolean), _is_current),
)

# A scalar subquery, so that a conversation without messages is a row with 0, and no conversation is no row.
MESSAGES_COUNT = Statement(
    sa.select(sa.select(_count).select_from(messages).where(*_shown).scalar_subquery().label("total")).where(
        conversations.c.id == _bind("conversation_id", Uuid),
        conversations.c.user_id == _bind("user_id", Uuid),
    ),
    arguments=MessagesCount,
    row=Total,
)
MESSAGES = Statement(
    sa.select(*COLUMNS)
    .where(
        *_shown,
        sa.tuple_(messages.c.position, messages.c.alternative)
        < sa.tuple_(_bind("position", Integer), _bind("alternative", SmallInteger)),
    )
    .order_by(messages.c.position.desc(), messages.c.alternative.desc())
    .limit(_bind("limit", Integer))
    .offset(_bind("offset", sa.BigInteger)),
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


class OneConversation(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID


class OfUser(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID


class ConversationsCount(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    status: str
    title_contains: str | None


class Conversations(ConversationsCount, frozen=True, kw_only=True):
    """`activity` and `id` are those of the last conversation of the page before."""

    activity: datetime
    id: UUID
    limit: int
    offset: int


_conversation = sa.select(
    conversations.c.id,
    conversations.c.title,
    sa.cast(conversations.c.status, Text).label("status"),
    conversations.c.model,
    conversations.c.system_prompt,
    sa.select(_count)
    .select_from(messages)
    .where(messages.c.conversation_id == conversations.c.id, _is_current)
    .scalar_subquery()
    .label("message_count"),
    conversations.c.created_at,
    conversations.c.updated_at,
    conversations.c.last_message_at,
    activity.label("activity"),
).where(conversations.c.user_id == _bind("user_id", Uuid))

CONVERSATION = Statement(
    _conversation.where(conversations.c.id == _bind("conversation_id", Uuid)),
    arguments=OneConversation,
    row=ConversationRow,
)
LAST_ACTIVE = Statement(
    _conversation.where(sa.literal_column("conversations.status = 'active'", Boolean))
    .order_by(activity.desc(), conversations.c.id.desc())
    .limit(sa.literal_column("1")),
    arguments=OfUser,
    row=ConversationRow,
)

_title_contains = _bind("title_contains", Text)
_listed = (
    conversations.c.status == sa.cast(_bind("status", Text), conversations.c.status.type),
    sa.or_(
        _title_contains.is_(None),
        sa.func.strpos(sa.func.lower(conversations.c.title), sa.func.lower(_title_contains))
        > sa.literal_column("0"),
    ),
)
CONVERSATIONS = Statement(
    _conversation.where(
        *_listed,
        sa.tuple_(activity, conversations.c.id) < sa.tuple_(_bind("activity", instant), _bind("id", Uuid)),
    )
    .order_by(activity.desc(), conversations.c.id.desc())
    .limit(_bind("limit", Integer))
    .offset(_bind("offset", sa.BigInteger)),
    arguments=Conversations,
    row=ConversationRow,
)
CONVERSATIONS_COUNT = Statement(
    sa.select(_count.label("total"))
    .select_from(conversations)
    .where(conversations.c.user_id == _bind("user_id", Uuid), *_listed),
    arguments=ConversationsCount,
    row=Total,
)


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
    call: sa.Function[Any] = getattr(sa.func, function)(_bind("id", Uuid))
    owner = call.table_valued(sa.column("user_id", Uuid), sa.column("username", Text))
    return Statement(sa.select(owner.c.user_id, owner.c.username), arguments=Wanted, row=OwnerRow)


PROFILE = Statement(
    sa.select(sa.func.jarvis_profile(_bind("name", Text), _bind("new_id", Uuid)).label("id")),
    arguments=Profile,
    row=ProfileId,
)
OWNER_OF_CONVERSATION = _owner("jarvis_owner_of_conversation")
OWNER_OF_TURN = _owner("jarvis_owner_of_turn")
