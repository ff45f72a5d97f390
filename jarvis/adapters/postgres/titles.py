"""The titles that conversations get by themselves, in Postgres."""

from typing import NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Text, Uuid

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.schema import conversations
from jarvis.adapters.postgres.statement import Statement, bind
from jarvis.core.types import User


class Settle(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    conversation_id: UUID
    title: str | None


class Settled(NamedTuple):
    id: UUID


_settled = (
    sa.update(conversations)
    .where(
        conversations.c.id == bind("conversation_id", Uuid),
        conversations.c.user_id == bind("user_id", Uuid),
        conversations.c.title_is_settled.is_(sa.false()),
    )
    .values(
        title=sa.func.coalesce(bind("title", Text), conversations.c.title),
        title_is_settled=sa.true(),
        updated_at=sa.func.now(),
    )
    .returning(conversations.c.id)
    .cte("settled")
)
SETTLE = Statement(sa.select(_settled.c.id), arguments=Settle, row=Settled)


class PostgresTitles:
    """Fills the TitleStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settle(self, user: User, conversation_id: UUID, title: str | None) -> bool:
        settle = Settle(user_id=user.id, conversation_id=conversation_id, title=title)
        async with self._database.transaction(user) as transaction:
            return await transaction.first(SETTLE, settle) is not None
