"""Who somebody is, and whose a thing is, from Postgres."""

from uuid import UUID

from jarvis.adapters.postgres import list_statements as statements
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.list_statements import OwnerRow, Wanted
from jarvis.adapters.postgres.statement import Statement
from jarvis.core.types import User, new_id


class PostgresUsers:
    """Fills the UserStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def profile(self, name: str) -> User:
        wanted = statements.Profile(name=name, new_id=new_id())
        async with self._database.transaction(None) as transaction:
            (row,) = await transaction.all(statements.PROFILE, wanted)
        return User(id=row.id, name=name)

    async def owner_of_conversation(self, conversation_id: UUID) -> User | None:
        return await self._owner(conversation_id, statements.OWNER_OF_CONVERSATION)

    async def owner_of_turn(self, turn_id: UUID) -> User | None:
        return await self._owner(turn_id, statements.OWNER_OF_TURN)

    async def owner_of_memory(self, memory_id: UUID) -> User | None:
        return await self._owner(memory_id, statements.OWNER_OF_MEMORY)

    async def _owner(self, id_: UUID, statement: Statement[Wanted, OwnerRow]) -> User | None:
        async with self._database.transaction(None) as transaction:
            row = await transaction.first(statement, Wanted(id=id_))
        return None if row is None else User(id=row.user_id, name=row.username)
