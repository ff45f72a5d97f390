"""Everything /metrics shows, in one private registry. No metric has a label that a client can invent."""

import platform
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jarvis.telemetry.requests import RequestCounts

FIRST_TOKEN_BOUNDS_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)

Read = Callable[[], float]


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
