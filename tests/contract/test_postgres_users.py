"""UserStore on a real Postgres."""

import asyncio

import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.types import ChatCommand, Turn, new_id


@pytest.fixture
def store(database: Database) -> PostgresUsers:
    return PostgresUsers(database)


async def test_a_profile_is_made_once_however_many_ask(database: Database) -> None:
    stores = [PostgresUsers(database) for _ in range(8)]
    users = await asyncio.gather(*(store.profile("anna") for store in stores))
    assert len({user.id for user in users}) == 1
    assert users[0].name == "anna"


async def test_profiles_of_different_names_are_different_users(store: PostgresUsers) -> None:
    assert (await store.profile("anna")).id != (await store.profile("Anna")).id


async def test_the_owner_of_a_conversation_and_of_a_turn(database: Database, store: PostgresUsers) -> None:
    anna = await store.profile("anna")
    turn = await PostgresTurns(database).begin(
        anna, ChatCommand(text="x"), turn_id=new_id(), owner="o", lease_s=9, waiting=False
    )
    assert isinstance(turn, Turn)
    assert await store.owner_of_conversation(turn.conversation_id) == anna
    assert await store.owner_of_turn(turn.id) == anna


async def test_what_does_not_exist_has_no_owner(database: Database, store: PostgresUsers) -> None:
    turn_id = new_id()
    assert await store.owner_of_turn(turn_id) is None
    assert await store.owner_of_conversation(turn_id) is None
    anna = await store.profile("anna")
    await PostgresTurns(database).begin(
        anna, ChatCommand(text="x"), turn_id=turn_id, owner="o", lease_s=9, waiting=False
    )
    assert await store.owner_of_turn(turn_id) == anna
