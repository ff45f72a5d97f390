"""The system user that runs Postgres when Jarvis itself is root: Postgres refuses to, and rightly so."""

import os
import pwd
import shutil
import subprocess

import structlog

from jarvis.embedded.errors import PartUnavailable
from jarvis.embedded.process import Account

NAME = "jarvis-postgres"


def account_for_postgres() -> Account | None:
    """None for a normal user: children then run as that user. As root, the dedicated user, made when missing.

    Raises PartUnavailable when it is missing and cannot be made.
    """
    if os.geteuid() != 0:
        return None
    account = _look_up()
    if account is None:
        _create()
        account = _look_up()
    if account is None or account.uid == 0:
        raise _unavailable("it is not there")
    structlog.get_logger().info(
        "postgres.runs_as",
        user=NAME,
        detail=f"Jarvis is root, which Postgres must not be: {NAME} runs it and owns only its own folder.",
    )
    return account


def _look_up() -> Account | None:
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    return Account(name=NAME, uid=entry.pw_uid, gid=entry.pw_gid)


def _create() -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise _unavailable("there is no useradd to make it with")
    structlog.get_logger().info(
        "postgres.user_created",
        user=NAME,
        detail=f"Making the system user {NAME}, without login.",
    )
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    # S603: constant arguments.
    result = subprocess.run(  # noqa: S603
        [*command, "--shell", "/usr/sbin/nologin", NAME],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if result.returncode != 0 and _look_up() is None:
        raise _unavailable(f"useradd said: {result.stderr.strip()}")


def _unavailable(reason: str) -> PartUnavailable:
    return PartUnavailable(
        f"Jarvis runs as root, and Postgres has to run as the system user {NAME}, but {reason}. "
        f"Run Jarvis as a normal user, or make that user (useradd --system {NAME}), or set DATABASE_URL."
    )
