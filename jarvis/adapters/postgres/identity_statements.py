"""The statements of accounts and sessions. What looks across users is a function: migrations/identity."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Boolean, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

from jarvis.adapters.postgres.schema import instant, refresh_tokens, users
from jarvis.adapters.postgres.statement import Statement, bind, constant
from jarvis.core.identity import AuditEvent, UserRole, UserStatus


class OfUser(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID


class Id(NamedTuple):
    id: UUID


class Noted(NamedTuple):
    id: UUID
    noted: None


class Nothing(NamedTuple):
    done: None


class Answer(NamedTuple):
    is_so: bool


def noted(
    event: AuditEvent, user_id: sa.ColumnElement[Any], *, detail: sa.ColumnElement[Any] | None = None
) -> Any:
    """Write to the audit log for each row of the SELECT that this is a column of; takes an `address`."""
    detail = constant("NULL") if detail is None else detail
    return sa.func.jarvis_note(constant(f"'{event}'"), user_id, bind("address", Text), detail).label("noted")


# --- the lock


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """`user_id` None: which accounts there are."""

    user_id: UUID | None


# Whoever changes a user's credentials is alone with them: what is there cannot change between look and write.
LOCK = Statement(
    sa.select(sa.func.jarvis_lock_identity(bind("user_id", Uuid)).label("done")), arguments=Lock, row=Nothing
)

# --- accounts


class Named(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class AccountRow(NamedTuple):
    id: UUID
    username: str
    role: UserRole
    status: UserStatus
    password_hash: str | None
    created_at: datetime


_account = sa.func.jarvis_account(bind("name", Text)).table_valued(
    sa.column("id", Uuid),
    sa.column("username", Text),
    sa.column("role", Text),
    sa.column("status", Text),
    sa.column("password_hash", Text),
    sa.column("created_at", instant),
)
ACCOUNT = Statement(sa.select(*_account.c), arguments=Named, row=AccountRow)


class SignUp(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    password_hash: str
    user_id: UUID
    address: str


SIGN_UP = Statement(
    sa.select(
        sa.func.jarvis_sign_up(
            bind("name", Text), bind("password_hash", Text), bind("user_id", Uuid), bind("address", Text)
        ).label("is_so")
    ),
    arguments=SignUp,
    row=Answer,
)


class Rehash(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    outdated: str | None
    password_hash: str


REHASH = Statement(
    sa.select(
        sa.func.jarvis_rehash(
            bind("user_id", Uuid), bind("outdated", Text), bind("password_hash", Text)
        ).label("done")
    ),
    arguments=Rehash,
    row=Nothing,
)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    event: str
    user_id: UUID | None
    address: str


NOTE = Statement(
    sa.select(
        sa.func.jarvis_note(
            bind("event", Text), bind("user_id", Uuid), bind("address", Text), constant("NULL")
        ).label("done")
    ),
    arguments=Note,
    row=Nothing,
)

# --- sessions


class StandingRow(NamedTuple):
    credential_id: UUID
    user_id: UUID
    username: str
    role: UserRole


_STANDING = (
    sa.column("credential_id", Uuid),
    sa.column("user_id", Uuid),
    sa.column("username", Text),
    sa.column("role", Text),
)


class BeginSession(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    password_hash: str | None
    session_id: UUID
    token_id: UUID
    digest: bytes
    expires_at: datetime | None
    address: str


_expires_at = sa.func.coalesce(bind("expires_at", instant), sa.cast(constant("'infinity'"), instant))


def _begin_session() -> sa.SelectBase:
    begun = (
        sa.insert(refresh_tokens)
        .from_select(
            ["id", "session_id", "user_id", "digest", "expires_at"],
            sa.select(
                bind("token_id", Uuid),
                bind("session_id", Uuid),
                users.c.id,
                bind("digest", BYTEA),
                _expires_at,
            ).where(
                users.c.id == bind("user_id", Uuid),
                users.c.password_hash == bind("password_hash", Text),
                sa.literal_column("users.status = 'active'", Boolean),
            ),
            include_defaults=False,
        )
        .returning(refresh_tokens.c.id, refresh_tokens.c.user_id)
        .cte("begun")
    )
    return sa.select(begun.c.id, noted("signed_in", begun.c.user_id))


BEGIN_SESSION = Statement(_begin_session(), arguments=BeginSession, row=Noted)


class Renew(msgspec.Struct, frozen=True, kw_only=True):
    exchanged: bytes
    token_id: UUID
    digest: bytes
    expires_at: datetime | None
    address: str


_renewed = sa.func.jarvis_renew_session(
    bind("exchanged", BYTEA),
    bind("token_id", Uuid),
    bind("digest", BYTEA),
    _expires_at,
    bind("address", Text),
).table_valued(*_STANDING)
RENEW = Statement(sa.select(*_renewed.c), arguments=Renew, row=StandingRow)


class EndSessions(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    session_ids: list[UUID]
    digest: bytes | None
    address: str


def _end_sessions() -> sa.SelectBase:
    shown = refresh_tokens.alias("shown")
    of_shown = (
        sa.select(shown.c.session_id)
        .where(shown.c.user_id == bind("user_id", Uuid), shown.c.digest == bind("digest", BYTEA))
        .scalar_subquery()
    )
    ended = (
        sa.update(refresh_tokens)
        .where(
            refresh_tokens.c.user_id == bind("user_id", Uuid),
            sa.or_(
                refresh_tokens.c.session_id == sa.func.any(bind("session_ids", ARRAY(Uuid))),
                refresh_tokens.c.session_id == of_shown,
            ),
            refresh_tokens.c.used_at.is_(None),
            refresh_tokens.c.revoked_at.is_(None),
            refresh_tokens.c.expires_at > sa.func.now(),
        )
        .values(revoked_at=sa.func.now())
        .returning(refresh_tokens.c.session_id, refresh_tokens.c.user_id)
        .cte("ended")
    )
    return sa.select(ended.c.session_id.label("id"), noted("signed_out", ended.c.user_id))


END_SESSIONS = Statement(_end_sessions(), arguments=EndSessions, row=Noted)


class Standings(msgspec.Struct, frozen=True, kw_only=True):
    credential_ids: list[UUID]


_standings = sa.func.jarvis_standings(bind("credential_ids", ARRAY(Uuid))).table_valued(*_STANDING)
STANDINGS = Statement(sa.select(*_standings.c), arguments=Standings, row=StandingRow)

# --- forgetting


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    audit_days: int
    most: int


SWEEP = Statement(
    sa.select(
        sa.func.jarvis_sweep_identity(bind("audit_days", Integer), bind("most", Integer)).label("is_so")
    ),
    arguments=Sweep,
    row=Answer,
)
