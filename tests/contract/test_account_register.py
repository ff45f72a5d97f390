"""AccountRegister on a real Postgres: who gets which account, and what a change ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.identity import PostgresIdentity, lock_identity
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.errors import Conflict, JarvisError, NotFound, Unauthenticated
from jarvis.core.identity import Account
from jarvis.core.types import User, new_id
from tests.identities import ADDRESS, Event, account_of, audited, begun, counting, key_of, token


async def outcome(doing: Coroutine[Any, Any, None]) -> JarvisError | None:
    try:
        await doing
    except JarvisError as exc:
        return exc
    return None


@pytest.fixture
def register(database: Database) -> PostgresAccounts:
    return PostgresAccounts(database)


@pytest.fixture
def identity(database: Database) -> PostgresIdentity:
    return PostgresIdentity(database)


async def test_the_first_account_is_the_owners_and_later_ones_are_members_unless_said(
    register: PostgresAccounts, user: User
) -> None:
    assert user.name == "default"  # a profile is no account
    first, _ = await register.add("anna", "h", role="member", user_id=new_id())
    second, _ = await register.add("ben", "h", role=None, user_id=new_id())
    third, _ = await register.add("carl", "h", role="owner", user_id=new_id())
    assert [account.role for account in (first, second, third)] == ["owner", "member", "owner"]


async def test_an_account_is_as_it_was_added(register: PostgresAccounts, identity: PostgresIdentity) -> None:
    user_id = new_id()
    added, is_adopted = await register.add("anna", "a hash", role=None, user_id=user_id)
    assert added == Account(
        user=User(id=user_id, name="anna"),
        role="owner",
        status="active",
        password_hash="a hash",
        created_at=added.created_at,
    )
    assert not is_adopted
    assert await identity.account("anna") == added
    assert await identity.account("Anna") is None


@pytest.mark.parametrize("name", ["anna", "Anna", "ANNA"])
async def test_there_are_no_two_accounts_of_a_name_whatever_its_capitals(
    register: PostgresAccounts, name: str
) -> None:
    anna = await account_of(register, "anna")
    with pytest.raises(Conflict):
        await register.add(name, "other", role=None, user_id=new_id())
    assert await register.all() == [anna]


async def test_a_profile_of_exactly_that_name_becomes_the_account_and_keeps_its_id(
    register: PostgresAccounts, database: Database
) -> None:
    profile = await PostgresUsers(database).profile("anna")
    other = await PostgresUsers(database).profile("Anna")
    account, is_adopted = await register.add("anna", "h", role=None, user_id=new_id())
    assert is_adopted
    assert (account.user, account.password_hash, account.role) == (profile, "h", "owner")
    assert {found.user.id: found.password_hash for found in await register.all()} == {
        profile.id: "h",
        other.id: None,
    }


async def test_of_many_added_at_once_one_is_the_owner_and_each_name_is_once(
    register: PostgresAccounts, identity: PostgresIdentity
) -> None:
    names = ["anna", "ben", "carl", "Anna", "BEN", "Carl"]
    by_administrator = [register.add(name, "h", role=None, user_id=new_id()) for name in names]
    by_themselves = [
        identity.add_account(name, "h", user_id=new_id(), address=ADDRESS) for name in ["dora", "Dora"]
    ]
    await asyncio.gather(*by_administrator, *by_themselves, return_exceptions=True)
    accounts = await register.all()
    assert sorted(account.user.name.lower() for account in accounts) == ["anna", "ben", "carl", "dora"]
    assert [account.role for account in accounts].count("owner") == 1


async def test_all_are_listed_by_name_with_profiles(register: PostgresAccounts, user: User) -> None:
    for name in ("zoe", "anna"):
        await account_of(register, name)
    listed = [(account.user.name, account.password_hash) for account in await register.all()]
    assert listed == [("anna", "hash of anna"), (user.name, None), ("zoe", "hash of zoe")]


async def test_suspending_ends_sessions_and_keys_for_good(
    register: PostgresAccounts, identity: PostgresIdentity
) -> None:
    anna, ben = [await account_of(register, name) for name in ("anna", "ben")]
    first = token()
    session, key = await begun(identity, anna, first), await key_of(identity, anna)
    others = await begun(identity, ben, token()), (await key_of(identity, ben)).id
    assert await counting(identity, session, key.id, *others) == {session, key.id, *others}
    await register.set_status("anna", "suspended")
    assert await counting(identity, session, key.id, *others) == set(others)
    assert await identity.renew_session(first.digest, token(), address=ADDRESS) is None
    with pytest.raises(Unauthenticated):
        await begun(identity, anna, token())
    with pytest.raises(Unauthenticated):
        await key_of(identity, anna)

    await register.set_status("anna", "active")
    assert await counting(identity, session, key.id) == set()
    assert await identity.renew_session(first.digest, token(), address=ADDRESS) is None
    assert await identity.keys(anna.user) == []
    anew = await begun(identity, anna, token())
    assert await counting(identity, anew) == {anew}


async def test_what_begins_while_somebody_is_suspended_is_ended_too(
    register: PostgresAccounts, identity: PostgresIdentity
) -> None:
    anna = await account_of(register, "anna")
    for _ in range(10):
        session_ids = [new_id() for _ in range(4)]
        beginning = [
            identity.begin_session(anna, session_id, token(), address=ADDRESS) for session_id in session_ids
        ]
        await asyncio.gather(
            *beginning[:2],
            register.set_status("anna", "suspended"),
            *beginning[2:],
            key_of(identity, anna),
            return_exceptions=True,
        )
        await register.set_status("anna", "active")
        assert await counting(identity, *session_ids) == set()
        assert await identity.keys(anna.user) == []


async def test_who_begins_a_session_waits_for_who_suspends_him(
    register: PostgresAccounts, identity: PostgresIdentity, database: Database
) -> None:
    anna = await account_of(register, "anna")
    session_id = new_id()
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks, database.administering() as transaction:
        await lock_identity(transaction, anna.user.id)
        await transaction.raw("UPDATE users SET status = 'suspended' WHERE id = $1", anna.user.id)
        beginning = tasks.create_task(
            outcome(identity.begin_session(anna, session_id, token(), address=ADDRESS))
        )
        # Polls the server's locks: there is no event of ours to wait for.
        while not beginning.done() and not await transaction.raw(waiting):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert isinstance(beginning.result(), Unauthenticated)
    await register.set_status("anna", "active")
    assert await counting(identity, session_id) == set()


async def test_another_password_ends_sessions_and_keeps_keys(
    register: PostgresAccounts, identity: PostgresIdentity
) -> None:
    anna, ben = [await account_of(register, name) for name in ("anna", "ben")]
    first = token()
    session, key = await begun(identity, anna, first), await key_of(identity, anna)
    of_ben = await begun(identity, ben, token())
    await register.set_password("anna", "another")
    assert await counting(identity, session, key.id, of_ben) == {key.id, of_ben}
    assert await identity.renew_session(first.digest, token(), address=ADDRESS) is None
    changed = await identity.account("anna")
    assert changed is not None
    assert changed.password_hash == "another"


async def test_who_signed_in_with_a_password_that_was_changed_meanwhile_gets_no_session(
    register: PostgresAccounts, identity: PostgresIdentity
) -> None:
    as_checked = await account_of(register, "anna")
    await register.set_password("anna", "another")
    session_id = new_id()
    with pytest.raises(Unauthenticated):
        await identity.begin_session(as_checked, session_id, token(), address=ADDRESS)
    assert await counting(identity, session_id) == set()
    await identity.rehash(as_checked, "the former one under another hash")
    account = await identity.account("anna")
    assert account is not None
    assert account.password_hash == "another"


@pytest.mark.parametrize(("name", "expected"), [("nobody", NotFound), ("default", Conflict)])
async def test_who_has_no_account_cannot_be_changed(
    register: PostgresAccounts, database: Database, user: User, name: str, expected: type[Exception]
) -> None:
    assert user.name == "default"
    with pytest.raises(expected):
        await register.set_status(name, "suspended")
    with pytest.raises(expected):
        await register.set_password(name, "h")
    assert [account.password_hash for account in await register.all()] == [None]
    assert await audited(database) == []


async def test_each_change_is_in_the_audit_log_once(
    register: PostgresAccounts, identity: PostgresIdentity, database: Database
) -> None:
    await account_of(register, "anna")
    for _ in range(2):
        await register.set_status("anna", "suspended")
    for _ in range(2):
        await register.set_status("anna", "active")
    await register.set_password("anna", "x")
    with pytest.raises(Conflict):
        await register.add("anna", "y", role=None, user_id=new_id())
    account = await identity.account("anna")
    assert account is not None
    await identity.rehash(account, "the same password under another hash")
    assert await audited(database) == [
        Event(event, "anna", "", None)
        for event in ("user_added", "user_suspended", "user_resumed", "password_changed")
    ]
