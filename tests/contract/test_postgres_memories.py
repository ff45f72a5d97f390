"""MemoryStore on a real Postgres."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from jarvis.adapters.postgres import conversation_statements as whole
from jarvis.adapters.postgres import memory_statements as statements
from jarvis.adapters.postgres import memory_work as work
from jarvis.adapters.postgres.conversations import PostgresConversations
from jarvis.adapters.postgres.cursors import ConversationPlace, MemoryPlace
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.list_statements import OneConversation
from jarvis.adapters.postgres.memories import PostgresMemories, lock_memories
from jarvis.adapters.postgres.statement import Statement
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.errors import Conflict, Invalid, NotFound
from jarvis.core.memories import Memory, MemoryEdit, MemorySource, NewMemory
from jarvis.core.memory_store import Said, Unindexed
from jarvis.core.stores import Ending, TurnOutcome
from jarvis.core.transcripts import ImportedConversation, ImportedMessage, Place
from jarvis.core.types import (
    ChatCommand,
    ContextReport,
    HistoryReport,
    RecalledMemory,
    Turn,
    Usage,
    User,
    new_id,
)
from tests.postgres import PostgresServer

START = datetime(2025, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(database: Database) -> PostgresMemories:
    return PostgresMemories(database)


@pytest.fixture
async def user(database: Database) -> User:
    return await PostgresUsers(database).profile("anna")


@pytest.fixture
async def stranger(database: Database) -> User:
    return await PostgresUsers(database).profile("ben")


def home(value: str, day: int = 0) -> NewMemory:
    return NewMemory(
        content=f"I live in {value}", attribute="home", value=value, created_at=START + day * DAY
    )


def told(*contents: str, at: datetime = START) -> list[NewMemory]:
    return [NewMemory(content=content, created_at=at) for content in contents]


def contents(memories: Sequence[Memory]) -> list[str]:
    return [memory.content for memory in memories]


async def true(database: Database, user: User, as_of: datetime | None = None) -> list[str]:
    """Return what is true, or was then, in the order of telling."""
    async with database.transaction(user) as transaction:
        found = await transaction.raw(
            "SELECT content FROM memories WHERE CASE WHEN $1::timestamptz IS NULL THEN valid_to IS NULL "
            "ELSE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1) END ORDER BY created_at, id",
            as_of,
        )
    return [row["content"] for row in found]


async def rows(database: Database, user: User, sql: str) -> list[tuple[Any, ...]]:
    async with database.transaction(user) as transaction:
        return [tuple(row) for row in await transaction.raw(sql)]


async def ended_turn(
    database: Database,
    user: User,
    text: str,
    *,
    save_memory: bool = True,
    recalled: Sequence[Memory] = (),
    conversation_id: UUID | None = None,
) -> Turn:
    turn = await begun_turn(database, user, text, save_memory=save_memory, conversation_id=conversation_id)
    context = ContextReport(
        budget_tokens=1,
        prompt_tokens=1,
        history=HistoryReport(sent=0, summarised=0, dropped=0),
        memories=[RecalledMemory(id=one.id, content=one.content, score=1, why={}) for one in recalled],
    )
    ending = Ending(model="m", usage=Usage(), response_time_ms=1, memory_saved=save_memory, context=context)
    outcome = TurnOutcome(status="complete", text="Noted.", last_seq=1, metadata=None, ending=ending)
    await PostgresTurns(database).finish(user, turn.id, outcome)
    return turn


async def begun_turn(
    database: Database,
    user: User,
    text: str,
    *,
    save_memory: bool = True,
    conversation_id: UUID | None = None,
) -> Turn:
    command = ChatCommand(text=text, save_memory=save_memory, conversation_id=conversation_id)
    return await PostgresTurns(database).begin(
        user, command, turn_id=new_id(), owner="o", lease_s=60, waiting=False
    )


# --- adding


async def test_what_is_added_comes_back_whole_and_in_the_order_given(
    store: PostgresMemories, user: User
) -> None:
    source = MemorySource(conversation_id=new_id(), message_ids=[new_id(), new_id()])
    text = "Ünïcode \\x41 \\ 'quoted'\n  and  spaces "
    added = await store.add(
        user,
        [
            NewMemory(content=text, importance=0.7, kind="preference", source=source, created_at=START),
            NewMemory(content="now"),
        ],
    )
    first, second = added
    assert first == Memory(
        id=first.id,
        content=text,
        importance=0.7,
        kind="preference",
        source=source,
        created_at=START,
        last_used_at=None,
    )
    assert (second.kind, second.importance, second.source) == ("fact", 0.5, None)
    assert abs(datetime.now(UTC) - second.created_at) < timedelta(minutes=1)
    assert [await store.get(user, one.id) for one in added] == added


async def test_five_hundred_of_one_time_keep_their_order(store: PostgresMemories, user: User) -> None:
    new = told(*(f"number {n}" for n in range(500)))
    added = await store.add(user, new)
    assert contents(added) == [one.content for one in new]
    page = await store.page(user, limit=500)
    assert contents(page.memories)[::-1] == [one.content for one in new]


async def test_nothing_is_added_where_one_cannot_be(store: PostgresMemories, user: User) -> None:
    with pytest.raises(Exception, match="refused"):
        await store.add(user, [NewMemory(content="fine"), NewMemory(content="no", importance=2)])
    assert (await store.page(user, limit=9)).memories == []


async def test_a_duplicate_is_the_one_that_is_there(
    store: PostgresMemories, user: User, stranger: User
) -> None:
    (first,) = await store.add(user, told("the same \\ thing"))
    again = await store.add(
        user, [*told("the same \\ thing", at=START + DAY), *told("new"), *told("new"), *told("the same")]
    )
    assert again[0] == first
    assert again[1] == again[2]
    assert contents((await store.page(user, limit=9)).memories) == ["the same", "new", "the same \\ thing"]
    (other_kind,) = await store.add(user, [NewMemory(content="the same \\ thing", kind="episode")])
    (anothers,) = await store.add(stranger, told("the same \\ thing"))
    assert len({first.id, other_kind.id, anothers.id}) == 3


async def test_the_same_told_at_once_is_added_once(store: PostgresMemories, user: User) -> None:
    added = await asyncio.gather(*(store.add(user, told("once")) for _ in range(8)))
    assert len({one.id for (one,) in added}) == 1


# --- supersession


async def test_another_value_supersedes_from_then_on(
    database: Database, store: PostgresMemories, user: User
) -> None:
    (lyon,) = await store.add(user, [home("Lyon")])
    (nice,) = await store.add(user, [home("Nice", day=2)])
    assert (nice.valid_from, nice.valid_to) == (START + 2 * DAY, nice.valid_to)
    old = await store.get(user, lyon.id)
    assert (old.valid_from, old.valid_to) == (START, START + 2 * DAY)
    assert await true(database, user) == ["I live in Nice"]
    assert await true(database, user, START + DAY) == ["I live in Lyon"]
    assert await true(database, user, START + 2 * DAY) == ["I live in Nice"]
    assert await true(database, user, START - DAY) == []


async def test_the_same_value_in_other_words_supersedes_nothing(
    database: Database, store: PostgresMemories, user: User
) -> None:
    await store.add(user, [home("Lyon")])
    await store.add(
        user, [NewMemory(content="Lyon is my home", attribute="home", value="Lyon", created_at=START + DAY)]
    )
    assert sorted(await true(database, user)) == ["I live in Lyon", "Lyon is my home"]
    await store.add(user, [home("Nice", day=2)])
    assert await true(database, user) == ["I live in Nice"]


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("order", ["012", "210", "102", "120"])
async def test_supersession_follows_the_times_told_not_the_order_of_adding(
    database: Database, store: PostgresMemories, user: User, order: str, *, at_once: bool
) -> None:
    homes = [home("Lyon", 0), home("Nice", 1), home("Rome", 2)]
    new = [homes[int(n)] for n in order]
    if at_once:
        await store.add(user, new)
    else:
        for one in new:
            await store.add(user, [one])
    assert await true(database, user) == ["I live in Rome"]
    for day, where in enumerate(("Lyon", "Nice", "Rome")):
        assert await true(database, user, START + day * DAY + HOUR) == [f"I live in {where}"]


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
async def test_what_was_superseded_can_be_told_again(
    database: Database, store: PostgresMemories, user: User, *, at_once: bool
) -> None:
    homes = [home("Lyon", 0), home("Nice", 1), home("Lyon", 2)]
    added = await store.add(user, homes) if at_once else [(await store.add(user, [one]))[0] for one in homes]
    assert len({one.id for one in added}) == 3
    assert await true(database, user) == ["I live in Lyon"]
    assert await true(database, user, START + DAY) == ["I live in Nice"]


async def test_a_superseded_memory_stays_so_when_its_successor_is_forgotten(
    database: Database, store: PostgresMemories, user: User
) -> None:
    await store.add(user, [home("Lyon")])
    (nice,) = await store.add(user, [home("Nice", day=1)])
    await store.delete(user, nice.id)
    await store.add(user, [home("Rome", day=3)])
    assert await true(database, user, START + 2 * DAY) == []


# --- reading


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_go_from_the_newest_and_meet(store: PostgresMemories, user: User, limit: int) -> None:
    await store.add(user, [*told("a", "b", "c"), *told("z", at=START - DAY), *told("d", "e", at=START + DAY)])
    seen: list[str] = []
    cursor = None
    while True:
        page = await store.page(user, limit=limit, cursor=cursor)
        seen += contents(page.memories)
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.memories) == limit
    assert seen == ["e", "d", "c", "b", "a", "z"]


async def test_a_cursor_of_something_else_is_invalid(store: PostgresMemories, user: User) -> None:
    for cursor in ("x", "é", ConversationPlace.at(START, new_id()).encoded()[:-3]):
        with pytest.raises(Invalid) as caught:
            await store.page(user, limit=1, cursor=cursor)
        assert caught.value.errors[0].field == "cursor"
    assert MemoryPlace.decoded(MemoryPlace.at(START, UUID(int=1)).encoded()).created_at == START


async def test_nothing_of_another_user_is_seen_or_changed(
    store: PostgresMemories, user: User, stranger: User, database: Database
) -> None:
    (mine,) = await store.add(user, told("a secret cat"))
    assert (await store.page(stranger, limit=9)).memories == []
    for change in (
        store.get(stranger, mine.id),
        store.delete(stranger, mine.id),
        store.edit(stranger, mine.id, MemoryEdit(content="x")),
    ):
        with pytest.raises(NotFound):
            await change
    assert await store.unindexed(stranger, limit=9) == []
    assert await store.mark_indexed(stranger, [Unindexed(id=mine.id, content=mine.content)]) == []
    await store.used(stranger, [mine.id])
    await store.delete_all(stranger)
    assert await store.get(user, mine.id) == mine
    assert await PostgresUsers(database).owner_of_memory(mine.id) == user
    assert await PostgresUsers(database).owner_of_memory(new_id()) is None


async def test_use_is_counted(database: Database, store: PostgresMemories, user: User) -> None:
    first, second = await store.add(user, told("a", "b"))
    await store.used(user, [first.id, new_id()])
    await store.used(user, [first.id])
    assert await rows(database, user, "SELECT use_count FROM memories ORDER BY id") == [(2,), (0,)]
    assert (await store.get(user, first.id)).last_used_at is not None
    assert (await store.get(user, second.id)).last_used_at is None


# --- changing


async def test_an_edit_changes_what_it_names(database: Database, store: PostgresMemories, user: User) -> None:
    (old,) = await store.add(user, [home("Lyon")])
    await store.mark_indexed(user, [Unindexed(id=old.id, content=old.content)])
    edited = await store.edit(user, old.id, MemoryEdit(importance=0.9, kind="preference"))
    assert (edited.importance, edited.kind, edited.content) == (0.9, "preference", old.content)
    assert await store.unindexed_count() == 0
    edited = await store.edit(user, old.id, MemoryEdit(content="I have a boat"))
    assert edited == await store.get(user, old.id)
    assert (edited.importance, edited.created_at) == (0.9, old.created_at)
    assert await true(database, user) == ["I have a boat"]
    assert [one.content for one in await store.unindexed(user, limit=9)] == ["I have a boat"]
    await store.add(user, [home("Nice", day=1)])
    assert await true(database, user) == ["I have a boat", "I live in Nice"]


async def test_an_edit_may_say_what_the_new_content_is_about(
    database: Database, store: PostgresMemories, user: User
) -> None:
    (one,) = await store.add(user, [home("Lyon")])
    edit = MemoryEdit(content="I live in Rome", attribute="home", value="Rome")
    await store.edit(user, one.id, edit)
    await store.add(user, [home("Nice", day=1)])
    assert await true(database, user) == ["I live in Nice"]


async def test_an_edit_that_makes_a_duplicate_is_a_conflict(store: PostgresMemories, user: User) -> None:
    first, second = await store.add(user, told("a", "b"))
    with pytest.raises(Conflict):
        await store.edit(user, second.id, MemoryEdit(content="a"))
    assert (await store.get(user, second.id)).content == "b"
    assert (await store.edit(user, first.id, MemoryEdit(content="a"))) == first


# --- indexing


async def test_indexing_takes_each_until_it_is_marked(
    store: PostgresMemories, user: User, stranger: User
) -> None:
    added = await store.add(user, told("a", "b", "c"))
    await store.add(stranger, told("d"))
    assert {one.id for one in await store.users_to_index(limit=9)} == {user.id, stranger.id}
    assert len(await store.users_to_index(limit=1)) == 1
    assert await store.unindexed_count() == 4
    batch = await store.unindexed(user, limit=2)
    assert [one.content for one in batch] == ["c", "b"]
    assert sorted(await store.mark_indexed(user, batch)) == sorted(one.id for one in batch)
    assert [one.id for one in await store.unindexed(user, limit=9)] == [added[0].id]
    assert await store.unindexed_count() == 2


async def test_what_changed_or_went_meanwhile_is_not_marked(store: PostgresMemories, user: User) -> None:
    changed, gone, kept = await store.add(user, told("a", "b", "c"))
    batch = await store.unindexed(user, limit=9)
    await store.edit(user, changed.id, MemoryEdit(content="A"))
    await store.delete(user, gone.id)
    await store.mark_forgotten(user, [gone.id])
    assert await store.mark_indexed(user, batch) == [kept.id]
    assert [one.content for one in await store.unindexed(user, limit=9)] == ["A"]
    assert await store.forgotten(user, limit=9) == [gone.id]


async def test_what_somebody_writes_to_is_left_for_later(
    store: PostgresMemories, user: User, database: Database
) -> None:
    held, free = await store.add(user, told("a", "b"))
    async with database.transaction(user) as transaction:
        await transaction.raw("SELECT 1 FROM memories WHERE id = $1 FOR UPDATE", held.id)
        assert [one.id for one in await store.unindexed(user, limit=9)] == [free.id]


@pytest.mark.parametrize("slice_", [1, 2, 100])
async def test_a_new_vector_store_knows_none(
    store: PostgresMemories,
    user: User,
    stranger: User,
    slice_: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jarvis.adapters.postgres.memories.UNINDEX_SLICE", slice_)
    for who in (user, stranger):
        await store.add(who, told("a", "b", "c"))
        await store.mark_indexed(who, await store.unindexed(who, limit=9))
    assert await store.unindexed_count() == 0
    assert await store.users_to_index(limit=9) == []
    await store.unindex_all()
    assert await store.unindexed_count() == 6


# --- remembering


def episode_of(said: Said) -> list[NewMemory]:
    source = MemorySource(
        conversation_id=said.conversation_id, message_ids=[said.id, said.answer_id or said.id]
    )
    return [NewMemory(content=said.content, kind="episode", source=source, created_at=said.created_at)]


async def test_ended_turns_are_looked_through_once_oldest_first(
    database: Database, store: PostgresMemories, user: User
) -> None:
    first = await ended_turn(database, user, "one")
    await ended_turn(database, user, "two", conversation_id=first.conversation_id)
    assert await store.users_to_remember(limit=9) == [user]
    seen: list[Said] = []

    def look(said: Said) -> list[NewMemory]:
        seen.append(said)
        return episode_of(said)

    assert await store.remember(user, look, limit=1) == 1
    assert await store.remember(user, look, limit=9) == 1
    assert await store.remember(user, look, limit=9) == 0
    assert await store.users_to_remember(limit=9) == []
    assert [said.content for said in seen] == ["one", "two"]
    page = await store.page(user, limit=9)
    assert contents(page.memories) == ["two", "one"]
    stored = await PostgresConversations(database).messages(user, first.conversation_id, limit=9)
    asked, answer = stored.messages[:2]
    remembered = page.memories[1]
    assert (seen[0].id, seen[0].answer_id, seen[0].created_at) == (asked.id, answer.id, asked.created_at)
    assert remembered.source is not None
    assert remembered.source.message_ids == [asked.id, answer.id]
    assert await rows(database, user, "SELECT 1 FROM messages WHERE indexed_at IS NULL") == []


async def test_running_turns_wait_and_those_not_to_be_saved_are_passed_over(
    database: Database, store: PostgresMemories, user: User
) -> None:
    turn = await begun_turn(database, user, "still running")
    assert await store.users_to_remember(limit=9) == []
    assert await store.remember(user, episode_of, limit=9) == 0
    await ended_turn(database, user, "not to be saved", save_memory=False)
    assert await store.remember(user, episode_of, limit=9) == 1
    assert (await store.page(user, limit=9)).memories == []
    failed = TurnOutcome(status="failed", text="", last_seq=1, metadata=None)
    await PostgresTurns(database).finish(user, turn.id, failed)
    assert await store.remember(user, episode_of, limit=9) == 1
    assert contents((await store.page(user, limit=9)).memories) == ["still running"]


async def test_imported_messages_are_looked_through(
    database: Database, store: PostgresMemories, user: User
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
    assert await store.users_to_remember(limit=9) == [user]
    assert await store.remember(user, episode_of, limit=9) == 1
    (memory,) = (await store.page(user, limit=9)).memories
    assert (memory.content, memory.created_at) == ("I have a cat", START)
    assert await store.users_to_remember(limit=9) == []


async def test_a_look_that_fails_leaves_all_as_it_was(
    database: Database, store: PostgresMemories, user: User
) -> None:
    await ended_turn(database, user, "one")

    def fail(said: Said) -> list[NewMemory]:
        raise ZeroDivisionError(said.content)

    with pytest.raises(ZeroDivisionError):
        await store.remember(user, fail, limit=9)
    assert await store.remember(user, episode_of, limit=9) == 1


async def test_two_processes_look_through_each_message_once(
    database: Database, store: PostgresMemories, user: User
) -> None:
    for n in range(6):
        await ended_turn(database, user, f"text {n}")
    seen: list[str] = []

    def look(said: Said) -> list[NewMemory]:
        seen.append(said.content)
        return []

    await asyncio.gather(*(store.remember(user, look, limit=2) for _ in range(4)))
    assert sorted(seen) == [f"text {n}" for n in range(6)]


# --- forgetting


async def test_a_forgotten_memory_is_gone_from_what_turns_were_told(
    database: Database, store: PostgresMemories, user: User
) -> None:
    cat, dog = await store.add(user, told("canary cat", "a dog"))
    both = await ended_turn(database, user, "hello", recalled=[cat, dog])
    await ended_turn(database, user, "hello again", recalled=[dog])
    forgotten = await store.delete(user, cat.id)
    assert (forgotten.memory_ids, forgotten.turn_ids) == ([cat.id], [both.id])
    stored = await PostgresTurns(database).get(user, both.id)
    assert stored.ending is not None
    assert [one.content for one in stored.ending.context.memories] == ["a dog"]
    for table in ("memories", "turns", "messages", "conversations"):
        assert await rows(database, user, f"SELECT 1 FROM {table} t WHERE t::text ~ 'canary'") == []  # noqa: S608  our own tables
    with pytest.raises(NotFound):
        await store.delete(user, cat.id)


async def test_what_is_gone_is_told_until_the_vector_store_has_dropped_it(
    database: Database, store: PostgresMemories, user: User, stranger: User
) -> None:
    turn = await ended_turn(database, user, "hello")
    await store.remember(user, episode_of, limit=9)
    (remembered,) = (await store.page(user, limit=9)).memories
    one, *more = await store.add(user, told("a", "b", "c"))
    await store.mark_indexed(user, await store.unindexed(user, limit=9))
    assert await store.users_to_index(limit=9) == []
    await store.delete(user, one.id)
    await PostgresConversations(database).delete(user, turn.conversation_id)
    assert await store.users_to_index(limit=9) == [user]
    assert sorted(await store.forgotten(user, limit=9)) == sorted([one.id, remembered.id])
    await store.delete_all(user)
    assert len(await store.forgotten(user, limit=9)) == 4
    assert len(await store.forgotten(user, limit=3)) == 3
    await store.mark_forgotten(stranger, [one.id])
    await store.mark_forgotten(user, [one.id, remembered.id])
    assert await store.forgotten(user, limit=9) == [two.id for two in more]
    assert await store.forgotten(stranger, limit=9) == []


@pytest.mark.parametrize("slice_", [1, 100])
async def test_forgetting_all_leaves_nothing_and_nothing_comes_back(
    database: Database,
    store: PostgresMemories,
    user: User,
    stranger: User,
    slice_: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jarvis.adapters.postgres.memories.FORGET_SLICE", slice_)
    added = await store.add(user, told("canary cat", "canary dog"))
    (theirs,) = await store.add(stranger, told("canary bird"))
    turn = await ended_turn(database, user, "hello", recalled=added)
    await ended_turn(database, user, "hello without")
    await ended_turn(database, stranger, "hello", recalled=[theirs])
    forgotten = await store.delete_all(user)
    assert sorted(forgotten.memory_ids) == sorted(one.id for one in added)
    assert forgotten.turn_ids == [turn.id]
    assert await rows(database, user, "SELECT 1 FROM turns t WHERE t::text ~ 'canary'") == []
    assert await store.remember(user, episode_of, limit=9) == 0
    assert (await store.page(user, limit=9)).memories == []
    assert await store.get(stranger, theirs.id) == theirs
    assert len(await rows(database, stranger, "SELECT 1 FROM turns t WHERE t::text ~ 'canary'")) == 1
    assert await store.remember(stranger, episode_of, limit=9) == 1
    assert (await store.delete_all(user)).memory_ids == []


async def test_a_deleted_conversation_takes_its_memories_with_it(
    database: Database, store: PostgresMemories, user: User
) -> None:
    turn = await ended_turn(database, user, "canary")
    await store.remember(user, episode_of, limit=9)
    (memory,) = (await store.page(user, limit=9)).memories
    (kept,) = await store.add(user, told("kept"))
    other = await ended_turn(database, user, "elsewhere", recalled=[memory, kept])
    deleted = await PostgresConversations(database).delete(user, turn.conversation_id)
    assert deleted.memory_ids == [memory.id]
    assert deleted.turn_ids == [turn.id, other.id]
    assert contents((await store.page(user, limit=9)).memories) == ["kept"]
    assert await rows(database, user, "SELECT 1 FROM turns t WHERE t::text ~ 'canary'") == []


async def test_what_is_remembered_of_a_conversation_while_it_is_deleted_does_not_stay(
    database: Database, store: PostgresMemories, user: User
) -> None:
    turn = await ended_turn(database, user, "canary")
    conversations = PostgresConversations(database)
    async with database.transaction(user) as transaction:
        await lock_memories(transaction, user)
        remembering = asyncio.create_task(store.remember(user, episode_of, limit=9))
        deleting = asyncio.create_task(conversations.delete(user, turn.conversation_id))
        while len(await transaction.raw("SELECT 1 FROM pg_locks WHERE NOT granted")) < 2:  # noqa: ASYNC110  Postgres tells nobody
            await asyncio.sleep(0)
    await asyncio.gather(remembering, deleting)
    assert (await store.page(user, limit=9)).memories == []


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
    store: PostgresMemories,
    user: User,
    postgres: PostgresServer,
    migrated_database: str,
    statement: Statement[Any, Any],
    kind: Callable[..., Any],
    arguments: dict[str, Any],
    index: str,
) -> None:
    await ended_turn(database, user, "hello")
    await store.add(user, [home("Lyon")])
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
