"""What works and what does not, asked in the background: the probes only ever read the last answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Literal

import anyio
import msgspec

from jarvis.core.errors import JarvisError
from jarvis.core.types import utc_now

CHECK_PERIOD_S = 4.5
"""How often what works is asked: with the timeout, an outage must be known within 6 s."""
RECHECK_PERIOD_S = 1.0
"""How soon something that is away is asked again: readiness must be back within 5 s of its return."""
CHECK_TIMEOUT_S = 1.0

ServiceName = Literal["database", "llm", "memory", "voice", "cache"]
ServiceStatus = Literal["healthy", "degraded", "unhealthy", "starting", "not_configured"]
SERVICES: tuple[ServiceName, ...] = ("database", "llm", "memory", "voice", "cache")


class ServiceHealth(msgspec.Struct, frozen=True, kw_only=True):
    status: ServiceStatus
    response_time_ms: float | None = None
    last_check: datetime | None = None
    error: str | None = None


class MemoryUsage(msgspec.Struct, frozen=True, kw_only=True):
    """This process's resident memory against the machine's."""

    used_mb: float
    total_mb: float
    percentage: float


class Health(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    uptime_secs: int
    uptime: str
    timestamp: datetime
    memory_usage: MemoryUsage
    services: Mapping[ServiceName, ServiceHealth]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["ready", "degraded", "not_ready"]
    ready: bool
    version: str
    timestamp: datetime
    services: Mapping[ServiceName, str]
    failed_checks: list[str]


class SystemStatus(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="system_status"):
    """What a WebSocket is told that subscribes to `status`."""

    status: Health


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """How to ask one service: `ping` raises a JarvisError; `starting` says what a start still waits for.

    `lacking` says what is away although the service works. `period_s`: how often it is asked while it works.
    """

    ping: Callable[[], Awaitable[None]]
    starting: Callable[[], str | None] = lambda: None
    lacking: Callable[[], str | None] = lambda: None
    period_s: float = CHECK_PERIOD_S


class HealthCheck:
    """Asks each service in its own period, or every RECHECK_PERIOD_S while it is away, side by side.

    `on_change` is told of every service whose status has changed.
    """

    def __init__(
        self,
        probes: Mapping[ServiceName, Probe],
        *,
        version: str,
        memory_usage: Callable[[], MemoryUsage],
        on_change: Callable[[ServiceName, ServiceHealth], None],
    ) -> None:
        self._probes = probes
        self._on_change = on_change
        self._version = version
        self._memory_usage = memory_usage
        self._started_at = time.monotonic()
        self._services: dict[ServiceName, ServiceHealth] = {
            name: ServiceHealth(status="starting" if name in probes else "not_configured")
            for name in SERVICES
        }
        self.not_ready: dict[str, None] = {}
        """Reasons beyond the services for not being ready, such as `draining`."""
        self.body = b""
        """The JSON of `health()`, at most RECHECK_PERIOD_S old."""
        self._watchers: list[Callable[[bytes], None]] = []
        self._told: list[str] = []
        self._render()

    def health(self) -> Health:
        states = {self._services[name].status for name in self._probes}
        if self._services["database"].status == "unhealthy":
            overall = "unhealthy"
        elif states <= {"healthy"}:
            overall = "healthy"
        else:
            overall = "degraded"
        uptime_secs = int(time.monotonic() - self._started_at)
        return Health(
            status=overall,
            version=self._version,
            uptime_secs=uptime_secs,
            uptime=_spell(uptime_secs),
            timestamp=utc_now(),
            memory_usage=self._memory_usage(),
            services=dict(self._services),
        )

    def readiness(self) -> Readiness:
        failed = list(self.not_ready)
        if self._services["database"].status != "healthy":
            failed.insert(0, "database")
        degraded = any(self._services[name].status != "healthy" for name in self._probes)
        return Readiness(
            status="not_ready" if failed else "degraded" if degraded else "ready",
            ready=not failed,
            version=self._version,
            timestamp=utc_now(),
            services={name: service.status for name, service in self._services.items()},
            failed_checks=failed,
        )

    @property
    def asked(self) -> Iterable[ServiceName]:
        """Which services are configured."""
        return self._probes.keys()

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    @contextmanager
    def watched(self, deliver: Callable[[bytes], None]) -> Generator[None]:
        """Have a SystemStatus's JSON delivered now and when a status changes, until this is left."""
        deliver(msgspec.json.encode(SystemStatus(status=self.health())))
        self._watchers.append(deliver)
        try:
            yield
        finally:
            self._watchers.remove(deliver)

    def is_up(self, name: ServiceName) -> bool:
        return self._services[name].status in {"healthy", "degraded"}

    async def run(self) -> None:
        """Check for ever; to be cancelled."""
        async with anyio.create_task_group() as tasks:
            for name in self._probes:
                tasks.start_soon(self._watch, name)
            while True:
                await asyncio.sleep(RECHECK_PERIOD_S)
                self._render()

    async def check(self) -> None:
        """Ask every service once, side by side, and renew the answers."""
        async with anyio.create_task_group() as tasks:
            for name in self._probes:
                tasks.start_soon(self._ask, name)
        self._render()

    async def _watch(self, name: ServiceName) -> None:
        up_s = self._probes[name].period_s
        while True:
            await asyncio.sleep(up_s if self.is_up(name) else min(up_s, RECHECK_PERIOD_S))
            await self._ask(name)
            self._render()

    async def _ask(self, name: ServiceName) -> None:
        probe = self._probes[name]
        begun_at = time.perf_counter()
        error: str | None = None
        try:
            with anyio.fail_after(CHECK_TIMEOUT_S):
                await probe.ping()
        except TimeoutError:
            error = f"No answer within {CHECK_TIMEOUT_S:g} s."
        except JarvisError as exc:
            error = exc.detail
        except Exception as exc:  # noqa: BLE001 a defect in a check must not end the server
            error = f"The check itself failed ({type(exc).__name__})."
        status: ServiceStatus = "healthy"
        if error is not None:
            starting = probe.starting()
            status, error = ("starting", starting) if starting else ("unhealthy", error)
        elif error := probe.lacking():
            status = "degraded"
        before = self._services[name].status
        now = self._services[name] = ServiceHealth(
            status=status,
            response_time_ms=round((time.perf_counter() - begun_at) * 1000, 2),
            last_check=utc_now(),
            error=error,
        )
        if status != before:
            self._on_change(name, now)

    def _render(self) -> None:
        health = self.health()
        self.body = msgspec.json.encode(health)
        told = [service.status for service in health.services.values()]
        if told != self._told:
            self._told = told
            changed = msgspec.json.encode(SystemStatus(status=health))
            for deliver in list(self._watchers):
                deliver(changed)


def _spell(seconds: int) -> str:
    minutes, secs = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"))
    return " ".join([f"{count}{unit}" for count, unit in parts if count] + [f"{secs}s"])
