"""Turns that change hands on a real Postgres: what is left to the former owner, what the next is given."""

import msgspec
import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.leases import PostgresLeases
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.turn_store import SEQ_GAP, TurnOutcome
from jarvis.core.types import ChatCommand, Once, Turn, User, new_id

DEAD, TAKER = "box/dead", "box/taker"
HALF = "Once upon"
OUTCOME = TurnOutcome(status="complete", text="All of it.", last_seq=9, metadata=None)


@pytest.fixture
def store(database: Database) -> PostgresTurns:
    return PostgresTurns(database)


@pytest.fixture
def leases(database: Database) -> PostgresLeases:
    return PostgresLeases(database)


async def begun(
    store: PostgresTurns,
    user: User,
    *,
    waiting: bool = False,
    speak_in: str | None = None,
    once: Once | None = None,
) -> Turn:
    turn = await store.begin(
        user,
        ChatCommand(text="Tell me a story", speak_in=speak_in),
        turn_id=new_id(),
        owner=DEAD,
        lease_s=0,
        waiting=waiting,
        once=once,
    )
    assert isinstance(turn, Turn)
    return turn


async def taken(leases: PostgresLeases, turn: Turn) -> None:
    refs = await leases.abandoned(TAKER, [], predecessors="", limit=9)
    assert [ref.turn_id for ref in refs] == [turn.id]


async def test_a_former_owner_neither_ends_nor_checkpoints_a_turn(
    store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    turn = await begun(store, user)
    await store.checkpoint(user, turn.id, text=HALF, seq=4, owner=turn.owner)
    await taken(leases, turn)

    await store.checkpoint(user, turn.id, text="Something else", seq=5, owner=turn.owner)
    left = await store.finish(user, turn.id, OUTCOME, owner=turn.owner)
    assert (left.status, left.message, left.partial_text, left.checkpoint_seq) == ("running", None, HALF, 4)

    ended = await store.finish(user, turn.id, OUTCOME, owner=TAKER)
    assert ended.message is not None
    assert await store.finish(user, turn.id, OUTCOME, owner=turn.owner) == ended


async def test_a_former_owner_does_not_start_a_turn(
    store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    turn = await begun(store, user, waiting=True)
    await taken(leases, turn)
    await store.start(user, turn.id, owner=turn.owner)
    assert (await store.get(user, turn.id)).status == "queued"
    await store.start(user, turn.id, owner=TAKER)
    assert (await store.get(user, turn.id)).status == "running"


async def take_over(
    leases: PostgresLeases, turn: Turn, *, owner: str = TAKER, waiting: bool = False
) -> Turn | None:
    return await leases.take_over(
        turn.user, turn.id, said=HALF, seq=SEQ_GAP + 4, owner=owner, lease_s=60, waiting=waiting
    )


@pytest.mark.parametrize("waiting", [False, True], ids=["running", "queued"])
async def test_the_next_owner_gets_all_that_was_begun(
    store: PostgresTurns, leases: PostgresLeases, user: User, *, waiting: bool
) -> None:
    once = Once(key="k", fingerprint=b"f" * 32)
    turn = await begun(store, user, once=once)
    await store.checkpoint(user, turn.id, text=f"{HALF} ", seq=4, owner=turn.owner)
    await taken(leases, turn)

    again = await take_over(leases, turn, waiting=waiting)
    assert again == msgspec.structs.replace(turn, owner=TAKER, said=HALF, last_seq=SEQ_GAP + 3)
    stored = await store.get(user, turn.id)
    assert stored.status == ("queued" if waiting else "running")
    assert (stored.partial_text, stored.checkpoint_seq) == (HALF, SEQ_GAP + 4)
    assert await leases.abandoned("box/third", [], predecessors="", limit=9) == []


async def test_what_is_to_be_cancelled_is_not_gone_on_with(
    store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    turn = await begun(store, user)
    await taken(leases, turn)
    await leases.request_cancel(user, turn.id)
    assert await take_over(leases, turn) is None


async def test_what_has_ended_is_not_gone_on_with(
    store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    turn = await begun(store, user)
    await taken(leases, turn)
    await store.finish(user, turn.id, OUTCOME, owner=TAKER)
    assert await take_over(leases, turn) is None


async def test_what_is_somebody_elses_is_not_gone_on_with(
    store: PostgresTurns, leases: PostgresLeases, user: User, stranger: User
) -> None:
    turn = await begun(store, user)
    await taken(leases, turn)
    assert await take_over(leases, turn, owner="box/other") is None
    assert await take_over(leases, msgspec.structs.replace(turn, user=stranger)) is None
    assert await take_over(leases, turn) is not None


async def test_what_is_spoken_is_not_gone_on_with(
    store: PostgresTurns, leases: PostgresLeases, user: User
) -> None:
    turn = await begun(store, user, speak_in="en")
    await taken(leases, turn)
    assert await take_over(leases, turn) is None


async def test_a_turn_is_gone_on_with_once(store: PostgresTurns, leases: PostgresLeases, user: User) -> None:
    turn = await begun(store, user)
    await taken(leases, turn)
    assert await take_over(leases, turn) is not None
    assert await take_over(leases, turn) is None
