"""Everybody's accounts in Postgres, for the administrator."""

from uuid import UUID

from jarvis.adapters.postgres import account_statements as statements
from jarvis.adapters.postgres.database import Database, Transaction
from jarvis.adapters.postgres.identity import account_of, lock_identity
from jarvis.adapters.postgres.identity_statements import AccountRow, Named, OfUser
from jarvis.core.errors import Conflict, NotFound
from jarvis.core.identity import Account, UserRole, UserStatus


class PostgresAccounts:
    """Fills the AccountRegister port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, name: str, password_hash: str, *, role: UserRole | None, user_id: UUID
    ) -> tuple[Account, bool]:
        async with self._database.administering() as transaction:
            await lock_identity(transaction, None)
            (found,) = await transaction.all(statements.TAKEN, Named(name=name))
            if found.is_name_taken:
                raise Conflict("There is an account of that name already.")
            add = statements.Add(
                user_id=user_id,
                name=name,
                password_hash=password_hash,
                role="owner" if found.is_first else role or "member",
            )
            (row,) = await transaction.all(statements.ADD, add)
        return account_of(row), row.id != user_id

    async def all(self) -> list[Account]:
        async with self._database.administering() as transaction:
            rows = await transaction.all(statements.ALL, statements.Nobody())
        return [account_of(row) for row in rows]

    async def set_status(self, name: str, status: UserStatus) -> None:
        statement = statements.SUSPEND if status == "suspended" else statements.RESUME
        async with self._database.administering() as transaction:
            row = await _existing(transaction, name)
            await transaction.all(statement, statements.SetStatus(user_id=row.id, status=status))
            if status == "suspended":
                await transaction.all(statements.END_ALL_SESSIONS, OfUser(user_id=row.id))
                await transaction.all(statements.DELETE_ALL_KEYS, OfUser(user_id=row.id))

    async def set_password(self, name: str, password_hash: str) -> None:
        async with self._database.administering() as transaction:
            row = await _existing(transaction, name)
            change = statements.SetPassword(user_id=row.id, password_hash=password_hash)
            await transaction.all(statements.SET_PASSWORD, change)
            await transaction.all(statements.END_ALL_SESSIONS, OfUser(user_id=row.id))


async def _existing(transaction: Transaction, name: str) -> AccountRow:
    """Find the account, and be alone with its credentials."""
    row = await transaction.first(statements.NAMED, Named(name=name))
    if row is None:
        raise NotFound("user")
    if row.password_hash is None:
        raise Conflict("This is a profile without a password; add an account of that name first.")
    await lock_identity(transaction, row.id)
    return row
