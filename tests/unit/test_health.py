"""What health and readiness say, from probes that a test answers."""

import asyncio
import json

import pytest

from jarvis.core.errors import Unavailable
from jarvis.services import health
from jarvis.services.health import HealthCheck, MemoryUsage, Probe, ServiceName


class Service:
    """Answers a probe as it is told to."""

    def __init__(self) -> None:
        self.away: Exception | None = None
        self.hangs = False
        self.asked = 0
        self.progress: str | None = None

    async def ping(self) -> None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise self.away

    def probe(self) -> Probe:
        return Probe(ping=self.ping, starting=lambda: self.progress)


@pytest.fixture
def database() -> Service:
    return Service()


@pytest.fixture
def llm() -> Service:
    return Service()


@pytest.fixture
def changes() -> list[tuple[ServiceName, str]]:
    return []


@pytest.fixture
def check(
    database: Service,
    llm: Service,
    changes: list[tuple[ServiceName, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> HealthCheck:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.02)
    probes: dict[ServiceName, Probe] = {"database": database.probe(), "llm": llm.probe()}
    return HealthCheck(
        probes,
        version="1.2.3",
        memory_usage=lambda: MemoryUsage(used_mb=1, total_mb=2, percentage=50),
        on_change=lambda name, service: changes.append((name, service.status)),
    )


AWAY = Unavailable("database", "It cannot be reached.")


async def test_before_the_first_check_everything_is_starting(check: HealthCheck) -> None:
    assert {name: service.status for name, service in check.health().services.items()} == {
        "database": "starting",
        "llm": "starting",
        "memory": "not_configured",
        "voice": "not_configured",
        "cache": "not_configured",
    }
    assert not check.readiness().ready


async def test_each_change_is_told_once(
    check: HealthCheck, llm: Service, changes: list[tuple[ServiceName, str]]
) -> None:
    await check.check()
    await check.check()
    assert changes == [("database", "healthy"), ("llm", "healthy")]
    llm.away = AWAY
    await check.check()
    await check.check()
    llm.away = None
    await check.check()
    assert changes[2:] == [("llm", "unhealthy"), ("llm", "healthy")]


async def test_all_is_well(check: HealthCheck) -> None:
    await check.check()
    assert check.health().status == "healthy"
    readiness = check.readiness()
    assert (readiness.status, readiness.ready, readiness.failed_checks) == ("ready", True, [])
    service = check.health().services["database"]
    assert service.response_time_ms is not None
    assert service.last_check is not None
    assert service.error is None


async def test_without_the_database_nothing_goes(check: HealthCheck, database: Service) -> None:
    database.away = AWAY
    await check.check()
    assert check.health().status == "unhealthy"
    assert check.health().services["database"].error == "It cannot be reached."
    readiness = check.readiness()
    assert (readiness.status, readiness.ready, readiness.failed_checks) == ("not_ready", False, ["database"])


async def test_without_the_model_it_is_degraded_but_ready(check: HealthCheck, llm: Service) -> None:
    llm.away = Unavailable("llm", "It cannot be reached.")
    await check.check()
    assert check.health().status == "degraded"
    assert (check.readiness().status, check.readiness().ready) == ("degraded", True)
    assert not check.is_up("llm")
    assert check.is_up("database")


async def test_a_model_that_is_being_fetched_is_starting_and_says_how_far(
    check: HealthCheck, llm: Service
) -> None:
    llm.away, llm.progress = Unavailable("llm", "away"), "The model is being fetched: 43 %."
    await check.check()
    service = check.health().services["llm"]
    assert (service.status, service.error) == ("starting", llm.progress)


async def test_a_service_that_hangs_is_away_and_keeps_nobody_waiting(
    check: HealthCheck, database: Service, llm: Service
) -> None:
    database.hangs = True
    async with asyncio.timeout(5):
        await check.check()
    assert check.health().services["database"].status == "unhealthy"
    assert check.health().services["llm"].status == "healthy"
    assert llm.asked == 1


async def test_what_is_well_is_asked_seldom_and_what_is_away_soon(
    check: HealthCheck, database: Service, llm: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "RECHECK_PERIOD_S", 0.001)
    monkeypatch.setattr(health, "CHECK_PERIOD_S", 3600)
    llm.away = Unavailable("llm", "away")
    await check.check()
    running = asyncio.create_task(check.run())
    async with asyncio.timeout(5):
        while llm.asked < 3:  # noqa: ASYNC110 - the periods are what is tested
            await asyncio.sleep(0)
        llm.away = None
        while json.loads(check.body)["services"]["llm"]["status"] != "healthy":  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0)
    running.cancel()
    assert database.asked == 1


async def test_a_probe_with_a_defect_is_a_service_that_is_away(check: HealthCheck, llm: Service) -> None:
    llm.away = ValueError("secret")
    await check.check()
    service = check.health().services["llm"]
    assert service.status == "unhealthy"
    assert service.error is not None
    assert "secret" not in service.error


async def test_other_reasons_for_not_being_ready(check: HealthCheck, database: Service) -> None:
    await check.check()
    check.not_ready["draining"] = None
    assert check.readiness().failed_checks == ["draining"]
    assert check.readiness().status == "not_ready"
    database.away = AWAY
    assert check.health().status == "healthy"  # health is liveness: it knows nothing of draining


async def test_the_body_of_health_lies_ready(check: HealthCheck, database: Service) -> None:
    await check.check()
    shown = json.loads(check.body)
    assert (shown["status"], shown["version"]) == ("healthy", "1.2.3")
    assert shown["memory_usage"] == {"used_mb": 1.0, "total_mb": 2.0, "percentage": 50.0}
    assert set(shown) == {
        *("status", "version", "uptime_secs", "uptime", "timestamp", "memory_usage", "services"),
    }
    assert set(shown["services"]["database"]) == {"status", "response_time_ms", "last_check", "error"}
    asked = database.asked
    check.health()
    check.readiness()
    assert database.asked == asked
