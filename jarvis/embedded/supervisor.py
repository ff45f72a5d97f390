"""Keeps child processes running: probes, restarts, gives up on crash loops, and stops them in reverse order.

Knows nothing of what the children are; each brings its command and its own idea of health.
"""

import asyncio
import random
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

import msgspec
import structlog

from jarvis.embedded.child_log import ChildLog
from jarvis.embedded.errors import PartFailed
from jarvis.embedded.process import Command, Process, end_stray, spawn
from jarvis.embedded.restarts import GiveUp, Restart, RestartPolicy

Probe = Callable[[], Awaitable[None]]


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `probe` returns when the child serves and raises otherwise, within `probe_timeout_s`.

    `prepare` runs before every start. A running child is ended and started again after `probe_failures`
    failed probes in a row: long enough that a machine that was very busy is not taken for a hang.
    """

    name: str
    title: str
    command: Command
    probe: Probe
    prepare: Callable[[], Awaitable[None]] | None = None
    ready_within_s: float = 60.0
    ready_poll_s: float = 0.005
    probe_every_s: float = 5.0
    probe_timeout_s: float = 5.0
    probe_failures: int = 6
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 10.0
    restarts: RestartPolicy = RestartPolicy()


class Phase(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    FAILED = "failed"
    STOPPED = "stopped"


class ChildState(msgspec.Struct, frozen=True, kw_only=True):
    """`detail` is a sentence for a person."""

    phase: Phase
    detail: str
    pid: int | None = None
    restarts: int = 0


class Supervised:
    """One child and the task that looks after it. Made by Supervisor.start()."""

    def __init__(self, child: Child, *, log: ChildLog, pidfile: Path) -> None:
        self.child = child
        self.state = ChildState(phase=Phase.STARTING, detail=f"{child.title} is starting.")
        self._log = log
        self._pidfile = pidfile
        self._process: Process | None = None
        self._changed = asyncio.Event()
        self._logger: structlog.stdlib.BoundLogger = structlog.get_logger().bind(part=child.name)

    async def watch(self) -> AsyncGenerator[ChildState]:
        """Yield the state now and after changes; quick ones may be skipped. Ends with FAILED or STOPPED."""
        while True:
            changed, state = self._changed, self.state
            yield state
            if state.phase in {Phase.FAILED, Phase.STOPPED}:
                return
            await changed.wait()

    async def wait_ready(self) -> None:
        """Return once it runs. Raises PartFailed when it was given up on or stopped."""
        async for state in self.watch():
            match state.phase:
                case Phase.RUNNING:
                    return
                case Phase.FAILED | Phase.STOPPED:
                    raise PartFailed(state.detail)
                case Phase.STARTING | Phase.BACKOFF:
                    continue
                case _:
                    assert_never(state.phase)

    async def run(self) -> None:
        """Start, watch, start again. Returns when given up; cancel it, then call `stop`, to end it."""
        crashes_s: tuple[float, ...] = ()
        loop = asyncio.get_running_loop()
        await end_stray(
            self._pidfile, stop_signal=self.child.stop_signal, deadline_s=self.child.stop_within_s
        )
        while True:
            reason = await self._live()
            # S311: spreads restarts in time, guards nothing.
            verdict = self.child.restarts.after_crash(crashes_s, loop.time(), random.random())  # noqa: S311
            crashes_s = verdict.crashes_s
            match verdict:
                case GiveUp():
                    self._give_up(reason, crashes=len(crashes_s))
                    return
                case Restart(delay_s=delay_s):
                    detail = f"{self.child.title} {reason}; starting it again in {delay_s:.1f} s."
                    self._logger.warning("part.restarts", detail=detail, log=str(self._log.path))
                    self._set(Phase.BACKOFF, detail, restarts=self.state.restarts + 1)
                    await asyncio.sleep(delay_s)
                case _:
                    assert_never(verdict)

    async def stop(self) -> None:
        """End the process if there is one; idempotent. Cancelled, it kills instead of waiting."""
        if self._process is not None:
            await self._process.terminate(
                stop_signal=self.child.stop_signal, deadline_s=self.child.stop_within_s
            )
        if self.state.phase is not Phase.FAILED:
            self._set(Phase.STOPPED, f"{self.child.title} is stopped.")

    def kill(self) -> None:
        """End the process without waiting; idempotent."""
        if self._process is not None:
            self._process.kill()

    def fail(self, exc: Exception) -> None:
        """Report that looking after the child itself broke; the child is ended."""
        self.kill()
        self._logger.error("part.supervision_failed", exc_info=exc)
        self._set(Phase.FAILED, f"{self.child.title} is no longer looked after: {exc!r}.")

    async def _live(self) -> str:
        """One life of the process, from start to end; the answer says how it ended."""
        child = self.child
        self._set(Phase.STARTING, f"{child.title} is starting.")
        try:
            if child.prepare is not None:
                await child.prepare()
            with self._log.open() as log:
                self._process = process = spawn(child.command, log=log, pidfile=self._pidfile)
        except OSError as exc:
            return f"could not be started ({exc})"
        self._set(Phase.STARTING, f"{child.title} is starting.", pid=process.pid)
        exited = asyncio.ensure_future(process.wait())
        try:
            reason = await self._until_ready(exited)
            if reason is None:
                self._set(Phase.RUNNING, f"{child.title} is running.", pid=process.pid)
                reason = await self._until_unwell(exited)
            if not exited.done():
                await process.terminate(stop_signal=child.stop_signal, deadline_s=child.stop_within_s)
        finally:
            exited.cancel()
        self._process = None
        return reason

    async def _until_ready(self, exited: asyncio.Future[int]) -> str | None:
        child = self.child
        deadline = asyncio.get_running_loop().time() + child.ready_within_s
        while asyncio.get_running_loop().time() < deadline:
            if await self._is_well():
                return None
            await asyncio.wait([exited], timeout=child.ready_poll_s)
            if exited.done():
                return _how_it_ended(exited.result())
        return f"was not ready within {child.ready_within_s:.0f} s"

    async def _until_unwell(self, exited: asyncio.Future[int]) -> str:
        failures = 0
        while failures < self.child.probe_failures:
            await asyncio.wait([exited], timeout=self.child.probe_every_s)
            if exited.done():
                return _how_it_ended(exited.result())
            self._log.rotate()
            failures = 0 if await self._is_well() else failures + 1
        return f"did not answer {failures} checks in a row"

    async def _is_well(self) -> bool:
        try:
            async with asyncio.timeout(self.child.probe_timeout_s):
                await self.child.probe()
        except Exception as exc:  # noqa: BLE001  whatever a probe raises means "not well"
            if self.state.phase is Phase.RUNNING:
                self._logger.warning("part.check_failed", error=repr(exc))
            return False
        return True

    def _give_up(self, reason: str, *, crashes: int) -> None:
        window_s = self.child.restarts.window_s
        tail = self._log.tail()
        detail = (
            f"{self.child.title} {reason}, {crashes} times within {window_s:.0f} s: given up. "
            f"Its log is {self._log.path}" + (f"; it ends with:\n{tail}" if tail else " and is empty.")
        )
        self._logger.error("part.failed", detail=detail)
        self._set(Phase.FAILED, detail)

    def _set(self, phase: Phase, detail: str, *, pid: int | None = None, restarts: int | None = None) -> None:
        self.state = ChildState(
            phase=phase,
            detail=detail,
            pid=pid,
            restarts=self.state.restarts if restarts is None else restarts,
        )
        self._changed.set()
        self._changed = asyncio.Event()


class Supervisor:
    """Owns children and their tasks. Use as an async context manager; leaving it stops all, last one first.

    `run_dir` keeps pid files; it must belong to the one owner of the data folder.
    """

    def __init__(self, *, log_dir: Path, run_dir: Path) -> None:
        self._log_dir = log_dir
        self._run_dir = run_dir
        self._children: list[tuple[Supervised, asyncio.Task[None]]] = []

    @property
    def states(self) -> dict[str, ChildState]:
        return {supervised.child.name: supervised.state for supervised, _ in self._children}

    def part(self, name: str) -> Supervised:
        """The started child of that name. Raises KeyError."""
        return {supervised.child.name: supervised for supervised, _ in self._children}[name]

    def start(self, child: Child) -> Supervised:
        """Start looking after a child and return at once; see Supervised.wait_ready()."""
        supervised = Supervised(
            child,
            log=ChildLog(self._log_dir / f"{child.name}.log"),
            pidfile=self._run_dir / f"{child.name}.pid",
        )
        task = asyncio.create_task(_guard(supervised), name=f"supervise {child.name}")
        self._children.append((supervised, task))
        return supervised

    async def stop(self) -> None:
        """Stop all children in reverse order; idempotent. Cancelled, it kills what is left at once."""
        try:
            while self._children:
                supervised, task = self._children[-1]
                task.cancel()
                await asyncio.wait([task])
                await supervised.stop()
                self._children.pop()
        finally:
            for supervised, task in self._children:
                task.cancel()
                supervised.kill()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()


async def _guard(supervised: Supervised) -> None:
    """A bug in here must show as a failed part, not as a task that nobody awaits."""
    try:
        await supervised.run()
    except Exception as exc:  # noqa: BLE001  see above
        supervised.fail(exc)


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"exited with status {status}"
