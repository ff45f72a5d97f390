"""How far a fetch is: the figure itself, and how a person in a terminal or a log is shown it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import StrEnum

import msgspec
import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import (
    Progress as Bar,
)

LOG_EVERY_PERCENT = 10


class Stage(StrEnum):
    FETCHING = "fetching"
    CHECKING = "checking"


_DONE = {Stage.FETCHING: "fetched", Stage.CHECKING: "checked"}


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one stage; FETCHING counts what goes over the network, CHECKING what is hashed."""

    stage: Stage
    bytes_done: int
    bytes_total: int
    title: str = "The language model"

    @property
    def percent(self) -> int:
        return 100 if self.bytes_total == 0 else 100 * self.bytes_done // self.bytes_total

    @property
    def sentence(self) -> str:
        return f"{self.title} is being {_DONE[self.stage]}: {self.percent} %."


OnProgress = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """Show nothing."""


@contextmanager
def shown(title: str, *, console: Console | None = None) -> Generator[OnProgress]:
    """Give a callback that draws a bar on a terminal, and elsewhere writes a log line every 10 %.

    Nothing is drawn before the first progress, so a model that is there already shows nothing.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Bar(*columns, TimeRemainingColumn(), console=console)
    try:
        yield _Drawn(title, bar)
    finally:
        bar.stop()


class _Drawn:
    def __init__(self, title: str, bar: Bar) -> None:
        self._title = title
        self._bar = bar
        self._stage: Stage | None = None

    def __call__(self, progress: Progress) -> None:
        if progress.stage is not self._stage:
            self._stage = progress.stage
            self._bar.start()
            self._task = self._bar.add_task(f"{progress.stage.capitalize()} {self._title}")
        self._bar.update(self._task, completed=progress.bytes_done, total=progress.bytes_total)


class _Lines:
    def __init__(self, title: str) -> None:
        self._title = title
        self._stage: Stage | None = None
        self._next_percent = 0

    def __call__(self, progress: Progress) -> None:
        if progress.stage is not self._stage:
            self._stage, self._next_percent = progress.stage, 0
        if progress.percent < self._next_percent:
            return
        self._next_percent = progress.percent - progress.percent % LOG_EVERY_PERCENT + LOG_EVERY_PERCENT
        structlog.get_logger().info(
            f"weights.{progress.stage}",
            model=self._title,
            percent=progress.percent,
            of_bytes=progress.bytes_total,
        )
