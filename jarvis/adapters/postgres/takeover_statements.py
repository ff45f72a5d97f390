"""The statement by which a process goes on with a turn that another one left."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Interval, Text, Uuid

from jarvis.adapters.postgres.begin_statements import SHOWN_CONVERSATION
from jarvis.adapters.postgres.schema import conversations, messages, turn_status, turns
from jarvis.adapters.postgres.statement import Statement, bind, constant
from jarvis.adapters.postgres.turn_statements import IS_HELD, Owned

_now = sa.func.now()


class TakeOver(Owned, frozen=True, kw_only=True):
    status: str
    lease: timedelta
    said: str
    seq: int


class TakenOver(NamedTuple):
    conversation_id: UUID
    message_id: UUID
    position: int
    request: str
    key: str | None
    fingerprint: bytes | None
    model: str | None
    system_prompt: str | None
    title_is_settled: bool
    summary: str | None
    summary_upto: int | None
    created_at: datetime


def _take_over() -> sa.SelectBase:
    taken = (
        sa.update(turns)
        .where(
            *IS_HELD,
            turns.c.attempt == constant("1"),
            sa.not_(turns.c.cancel_requested),
            turns.c.request.op("->>")(constant("'speak_in'")).is_(None),
        )
        .values(
            status=sa.cast(bind("status", Text), turn_status),
            attempt=turns.c.attempt + constant("1"),
            partial_text=bind("said", Text),
            checkpoint_seq=bind("seq", sa.BigInteger),
            lease_until=_now + bind("lease", Interval),
            started_at=sa.case((bind("status", Text) == constant("'running'"), _now)),
        )
        .returning(
            turns.c.conversation_id,
            turns.c.user_message_id,
            turns.c.request,
            turns.c.idempotency_key,
            turns.c.fingerprint,
            turns.c.created_at,
        )
        .cte("taken")
    )
    whole = taken.join(messages, messages.c.id == taken.c.user_message_id).join(
        conversations, conversations.c.id == taken.c.conversation_id
    )
    return (
        sa.select(
            taken.c.conversation_id,
            taken.c.user_message_id.label("message_id"),
            messages.c.position,
            sa.cast(taken.c.request, Text).label("request"),
            taken.c.idempotency_key.label("key"),
            taken.c.fingerprint,
            *SHOWN_CONVERSATION,
            taken.c.created_at,
        )
        .select_from(whole)
        .where(messages.c.user_id == bind("user_id", Uuid))
    )


TAKE_OVER = Statement(_take_over(), arguments=TakeOver, row=TakenOver)
