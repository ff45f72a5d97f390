"""The statements of API keys."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Boolean, Text, Uuid
from sqlalchemy.dialects.postgresql import BYTEA

from jarvis.adapters.postgres.identity_statements import Id, Noted, OfUser, noted
from jarvis.adapters.postgres.schema import api_keys, instant, users
from jarvis.adapters.postgres.statement import Statement, bind


class KeyOf(msgspec.Struct, frozen=True, kw_only=True):
    digest: bytes


_key_of = sa.func.jarvis_key_of(bind("digest", BYTEA)).table_valued(sa.column("key_id", Uuid))
KEY_OF = Statement(sa.select(_key_of.c.key_id.label("id")), arguments=KeyOf, row=Id)


class KeyRow(NamedTuple):
    id: UUID
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None


_is_own_in_force = sa.and_(
    api_keys.c.user_id == bind("user_id", Uuid),
    sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > sa.func.now()),
)
KEYS = Statement(
    sa.select(api_keys.c.id, api_keys.c.name, api_keys.c.prefix, api_keys.c.created_at, api_keys.c.expires_at)
    .where(_is_own_in_force)
    .order_by(api_keys.c.created_at, api_keys.c.id),
    arguments=OfUser,
    row=KeyRow,
)


class Holder(NamedTuple):
    is_active: bool
    keys: int


# Under the lock, which suspending takes too.
HOLDER = Statement(
    sa.select(
        sa.literal_column("users.status = 'active'", Boolean).label("is_active"),
        sa.select(sa.func.count(api_keys.c.id)).where(_is_own_in_force).scalar_subquery().label("keys"),
    ).where(users.c.id == bind("user_id", Uuid)),
    arguments=OfUser,
    row=Holder,
)


class AddKey(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    key_id: UUID
    name: str
    prefix: str
    digest: bytes
    created_at: datetime
    expires_at: datetime | None
    address: str


def _add_key() -> sa.SelectBase:
    added = (
        sa.insert(api_keys)
        .values(
            id=bind("key_id", Uuid),
            user_id=bind("user_id", Uuid),
            name=bind("name", Text),
            prefix=bind("prefix", Text),
            digest=bind("digest", BYTEA),
            created_at=bind("created_at", instant),
            expires_at=bind("expires_at", instant),
        )
        .returning(api_keys.c.id, api_keys.c.user_id, api_keys.c.prefix)
        .cte("added")
    )
    return sa.select(added.c.id, noted("key_added", added.c.user_id, detail=added.c.prefix))


ADD_KEY = Statement(_add_key(), arguments=AddKey, row=Noted)


class DeleteKey(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    key_id: UUID
    address: str


def _delete_key() -> sa.SelectBase:
    deleted = (
        sa.delete(api_keys)
        .where(api_keys.c.user_id == bind("user_id", Uuid), api_keys.c.id == bind("key_id", Uuid))
        .returning(api_keys.c.id, api_keys.c.user_id, api_keys.c.prefix)
        .cte("deleted")
    )
    return sa.select(deleted.c.id, noted("key_deleted", deleted.c.user_id, detail=deleted.c.prefix))


DELETE_KEY = Statement(_delete_key(), arguments=DeleteKey, row=Noted)
