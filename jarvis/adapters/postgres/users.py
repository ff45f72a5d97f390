"""Who somebody is, and whose a thing is, from Postgres.

Each of these facts is asked for with every request and never changes while it is true, so it is remembered.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar
from uuid import UUID

from jarvis.adapters.postgres import list_statements as statements
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.list_statements import OwnerRow, Wanted
from jarvis.adapters.postgres.statement import Statement
from jarvis.core.types import User, new_id

REMEMBERED = 4096


class PostgresUsers:
    """Fills the UserStore port. That something is nobody's is never remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._profiles: _Recent[str] = _Recent(REMEMBERED)
        self._owners: _Recent[UUID] = _Recent(REMEMBERED)

    async def profile(self, name: str) -> User:
        known = self._profiles.get(name)
        if known is not None:
            return known
        wanted = statements.Profile(name=name, new_id=new_id())
        async with self._database.transaction(None) as transaction:
            (row,) = await transaction.all(statements.PROFILE, wanted)
        return self._profiles.put(name, User(id=row.id, name=name))

    async def owner_of_conversation(self, conversation_id: UUID) -> User | None:
        return await self._owner(conversation_id, statements.OWNER_OF_CONVERSATION)

    async def owner_of_turn(self, turn_id: UUID) -> User | None:
        return await self._owner(turn_id, statements.OWNER_OF_TURN)

    async def _owner(self, id_: UUID, statement: Statement[Wanted, OwnerRow]) -> User | None:
        known = self._owners.get(id_)
        if known is not None:
            return known
        async with self._database.transaction(None) as transaction:
            row = await transaction.first(statement, Wanted(id=id_))
        return None if row is None else self._owners.put(id_, User(id=row.user_id, name=row.username))


KeyT = TypeVar("KeyT", bound=Hashable)


class _Recent(Generic[KeyT]):
    """The users last asked for, so many at most."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._users: OrderedDict[KeyT, User] = OrderedDict()

    def get(self, key: KeyT) -> User | None:
        user = self._users.get(key)
        if user is not None:
            self._users.move_to_end(key)
        return user

    def put(self, key: KeyT, user: User) -> User:
        self._users[key] = user
        if len(self._users) > self._size:
            self._users.popitem(last=False)
        return user
