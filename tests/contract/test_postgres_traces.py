"""MemoryStore on a real Postgres: what becomes of the rest when a memory goes or says something else.

Its predecessor is true again, and turns do not say that they were told of it, those still running included.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from jarvis.adapters.postgres.conversations import PostgresConversations
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.memories import Memory, MemoryEdit, MemorySource, NewMemory
from jarvis.core.types import User, new_id
from tests.memories import DAY, HOUR, START, begun_turn, end, ended_turn, home, rows, told, true

Forget = Callable[[PostgresMemories, User, Memory], Awaitable[object]]

WAYS: dict[str, Forget] = {
    "delete": lambda memories, user, memory: memories.delete(user, memory.id),
    "delete all": lambda memories, user, _: memories.delete_all(user),
    "edit": lambda memories, user, memory: memories.edit(user, memory.id, MemoryEdit(content="else")),
}


# --- what is true again


async def test_what_was_superseded_is_true_again_when_its_successor_is_forgotten(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    (lyon,) = await memories.add(user, [home("Lyon")])
    (nice,) = await memories.add(user, [home("Nice", day=1)])
    await memories.delete(user, nice.id)
    assert await memories.get(user, lyon.id) == lyon
    await memories.add(user, [home("Rome", day=3)])
    assert await true(database, user, START + 2 * DAY) == ["I live in Lyon"]
    assert await true(database, user) == ["I live in Rome"]


async def test_it_lasts_until_the_next_one_that_says_otherwise(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    _, nice, _ = await memories.add(user, [home("Lyon"), home("Nice", 1), home("Rome", 2)])
    await memories.delete(user, nice.id)
    assert await true(database, user, START + DAY + HOUR) == ["I live in Lyon"]
    assert await true(database, user) == ["I live in Rome"]


async def test_what_was_told_again_is_true_once(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    _, nice, again = await memories.add(user, [home("Lyon"), home("Nice", 1), home("Lyon", 2)])
    await memories.delete(user, nice.id)
    for as_of in (START + HOUR, START + DAY + HOUR, START + 3 * DAY, None):
        assert await true(database, user, as_of) == ["I live in Lyon"]
    await memories.delete(user, again.id)
    assert await true(database, user) == ["I live in Lyon"]


async def test_what_is_live_in_another_line_is_not_doubled(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    await memories.add(user, [home("Lyon")])
    (nice,) = await memories.add(user, [home("Nice", day=1)])
    await memories.add(user, told("I live in Lyon", at=START + 2 * DAY))
    await memories.delete(user, nice.id)
    assert await true(database, user) == ["I live in Lyon"]


async def test_of_two_alike_that_are_revived_one_is(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    source = MemorySource(conversation_id=new_id(), message_ids=[])
    new = [
        NewMemory(content=value, attribute=line, value=value, created_at=START + day * DAY, source=source_of)
        for line, value, day, source_of in (
            ("home", "same", 0, None),
            ("home", "Nice", 1, source),
            ("work", "same", 2, None),
            ("work", "Rome", 3, source),
        )
    ]
    await memories.add(user, new)
    turn = await ended_turn(database, user, "hello")
    async with database.transaction(user) as transaction:
        await transaction.raw(
            "UPDATE memories SET source = jsonb_set(source, '{conversation_id}', to_jsonb($1::text)) "
            "WHERE source IS NOT NULL",
            str(turn.conversation_id),
        )
    await PostgresConversations(database).delete(user, turn.conversation_id)
    assert await true(database, user) == ["same"]


async def test_a_deleted_conversation_makes_true_again_what_was_said_before(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    turn = await ended_turn(database, user, "I live in Nice")
    source = MemorySource(conversation_id=turn.conversation_id, message_ids=[])
    await memories.add(user, [home("Lyon")])
    await memories.add(
        user,
        [
            NewMemory(
                content="I live in Nice",
                attribute="home",
                value="Nice",
                source=source,
                created_at=START + DAY,
            )
        ],
    )
    assert await true(database, user) == ["I live in Nice"]
    await PostgresConversations(database).delete(user, turn.conversation_id)
    assert await true(database, user) == ["I live in Lyon"]


@pytest.mark.parametrize(
    ("edit", "now"),
    [
        (MemoryEdit(content="I have a boat"), ["I live in Lyon", "I have a boat"]),
        (MemoryEdit(content="I live in Rome", attribute="home", value="Rome"), ["I live in Rome"]),
    ],
    ids=["of something else", "of the same"],
)
async def test_an_edited_successor_supersedes_by_what_it_says_now(
    database: Database, memories: PostgresMemories, user: User, edit: MemoryEdit, now: list[str]
) -> None:
    _, nice = await memories.add(user, [home("Lyon"), home("Nice", 1)])
    await memories.edit(user, nice.id, edit)
    assert await true(database, user) == now
    assert await true(database, user, START + HOUR) == ["I live in Lyon"]


async def test_the_strangers_line_is_left_alone(
    database: Database, memories: PostgresMemories, user: User, stranger: User
) -> None:
    await memories.add(stranger, [home("Lyon"), home("Nice", 1)])
    _, nice = await memories.add(user, [home("Lyon"), home("Nice", 1)])
    await memories.delete(user, nice.id)
    assert await true(database, stranger) == ["I live in Nice"]


# --- what turns say that they were told


@pytest.mark.parametrize("way", WAYS)
async def test_a_turn_that_runs_meanwhile_does_not_say_that_it_was_told(
    database: Database, memories: PostgresMemories, user: User, way: str
) -> None:
    cat, dog = await memories.add(user, told("canary cat", "a dog"))
    turn = await begun_turn(database, user, "hello")
    await WAYS[way](memories, user, cat)
    (parrot,) = await memories.add(user, told("a parrot"))
    stored = await end(database, turn, recalled=[cat, dog, parrot])
    assert stored == await PostgresTurns(database).get(user, turn.id)
    assert stored.ending is not None
    left = [one.content for one in stored.ending.context.memories]
    assert left == (["a parrot"] if way == "delete all" else ["a dog", "a parrot"])
    assert await rows(database, user, "SELECT 1 FROM turns t WHERE t::text ~ 'canary'") == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_turn_that_ends_while_it_is_forgotten_does_not_say_so_either(
    database: Database, memories: PostgresMemories, user: User, way: str
) -> None:
    (cat,) = await memories.add(user, told("canary cat"))
    turn = await begun_turn(database, user, "hello")
    async with database.transaction(user) as transaction:
        await transaction.raw("SELECT 1 FROM turns WHERE id = $1 FOR UPDATE", turn.id)
        forgetting = asyncio.ensure_future(WAYS[way](memories, user, cat))
        ending = asyncio.create_task(end(database, turn, recalled=[cat]))
        while len(await transaction.raw("SELECT 1 FROM pg_locks WHERE NOT granted")) < 2:  # noqa: ASYNC110  Postgres tells nobody
            await asyncio.sleep(0)
    await asyncio.gather(forgetting, ending)
    assert await rows(database, user, "SELECT 1 FROM turns t WHERE t::text ~ 'canary'") == []


async def test_a_turn_that_began_after_it_recalled_does_not_tell_of_what_was_forgotten_before(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    cat, dog = await memories.add(user, told("canary cat", "a dog"))
    await memories.delete(user, cat.id)
    turn = await begun_turn(database, user, "hello")
    await end(database, turn, recalled=[cat, dog])
    stored = await PostgresTurns(database).get(user, turn.id)
    assert stored.ending is not None
    assert [one.content for one in stored.ending.context.memories] == ["a dog"]


async def test_an_edit_takes_what_it_said_before_out_of_what_turns_were_told(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    cat, dog = await memories.add(user, told("canary cat", "a dog"))
    turn = await ended_turn(database, user, "hello", recalled=[cat, dog])
    kept = await memories.edit(user, cat.id, MemoryEdit(importance=0.1))
    assert kept.turn_ids == []
    edited = await memories.edit(user, cat.id, MemoryEdit(content="a cat"))
    assert edited.turn_ids == [turn.id]
    assert edited.memory == await memories.get(user, cat.id)
    stored = await PostgresTurns(database).get(user, turn.id)
    assert stored.ending is not None
    assert [one.content for one in stored.ending.context.memories] == ["a dog"]


# --- what is to be written anew


async def wishes(database: Database, user: User) -> list[str]:
    found = await rows(
        database, user, "WITH taken AS (DELETE FROM erasure_wanted RETURNING table_name) SELECT * FROM taken"
    )
    return sorted({name for (name,) in found})


@pytest.mark.parametrize("way", WAYS)
async def test_the_tables_that_held_it_are_to_be_written_anew(
    database: Database, memories: PostgresMemories, user: User, way: str
) -> None:
    (cat,) = await memories.add(user, told("a cat"))
    await WAYS[way](memories, user, cat)
    assert await wishes(database, user) == ["memories"]
    (dog,) = await memories.add(user, told("a dog"))
    await ended_turn(database, user, "hello", recalled=[dog])
    await WAYS[way](memories, user, dog) if way != "edit" else await memories.edit(
        user, dog.id, MemoryEdit(content="a wolf")
    )
    assert await wishes(database, user) == ["memories", "turns"]


async def test_a_change_that_forgets_nothing_wishes_for_nothing(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    (cat,) = await memories.add(user, told("a cat"))
    await memories.used(user, [cat.id])
    await memories.mark_indexed(user, await memories.unindexed(user, limit=9))
    await memories.edit(user, cat.id, MemoryEdit(importance=0.1, content="a cat"))
    assert await wishes(database, user) == []
