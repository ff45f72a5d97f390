"""`jarvis user`: on a fresh database, beside a server, on the embedded one, and where nothing can be done."""

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from jarvis.adapters.passwords import Argon2Passwords
from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.users import PostgresUsers
from tests.postgres import PostgresServer
from tests.running import jarvis_process
from tests.scripted_model import ScriptedModel

ROOT = Path(__file__).parents[2]
WITHIN_S = 60.0
MADE = re.compile(r"^The password, shown this once: (\S+)$", re.MULTILINE)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    code: int
    out: str
    err: str


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not tmp_path: as root, Postgres runs as another user, who may not enter pytest's folders."""
    path = Path(tempfile.mkdtemp(prefix="jarvis-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


async def user(*arguments: str, typed: str = "", **environment: str) -> Result:
    """Run `jarvis user` with exactly these settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jarvis", "user", *arguments),
            cwd=folder,
            env=kept | {"PYTHONPATH": str(ROOT), "JARVIS_DATA_DIR": f"{folder}/data"} | environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(WITHIN_S):
            out, err = await process.communicate(typed.encode())
    assert process.returncode is not None
    assert "Traceback" not in err.decode()
    return Result(code=process.returncode, out=out.decode(), err=err.decode())


def words(listed: Result) -> list[list[str]]:
    """Return the table without its head and without the times."""
    head, *lines = listed.out.splitlines()
    assert head.split() == ["NAME", "ROLE", "STATUS", "SINCE"]
    rows = [line.split() for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[3]) for row in rows)
    return [row[:3] for row in rows]


async def has_password(database: Database, name: str, password: str) -> bool:
    (account,) = [found for found in await PostgresAccounts(database).all() if found.user.name == name]
    return await Argon2Passwords().verify(password, account.password_hash)


async def test_the_first_is_the_owner_and_a_password_is_made(database_url: str, database: Database) -> None:
    first = await user("add", "anna", DATABASE_URL=database_url)
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("anna is the owner now, as the first user.\n")
    second = await user("add", "ben", DATABASE_URL=database_url)
    assert second.out.startswith("ben is a member now.\n")
    third = await user("add", "cora", "--role", "owner", DATABASE_URL=database_url)
    assert third.out.startswith("cora is an owner now.\n")
    passwords = [MADE.findall(result.out) for result in (first, second, third)]
    assert [len(found) for found in passwords] == [1, 1, 1]
    assert len({password for (password,) in passwords}) == 3
    assert await has_password(database, "anna", passwords[0][0])
    assert not await has_password(database, "ben", passwords[0][0])
    listed = await user("list", DATABASE_URL=database_url)
    assert words(listed) == [
        ["anna", "owner", "active"],
        ["ben", "member", "active"],
        ["cora", "owner", "active"],
    ]


async def test_a_password_that_is_given_is_not_shown(database_url: str, database: Database) -> None:
    typed = "correct horse battery staple\n"
    added = await user("add", "anna", "--password-stdin", typed=typed, DATABASE_URL=database_url)
    assert (added.code, added.out, added.err) == (0, "anna is the owner now, as the first user.\n", "")
    assert await has_password(database, "anna", typed.rstrip())
    changed = await user(
        "passwd", "anna", "--password-stdin", typed="a second one", DATABASE_URL=database_url
    )
    assert changed.code == 0
    assert "second" not in changed.out + changed.err
    assert await has_password(database, "anna", "a second one")
    made = await user("passwd", "anna", DATABASE_URL=database_url)
    (password,) = MADE.findall(made.out)
    assert await has_password(database, "anna", password)


async def test_nobody_can_be_added_twice_or_changed_who_is_not_there(database_url: str) -> None:
    assert (await user("add", "anna", DATABASE_URL=database_url)).code == 0
    for arguments in (
        ["add", "anna"],
        ["add", "ANNA"],
        ["suspend", "ben"],
        ["resume", "ben"],
        ["passwd", "ben"],
    ):
        refused = await user(*arguments, DATABASE_URL=database_url)
        assert (refused.code, refused.out) == (1, "")
        assert re.fullmatch(r"There is [^\n]+\.\n", refused.err)
    assert words(await user("list", DATABASE_URL=database_url)) == [["anna", "owner", "active"]]


async def test_a_profile_gets_a_password_and_keeps_what_it_has(database_url: str, database: Database) -> None:
    profile = await PostgresUsers(database).profile("anna")
    assert words(await user("list", DATABASE_URL=database_url)) == [["anna", "member", "no-password"]]
    refused = await user("suspend", "anna", DATABASE_URL=database_url)
    assert (refused.code, refused.out) == (1, "")
    added = await user("add", "anna", DATABASE_URL=database_url)
    assert added.code == 0
    assert "what the profile anna had" in added.out
    (account,) = await PostgresAccounts(database).all()
    assert account.user == profile
    assert (account.role, account.status) == ("owner", "active")


async def test_somebody_is_suspended_and_comes_back(database_url: str) -> None:
    assert (await user("add", "anna", DATABASE_URL=database_url)).code == 0
    suspended = await user("suspend", "anna", DATABASE_URL=database_url)
    assert (suspended.code, "anna is suspended" in suspended.out) == (0, True)
    assert words(await user("list", DATABASE_URL=database_url)) == [["anna", "owner", "suspended"]]
    resumed = await user("resume", "anna", DATABASE_URL=database_url)
    assert (resumed.code, resumed.out) == (0, "anna may sign in again.\n")
    assert words(await user("list", DATABASE_URL=database_url)) == [["anna", "owner", "active"]]


async def test_a_fresh_database_is_migrated_unless_that_is_not_wanted(
    empty_database: str, postgres: PostgresServer
) -> None:
    url = postgres.url(empty_database)
    refused = await user("add", "anna", DATABASE_URL=url, MIGRATE_ON_START="false")
    assert (refused.code, refused.out) == (1, "")
    assert "jarvis migrate" in refused.err
    assert (await user("add", "anna", DATABASE_URL=url)).code == 0
    assert words(await user("list", DATABASE_URL=url, MIGRATE_ON_START="false")) == [
        ["anna", "owner", "active"]
    ]


async def test_without_a_database_it_says_so() -> None:
    refused = await user("list", DATABASE_URL="postgresql://jarvis:swordfish@127.0.0.1:1/jarvis")
    assert (refused.code, refused.out) == (1, "")
    assert "database" in refused.err
    assert "swordfish" not in refused.err


async def test_wrong_usage_ends_with_2_before_anything_is_opened() -> None:
    nowhere = "postgresql://127.0.0.1:1/jarvis"
    assert (await user("add", "a b", DATABASE_URL=nowhere)).code == 2
    short = await user("add", "anna", "--password-stdin", typed="short\n", DATABASE_URL=nowhere)
    assert short.code == 2
    assert "at least 8" in short.err
    assert (await user("list", DATABASE_URL="mysql://x/y")).code == 2


async def test_with_the_embedded_database_before_beside_and_after_a_server(
    folder: Path, model: ScriptedModel
) -> None:
    environment = {"JARVIS_DATA_DIR": str(folder / "data")}
    first = await user("add", "anna", **environment)
    assert (first.code, first.out.splitlines()[0]) == (0, "anna is the owner now, as the first user.")
    serving = environment | {"LLM_BACKEND": "ollama", "OLLAMA_URL": model.url}
    async with jarvis_process(serving):
        assert (await user("add", "ben", **environment)).code == 0
        assert words(await user("list", **environment)) == [
            ["anna", "owner", "active"],
            ["ben", "member", "active"],
        ]
    after = await user("list", **environment)
    assert [row[0] for row in words(after)] == ["anna", "ben"]
