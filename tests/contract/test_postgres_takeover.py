"""Turns that change hands on a real Postgres: what is left to the former owner, what the next is given."""

import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.stores import TurnOutcome
from jarvis.core.types import ChatCommand, Turn, User, new_id

DEAD, TAKER = "box/dead", "box/taker"
HALF = "Once upon"
OUTCOME = TurnOutcome(status="complete", text="All of it.", last_seq=9, metadata=None)


@pytest.fixture
def store(database: Database) -> PostgresTurns:
    return PostgresTurns(database)


async def begun(store: PostgresTurns, user: User, *, waiting: bool = False) -> Turn:
    turn = await store.begin(
        user,
        ChatCommand(text="Tell me a story"),
        turn_id=new_id(),
        owner=DEAD,
        lease_s=0,
        waiting=waiting,
    )
    assert isinstance(turn, Turn)
    return turn


async def taken(store: PostgresTurns, turn: Turn) -> None:
    refs = await store.abandoned(TAKER, [], predecessors="", limit=9)
    assert [ref.turn_id for ref in refs] == [turn.id]


async def test_a_former_owner_neither_ends_nor_checkpoints_a_turn(store: PostgresTurns, user: User) -> None:
    turn = await begun(store, user)
    await store.checkpoint(user, turn.id, text=HALF, seq=4, owner=turn.owner)
    await taken(store, turn)

    await store.checkpoint(user, turn.id, text="Something else", seq=5, owner=turn.owner)
    left = await store.finish(user, turn.id, OUTCOME, owner=turn.owner)
    assert (left.status, left.message, left.partial_text, left.checkpoint_seq) == ("running", None, HALF, 4)

    ended = await store.finish(user, turn.id, OUTCOME, owner=TAKER)
    assert ended.message is not None
    assert await store.finish(user, turn.id, OUTCOME, owner=turn.owner) == ended


async def test_a_former_owner_does_not_start_a_turn(store: PostgresTurns, user: User) -> None:
    turn = await begun(store, user, waiting=True)
    await taken(store, turn)
    await store.start(user, turn.id, owner=turn.owner)
    assert (await store.get(user, turn.id)).status == "queued"
    await store.start(user, turn.id, owner=TAKER)
    assert (await store.get(user, turn.id)).status == "running"
