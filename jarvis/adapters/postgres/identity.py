"""Accounts, sessions and keys in Postgres, as a server needs them."""

from collections.abc import Sequence
from uuid import UUID

from jarvis.adapters.postgres import api_key_statements as api_keys
from jarvis.adapters.postgres import identity_statements as statements
from jarvis.adapters.postgres.database import Database, Transaction
from jarvis.adapters.postgres.identity_statements import AccountRow, StandingRow
from jarvis.core.errors import Conflict, NotFound, Unauthenticated
from jarvis.core.identity import Account, ApiKey, AuditEvent, SecretToken, Standing
from jarvis.core.types import User

SWEEP_BATCH = 1000
"""Rows of each table; a transaction of that size stays far within its deadline."""


class PostgresIdentity:
    """Fills the IdentityStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def account(self, name: str) -> Account | None:
        async with self._database.transaction(None) as transaction:
            return await _account(transaction, name)

    async def add_account(
        self, name: str, password_hash: str, *, user_id: UUID, address: str
    ) -> Account | None:
        sign_up = statements.SignUp(name=name, password_hash=password_hash, user_id=user_id, address=address)
        async with self._database.transaction(None) as transaction:
            (answer,) = await transaction.all(statements.SIGN_UP, sign_up)
            return await _account(transaction, name) if answer.is_so else None

    async def rehash(self, account: Account, password_hash: str) -> None:
        rehash = statements.Rehash(
            user_id=account.user.id, outdated=account.password_hash, password_hash=password_hash
        )
        async with self._database.transaction(account.user) as transaction:
            await transaction.all(statements.REHASH, rehash)

    async def note(self, event: AuditEvent, *, user: User | None, address: str) -> None:
        note = statements.Note(event=event, user_id=user.id if user else None, address=address)
        async with self._database.transaction(user) as transaction:
            await transaction.all(statements.NOTE, note)

    async def begin_session(
        self, account: Account, session_id: UUID, token: SecretToken, *, address: str
    ) -> None:
        begin = statements.BeginSession(
            user_id=account.user.id,
            password_hash=account.password_hash,
            session_id=session_id,
            token_id=token.id,
            digest=token.digest,
            expires_at=token.expires_at,
            address=address,
        )
        async with self._database.transaction(account.user) as transaction:
            await lock_identity(transaction, account.user.id)
            if await transaction.first(statements.BEGIN_SESSION, begin) is None:
                raise Unauthenticated

    async def renew_session(self, digest: bytes, token: SecretToken, *, address: str) -> Standing | None:
        renew = statements.Renew(
            exchanged=digest,
            token_id=token.id,
            digest=token.digest,
            expires_at=token.expires_at,
            address=address,
        )
        async with self._database.transaction(None) as transaction:
            row = await transaction.first(statements.RENEW, renew)
        return None if row is None else _standing_of(row)

    async def end_sessions(
        self, user: User, session_ids: Sequence[UUID], *, digest: bytes | None, address: str
    ) -> list[UUID]:
        end = statements.EndSessions(
            user_id=user.id, session_ids=list(session_ids), digest=digest, address=address
        )
        async with self._database.transaction(user) as transaction:
            await lock_identity(transaction, user.id)
            return [row.id for row in await transaction.all(statements.END_SESSIONS, end)]

    async def standings(self, credential_ids: Sequence[UUID]) -> list[Standing]:
        wanted = statements.Standings(credential_ids=list(credential_ids))
        async with self._database.transaction(None) as transaction:
            return [_standing_of(row) for row in await transaction.all(statements.STANDINGS, wanted)]

    async def key_of(self, digest: bytes) -> UUID | None:
        async with self._database.transaction(None) as transaction:
            row = await transaction.first(api_keys.KEY_OF, api_keys.KeyOf(digest=digest))
        return None if row is None else row.id

    async def keys(self, user: User) -> list[ApiKey]:
        async with self._database.transaction(user) as transaction:
            rows = await transaction.all(api_keys.KEYS, statements.OfUser(user_id=user.id))
        return [ApiKey(**row._asdict()) for row in rows]

    async def add_key(self, user: User, key: ApiKey, digest: bytes, *, most: int, address: str) -> None:
        add = api_keys.AddKey(
            user_id=user.id,
            key_id=key.id,
            name=key.name,
            prefix=key.prefix,
            digest=digest,
            created_at=key.created_at,
            expires_at=key.expires_at,
            address=address,
        )
        async with self._database.transaction(user) as transaction:
            await lock_identity(transaction, user.id)
            holder = await transaction.first(api_keys.HOLDER, statements.OfUser(user_id=user.id))
            if holder is None or not holder.is_active:
                raise Unauthenticated
            if holder.keys >= most:
                raise Conflict(f"There are {holder.keys} keys already, which is as many as one may have.")
            await transaction.all(api_keys.ADD_KEY, add)

    async def delete_key(self, user: User, key_id: UUID, *, address: str) -> None:
        delete = api_keys.DeleteKey(user_id=user.id, key_id=key_id, address=address)
        async with self._database.transaction(user) as transaction:
            if await transaction.first(api_keys.DELETE_KEY, delete) is None:
                raise NotFound("key")

    async def sweep(self, *, audit_days: int) -> None:
        sweep = statements.Sweep(audit_days=audit_days, most=SWEEP_BATCH)
        is_more = True
        while is_more:
            async with self._database.transaction(None) as transaction:
                ((is_more,),) = await transaction.all(statements.SWEEP, sweep)


async def lock_identity(transaction: Transaction, user_id: UUID | None) -> None:
    """Be alone until the end with a user's credentials, or, with None, with which accounts there are."""
    await transaction.all(statements.LOCK, statements.Lock(user_id=user_id))


def account_of(row: AccountRow) -> Account:
    return Account(
        user=User(id=row.id, name=row.username),
        role=row.role,
        status=row.status,
        password_hash=row.password_hash,
        created_at=row.created_at,
    )


async def _account(transaction: Transaction, name: str) -> Account | None:
    row = await transaction.first(statements.ACCOUNT, statements.Named(name=name))
    return None if row is None else account_of(row)


def _standing_of(row: StandingRow) -> Standing:
    return Standing(
        credential_id=row.credential_id, user=User(id=row.user_id, name=row.username), role=row.role
    )
