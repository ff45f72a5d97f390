"""The parts of a run, one after the other: what each gave, how long it took, how busy the machine was."""

import gc
import os
from collections.abc import Awaitable, Callable
from time import perf_counter

from benchmarks.report import Figure, table


class Parts:
    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self.failures: list[str] = []
        self._rows: list[list[str]] = []

    async def run(self, name: str, measure: Callable[[], Awaitable[list[Figure]]]) -> None:
        gc.collect()
        started_s = perf_counter()
        try:
            self.figures += await measure()
        except Exception as exc:  # noqa: BLE001 - the other parts are still worth their minutes
            self.failures.append(f"**{name} was not measured**: {type(exc).__name__}: {exc}")
        self._rows.append([name, f"{perf_counter() - started_s:.0f}", f"{os.getloadavg()[0]:.1f}"])

    def times_table(self) -> str:
        return table([["part", "seconds", "load at its end"], *self._rows])
