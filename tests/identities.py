"""Accounts and credentials for tests, and what the audit log says of them."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from jarvis.adapters.postgres.database import Database
from jarvis.core.identity import Account, AccountRegister, ApiKey, IdentityStore, SecretToken
from jarvis.core.types import new_id

ADDRESS = "203.0.113.7"


class Event(NamedTuple):
    event: str
    name: str | None
    address: str
    detail: str | None


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def token(*, days: float | None = 30) -> SecretToken:
    return SecretToken(
        id=new_id(), digest=uuid4().bytes * 2, expires_at=None if days is None else in_days(days)
    )


async def account_of(register: AccountRegister, name: str) -> Account:
    account, _ = await register.add(name, f"hash of {name}", role=None, user_id=new_id())
    return account


async def begun(store: IdentityStore, account: Account, first: SecretToken) -> UUID:
    """Begin a session and return its id."""
    session_id = new_id()
    await store.begin_session(account, session_id, first, address=ADDRESS)
    return session_id


async def key_of(
    store: IdentityStore, account: Account, *, digest: bytes | None = None, days: float | None = None
) -> ApiKey:
    key = ApiKey(
        id=new_id(),
        name="laptop",
        prefix=f"jvk_{uuid4().hex[:8]}",
        created_at=in_days(0),
        expires_at=None if days is None else in_days(days),
    )
    await store.add_key(account.user, key, digest or uuid4().bytes * 2, most=100, address=ADDRESS)
    return key


async def counting(store: IdentityStore, *ids: UUID) -> set[UUID]:
    """Return those of the credentials that count."""
    return {standing.credential_id for standing in await store.standings(ids)}


async def audited(database: Database) -> list[Event]:
    """Return what the audit log has, the oldest first."""
    async with database.administering() as transaction:
        rows = await transaction.raw(
            "SELECT event, username, address, detail FROM audit_log LEFT JOIN users ON users.id = user_id "
            "ORDER BY audit_log.id"
        )
    return [Event(*row) for row in rows]
