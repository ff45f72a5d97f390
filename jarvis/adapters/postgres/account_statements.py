"""The administrator's statements: they run as jarvis_system and see everybody."""

from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Text, Uuid
from sqlalchemy.dialects.postgresql import insert

from jarvis.adapters.postgres.identity_statements import AccountRow, Id, Named, OfUser
from jarvis.adapters.postgres.schema import (
    api_keys,
    audit_log,
    refresh_tokens,
    user_role,
    user_status,
    users,
)
from jarvis.adapters.postgres.statement import Statement, bind, constant
from jarvis.core.identity import AuditEvent

_COLUMNS = (
    users.c.id,
    users.c.username,
    sa.cast(users.c.role, Text).label("role"),
    sa.cast(users.c.status, Text).label("status"),
    users.c.password_hash,
    users.c.created_at,
)
_has_password = users.c.password_hash.is_not(None)


class Nobody(msgspec.Struct, frozen=True, kw_only=True):
    """No arguments."""


def _note(event: AuditEvent, of: Any) -> sa.CTE:
    """Write to the audit log for each row of `of`."""
    note = sa.insert(audit_log).from_select(
        ["event", "user_id"], sa.select(constant(f"'{event}'"), of.c.id), include_defaults=False
    )
    return note.cte("note")


ALL = Statement(sa.select(*_COLUMNS).order_by(users.c.username), arguments=Nobody, row=AccountRow)
NAMED = Statement(
    sa.select(*_COLUMNS).where(users.c.username == bind("name", Text)), arguments=Named, row=AccountRow
)

# --- adding


class Taken(NamedTuple):
    is_name_taken: bool
    is_first: bool


_is_of_name = sa.func.lower(users.c.username) == sa.func.lower(bind("name", Text))
TAKEN = Statement(
    sa.select(
        sa.exists().where(_is_of_name, _has_password).label("is_name_taken"),
        sa.not_(sa.exists().where(_has_password)).label("is_first"),
    ),
    arguments=Named,
    row=Taken,
)


class Add(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    name: str
    password_hash: str
    role: str


def _add() -> sa.SelectBase:
    role = sa.cast(bind("role", Text), user_role)
    made = insert(users).values(
        id=bind("user_id", Uuid),
        username=bind("name", Text),
        password_hash=bind("password_hash", Text),
        role=role,
    )
    added = (
        made.on_conflict_do_update(
            index_elements=[users.c.username],
            set_={"password_hash": made.excluded.password_hash, "role": made.excluded.role},
        )
        .returning(*_COLUMNS)
        .cte("added")
    )
    return sa.select(*added.c).add_cte(_note("user_added", added))


ADD = Statement(_add(), arguments=Add, row=AccountRow)

# --- changing


class SetStatus(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    status: str


def _set_status(event: AuditEvent) -> sa.SelectBase:
    status = sa.cast(bind("status", Text), user_status)
    changed = (
        sa.update(users)
        .where(users.c.id == bind("user_id", Uuid), users.c.status != status)
        .values(status=status)
        .returning(users.c.id)
        .cte("changed")
    )
    return sa.select(changed.c.id).add_cte(_note(event, changed))


SUSPEND = Statement(_set_status("user_suspended"), arguments=SetStatus, row=Id)
RESUME = Statement(_set_status("user_resumed"), arguments=SetStatus, row=Id)


class SetPassword(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    password_hash: str


def _set_password() -> sa.SelectBase:
    changed = (
        sa.update(users)
        .where(users.c.id == bind("user_id", Uuid))
        .values(password_hash=bind("password_hash", Text))
        .returning(users.c.id)
        .cte("changed")
    )
    return sa.select(changed.c.id).add_cte(_note("password_changed", changed))


SET_PASSWORD = Statement(_set_password(), arguments=SetPassword, row=Id)

_revoked = (
    sa.update(refresh_tokens)
    .where(
        refresh_tokens.c.user_id == bind("user_id", Uuid),
        refresh_tokens.c.used_at.is_(None),
        refresh_tokens.c.revoked_at.is_(None),
    )
    .values(revoked_at=sa.func.now())
    .returning(refresh_tokens.c.id)
    .cte("revoked")
)
END_ALL_SESSIONS = Statement(sa.select(_revoked.c.id), arguments=OfUser, row=Id)

_deleted = (
    sa.delete(api_keys)
    .where(api_keys.c.user_id == bind("user_id", Uuid))
    .returning(api_keys.c.id)
    .cte("deleted")
)
DELETE_ALL_KEYS = Statement(sa.select(_deleted.c.id), arguments=OfUser, row=Id)
