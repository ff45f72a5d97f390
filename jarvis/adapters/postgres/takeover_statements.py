"""The statement by which a process goes on with a turn that another one left."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import Interval, Text, Uuid

from jarvis.adapters.postgres.attempts import RETURNED, Attempt, read_attempt
from jarvis.adapters.postgres.schema import messages, turn_status, turns
from jarvis.adapters.postgres.statement import Statement, bind, constant
from jarvis.adapters.postgres.turn_statements import IS_HELD, Owned

_now = sa.func.now()


class TakeOver(Owned, frozen=True, kw_only=True):
    status: str
    lease: timedelta
    said: str
    seq: int


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
        .returning(*RETURNED)
        .cte("taken")
    )
    attempt = read_attempt(taken, created_at=taken.c.created_at)
    return attempt.where(messages.c.user_id == bind("user_id", Uuid))


TAKE_OVER = Statement(_take_over(), arguments=TakeOver, row=Attempt)
