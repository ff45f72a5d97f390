"""`jarvis user`: who may sign in, as the administrator of this machine decides.

Works beside a running server and without one. What ends here ends there within a second.
"""

import argparse
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC

from jarvis.adapters.passwords import Argon2Passwords
from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.migrations import HEAD, current_revision, migrate
from jarvis.app.assembly import database_settings
from jarvis.app.checking import effective_database
from jarvis.core.errors import Unavailable
from jarvis.core.identity import Account, AccountRegister, UserRole, UserStatus
from jarvis.core.types import new_id
from jarvis.settings import Settings

MADE_PASSWORD_BYTES = 15
"""120 bits, in 20 characters."""
HEAD_OF_LIST = ("NAME", "ROLE", "STATUS", "SINCE")


async def manage_users(settings: Settings, chosen: argparse.Namespace) -> int:
    """Do what `user_arguments` read; return 0.

    Raises Conflict, NotFound and Unavailable, EmbeddedError and MigrationRefused.
    """
    async with _open_register(settings) as register:
        match chosen.action:
            case "add":
                await _add(register, chosen.name, role=chosen.role, password=chosen.password)
            case "list":
                _tell(_as_table(await register.all()))
            case "suspend":
                await _set_status(register, chosen.name, "suspended")
            case "resume":
                await _set_status(register, chosen.name, "active")
            case "passwd":
                await _change_password(register, chosen.name, chosen.password)
            case _:
                raise AssertionError
    return 0


@asynccontextmanager
async def _open_register(settings: Settings) -> AsyncGenerator[AccountRegister]:
    """Open the accounts of the database that a server with these settings uses, which may be a new one."""
    async with effective_database(settings) as url:
        if settings.migrate_on_start:
            await migrate(url)
        elif await current_revision(url) != HEAD:
            raise Unavailable(
                "database", "The database is not at this version's revision: run jarvis migrate."
            )
        async with Database(database_settings(settings, url)) as database:
            yield PostgresAccounts(database)


async def _add(register: AccountRegister, name: str, *, role: UserRole | None, password: str | None) -> None:
    password_hash, made = await _hash(password)
    account, is_adopted = await register.add(name, password_hash, role=role, user_id=new_id())
    told = f"{name} is {'an' if account.role == 'owner' else 'a'} {account.role} now"
    if account.role == "owner" and role != "owner":
        told = f"{name} is the owner now, as the first user"
    if is_adopted:
        told += f", and has what the profile {name} had: its conversations and memories"
    _tell(f"{told}.", made)


async def _set_status(register: AccountRegister, name: str, status: UserStatus) -> None:
    await register.set_status(name, status)
    if status == "suspended":
        _tell(f"{name} is suspended and signed out everywhere; the API keys are deleted.")
    else:
        _tell(f"{name} may sign in again.")


async def _change_password(register: AccountRegister, name: str, password: str | None) -> None:
    password_hash, made = await _hash(password)
    await register.set_password(name, password_hash)
    _tell(f"{name} has a new password and is signed out everywhere; API keys stay.", made)


async def _hash(password: str | None) -> tuple[str, str]:
    """Return the hash of the password, or of a new one; and what to tell of that, if it is new."""
    made = "" if password else secrets.token_urlsafe(MADE_PASSWORD_BYTES)
    password_hash = await Argon2Passwords().hash(password or made)
    return password_hash, f"The password, shown this once: {made}" if made else ""


def _as_table(accounts: list[Account]) -> str:
    """Lay out one line for each, of words: a profile without a password has the status `no-password`."""
    rows = [HEAD_OF_LIST, *map(_as_row, accounts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _as_row(account: Account) -> tuple[str, str, str, str]:
    status = "no-password" if account.password_hash is None else account.status
    since = account.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return account.user.name, account.role, status, since


def _tell(*lines: str) -> None:
    # Not rich's print, which takes some passwords for markup and breaks lines.
    for line in filter(None, lines):
        print(line)  # noqa: T201 a command's own output
