"""One child process: started so that it cannot outlive us, awaited without a thread, stopped by a deadline.

Owns no policy: when to start again is the supervisor's business.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

# Runs in the child between fork and exec, as a program of its own: `preexec_fn` can deadlock in a process
# with threads. The order matters: changing the user clears the death signal, so it is asked for after that;
# and a parent that died before the request would never be noticed, so it is looked at last.
_SHIM = """
import os, sys
parent, death_signal, uid, gid, program, *argv = sys.argv[1:]
try:
    import ctypes  # before the user changes: it may not be allowed to read this Python
    prctl = ctypes.CDLL(None).prctl
except ImportError:  # a Python built without libffi: the pid file at the next start is what is left
    prctl = lambda *arguments: None
if uid != "-":
    os.setgroups([]); os.setgid(int(gid)); os.setuid(int(uid))
PR_SET_PDEATHSIG = 1
prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
if os.getppid() != int(parent):
    sys.exit("the parent is gone")
os.execv(program, argv)
"""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The system user a child runs as."""

    name: str
    uid: int
    gid: int


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """`death_signal` is what the kernel sends the child when we die, however we die."""

    argv: Sequence[str]
    env: Mapping[str, str]
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGKILL
    cwd: Path | None = None


class Process:
    """A running child. Its exit status is always collected, so it never stays as a zombie.

    The kernel ties the child to the *thread* that started it. That thread is the one that runs the event
    loop, so a child dies with the loop that looks after it; never start one from a worker thread.
    """

    def __init__(self, popen: subprocess.Popen[bytes], pidfile: Path) -> None:
        self._popen = popen
        self._pidfile = pidfile
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[int] = self._loop.create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        self._loop.add_reader(self._pidfd, self._collect)

    @property
    def pid(self) -> int:
        return self._popen.pid

    async def wait(self) -> int:
        """The exit status, negative for a signal. Cancelling one waiter leaves the child and others alone."""
        return await asyncio.shield(self._exited)

    async def terminate(self, *, stop_signal: signal.Signals, deadline_s: float) -> int:
        """Ask, wait, then kill the whole process group. When cancelled while waiting, kill at once."""
        if not self._exited.done():
            self._popen.send_signal(stop_signal)
        try:
            async with asyncio.timeout(deadline_s):
                return await self.wait()
        except TimeoutError:
            self.kill()
            return await self.wait()
        except asyncio.CancelledError:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill the child and whatever it started; idempotent."""
        if self._exited.done():
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            self._popen.kill()

    def _collect(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfile.unlink(missing_ok=True)
        status = self._popen.wait()
        if not self._exited.done():
            self._exited.set_result(status)


def spawn(command: Command, *, log: BinaryIO, pidfile: Path) -> Process:
    """Start the child in a session of its own, so that Ctrl-C in a terminal reaches only us.

    Raises OSError when the program cannot be started.
    """
    account = command.account
    shim = [
        *(sys.executable, "-I", "-S", "-c", _SHIM),
        *(str(os.getpid()), str(int(command.death_signal))),
        *((str(account.uid), str(account.gid)) if account else ("-", "-")),
        command.argv[0],
        *command.argv,
    ]
    # S603: argv comes from this package, not from a request.
    popen = subprocess.Popen(  # noqa: S603
        shim,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=dict(command.env),
        cwd=command.cwd or "/",
        start_new_session=True,
    )
    pidfile.parent.mkdir(parents=True, exist_ok=True)
    pidfile.write_text(f"{popen.pid} {started_at(popen.pid)}\n")
    return Process(popen, pidfile)


def started_at(pid: int) -> str:
    """When the kernel started it, in clock ticks, which with the pid is unique; "" when gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


async def end_stray(pidfile: Path, *, stop_signal: signal.Signals, deadline_s: float) -> int | None:
    """End the child an earlier, killed owner left behind; return its pid if there was one.

    The kernel has ended it already unless PR_SET_PDEATHSIG was lost. Call only while holding the data
    folder's lock.
    """
    pid = _stray(pidfile)
    if pid is not None:
        await end_foreign([pid], stop_signal=stop_signal, deadline_s=deadline_s)
    return pid


def _stray(pidfile: Path) -> int | None:
    try:
        pid, _, ticks = pidfile.read_text().strip().partition(" ")
    except FileNotFoundError:
        return None
    pidfile.unlink()
    return int(pid) if pid.isdigit() and ticks and started_at(int(pid)) == ticks else None


async def end_foreign(pids: Sequence[int], *, stop_signal: signal.Signals, deadline_s: float) -> None:
    """End processes that are not our children: ask, wait, kill. Returns when none is left."""
    for number in (stop_signal, signal.SIGKILL):
        for pid in pids:
            _signal(pid, number)
        loop = asyncio.get_running_loop()
        deadline_at_s = loop.time() + deadline_s
        # ASYNC110: the kernel tells only a parent about an exit.
        while any(map(_is_running, pids)) and loop.time() < deadline_at_s:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)  # a stopped process handles nothing but SIGKILL
    except ProcessLookupError:
        return


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
