"""Logs and metrics of one process: structlog set up once, one private Prometheus registry.

Message text and secrets never get into a log line; no metric has a label that a client can invent.
"""

import logging
import platform
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Literal, cast

import msgspec
import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from structlog.typing import EventDict, Processor, WrappedLogger

from jarvis.web.problems import frames_of

LogFormat = Literal["console", "json"]

_HIDDEN = "[hidden]"
_SECRET_PARTS = ("authorization", "token", "password", "passwd", "secret", "api_key", "apikey", "cookie")
# Counts of tokens are no tokens.
_HARMLESS = frozenset({"prompt_tokens", "completion_tokens", "total_tokens", "max_tokens", "tokens"})
_PLAIN = frozenset({str, int, float})
_TEXT_KEYS = frozenset({"content", "message", "text", "prompt", "system_prompt", "body", "partial", "data"})
# These log each request or step by themselves, below warning level.
_CHATTY = ("alembic", "httpx", "httpcore", "asyncio", "websockets")

REQUEST_BOUNDS_S = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
)
FIRST_TOKEN_BOUNDS_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)

Read = Callable[[], float]


def configure_logging(level: str, log_format: LogFormat) -> None:
    """Send all logs of the process, ours and every library's, to stderr in one format."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_where,
        hide_private,
    ]
    renderers = _renderers(log_format)
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _renderers(log_format: LogFormat) -> list[Processor]:
    if log_format == "console":
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [structlog.processors.JSONRenderer(serializer=_to_json)]


def _to_json(event: EventDict, **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def tell_where(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put in place of an exception where it happened: what it says may quote a user."""
    given = event.pop("exc_info", None)
    if not given:
        return event
    # An exception, what sys.exc_info returns, or True: the one that is being handled.
    told = cast("tuple[object, ...]", given)[1] if isinstance(given, tuple) else given
    exc = told if isinstance(told, BaseException) else sys.exc_info()[1]
    if exc is not None:
        event["traceback"] = frames_of(exc)
    return event


def hide_private(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace values whose key says that they are a secret or somebody's words, at any depth."""
    for key, value in event.items():
        if _is_private(key):
            event[key] = _HIDDEN
        elif type(value) not in _PLAIN and isinstance(value, Mapping):
            event[key] = hide_private(_logger, _method, dict(cast("Mapping[str, object]", value)))
    return event


@lru_cache(512)
def _is_private(key: str) -> bool:
    name = key.lower().replace("-", "_")
    if name in _TEXT_KEYS:
        return True
    return name not in _HARMLESS and any(part in name for part in _SECRET_PARTS)


class RequestCounts(Collector):
    """Requests by method, route and status, and their duration by method and route.

    Kept as plain numbers and turned into samples at the scrape: counting a request costs 0.4 us, where a
    prometheus_client Counter and Histogram take 2.7. For one thread only, that of the event loop.
    """

    def __init__(self) -> None:
        self._statuses: dict[tuple[str, str, int], int] = {}
        self._durations: dict[tuple[str, str], _Durations] = {}

    def observe(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one answered request; `method` and `route` must come from closed sets."""
        key = (method, route, status)
        self._statuses[key] = self._statuses.get(key, 0) + 1
        durations = self._durations.get((method, route))
        if durations is None:
            durations = self._durations[method, route] = _Durations()
        durations.add(duration_s)

    def collect(self) -> Iterable[Metric]:
        requests = CounterMetricFamily(
            "http_requests", "Requests answered.", labels=("method", "route", "status")
        )
        for (method, route, status), count in self._statuses.items():
            requests.add_metric((method, route, str(status)), count)
        yield requests
        seconds = HistogramMetricFamily(
            "http_request_duration_seconds",
            "From a request's head to the end of its answer.",
            labels=("method", "route"),
        )
        for labels, durations in self._durations.items():
            seconds.add_metric(labels, list(durations.cumulative()), durations.total_s)
        yield seconds


class _Durations:
    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(REQUEST_BOUNDS_S) + 1)
        self.total_s = 0.0

    def add(self, duration_s: float) -> None:
        self.counts[bisect_left(REQUEST_BOUNDS_S, duration_s)] += 1
        self.total_s += duration_s

    def cumulative(self) -> Iterator[tuple[str, float]]:
        below = 0
        for bound, count in zip((*map(str, REQUEST_BOUNDS_S), "+Inf"), self.counts, strict=True):
            below += count
            yield bound, below


class _DependencyUp(Collector):
    def __init__(self, read: Callable[[], Mapping[str, bool]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "jarvis_dependency_up", "1 while the background check finds it healthy.", labels=("service",)
        )
        for service, up in self._read().items():
            family.add_metric((service,), float(up))
        yield family


class Metrics:
    """Everything /metrics shows (contract section 9). Gauges are read at the scrape, through `watch`."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = RequestCounts()
        self.registry.register(self.requests)
        turns = Counter("jarvis_turns", "Turns ended, by how.", ("status",), registry=self.registry)
        self._turns = {
            status: turns.labels(status) for status in ("complete", "cancelled", "interrupted", "failed")
        }
        tokens = Counter(
            "jarvis_llm_tokens", "Tokens, by the model's own count.", ("kind",), registry=self.registry
        )
        self._prompt_tokens = tokens.labels("prompt")
        self._completion_tokens = tokens.labels("completion")
        self._first_token = Histogram(
            "jarvis_time_to_first_token_seconds",
            "From a turn's request to its first text.",
            buckets=FIRST_TOKEN_BOUNDS_S,
            registry=self.registry,
        )
        Gauge("jarvis_build_info", "Always 1.", ("version", "python"), registry=self.registry).labels(
            version, platform.python_version()
        ).set(1)

    def watch(
        self,
        *,
        turns_inflight: Read,
        turns_queued: Read,
        ws_connections: Read,
        db_pool_in_use: Read,
        memory_unindexed: Read,
        dependencies_up: Callable[[], Mapping[str, bool]],
    ) -> None:
        """Register what the gauges read; call once. The callables must not wait."""
        gauges = {
            "jarvis_turns_inflight": ("Turns running in this process.", turns_inflight),
            "jarvis_turns_queued": ("Turns waiting in this process.", turns_queued),
            "jarvis_ws_connections": ("Open WebSockets.", ws_connections),
            "jarvis_db_pool_in_use": ("Database connections in use.", db_pool_in_use),
            "jarvis_memory_unindexed": ("Memories that cannot be found by meaning yet.", memory_unindexed),
        }
        for name, (meaning, read) in gauges.items():
            Gauge(name, meaning, registry=self.registry).set_function(read)
        self.registry.register(_DependencyUp(dependencies_up))

    def turn_ended(self, status: str) -> None:
        self._turns[status].inc()

    def first_token(self, wait_s: float) -> None:
        self._first_token.observe(wait_s)

    def tokens_used(self, *, prompt: int, completion: int) -> None:
        self._prompt_tokens.inc(prompt)
        self._completion_tokens.inc(completion)

    def render(self) -> bytes:
        """Return the Prometheus text exposition, format 0.0.4."""
        return generate_latest(self.registry)
