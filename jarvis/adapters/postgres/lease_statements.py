"""The statements of who answers for a turn; each answers with no row where there is nothing to do."""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Interval, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from jarvis.adapters.postgres.begin_statements import OfConversation
from jarvis.adapters.postgres.schema import turns
from jarvis.adapters.postgres.statement import Statement, bind, constant
from jarvis.adapters.postgres.turn_statements import IS_LIVE, OF_TURN, OfTurn, Touched, touch

_now = sa.func.now()


REQUEST_CANCEL = Statement(
    touch(sa.update(turns).where(*OF_TURN).values(cancel_requested=sa.true())),
    arguments=OfTurn,
    row=Touched,
)


class CancelConversation(OfConversation, frozen=True, kw_only=True):
    but_key: str | None


CANCEL_IN = Statement(
    touch(
        sa.update(turns)
        .where(
            turns.c.conversation_id == bind("conversation_id", Uuid),
            turns.c.user_id == bind("user_id", Uuid),
            sa.func.coalesce(turns.c.idempotency_key != bind("but_key", Text), sa.true()),
            IS_LIVE,
        )
        .values(cancel_requested=sa.true())
    ),
    arguments=CancelConversation,
    row=Touched,
)


class BusyElsewhere(OfConversation, frozen=True, kw_only=True):
    owner: str
    lease: timedelta
    before: UUID | None


def _busy_elsewhere() -> sa.SelectBase:
    this = turns.alias("this")
    began_at = sa.select(this.c.created_at).where(this.c.id == bind("before", Uuid)).scalar_subquery()
    return (
        sa.select(turns.c.id)
        .where(
            turns.c.conversation_id == bind("conversation_id", Uuid),
            turns.c.user_id == bind("user_id", Uuid),
            turns.c.lease_owner != bind("owner", Text),
            turns.c.lease_until > _now + bind("lease", Interval),
            sa.func.coalesce(
                sa.tuple_(turns.c.created_at, turns.c.id) < sa.tuple_(began_at, bind("before", Uuid)),
                sa.true(),
            ),
            IS_LIVE,
        )
        .limit(constant("1"))
    )


BUSY_ELSEWHERE = Statement(_busy_elsewhere(), arguments=BusyElsewhere, row=Touched)


class Renew(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    live: list[UUID]
    lease: timedelta


class NotJustRenewed(NamedTuple):
    """Held: to be cancelled; else not the owner's any more."""

    turn_id: UUID
    is_held: bool


_not_just_renewed = sa.func.jarvis_renew_leases(
    bind("owner", Text), bind("live", ARRAY(Uuid)), bind("lease", Interval)
).table_valued(sa.column("turn_id", Uuid), sa.column("is_held", sa.Boolean))
RENEW = Statement(
    sa.select(_not_just_renewed.c.turn_id, _not_just_renewed.c.is_held), arguments=Renew, row=NotJustRenewed
)


class TakeAbandoned(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    live: list[UUID]
    predecessors: str
    lease: timedelta
    limit: int


class Abandoned(NamedTuple):
    turn_id: UUID
    user_id: UUID
    username: str


_abandoned = sa.func.jarvis_take_abandoned(
    bind("owner", Text),
    bind("live", ARRAY(Uuid)),
    bind("predecessors", Text),
    bind("lease", Interval),
    bind("limit", sa.Integer),
).table_valued(sa.column("turn_id", Uuid), sa.column("user_id", Uuid), sa.column("username", Text))
TAKE_ABANDONED = Statement(
    sa.select(_abandoned.c.turn_id, _abandoned.c.user_id, _abandoned.c.username),
    arguments=TakeAbandoned,
    row=Abandoned,
)
