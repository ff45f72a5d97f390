"""IdentityStore on a real Postgres: sessions that are renewed, keys, and what is kept of them."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.identity import SWEEP_BATCH, PostgresIdentity
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.errors import Conflict, NotFound
from jarvis.core.identity import Account, ApiKey, Standing
from jarvis.core.types import User, new_id
from tests.identities import (
    ADDRESS,
    Event,
    account_of,
    audited,
    begun,
    counting,
    in_days,
    key_of,
    token,
)


@pytest.fixture
def store(database: Database) -> PostgresIdentity:
    return PostgresIdentity(database)


@pytest.fixture
async def anna(database: Database) -> Account:
    return await account_of(PostgresAccounts(database), "anna")


@pytest.fixture
async def ben(database: Database, anna: Account) -> Account:
    assert anna.role == "owner"
    return await account_of(PostgresAccounts(database), "ben")


@pytest.fixture
async def after_adding(database: Database, anna: Account, ben: Account) -> AsyncIterator[list[Event]]:
    """What the audit log is to have, beside the adding of both; compared when the test ends."""
    assert (anna.user.name, ben.user.name) == ("anna", "ben")
    before = await audited(database)
    expected: list[Event] = []
    yield expected
    assert await audited(database) == before + expected


# --- accounts


async def test_who_signs_up_first_is_the_owner(
    store: PostgresIdentity, database: Database, user: User
) -> None:
    user_id = new_id()
    assert user.name == "default"  # a profile is no account
    first = await store.add_account("anna", "h", user_id=user_id, address=ADDRESS)
    second = await store.add_account("ben", "h", user_id=new_id(), address=ADDRESS)
    assert first is not None
    assert second is not None
    assert (first.user, first.role, first.status) == (User(id=user_id, name="anna"), "owner", "active")
    assert (second.role, second.password_hash) == ("member", "h")
    assert await store.account("anna") == first
    assert await audited(database) == [Event("signed_up", name, ADDRESS, None) for name in ("anna", "ben")]


async def test_of_many_who_sign_up_at_once_one_is_the_owner(store: PostgresIdentity) -> None:
    made = await asyncio.gather(
        *(store.add_account(f"user{n}", "h", user_id=new_id(), address=ADDRESS) for n in range(8))
    )
    assert sorted(account.role for account in made if account) == ["member"] * 7 + ["owner"]


@pytest.mark.parametrize("name", ["anna", "Anna", "default", "DEFAULT"])
async def test_nobody_signs_up_under_the_name_of_an_account_or_a_profile(
    store: PostgresIdentity, anna: Account, user: User, database: Database, name: str
) -> None:
    before = await audited(database)
    assert await store.add_account(name, "other", user_id=new_id(), address=ADDRESS) is None
    assert await store.account("anna") == anna
    profile = await store.account(user.name)
    assert profile is not None
    assert (profile.user, profile.password_hash) == (user, None)
    assert await audited(database) == before


async def test_a_profile_made_while_somebody_signs_up_under_its_name_is_not_his(
    store: PostgresIdentity, database: Database
) -> None:
    for n in range(10):
        profile, account = await asyncio.gather(
            PostgresUsers(database).profile(f"user{n}"),
            store.add_account(f"user{n}", "h", user_id=(own := new_id()), address=ADDRESS),
        )
        assert (account is None) == (profile.id != own)


async def test_the_same_password_is_kept_under_another_hash(store: PostgresIdentity, anna: Account) -> None:
    await store.rehash(anna, "stronger")
    account = await store.account("anna")
    assert account is not None
    assert account.password_hash == "stronger"


async def test_what_failed_is_noted_without_a_name_that_is_nobodys(
    store: PostgresIdentity, ben: Account, after_adding: list[Event]
) -> None:
    await store.note("sign_in_failed", user=None, address="")
    await store.note("sign_in_failed", user=ben.user, address=ADDRESS)
    after_adding += [
        Event("sign_in_failed", None, "", None),
        Event("sign_in_failed", "ben", ADDRESS, None),
    ]


# --- sessions


async def test_a_session_counts_from_its_beginning_and_after_each_renewal(
    store: PostgresIdentity, anna: Account, ben: Account, after_adding: list[Event]
) -> None:
    tokens = [token() for _ in range(4)]
    session_id = await begun(store, ben, tokens[0])
    expected = Standing(credential_id=session_id, user=ben.user, role="member")
    for old, new in pairwise(tokens):
        assert await store.renew_session(old.digest, new, address=ADDRESS) == expected
        assert await store.standings([session_id]) == [expected]
    of_anna = await begun(store, anna, token(days=None))
    assert {s.credential_id: s.role for s in await store.standings([session_id, of_anna, new_id()])} == {
        session_id: "member",
        of_anna: "owner",
    }
    after_adding += [Event("signed_in", name, ADDRESS, None) for name in ("ben", "anna")]


async def test_a_token_that_was_exchanged_before_ends_its_session_only(
    store: PostgresIdentity, ben: Account, after_adding: list[Event]
) -> None:
    first, second, third = token(), token(), token()
    session_id, other = await begun(store, ben, first), await begun(store, ben, token())
    await store.renew_session(first.digest, second, address=ADDRESS)
    await store.renew_session(second.digest, third, address=ADDRESS)
    for used in (first, second, first):
        assert await store.renew_session(used.digest, token(), address="192.0.2.1") is None
    assert await store.renew_session(third.digest, token(), address=ADDRESS) is None
    assert await counting(store, session_id, other) == {other}
    after_adding += [Event("signed_in", "ben", ADDRESS, None)] * 2
    after_adding.append(Event("refresh_token_reused", "ben", "192.0.2.1", None))


async def test_of_many_that_renew_at_once_one_gets_a_token_and_the_others_end_the_session(
    store: PostgresIdentity, ben: Account, after_adding: list[Event]
) -> None:
    for _ in range(10):
        first, offered = token(), [token() for _ in range(4)]
        session_id = await begun(store, ben, first)
        got = await asyncio.gather(*(store.renew_session(first.digest, new, address="") for new in offered))
        assert [standing.credential_id for standing in got if standing] == [session_id]
        assert await counting(store, session_id) == set()
        for new in offered:
            assert await store.renew_session(new.digest, token(), address="") is None
        after_adding.append(Event("signed_in", "ben", ADDRESS, None))
        after_adding.append(Event("refresh_token_reused", "ben", "", None))


async def test_what_is_unknown_or_expired_is_not_exchanged(
    store: PostgresIdentity, ben: Account, after_adding: list[Event]
) -> None:
    expired = token(days=-0.001)
    session_id = await begun(store, ben, expired)
    assert await counting(store, session_id) == set()
    assert await store.renew_session(expired.digest, token(), address=ADDRESS) is None
    assert await store.renew_session(token().digest, token(), address=ADDRESS) is None
    assert await counting(store, session_id) == set()
    assert await store.end_sessions(ben.user, [session_id], digest=None, address=ADDRESS) == []
    after_adding.append(Event("signed_in", "ben", ADDRESS, None))


async def test_sessions_end_by_their_id_and_by_a_token_also_one_that_was_exchanged(
    store: PostgresIdentity, ben: Account, after_adding: list[Event]
) -> None:
    by_id, by_token, by_used = token(), token(), token()
    ids = [await begun(store, ben, first) for first in (by_id, by_token, by_used, token())]
    await store.renew_session(by_used.digest, token(), address=ADDRESS)
    ended = await store.end_sessions(ben.user, ids[:1], digest=by_token.digest, address=ADDRESS)
    assert sorted(ended) == sorted(ids[:2])
    assert await store.end_sessions(ben.user, [], digest=by_used.digest, address=ADDRESS) == [ids[2]]
    assert await store.end_sessions(ben.user, ids[:3], digest=by_used.digest, address=ADDRESS) == []
    assert await counting(store, *ids) == {ids[3]}
    assert await store.renew_session(by_id.digest, token(), address=ADDRESS) is None
    after_adding += [Event("signed_in", "ben", ADDRESS, None)] * 4
    after_adding += [Event("signed_out", "ben", ADDRESS, None)] * 3


async def test_what_is_anothers_is_left_alone(
    store: PostgresIdentity, anna: Account, ben: Account, after_adding: list[Event]
) -> None:
    first = token()
    session_id, key = await begun(store, anna, first), await key_of(store, anna)
    assert await store.end_sessions(ben.user, [session_id], digest=first.digest, address=ADDRESS) == []
    with pytest.raises(NotFound):
        await store.delete_key(ben.user, key.id, address=ADDRESS)
    assert await store.keys(ben.user) == []
    assert await counting(store, session_id, key.id) == {session_id, key.id}
    after_adding.append(Event("signed_in", "anna", ADDRESS, None))
    after_adding.append(Event("key_added", "anna", ADDRESS, key.prefix))


async def test_a_session_that_is_renewed_while_it_ends_has_ended(
    store: PostgresIdentity, ben: Account
) -> None:
    for _ in range(20):
        first, second = token(), token()
        session_id = await begun(store, ben, first)
        _, ended = await asyncio.gather(
            store.renew_session(first.digest, second, address=""),
            store.end_sessions(ben.user, [session_id], digest=None, address=""),
        )
        assert ended == [session_id]
        assert await counting(store, session_id) == set()
        assert await store.renew_session(second.digest, token(), address="") is None


async def test_nothing_of_a_suspended_user_counts_even_if_it_was_not_ended(
    store: PostgresIdentity, ben: Account, database: Database
) -> None:
    first = token()
    session_id, key = await begun(store, ben, first), await key_of(store, ben)
    async with database.administering() as transaction:
        await transaction.raw("UPDATE users SET status = 'suspended' WHERE id = $1", ben.user.id)
    assert await counting(store, session_id, key.id) == set()
    assert await store.renew_session(first.digest, token(), address=ADDRESS) is None


# --- keys


async def test_a_key_counts_until_it_expires_or_is_deleted(
    store: PostgresIdentity, ben: Account, after_adding: list[Event]
) -> None:
    digest = b"d" * 32
    for_ever = await key_of(store, ben, digest=digest)
    later, expired = await key_of(store, ben, days=1), await key_of(store, ben, days=-0.001)
    assert await store.key_of(digest) == for_ever.id
    assert await store.key_of(b"e" * 32) is None
    assert await store.keys(ben.user) == [for_ever, later]
    assert await store.standings([for_ever.id, expired.id]) == [
        Standing(credential_id=for_ever.id, user=ben.user, role="member")
    ]
    await store.delete_key(ben.user, for_ever.id, address="192.0.2.1")
    assert await store.key_of(digest) is None
    assert await counting(store, for_ever.id, later.id) == {later.id}
    with pytest.raises(NotFound):
        await store.delete_key(ben.user, for_ever.id, address=ADDRESS)
    after_adding += [Event("key_added", "ben", ADDRESS, key.prefix) for key in (for_ever, later, expired)]
    after_adding.append(Event("key_deleted", "ben", "192.0.2.1", for_ever.prefix))


async def test_nobody_has_more_keys_than_allowed_however_many_are_made_at_once(
    store: PostgresIdentity, anna: Account, ben: Account
) -> None:
    await key_of(store, ben, days=-0.001)
    await key_of(store, anna)

    async def add() -> None:
        key = ApiKey(id=new_id(), name="n", prefix="jvk_12345678", created_at=in_days(0), expires_at=None)
        await store.add_key(ben.user, key, key.id.bytes * 2, most=3, address=ADDRESS)

    results = await asyncio.gather(*(add() for _ in range(8)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 5 + ["NoneType"] * 3
    assert len(await store.keys(ben.user)) == 3
    with pytest.raises(Conflict):
        await add()


# --- forgetting


ADD_EXPIRED = {
    "refresh_tokens": """
        INSERT INTO refresh_tokens SELECT id, id, $1, uuid_send(id), now(), now() - interval '25 hours'
          FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $2::int)) AS ids""",
    "api_keys": """
        INSERT INTO api_keys SELECT id, $1, '', '', uuid_send(id), now(), now() - interval '25 hours'
          FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $2::int)) AS ids""",
    "audit_log": """
        INSERT INTO audit_log (user_id, event, at) SELECT $1, 'signed_out', now() - interval '31 days'
          FROM generate_series(1, $2::int)""",
}


@pytest.mark.parametrize("table", ADD_EXPIRED)
async def test_what_expired_a_day_ago_is_forgotten_in_however_many_batches(
    store: PostgresIdentity, ben: Account, database: Database, table: str
) -> None:
    tokens = [token(days=days) for days in (30, -0.9, -1.1)]
    for one in tokens:
        await begun(store, ben, one)
    keys = [await key_of(store, ben, days=days) for days in (None, -0.9, -1.1)]
    who = database.administering() if table == "audit_log" else database.transaction(ben.user)
    async with who as transaction:
        await transaction.raw(ADD_EXPIRED[table], ben.user.id, SWEEP_BATCH * 2 + 1)
    before = await audited(database)
    await store.sweep(audit_days=30)
    async with database.transaction(ben.user) as transaction:
        digests = await transaction.raw("SELECT digest FROM refresh_tokens")
        key_ids = await transaction.raw("SELECT id FROM api_keys")
    assert {row["digest"] for row in digests} == {one.digest for one in tokens[:2]}
    assert {row["id"] for row in key_ids} == {key.id for key in keys[:2]}
    assert await audited(database) == [event for event in before if event.event != "signed_out"]
