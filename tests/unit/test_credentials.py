"""Whose a token is and whether it counts, with a store whose answers come when the test says."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import pytest
import structlog

from jarvis.adapters.access_tokens import JwtAccessTokens
from jarvis.adapters.rate_limiter import InProcessRateLimiter
from jarvis.core.errors import Unauthenticated
from jarvis.core.identity import IdentityStore, Rate, Standing
from jarvis.core.types import User, new_id
from jarvis.services.budgets import Budgets
from jarvis.services.credentials import Credentials

ANNA = User(id=new_id(), name="anna")
SESSION = new_id()


class Rows:
    """Every session counts; a reading ends once it `may_end`."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.began = asyncio.Event()
        self.readings = 0

    async def standings(self, credential_ids: Sequence[UUID]) -> list[Standing]:
        self.readings += 1
        self.began.set()
        found = [Standing(credential_id=one, user=ANNA, role="member") for one in credential_ids]
        await self.may_end.wait()
        return found


class Stand:
    def __init__(self) -> None:
        self.rows = Rows()
        self.tokens = JwtAccessTokens(["k" * 32])
        self.credentials = Credentials(
            store=cast("IdentityStore", cast("Any", self.rows)),
            tokens=self.tokens,
            budgets=Budgets(InProcessRateLimiter(), Rate(requests=1, window_s=1)),
            reporter=structlog.stdlib.get_logger(),
        )
        self.token = self.tokens.issue(ANNA.id, SESSION)


async def test_a_hot_token_is_read_of_once() -> None:
    stand = Stand()
    assert not stand.credentials.has_seen(stand.token)
    callers = [await stand.credentials.caller(stand.token) for _ in range(10)]
    assert stand.credentials.has_seen(stand.token)
    assert all(caller is callers[0] for caller in callers)
    assert stand.rows.readings == 1


async def test_those_who_ask_at_the_same_time_wait_for_one_reading() -> None:
    stand = Stand()
    stand.rows.may_end.clear()
    asking = [asyncio.ensure_future(stand.credentials.caller(stand.token)) for _ in range(10)]
    await asyncio.sleep(0)
    asking[0].cancel()  # who asked first is gone; the others are answered all the same
    await asyncio.sleep(0)
    stand.rows.may_end.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert {cast("Any", answer).user for answer in answers[1:]} == {ANNA}
    assert stand.rows.readings == 1


async def test_a_reading_that_began_before_the_end_does_not_revive() -> None:
    stand = Stand()
    stand.rows.may_end.clear()
    asking = asyncio.ensure_future(stand.credentials.caller(stand.token))
    await stand.rows.began.wait()
    stand.credentials.end(SESSION)
    stand.rows.may_end.set()
    with pytest.raises(Unauthenticated):
        await asking
    with pytest.raises(Unauthenticated):
        await stand.credentials.caller(stand.token)
    assert stand.rows.readings == 1


async def test_the_session_of_somebody_else_proves_nothing() -> None:
    stand = Stand()
    with pytest.raises(Unauthenticated):
        await stand.credentials.caller(stand.tokens.issue(new_id(), SESSION))


async def test_whoever_waits_for_an_end_hears_of_it() -> None:
    stand = Stand()
    waiting = [asyncio.ensure_future(stand.credentials.ended(SESSION)) for _ in range(3)]
    other = asyncio.ensure_future(stand.credentials.ended(new_id()))
    await asyncio.sleep(0)
    stand.credentials.end(SESSION)
    await asyncio.gather(*waiting)
    assert not other.done()
    other.cancel()
