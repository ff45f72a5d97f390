import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import asyncpg
import psutil
import pytest

from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import DataDirUnusable, PartUnavailable
from jarvis.embedded.postgres import start_postgres
from jarvis.embedded.supervisor import Phase, Supervisor

connect = cast("Any", asyncpg).connect  # asyncpg ships no types


def reachable_folder() -> Path:
    """Not tmp_path: as root, Postgres runs as another user, who may not enter pytest's folders."""
    path = Path(tempfile.mkdtemp(prefix="jarvis-test-"))
    path.chmod(0o755)
    return path


@pytest.fixture
def folder() -> Iterator[Path]:
    path = reachable_folder()
    yield path
    shutil.rmtree(path)


@asynccontextmanager
async def postgres(folder: Path) -> AsyncGenerator[tuple[str, Supervisor]]:
    with DataDir(folder / "data") as data_dir:
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            yield await start_postgres(supervisor, data_dir), supervisor


async def run(dsn: str, *statements: str) -> Any:
    """Run them one by one; the answer is the last one's first value."""
    connection = await connect(dsn, timeout=5)
    answer = None
    try:
        for statement in statements:
            answer = await connection.fetchval(statement, timeout=5)
    finally:
        await connection.close(timeout=5)
    return answer


async def test_data_is_there_after_a_restart(folder: Path) -> None:
    async with postgres(folder) as (dsn, _):
        await run(dsn, "CREATE TABLE note (text text)", "INSERT INTO note VALUES ('kept')")
    async with postgres(folder) as (dsn, _):
        assert await run(dsn, "SELECT text FROM note") == "kept"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("log_min_error_statement", "panic"),
    ],
)
async def test_settings(shared: str, setting: str, value: str) -> None:
    assert await run(shared, f"SHOW {setting}") == value


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[str]:
    folder = reachable_folder()
    async with postgres(folder) as (dsn, _):
        yield dsn
    shutil.rmtree(folder)


async def test_it_never_runs_as_root_and_its_socket_is_private(folder: Path) -> None:
    async with postgres(folder) as (_, supervisor):
        pid = supervisor.states["postgres"].pid
        assert psutil.Process(pid).uids().effective != 0
        assert (folder / "data/run/postgres").stat().st_mode & 0o077 == 0


async def test_kill_9_of_postgres_loses_nothing(folder: Path) -> None:
    async with postgres(folder) as (dsn, supervisor):
        await run(dsn, "CREATE TABLE note (text text)", "INSERT INTO note VALUES ('kept')")
        pid = supervisor.states["postgres"].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            phases: list[Phase] = []
            async for state in supervisor.part("postgres").watch():
                phases.append(state.phase)
                if phases[-1] is Phase.RUNNING and Phase.BACKOFF in phases:
                    break
        assert await run(dsn, "SELECT text FROM note") == "kept"


PARENT = """
import asyncio, sys
from pathlib import Path
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.postgres import start_postgres
from jarvis.embedded.supervisor import Supervisor

async def main(folder):
    with DataDir(folder / "data") as data_dir:
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            dsn = await start_postgres(supervisor, data_dir)
            print(supervisor.states["postgres"].pid, dsn, flush=True)
            await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


def start_parent(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True)


async def test_kill_9_of_the_parent_ends_postgres_and_loses_nothing(folder: Path) -> None:
    with start_parent(folder) as parent:
        assert parent.stdout is not None
        line = ""
        while "postgresql://" not in line:  # log lines come first
            line = await asyncio.to_thread(parent.stdout.readline)
            assert line
        pid, _, dsn = line.strip().partition(" ")
        await run(dsn, "CREATE TABLE note (text text)", "INSERT INTO note VALUES ('kept')")
        pidfd = os.pidfd_open(int(pid))
        parent.kill()
        ended, _, _ = await asyncio.to_thread(select.select, [pidfd], [], [], 2.0)
        os.close(pidfd)
        assert ended
    async with postgres(folder) as (dsn, _):
        assert await run(dsn, "SELECT text FROM note") == "kept"


async def test_an_interrupted_first_start_is_healed(folder: Path) -> None:
    unfinished = folder / "data/postgres/data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    async with postgres(folder) as (dsn, _):
        assert await run(dsn, "SELECT 1") == 1
    assert not unfinished.exists()


async def test_a_lock_file_that_names_somebody_else_is_no_obstacle(folder: Path) -> None:
    async with postgres(folder):
        pass
    (folder / "data/postgres/data/postmaster.pid").write_text(f"{os.getpid()}\n")
    async with postgres(folder) as (dsn, _):
        assert await run(dsn, "SELECT 1") == 1


async def test_data_of_another_major_version_is_refused_untouched(folder: Path) -> None:
    async with postgres(folder):
        pass
    version = folder / "data/postgres/data/PG_VERSION"
    version.write_text("14\n")
    with pytest.raises(DataDirUnusable, match=r"made by PostgreSQL 14.*POSTGRES_BIN"):
        async with postgres(folder):
            pass
    assert version.read_text() == "14\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user run Postgres")
async def test_root_with_a_folder_nobody_else_can_reach_is_told_what_to_set(folder: Path) -> None:
    os.chmod(folder, 0o700)  # noqa: PTH101
    with pytest.raises(DataDirUnusable, match=r"JARVIS_DATA_DIR.*/var/lib/jarvis"):
        async with postgres(folder):
            pass


async def test_a_wrong_folder_of_programs_is_named(folder: Path) -> None:
    with DataDir(folder / "data") as data_dir:
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            with pytest.raises(PartUnavailable, match="POSTGRES_BIN"):
                await start_postgres(supervisor, data_dir, bin_dir=folder)


async def test_a_postgres_without_a_free_connection_counts_as_alive(folder: Path) -> None:
    async with postgres(folder) as (dsn, supervisor), AsyncExitStack() as connections:
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                connections.push_async_callback((await connect(dsn, timeout=5)).close)
        await supervisor.part("postgres").child.probe()
