"""A real Postgres for the whole test session, and a fresh, migrated database for whoever asks.

Registered as a plugin by conftest.py.
"""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import psutil
import pytest_asyncio

from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.driver import connect
from jarvis.adapters.postgres.migrations import migrate
from jarvis.embedded.child_log import ChildLog
from jarvis.embedded.cluster import Cluster, install, open_cluster
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.process import Command, Process, spawn

TEMPLATE = "jarvis_template"
START_WITHIN_S = 30.0


class PostgresServer(msgspec.Struct, kw_only=True):
    """One running Postgres; the rest does to it what the world may do."""

    cluster: Cluster
    data_dir: DataDir
    process: Process

    def url(self, database: str, *, role: str = "postgres") -> str:
        return f"postgresql://{role}@/{database}?host={self.data_dir.run_dir}"

    async def connect(self, database: str = "postgres", *, role: str = "postgres") -> Any:
        return await connect(self.url(database, role=role), timeout=5)

    async def run(self, *statements: str, database: str = "postgres") -> None:
        connection = await self.connect(database)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def new_database(self, *, template: str = "template1", owner: str = "postgres") -> str:
        name = f"t{uuid4().hex}"
        await self.run(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {owner}")
        return name

    def freeze(self) -> None:
        """Stop every process of it, first the one that starts the others."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    async def kill(self) -> None:
        """End every process of it at once, with nothing said or written."""
        self.freeze()  # or the first process would start others in their place
        processes = self._processes()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await self.process.wait()
        await asyncio.to_thread(psutil.wait_procs, processes, timeout=START_WITHIN_S)

    async def start(self) -> None:
        """Start it after `kill`."""
        self.process = await _start(self.cluster, self.data_dir)

    async def restart(self) -> None:
        await self.process.terminate(stop_signal=signal.SIGINT, deadline_s=START_WITHIN_S)
        self.process = await _start(self.cluster, self.data_dir)

    def _processes(self) -> list[psutil.Process]:
        # Every process of a cluster works in its data folder, and each backend leads a session of its own.
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]


async def _start(cluster: Cluster, data_dir: DataDir) -> Process:
    flags = {
        "listen_addresses": "",
        "unix_socket_directories": str(data_dir.run_dir),
        "max_connections": "200",
        "shared_buffers": "32MB",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "jit": "off",
        "autovacuum": "off",  # its snapshots would keep what tests see erased
    }
    cluster.make_private(data_dir.run_dir)
    log = ChildLog(data_dir.logs_dir / "postgres.log")
    with log.open() as file:
        process = spawn(
            Command(
                argv=[
                    str(cluster.installed.postgres),
                    *("-D", str(cluster.path)),
                    *(part for name, value in flags.items() for part in ("-c", f"{name}={value}")),
                ],
                env=cluster.installed.env,
                account=cluster.account,
                death_signal=signal.SIGQUIT,
            ),
            log=file,
            pidfile=data_dir.path / "test-postgres.pid",
        )
    async with asyncio.timeout(START_WITHIN_S):
        while True:
            try:
                connection = await connect(f"postgresql://postgres@/postgres?host={data_dir.run_dir}")
            except (OSError, asyncpg.CannotConnectNowError):
                # Polls another process' start: there is no event of ours to wait for.
                await asyncio.sleep(0.02)
            else:
                await connection.close()
                return process


@asynccontextmanager
async def postgres_server() -> AsyncGenerator[PostgresServer]:
    """Run a Postgres with nothing in it."""
    folder = Path(tempfile.mkdtemp(prefix="jarvis-test-"))
    try:
        with DataDir(folder) as data_dir:
            cluster = await open_cluster(await install(data_dir, bin_dir=None), data_dir)
            server = PostgresServer(
                cluster=cluster, data_dir=data_dir, process=await _start(cluster, data_dir)
            )
            try:
                yield server
            finally:
                server.thaw()
                await server.process.terminate(stop_signal=signal.SIGINT, deadline_s=START_WITHIN_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[PostgresServer]:
    async with postgres_server() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated_template(postgres: PostgresServer) -> str:
    await postgres.run(f"CREATE DATABASE {TEMPLATE}")
    await migrate(postgres.url(TEMPLATE))
    return TEMPLATE


@pytest_asyncio.fixture(loop_scope="session")
async def empty_database(postgres: PostgresServer) -> AsyncIterator[str]:
    """The name of a database without tables."""
    name = await postgres.new_database()
    yield name
    await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(loop_scope="session")
async def migrated_database(postgres: PostgresServer, migrated_template: str) -> AsyncIterator[str]:
    """The name of a database of this test's own, at the newest revision."""
    name = await postgres.new_database(template=migrated_template)
    yield name
    await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(loop_scope="session")
async def database_url(postgres: PostgresServer, migrated_database: str) -> str:
    return postgres.url(migrated_database)


@pytest_asyncio.fixture(loop_scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool on a migrated database; the test fails if it leaves a connection in use."""
    async with Database(DatabaseSettings(url=database_url)) as opened:
        yield opened
        assert opened.in_use == 0
