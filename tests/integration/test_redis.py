"""A server with REDIS_URL, whose Redis is there, leaves and returns; and `jarvis doctor` about it."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from jarvis.app.examination.redis import examine_redis
from jarvis.settings import load
from tests.running import REPOSITORY, Running, in_one_task, running
from tests.scripted_model import ScriptedModel
from tests.valkey import ValkeyServer

KNOWN_WITHIN_S = 15.0
"""The check's period, its timeout, and grace for a busy machine."""


@pytest_asyncio.fixture
async def jarvis(database_url: str, model: ScriptedModel, valkey: ValkeyServer) -> AsyncIterator[Running]:
    async with in_one_task(running(database_url, model.url, redis_url=valkey.url)) as server:
        yield server


async def until_cache_is(jarvis: Running, status: str) -> None:
    health = jarvis.assembly.services.health
    deadline_s = time.monotonic() + KNOWN_WITHIN_S
    while (found := health.health().services["cache"].status) != status:
        assert time.monotonic() < deadline_s, found
        await asyncio.sleep(0.02)  # its own checks are what is looked at


async def answers(jarvis: Running) -> bool:
    return (await jarvis.http.post("/api/chat", json={"message": "Hello"})).status_code == 200


async def test_away_and_back_it_is_told_and_serves_all_the_time(
    jarvis: Running, valkey: ValkeyServer
) -> None:
    assert (await jarvis.http.get("/health")).json()["status"] == "healthy"
    assert await answers(jarvis)

    await valkey.kill()
    await until_cache_is(jarvis, "unhealthy")
    health = jarvis.assembly.services.health.health()
    assert (health.status, health.services["cache"].error) == ("degraded", "Redis cannot be reached.")
    ready = await jarvis.http.get("/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert await answers(jarvis)

    await valkey.start()
    await until_cache_is(jarvis, "healthy")
    assert (await jarvis.http.get("/ready")).json()["status"] == "ready"
    assert await answers(jarvis)


async def test_it_starts_without_the_redis_it_is_to_use(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer
) -> None:
    await valkey.kill()
    async with running(database_url, model.url, redis_url=valkey.url) as jarvis:
        assert (await jarvis.http.get("/ready")).status_code == 200
        assert await answers(jarvis)
        await valkey.start()
        await until_cache_is(jarvis, "healthy")


async def test_without_redis_url_nothing_is_asked(database_url: str, model: ScriptedModel) -> None:
    async with running(database_url, model.url) as jarvis:
        health = jarvis.assembly.services.health.health()
    assert (health.status, health.services["cache"].status) == ("healthy", "not_configured")


def test_what_starts_a_server_imports_no_client_of_redis() -> None:
    program = "import sys, jarvis.__main__; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False).returncode == 0


async def test_doctor_where_there_is_none(tmp_path: Path) -> None:
    finding = await examine_redis(load({"JARVIS_DATA_DIR": str(tmp_path)}))
    assert (finding.state, finding.facts) == ("ok", {"url": None})


async def test_doctor_where_it_answers(valkey: ValkeyServer) -> None:
    for url in (valkey.url, valkey.socket_url):
        finding = await examine_redis(load({"REDIS_URL": url}))
        assert (finding.state, finding.facts) == ("ok", {"url": url, "answers": True})


async def test_doctor_where_it_is_away(valkey: ValkeyServer) -> None:
    await valkey.kill()
    finding = await examine_redis(load({"REDIS_URL": f"redis://:hunter2@127.0.0.1:{valkey.port}"}))
    assert finding.state == "failed"
    assert finding.found == f"redis://:***@127.0.0.1:{valkey.port}: Redis cannot be reached."
    assert "correct REDIS_URL" in finding.advice
    assert finding.facts["answers"] is False


@pytest.mark.parametrize("login", ["", ":hunter2@"], ids=["without a password", "with a wrong one"])
async def test_doctor_where_it_is_refused(valkey: ValkeyServer, login: str) -> None:
    async with valkey.client() as client:
        await client.config_set("requirepass", "another")
    finding = await examine_redis(load({"REDIS_URL": f"redis://{login}127.0.0.1:{valkey.port}"}))
    assert finding.state == "failed"
    assert "refuses the user or the password" in finding.found
    assert "hunter2" not in f"{finding}"
