"""What the RateLimiter in Redis promises beside the port: one budget for all, and no dependence."""

import asyncio
from collections.abc import AsyncIterator

import anyio
import pytest_asyncio

from jarvis.adapters.redis.rate_limiter import PREFIX, RedisRateLimiter
from jarvis.adapters.redis.server import RedisServer
from jarvis.core.identity import Rate, RateLimiter
from tests.valkey import ValkeyServer

RATE = Rate(requests=6, window_s=3600)
TIMEOUT_S = 1.5
GRACE_S = 3.0


@pytest_asyncio.fixture
async def server(valkey: ValkeyServer) -> AsyncIterator[RedisServer]:
    async with RedisServer(valkey.url, timeout_s=TIMEOUT_S) as opened:
        yield opened


async def granted(limiter: RateLimiter, *, times: int = 20, rate: Rate = RATE) -> int:
    return sum([(await limiter.take("anna", rate)).granted for _ in range(times)])


async def test_replicas_share_one_budget(valkey: ValkeyServer, server: RedisServer) -> None:
    async with RedisServer(valkey.url, timeout_s=TIMEOUT_S) as other:
        one, two = RedisRateLimiter(server), RedisRateLimiter(other)
        taken = await asyncio.gather(*(limiter.take("anna", RATE) for limiter in (one, two) * 20))
        assert sum(allowance.granted for allowance in taken) == RATE.requests
        assert sorted(allowance.remaining for allowance in taken if allowance.granted) == [0, 1, 2, 3, 4, 5]


async def test_the_servers_clock_gives_back_when_it_was_told(server: RedisServer) -> None:
    limiter = RedisRateLimiter(server)
    rate = Rate(requests=2, window_s=4)
    assert await granted(limiter, times=2, rate=rate) == 2
    refused = await limiter.take("anna", rate)
    assert not refused.granted
    assert 0 < refused.retry_after_s <= 2
    await asyncio.sleep(refused.retry_after_s)  # not for something to happen: it is what is promised
    assert (await limiter.take("anna", rate)).granted


async def test_rounding_takes_nothing_from_a_long_row(server: RedisServer) -> None:
    """The interval is no whole number of microseconds, and the clock says what today's clocks say."""
    limiter = RedisRateLimiter(server, clock=lambda: 1.8e9)
    rate = Rate(requests=1016, window_s=6)
    assert await granted(limiter, times=rate.requests + 1, rate=rate) == rate.requests


async def test_keys_are_named_and_end_when_they_say_nothing_more(
    valkey: ValkeyServer, server: RedisServer
) -> None:
    limiter = RedisRateLimiter(server)
    await limiter.take("anna", Rate(requests=10, window_s=100))
    await limiter.take("anna", Rate(requests=10, window_s=100))
    async with valkey.client() as client:
        assert await client.keys() == [f"{PREFIX}anna".encode()]
        assert 10_000 < await client.pttl(f"{PREFIX}anna") <= 21_000


async def test_one_is_asked_in_one_round_trip(valkey: ValkeyServer, server: RedisServer) -> None:
    limiter = RedisRateLimiter(server)
    await limiter.take("anna", RATE)
    async with valkey.client() as client:
        await client.config_resetstat()
        await limiter.take("anna", RATE)
        calls = {name: stat["calls"] for name, stat in (await client.info("commandstats")).items()}
    del calls["cmdstat_config|resetstat"]
    assert calls == dict.fromkeys(["cmdstat_evalsha", "cmdstat_time", "cmdstat_get", "cmdstat_set"], 1)


async def test_a_redis_that_has_forgotten_everything_learns_the_script_again(
    valkey: ValkeyServer, server: RedisServer
) -> None:
    limiter = RedisRateLimiter(server)
    assert await granted(limiter) == RATE.requests
    async with valkey.client() as client:
        await client.flushall()
        await client.script_flush()
    assert await granted(limiter) == RATE.requests


async def test_while_it_is_away_half_the_rate_is_counted_here(
    valkey: ValkeyServer, server: RedisServer
) -> None:
    limiter = RedisRateLimiter(server)
    assert (await limiter.take("anna", RATE)).remaining == 5
    await valkey.kill()
    assert await granted(limiter) == 3
    assert await granted(limiter, rate=Rate(requests=1, window_s=3600)) == 0
    assert (await limiter.take("ben", Rate(requests=1, window_s=3600))).granted

    await valkey.start()
    assert await granted(limiter) == 0  # until a ping says that it is back
    await server.ping()
    assert await granted(limiter) == RATE.requests


async def test_while_it_is_silent_nobody_waits_for_it_twice(
    valkey: ValkeyServer, server: RedisServer
) -> None:
    limiter = RedisRateLimiter(server)
    await limiter.take("anna", RATE)
    valkey.freeze()
    with anyio.fail_after(TIMEOUT_S + GRACE_S):
        assert await granted(limiter, times=100) == 3


async def test_what_is_asked_at_the_same_time_as_it_falls_silent_is_answered(
    valkey: ValkeyServer, server: RedisServer
) -> None:
    limiter = RedisRateLimiter(server)
    valkey.freeze()
    with anyio.fail_after(TIMEOUT_S + GRACE_S):
        taken = await asyncio.gather(*(limiter.take("anna", RATE) for _ in range(100)))
    assert sum(allowance.granted for allowance in taken) == 3
