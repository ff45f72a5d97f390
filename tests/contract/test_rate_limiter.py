"""What the RateLimiter port promises, and of the one in memory that it stays bounded.

What the one in Redis promises beside is in test_redis_rate_limiter.py.
"""

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from jarvis.adapters.rate_limiter import InProcessRateLimiter
from jarvis.adapters.redis.rate_limiter import RedisRateLimiter
from jarvis.adapters.redis.server import RedisServer
from jarvis.core.identity import Rate, RateLimiter
from tests.valkey import ValkeyServer

RATE = Rate(requests=5, window_s=10)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(params=["in process", "redis"])
async def limiter(
    request: pytest.FixtureRequest, clock: Clock, valkey: ValkeyServer
) -> AsyncIterator[RateLimiter]:
    if request.param == "in process":
        yield InProcessRateLimiter(clock=clock)
        return
    async with RedisServer(valkey.url, timeout_s=10) as server:  # or a busy machine would count alone
        yield RedisRateLimiter(server, clock=clock)


@pytest.fixture
def advance(clock: Clock) -> Callable[[float], None]:
    """Return what lets that many seconds pass for the limiter."""
    return clock.advance


async def used_up(limiter: RateLimiter, *keys: str, rate: Rate = RATE) -> None:
    for key in keys:
        for _ in range(rate.requests):
            assert (await limiter.take(key, rate)).granted


async def test_as_many_as_the_rate_has_are_granted_at_once(limiter: RateLimiter) -> None:
    allowances = [await limiter.take("anna", RATE) for _ in range(7)]

    assert [allowance.granted for allowance in allowances] == [True] * 5 + [False] * 2
    assert [allowance.remaining for allowance in allowances] == [4, 3, 2, 1, 0, 0, 0]
    assert [allowance.retry_after_s > 0 for allowance in allowances] == [False] * 4 + [True] * 3


async def test_of_those_who_ask_at_the_same_time_no_more_are_granted(limiter: RateLimiter) -> None:
    allowances = await asyncio.gather(*(limiter.take("anna", RATE) for _ in range(50)))
    assert sum(allowance.granted for allowance in allowances) == 5


async def test_keys_are_counted_apart(limiter: RateLimiter) -> None:
    await used_up(limiter, "anna")
    assert (await limiter.take("bruno", RATE)).remaining == 4


async def test_asked_again_when_told_it_is_granted(
    limiter: RateLimiter, advance: Callable[[float], None]
) -> None:
    await used_up(limiter, "anna")
    for _ in range(12):
        refused = await limiter.take("anna", RATE)
        assert not refused.granted
        advance(refused.retry_after_s)
        assert (await limiter.take("anna", RATE)).granted


async def test_what_is_refused_does_not_count(limiter: RateLimiter, advance: Callable[[float], None]) -> None:
    await used_up(limiter, "anna")
    refusals = [await limiter.take("anna", RATE) for _ in range(100)]
    assert refusals[-1].full_after_s <= RATE.window_s + 1e-3
    advance(refusals[-1].full_after_s)
    await used_up(limiter, "anna")


@pytest.mark.parametrize("window_s", [0.5, 60.0, 3600.0])
async def test_full_again_after_a_window_whatever_was_taken(
    limiter: RateLimiter, advance: Callable[[float], None], window_s: float
) -> None:
    rate = Rate(requests=3, window_s=window_s)
    for _ in range(3):
        await used_up(limiter, "anna", rate=rate)
        assert not (await limiter.take("anna", rate)).granted
        advance(window_s)


async def test_in_memory_it_forgets_whoever_is_full_again(clock: Clock) -> None:
    limiter = InProcessRateLimiter(clock=clock)
    slow = Rate(requests=1, window_s=3600)
    await used_up(limiter, "slow", rate=slow)
    await used_up(limiter, *(f"early {number}" for number in range(300)))
    clock.advance(RATE.window_s + 1)
    for number in range(150):
        await limiter.take(f"late {number}", RATE)
    assert len(limiter) == 151
    assert not (await limiter.take("slow", slow)).granted


async def test_in_memory_one_key_for_ever_takes_no_room(clock: Clock) -> None:
    limiter = InProcessRateLimiter(clock=clock)
    for _ in range(1000):
        await limiter.take("anna", RATE)
        clock.advance(1.7)
    assert len(limiter) == 1
    assert len(pickle.dumps(vars(limiter) | {"_clock": None})) < 1000


async def test_in_memory_the_nearest_to_full_makes_room(clock: Clock) -> None:
    limiter = InProcessRateLimiter(clock=clock, max_keys=100)
    exhausted = [f"exhausted {number}" for number in range(50)]
    await used_up(limiter, *exhausted)
    for number in range(5_000):
        assert (await limiter.take(f"new {number}", RATE)).remaining == 4
        assert len(limiter) <= 100
    for key in exhausted:
        assert not (await limiter.take(key, RATE)).granted


async def test_in_memory_new_keys_are_counted_where_all_are_used_up(clock: Clock) -> None:
    limiter = InProcessRateLimiter(clock=clock, max_keys=10)
    await used_up(limiter, *(f"exhausted {number}" for number in range(10)))
    await used_up(limiter, "new")
    assert not (await limiter.take("new", RATE)).granted
    assert len(limiter) == 10
