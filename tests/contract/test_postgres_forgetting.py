"""MemoryStore on a real Postgres: what is forgotten."""

import asyncio

import pytest

from jarvis.adapters.postgres.conversations import PostgresConversations
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.memories import PostgresMemories, lock_memories
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.errors import NotFound
from jarvis.core.types import User
from tests.memories import contents, ended_turn, episode_of, rows, told


async def test_a_forgotten_memory_is_gone_from_what_turns_were_told(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    cat, dog = await memories.add(user, told("canary cat", "a dog"))
    both = await ended_turn(database, user, "hello", recalled=[cat, dog])
    await ended_turn(database, user, "hello again", recalled=[dog])
    forgotten = await memories.delete(user, cat.id)
    assert (forgotten.memory_ids, forgotten.turn_ids) == ([cat.id], [both.id])
    stored = await PostgresTurns(database).get(user, both.id)
    assert stored.ending is not None
    assert [one.content for one in stored.ending.context.memories] == ["a dog"]
    for table in ("memories", "turns", "messages", "conversations"):
        assert await rows(database, user, f"SELECT 1 FROM {table} t WHERE t::text ~ 'canary'") == []  # noqa: S608  our own tables
    with pytest.raises(NotFound):
        await memories.delete(user, cat.id)


async def test_what_is_gone_is_told_until_the_vector_store_has_dropped_it(
    database: Database, memories: PostgresMemories, user: User, stranger: User
) -> None:
    turn = await ended_turn(database, user, "hello")
    await memories.remember(user, episode_of, limit=9)
    (remembered,) = (await memories.page(user, limit=9)).memories
    one, *more = await memories.add(user, told("a", "b", "c"))
    await memories.mark_indexed(user, await memories.unindexed(user, limit=9))
    assert await memories.users_to_index(limit=9) == []
    await memories.delete(user, one.id)
    await PostgresConversations(database).delete(user, turn.conversation_id)
    assert await memories.users_to_index(limit=9) == [user]
    assert sorted(await memories.forgotten(user, limit=9)) == sorted([one.id, remembered.id])
    await memories.delete_all(user)
    assert len(await memories.forgotten(user, limit=9)) == 4
    assert len(await memories.forgotten(user, limit=3)) == 3
    await memories.mark_forgotten(stranger, [one.id])
    await memories.mark_forgotten(user, [one.id, remembered.id])
    assert await memories.forgotten(user, limit=9) == [two.id for two in more]
    assert await memories.forgotten(stranger, limit=9) == []


@pytest.mark.parametrize("slice_", [1, 100])
async def test_forgetting_all_leaves_nothing_and_nothing_comes_back(
    database: Database,
    memories: PostgresMemories,
    user: User,
    stranger: User,
    slice_: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jarvis.adapters.postgres.memories.FORGET_SLICE", slice_)
    added = await memories.add(user, told("canary cat", "canary dog"))
    (theirs,) = await memories.add(stranger, told("canary bird"))
    turn = await ended_turn(database, user, "hello", recalled=added)
    await ended_turn(database, user, "hello without")
    await ended_turn(database, stranger, "hello", recalled=[theirs])
    forgotten = await memories.delete_all(user)
    assert sorted(forgotten.memory_ids) == sorted(one.id for one in added)
    assert forgotten.turn_ids == [turn.id]
    assert await rows(database, user, "SELECT 1 FROM turns t WHERE t::text ~ 'canary'") == []
    assert await memories.remember(user, episode_of, limit=9) == 0
    assert (await memories.page(user, limit=9)).memories == []
    assert await memories.get(stranger, theirs.id) == theirs
    assert len(await rows(database, stranger, "SELECT 1 FROM turns t WHERE t::text ~ 'canary'")) == 1
    assert await memories.remember(stranger, episode_of, limit=9) == 1
    assert (await memories.delete_all(user)).memory_ids == []


async def test_a_deleted_conversation_takes_its_memories_with_it(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    turn = await ended_turn(database, user, "canary")
    await memories.remember(user, episode_of, limit=9)
    (memory,) = (await memories.page(user, limit=9)).memories
    (kept,) = await memories.add(user, told("kept"))
    other = await ended_turn(database, user, "elsewhere", recalled=[memory, kept])
    deleted = await PostgresConversations(database).delete(user, turn.conversation_id)
    assert deleted.memory_ids == [memory.id]
    assert deleted.turn_ids == [turn.id, other.id]
    assert contents((await memories.page(user, limit=9)).memories) == ["kept"]
    assert await rows(database, user, "SELECT 1 FROM turns t WHERE t::text ~ 'canary'") == []


async def test_what_is_remembered_of_a_conversation_while_it_is_deleted_does_not_stay(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    turn = await ended_turn(database, user, "canary")
    conversations = PostgresConversations(database)
    async with database.transaction(user) as transaction:
        await lock_memories(transaction, user)
        remembering = asyncio.create_task(memories.remember(user, episode_of, limit=9))
        deleting = asyncio.create_task(conversations.delete(user, turn.conversation_id))
        while len(await transaction.raw("SELECT 1 FROM pg_locks WHERE NOT granted")) < 2:  # noqa: ASYNC110  Postgres tells nobody
            await asyncio.sleep(0)
    await asyncio.gather(remembering, deleting)
    assert (await memories.page(user, limit=9)).memories == []
