"""Conversations and their messages, as lists, from Postgres."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from jarvis.adapters.postgres import list_statements as statements
from jarvis.adapters.postgres.cursors import (
    AFTER_ALL_CONVERSATIONS,
    AFTER_ALL_MESSAGES,
    ConversationPlace,
    MessagePlace,
)
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.message_rows import message_of
from jarvis.core.errors import Invalid, NotFound
from jarvis.core.ports import ConversationPage, MessagePage
from jarvis.core.types import Conversation, ConversationStatus, User


class PostgresConversations:
    """Fills the ConversationStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user: User, conversation_id: UUID) -> Conversation:
        wanted = statements.OneConversation(user_id=user.id, conversation_id=conversation_id)
        async with self._database.transaction(user) as transaction:
            row = await transaction.first(statements.CONVERSATION, wanted)
        if row is None:
            raise NotFound("conversation")
        return _conversation_of(row, user)

    async def last_active(self, user: User) -> Conversation | None:
        async with self._database.transaction(user) as transaction:
            row = await transaction.first(statements.LAST_ACTIVE, statements.OfUser(user_id=user.id))
        return None if row is None else _conversation_of(row, user)

    async def messages(
        self,
        user: User,
        conversation_id: UUID,
        *,
        limit: int,
        cursor: str | None = None,
        offset: int = 0,
        since: datetime | None = None,
        alternatives: bool = False,
    ) -> MessagePage:
        place = AFTER_ALL_MESSAGES if cursor is None else MessagePlace.decoded(cursor)
        shown = statements.MessagesCount(
            user_id=user.id,
            conversation_id=conversation_id,
            since=_instant("since", since),
            alternatives=alternatives,
        )
        page = statements.Messages(
            **msgspec.structs.asdict(shown),
            position=place.position,
            alternative=place.alternative,
            limit=limit + 1,
            offset=offset,
        )
        async with self._database.transaction(user) as transaction:
            counted = await transaction.first(statements.MESSAGES_COUNT, shown)
            if counted is None:
                raise NotFound("conversation")
            rows = await transaction.all(statements.MESSAGES, page)
        has_more = len(rows) > limit
        rows = rows[:limit]
        oldest = rows[-1] if has_more else None
        return MessagePage(
            messages=[message_of(row) for row in reversed(rows)],
            total=counted.total,
            has_more=has_more,
            next_cursor=oldest
            and MessagePlace(position=oldest.position, alternative=oldest.alternative).encoded(),
        )

    async def conversations(
        self,
        user: User,
        *,
        limit: int,
        cursor: str | None = None,
        offset: int = 0,
        title_contains: str | None = None,
        status: ConversationStatus = "active",
    ) -> ConversationPage:
        place = AFTER_ALL_CONVERSATIONS if cursor is None else ConversationPlace.decoded(cursor)
        listed = statements.ConversationsCount(user_id=user.id, status=status, title_contains=title_contains)
        page = statements.Conversations(
            **msgspec.structs.asdict(listed),
            activity=place.activity,
            id=place.id,
            limit=limit + 1,
            offset=offset,
        )
        async with self._database.transaction(user) as transaction:
            rows = await transaction.all(statements.CONVERSATIONS, page)
            counted = await transaction.first(statements.CONVERSATIONS_COUNT, listed)
        has_more = len(rows) > limit
        rows = rows[:limit]
        last = rows[-1] if has_more else None
        return ConversationPage(
            conversations=[_conversation_of(row, user) for row in rows],
            total=counted.total if counted else 0,
            has_more=has_more,
            next_cursor=last and ConversationPlace.at(last.activity, last.id).encoded(),
        )


def _conversation_of(row: statements.ConversationRow, user: User) -> Conversation:
    return Conversation(
        id=row.id,
        title=row.title,
        user_id=user.name,
        status=row.status,
        model=row.model,
        system_prompt=row.system_prompt,
        message_count=row.message_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_message_at=row.last_message_at,
    )


def _instant(field: str, given: datetime | None) -> datetime | None:
    """Return the instant in UTC, in which those at the ends of the calendar have no name."""
    try:
        return None if given is None else given.astimezone(UTC)
    except OverflowError as exc:
        raise Invalid(field, "is outside of the calendar") from exc
