"""The measured processes: started, pinned, asked for their CPU time and memory, killed at the end."""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from time import clock_gettime, perf_counter

import msgspec
import psutil

from benchmarks.peer import Peer, get

START_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
POLL_S = 0.002

JARVIS = ("-m", "jarvis", "serve")
INSTANT = ("-m", "benchmarks.instant")
FLOOR = ("-m", "benchmarks.floor")
BARE_ROUTE = ("-m", "benchmarks.bare")
FASTAPI = (
    *("-m", "uvicorn", "benchmarks.orm:app", "--loop", "uvloop", "--http", "httptools"),
    *("--no-access-log", "--log-level", "error"),
)


class Server:
    """One program in a process of its own. `boot_s` is from its start to the first 200 of /ready."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, boot_s: float) -> None:
        self.port = port
        self.boot_s = boot_s
        self._process = process
        self._status = psutil.Process(process.pid)

    def cpu_s(self) -> float:
        # The process' own clock, in ns, as clock_getcpuclockid(3) makes its id: /proc counts ticks of 10 ms,
        # which is 6 % of a round.
        return clock_gettime(~self._process.pid << 3 | 2)

    def rss_mb(self) -> float:
        return self._status.memory_info().rss / 1e6

    def pin(self, cpus: list[int]) -> None:
        for thread in self._status.threads():
            os.sched_setaffinity(thread.id, cpus)


@asynccontextmanager
async def serving(program: tuple[str, ...], settings: Mapping[str, str]) -> AsyncGenerator[Server]:
    """Start `program` with Python, wait for its /ready, and stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    if "uvicorn" in program:
        program = (*program, "--port", str(port))
    # Without PYTHONDONTWRITEBYTECODE: what pip installs is compiled, here by the first start of a program.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with tempfile.TemporaryFile() as log:
        started_s = perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *program,
            env=kept | dict(settings) | {"PORT": str(port)},
            stdout=log,
            stderr=log,
        )
        try:
            async with asyncio.timeout(START_WITHIN_S):
                while not await _is_ready(port):
                    if process.returncode is not None:
                        log.seek(0)
                        raise RuntimeError(
                            f"{program} ended with {process.returncode}: {log.read()[-500:]!r}"
                        )
                    await asyncio.sleep(POLL_S)
            yield Server(process, port, perf_counter() - started_s)
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _is_ready(port: int) -> bool:
    with suppress(OSError):
        peer = await Peer.open(port)
        try:
            return (await peer.ask(get(port, "/ready"))).data.startswith(b"HTTP/1.1 200")
        finally:
            peer.close()
    return False


@asynccontextmanager
async def scripted_model(*arguments: str) -> AsyncGenerator[str]:
    """Run tests.scripted_model as a process of its own; yields its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.scripted_model", "--keep", "10", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        await _end(process)


class Cpus(msgspec.Struct, frozen=True, kw_only=True):
    """Who runs where: the servers on one CPU; load, Postgres and model on the others."""

    all: list[int]
    servers: list[int]
    load: list[int]


def share_cpus() -> Cpus:
    """Pin this process, and with it all it starts, to the CPUs of the load."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        return Cpus(all=cpus, servers=cpus, load=cpus)
    shared = Cpus(all=cpus, servers=cpus[:1], load=cpus[1:])
    os.sched_setaffinity(0, shared.load)
    return shared
