"""MemoryStore on a real Postgres: what is remembered of messages, and indexed; and the plans of all."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from jarvis.adapters.postgres import conversation_statements as whole
from jarvis.adapters.postgres import memory_statements as statements
from jarvis.adapters.postgres import memory_work as work
from jarvis.adapters.postgres.conversations import PostgresConversations
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.list_statements import OneConversation
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.statement import Statement
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.memories import MemoryEdit, NewMemory
from jarvis.core.memory_store import Said
from jarvis.core.transcripts import ImportedConversation, ImportedMessage, Place
from jarvis.core.turn_store import TurnOutcome
from jarvis.core.types import (
    User,
    new_id,
)
from tests.memories import DAY, START, begun_turn, contents, ended_turn, episode_of, home, rows, told
from tests.postgres import PostgresServer

# --- indexing


async def test_indexing_takes_each_until_it_is_marked(
    memories: PostgresMemories, user: User, stranger: User
) -> None:
    added = await memories.add(user, told("a", "b", "c"))
    await memories.add(stranger, told("d"))
    assert {one.id for one in await memories.users_to_index(limit=9)} == {user.id, stranger.id}
    assert len(await memories.users_to_index(limit=1)) == 1
    assert await memories.unindexed_count() == 4
    batch = await memories.unindexed(user, limit=2)
    assert [one.content for one in batch] == ["c", "b"]
    assert sorted(await memories.mark_indexed(user, batch)) == sorted(one.id for one in batch)
    assert [one.id for one in await memories.unindexed(user, limit=9)] == [added[0].id]
    assert await memories.unindexed_count() == 2


async def test_what_changed_or_went_meanwhile_is_not_marked(memories: PostgresMemories, user: User) -> None:
    changed, gone, kept = await memories.add(user, told("a", "b", "c"))
    batch = await memories.unindexed(user, limit=9)
    await memories.edit(user, changed.id, MemoryEdit(content="A"))
    await memories.delete(user, gone.id)
    await memories.mark_forgotten(user, [gone.id])
    assert await memories.mark_indexed(user, batch) == [kept.id]
    assert [one.content for one in await memories.unindexed(user, limit=9)] == ["A"]
    assert await memories.forgotten(user, limit=9) == [gone.id]


async def test_what_somebody_writes_to_is_left_for_later(
    memories: PostgresMemories, user: User, database: Database
) -> None:
    held, free = await memories.add(user, told("a", "b"))
    async with database.transaction(user) as transaction:
        await transaction.raw("SELECT 1 FROM memories WHERE id = $1 FOR UPDATE", held.id)
        assert [one.id for one in await memories.unindexed(user, limit=9)] == [free.id]


@pytest.mark.parametrize("slice_", [1, 2, 100])
async def test_a_new_vector_store_knows_none(
    memories: PostgresMemories,
    user: User,
    stranger: User,
    slice_: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jarvis.adapters.postgres.memories.UNINDEX_SLICE", slice_)
    for who in (user, stranger):
        await memories.add(who, told("a", "b", "c"))
        await memories.mark_indexed(who, await memories.unindexed(who, limit=9))
    assert await memories.unindexed_count() == 0
    assert await memories.users_to_index(limit=9) == []
    await memories.unindex_all()
    assert await memories.unindexed_count() == 6


# --- remembering


async def test_ended_turns_are_looked_through_once_oldest_first(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    first = await ended_turn(database, user, "one")
    await ended_turn(database, user, "two", conversation_id=first.conversation_id)
    assert await memories.users_to_remember(limit=9) == [user]
    seen: list[Said] = []

    def look(said: Said) -> list[NewMemory]:
        seen.append(said)
        return episode_of(said)

    assert await memories.remember(user, look, limit=1) == 1
    assert await memories.remember(user, look, limit=9) == 1
    assert await memories.remember(user, look, limit=9) == 0
    assert await memories.users_to_remember(limit=9) == []
    assert [said.content for said in seen] == ["one", "two"]
    page = await memories.page(user, limit=9)
    assert contents(page.memories) == ["two", "one"]
    stored = await PostgresConversations(database).messages(user, first.conversation_id, limit=9)
    asked, answer = stored.messages[:2]
    remembered = page.memories[1]
    assert (seen[0].id, seen[0].answer_id, seen[0].created_at) == (asked.id, answer.id, asked.created_at)
    assert remembered.source is not None
    assert remembered.source.message_ids == [asked.id, answer.id]
    assert await rows(database, user, "SELECT 1 FROM messages WHERE indexed_at IS NULL") == []


async def test_running_turns_wait_and_those_not_to_be_saved_are_passed_over(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    turn = await begun_turn(database, user, "still running")
    assert await memories.users_to_remember(limit=9) == []
    assert await memories.remember(user, episode_of, limit=9) == 0
    await ended_turn(database, user, "not to be saved", save_memory=False)
    assert await memories.remember(user, episode_of, limit=9) == 1
    assert (await memories.page(user, limit=9)).memories == []
    failed = TurnOutcome(status="failed", text="", last_seq=1, metadata=None)
    await PostgresTurns(database).finish(user, turn.id, failed, owner=turn.owner)
    assert await memories.remember(user, episode_of, limit=9) == 1
    assert contents((await memories.page(user, limit=9)).memories) == ["still running"]


async def test_imported_messages_are_looked_through(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    texts = [("assistant", "Welcome"), ("user", "I have a cat"), ("assistant", "Nice")]
    await PostgresConversations(database).add_transcript(
        user,
        ImportedConversation(created_at=START),
        [
            (
                Place(id=new_id(), position=n + 1, alternative=0, alternative_of=None),
                ImportedMessage(role=role, content=text, created_at=START),  # pyright: ignore[reportArgumentType] a role
            )
            for n, (role, text) in enumerate(texts)
        ],
        next_position=4,
        message_count=3,
    )
    assert await memories.users_to_remember(limit=9) == [user]
    assert await memories.remember(user, episode_of, limit=9) == 1
    (memory,) = (await memories.page(user, limit=9)).memories
    assert (memory.content, memory.created_at) == ("I have a cat", START)
    assert await memories.users_to_remember(limit=9) == []


async def test_a_look_that_fails_leaves_all_as_it_was(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    await ended_turn(database, user, "one")

    def fail(said: Said) -> list[NewMemory]:
        raise ZeroDivisionError(said.content)

    with pytest.raises(ZeroDivisionError):
        await memories.remember(user, fail, limit=9)
    assert await memories.remember(user, episode_of, limit=9) == 1


async def test_two_processes_look_through_each_message_once(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    for n in range(6):
        await ended_turn(database, user, f"text {n}")
    seen: list[str] = []

    def look(said: Said) -> list[NewMemory]:
        seen.append(said.content)
        return []

    await asyncio.gather(*(memories.remember(user, look, limit=2) for _ in range(4)))
    assert sorted(seen) == [f"text {n}" for n in range(6)]


# --- plans

FILL_MEMORIES = """
INSERT INTO memories (id, user_id, content, created_at, attribute)
SELECT gen_random_uuid(), $1, 'filling ' || n, now() - n * interval '1 h', nullif(n % 10, 0)::text
  FROM generate_series(1, 5000) n
"""
FILL_MESSAGES = """
INSERT INTO messages (id, conversation_id, user_id, position, role, content)
SELECT gen_random_uuid(), id, $1, 10 + n, 'user', 'said ' || n FROM conversations, generate_series(1, 5000) n
"""


@pytest.mark.parametrize(
    ("statement", "kind", "arguments", "index"),
    [
        (
            statements.PAGE,
            statements.Page,
            {"created_at": START + DAY, "id": UUID(int=1), "limit": 50},
            "Index Scan Backward using memories_user_idx",
        ),
        (
            statements.KNOWN,
            statements.Known,
            {"digests": [bytes(32)] * 5, "attributes": ["home"]},
            "memories_live_idx memories_attribute_idx",
        ),
        (work.UNINDEXED, work.Batch, {"limit": 64}, "Index Scan Backward using memories_unindexed_idx"),
        (work.SAID, work.Batch, {"limit": 64}, "Index Scan using messages_unremembered_idx"),
        (whole.DELETE, OneConversation, {"conversation_id": UUID(int=7)}, "memories_told_idx"),
    ],
    ids=["page", "known", "unindexed", "said", "delete conversation"],
)
async def test_statements_use_their_index_under_row_security(
    database: Database,
    memories: PostgresMemories,
    user: User,
    postgres: PostgresServer,
    migrated_database: str,
    statement: Statement[Any, Any],
    kind: Callable[..., Any],
    arguments: dict[str, Any],
    index: str,
) -> None:
    await ended_turn(database, user, "hello")
    await memories.add(user, [home("Lyon")])
    async with database.transaction(user) as transaction:
        await transaction.raw(FILL_MEMORIES, user.id)
        await transaction.raw(FILL_MESSAGES, user.id)
    await postgres.run("ANALYZE", database=migrated_database)
    given = kind(user_id=user.id, **arguments)
    async with database.transaction(user) as transaction:
        explained = await transaction.raw(f"EXPLAIN {statement.sql}", *statement.values(given))
    plan = "\n".join(row[0] for row in explained)
    for part in [index] if index.startswith("Index") else index.split():
        assert part in plan
    assert "Seq Scan on memories" not in plan
