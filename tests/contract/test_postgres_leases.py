"""TurnLeases on a real Postgres."""

import asyncio

import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.leases import PostgresLeases
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.errors import NotFound
from jarvis.core.turn_store import Renewal
from jarvis.core.types import Once, User, new_id
from tests.contract.test_postgres_turns import OWNER, begin, complete, rows


@pytest.fixture
def store(database: Database) -> PostgresTurns:
    return PostgresTurns(database)


@pytest.fixture
def leases(database: Database) -> PostgresLeases:
    return PostgresLeases(database)


async def test_renewing_tells_which_turns_somebody_asked_to_cancel(
    store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    asked, other = await begin(store, user), await begin(store, user)
    elsewhere = await begin(store, user, owner="box/2")
    await leases.request_cancel(user, asked.id)
    await leases.request_cancel(user, elsewhere.id)

    live = [asked.id, other.id, elsewhere.id]
    assert await leases.renew(OWNER, live, 60) == Renewal(cancelled=[asked.id], lost=[elsewhere.id])
    await store.finish(user, asked.id, complete(), owner=OWNER)
    renewal = await leases.renew(OWNER, [*live, unknown := new_id()], 60)
    assert renewal.cancelled == []
    assert set(renewal.lost) == {asked.id, elsewhere.id, unknown}
    assert (await store.get(user, other.id)).status == "running"


async def test_a_turn_is_abandoned_when_its_lease_has_ended(
    store: PostgresTurns, leases: PostgresLeases, user: User, stranger: User
) -> None:
    await begin(store, user)
    gone = [await begin(store, who, lease_s=-1) for who in (user, stranger)]
    taken = await leases.abandoned("box/2", [], predecessors="", limit=10)
    assert {(ref.turn_id, ref.user) for ref in taken} == {(turn.id, turn.user) for turn in gone}


async def test_a_turn_of_a_predecessor_is_abandoned_at_once(
    store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    turn = await begin(store, user, owner="box/1")
    await begin(store, user, owner="other/1")
    await begin(store, user, owner="box/2")
    taken = await leases.abandoned("box/2", [], predecessors="box/", limit=10)
    assert [ref.turn_id for ref in taken] == [turn.id]


async def test_a_renewed_lease_is_not_abandoned(
    store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    turn = await begin(store, user, lease_s=-1)
    await leases.renew(OWNER, [turn.id], 60)
    assert await leases.abandoned("box/2", [], predecessors="", limit=10) == []


async def test_two_sweepers_never_share_a_turn(
    store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    turns = [await begin(store, user, lease_s=-1) for _ in range(20)]
    swept = await asyncio.gather(
        *(leases.abandoned(f"sweeper/{n}", [], predecessors="", limit=3) for n in range(8))
    )
    taken = [ref.turn_id for refs in swept for ref in refs]
    assert len(taken) == len(set(taken))
    assert set(taken) == {turn.id for turn in turns}
    assert all(len(refs) <= 3 for refs in swept)


async def test_what_an_owner_does_not_renew_is_abandoned_even_to_itself(
    store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    lost, live = await begin(store, user, lease_s=-1), await begin(store, user, lease_s=-1)
    await leases.renew(OWNER, [], 60)
    taken = await leases.abandoned(OWNER, [live.id], predecessors="", limit=10)
    assert [ref.turn_id for ref in taken] == [lost.id]


async def test_what_a_sweeper_took_and_did_not_end_is_not_kept_by_its_renewals(
    database: Database, store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    turn = await begin(store, user, lease_s=-1)
    await leases.abandoned("box/2", [], predecessors="", limit=1)
    await rows(database, user, "UPDATE turns SET lease_until = now() - interval '1 second'")
    await leases.renew("box/2", [], 60)
    taken = await leases.abandoned("box/2", [], predecessors="", limit=1)
    assert [ref.turn_id for ref in taken] == [turn.id]


async def test_all_of_a_conversation_is_cancelled_but_what_the_key_began(
    store: PostgresTurns, leases: PostgresLeases, user: User, stranger: User
) -> None:
    once = Once(key="k", fingerprint=b"f")
    first = await begin(store, user)
    place = first.conversation_id
    keyed, ended = (
        await begin(store, user, conversation_id=place, once=once),
        await begin(store, user, conversation_id=place),
    )
    await store.finish(user, ended.id, complete(), owner=OWNER)
    elsewhere = await begin(store, user)

    assert await leases.cancel_in(stranger, place) == []
    assert await leases.cancel_in(user, place, but=once) == [first.id]
    assert set(await leases.cancel_in(user, place)) == {first.id, keyed.id}
    renewal = await leases.renew(OWNER, [first.id, keyed.id, elsewhere.id], 60)
    assert (set(renewal.cancelled), renewal.lost) == ({first.id, keyed.id}, [])


async def test_a_conversation_is_busy_elsewhere_while_the_owner_lives(
    store: PostgresTurns, leases: PostgresLeases, user: User, stranger: User
) -> None:
    turn = await begin(store, user, owner="box/2", lease_s=15)
    place = turn.conversation_id

    async def is_busy(who: User, owner: str, lease_s: float = 10) -> bool:
        return await leases.is_busy_elsewhere(who, place, owner=owner, lease_s=lease_s)

    assert await is_busy(user, OWNER)
    assert not await is_busy(user, "box/2")
    assert not await is_busy(stranger, OWNER)
    assert not await is_busy(user, OWNER, lease_s=20)
    later = await begin(store, user, conversation_id=place)
    assert await leases.is_busy_elsewhere(user, place, owner=OWNER, lease_s=10, before=later.id)
    assert not await leases.is_busy_elsewhere(user, place, owner="box/2", lease_s=10, before=turn.id)
    await store.finish(user, turn.id, complete(), owner="box/2")
    assert not await is_busy(user, OWNER)


async def test_a_strangers_turn_cannot_be_cancelled(
    store: PostgresTurns, leases: PostgresLeases, user: User, stranger: User
) -> None:
    turn = await begin(store, user)
    with pytest.raises(NotFound):
        await leases.request_cancel(stranger, turn.id)
    assert (await leases.renew(OWNER, [turn.id], 60)).cancelled == []
