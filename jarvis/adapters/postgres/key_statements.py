"""The statements of idempotency keys: what one was used for, and another attempt of a turn that failed."""

from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Interval, Text, Uuid
from sqlalchemy.dialects.postgresql import BYTEA

from jarvis.adapters.postgres.attempts import RETURNED, Attempt, read_attempt
from jarvis.adapters.postgres.schema import spent_keys, turn_status, turns
from jarvis.adapters.postgres.statement import Statement, bind, constant
from jarvis.adapters.postgres.turn_statements import OfTurn, Touched

_now = sa.func.now()
_null = sa.null()


class Key(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    key: str


class Locked(NamedTuple):
    done: None


# Of two with one key the second waits here until the first has committed, and then finds what it stored.
LOCK = Statement(
    sa.select(
        sa.func.pg_advisory_xact_lock(
            sa.func.hashtextextended(
                sa.cast(bind("user_id", Uuid), Text) + bind("key", Text), constant("4741")
            )
        ).label("done")
    ),
    arguments=Key,
    row=Locked,
)


class Known(NamedTuple):
    """`turn_id` None: no turn has the key; `is_spent`: one had it, and is deleted."""

    turn_id: UUID | None
    conversation_id: UUID | None
    user_message_id: UUID | None
    status: Any
    fingerprint: bytes | None
    answer: bytes | None
    is_spent: bool


def digest_of(key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.sha256(sa.func.convert_to(key, constant("'UTF8'")), type_=BYTEA)


def _known() -> sa.SelectBase:
    nothing = sa.select(constant("1").label("one")).subquery("nothing")
    spent = sa.select(spent_keys.c.user_id).where(
        spent_keys.c.user_id == bind("user_id", Uuid), spent_keys.c.digest == digest_of(bind("key", Text))
    )
    return sa.select(
        turns.c.id.label("turn_id"),
        turns.c.conversation_id,
        turns.c.user_message_id,
        sa.cast(turns.c.status, Text).label("status"),
        turns.c.fingerprint,
        turns.c.answer,
        sa.exists(spent).label("is_spent"),
    ).select_from(
        nothing.outerjoin(
            turns,
            sa.and_(turns.c.user_id == bind("user_id", Uuid), turns.c.idempotency_key == bind("key", Text)),
        )
    )


KNOWN = Statement(_known(), arguments=Key, row=Known)


class TryAgain(OfTurn, frozen=True, kw_only=True):
    status: str
    owner: str
    lease: timedelta


def _try_again() -> sa.SelectBase:
    again = (
        sa.update(turns)
        .where(
            turns.c.id == bind("turn_id", Uuid),
            turns.c.user_id == bind("user_id", Uuid),
            sa.literal_column("turns.status = 'failed'", sa.Boolean),
        )
        .values(
            status=sa.cast(bind("status", Text), turn_status),
            attempt=turns.c.attempt + constant("1"),
            assistant_message_id=_null,
            partial_text=constant("''"),
            answer=_null,
            error=_null,
            ending=_null,
            cancel_requested=sa.false(),
            lease_owner=bind("owner", Text),
            lease_until=_now + bind("lease", Interval),
            started_at=sa.case((bind("status", Text) == constant("'running'"), _now)),
            finished_at=_null,
        )
        .returning(*RETURNED)
        .cte("again")
    )
    return read_attempt(again, created_at=_now)


TRY_AGAIN = Statement(_try_again(), arguments=TryAgain, row=Attempt)


class KeepAnswer(OfTurn, frozen=True, kw_only=True):
    answer: bytes


def _keep_answer() -> sa.SelectBase:
    kept = (
        sa.update(turns)
        .where(
            turns.c.id == bind("turn_id", Uuid),
            turns.c.user_id == bind("user_id", Uuid),
            sa.literal_column("turns.finished_at IS NOT NULL AND turns.answer IS NULL", sa.Boolean),
        )
        .values(answer=bind("answer", BYTEA))
        .returning(turns.c.id)
        .cte("kept")
    )
    return sa.select(kept.c.id)


KEEP_ANSWER = Statement(_keep_answer(), arguments=KeepAnswer, row=Touched)


class Forget(msgspec.Struct, frozen=True, kw_only=True):
    kept: timedelta
    most: int


class Forgotten(NamedTuple):
    is_more: bool


FORGET = Statement(
    sa.select(sa.func.jarvis_forget_keys(bind("kept", Interval), bind("most", sa.Integer)).label("is_more")),
    arguments=Forget,
    row=Forgotten,
)
