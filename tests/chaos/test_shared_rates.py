"""Two `jarvis serve` with one Postgres and one Valkey: one budget, also after an outage of Valkey."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.people import GUARDED
from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import ScriptedModel
from tests.valkey import ValkeyServer

LIMIT, ALONE = 8, 4
SHARED_AGAIN_WITHIN_S = 5.0
GRACE_S = 5.0
"""For a busy machine."""

Pair = tuple[JarvisProcess, JarvisProcess]


@pytest_asyncio.fixture
async def pair(database_url: str, model: ScriptedModel, valkey: ValkeyServer) -> AsyncIterator[Pair]:
    environment = {name.upper(): value for name, value in GUARDED.items()} | {
        "DATABASE_URL": database_url,
        "REDIS_URL": valkey.url,
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model.url,
        "RATE_LIMIT_REQUESTS": str(LIMIT),
        "RATE_LIMIT_WINDOW_SECS": "3600",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    async with jarvis_process(environment) as one, jarvis_process(environment) as other:
        yield one, other


async def ask(server: JarvisProcess, address: str) -> httpx.Response:
    """Ask as nobody from that address: 401, or 429 when its budget is used up."""
    return await server.http.get("/api/auth/whoami", headers={"X-Forwarded-For": address})


async def let_in(servers: list[JarvisProcess], address: str) -> int:
    """Ask these servers in turn; return how many requests the budget let in."""
    statuses = [(await ask(server, address)).status_code for server in servers]
    assert set(statuses) <= {401, 429}
    return statuses.count(401)


async def cache(server: JarvisProcess) -> str:
    return (await server.http.get("/health")).json()["services"]["cache"]["status"]


async def until_cache_is(status: str, pair: Pair, within_s: float) -> None:
    deadline_s = time.monotonic() + within_s
    while {await cache(server) for server in pair} != {status}:
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.05)  # other processes find it out


async def test_one_budget_for_both_and_a_stricter_one_for_each_alone(
    pair: Pair, valkey: ValkeyServer
) -> None:
    one, other = pair
    assert await let_in([one, other] * LIMIT, "192.0.2.1") == LIMIT
    assert {await cache(server) for server in pair} == {"healthy"}

    await valkey.kill()
    assert await let_in([one] * LIMIT, "192.0.2.2") == ALONE
    assert await let_in([other] * LIMIT, "192.0.2.2") == ALONE
    await until_cache_is("unhealthy", pair, SHARED_AGAIN_WITHIN_S + GRACE_S)
    for server in pair:
        health = (await server.http.get("/health")).json()
        assert (health["status"], health["services"]["database"]["status"]) == ("degraded", "healthy")
        assert (await server.http.get("/ready")).status_code == 200

    await valkey.start()
    await until_cache_is("healthy", pair, SHARED_AGAIN_WITHIN_S + GRACE_S)
    assert await let_in([one, other] * LIMIT, "192.0.2.3") == LIMIT


async def test_a_silent_valkey_stops_nobody(pair: Pair, valkey: ValkeyServer) -> None:
    one, _ = pair
    assert (await ask(one, "192.0.2.1")).status_code == 401
    valkey.freeze()
    async with asyncio.timeout(GRACE_S):
        assert await let_in([one] * LIMIT, "192.0.2.2") == ALONE
    valkey.thaw()
    await until_cache_is("healthy", pair, SHARED_AGAIN_WITHIN_S + GRACE_S)
