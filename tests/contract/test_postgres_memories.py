"""MemoryStore on a real Postgres: memories added, superseded, read and changed."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from jarvis.adapters.postgres.cursors import ConversationPlace, MemoryPlace
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.errors import Conflict, Invalid, NotFound
from jarvis.core.memories import Memory, MemoryEdit, MemorySource, NewMemory
from jarvis.core.memory_store import Unindexed
from jarvis.core.types import (
    User,
    new_id,
)
from tests.memories import DAY, HOUR, START, contents, home, rows, told, true

# --- adding


async def test_what_is_added_comes_back_whole_and_in_the_order_given(
    memories: PostgresMemories, user: User
) -> None:
    source = MemorySource(conversation_id=new_id(), message_ids=[new_id(), new_id()])
    text = "Ünïcode \\x41 \\ 'quoted'\n  and  spaces "
    added = await memories.add(
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
    assert [await memories.get(user, one.id) for one in added] == added


async def test_five_hundred_of_one_time_keep_their_order(memories: PostgresMemories, user: User) -> None:
    new = told(*(f"number {n}" for n in range(500)))
    added = await memories.add(user, new)
    assert contents(added) == [one.content for one in new]
    page = await memories.page(user, limit=500)
    assert contents(page.memories)[::-1] == [one.content for one in new]


async def test_nothing_is_added_where_one_cannot_be(memories: PostgresMemories, user: User) -> None:
    with pytest.raises(Exception, match="refused"):
        await memories.add(user, [NewMemory(content="fine"), NewMemory(content="no", importance=2)])
    assert (await memories.page(user, limit=9)).memories == []


async def test_a_duplicate_is_the_one_that_is_there(
    memories: PostgresMemories, user: User, stranger: User
) -> None:
    (first,) = await memories.add(user, told("the same \\ thing"))
    again = await memories.add(
        user, [*told("the same \\ thing", at=START + DAY), *told("new"), *told("new"), *told("the same")]
    )
    assert again[0] == first
    assert again[1] == again[2]
    assert contents((await memories.page(user, limit=9)).memories) == ["the same", "new", "the same \\ thing"]
    (other_kind,) = await memories.add(user, [NewMemory(content="the same \\ thing", kind="episode")])
    (anothers,) = await memories.add(stranger, told("the same \\ thing"))
    assert len({first.id, other_kind.id, anothers.id}) == 3


async def test_the_same_told_at_once_is_added_once(memories: PostgresMemories, user: User) -> None:
    added = await asyncio.gather(*(memories.add(user, told("once")) for _ in range(8)))
    assert len({one.id for (one,) in added}) == 1


# --- supersession


async def test_another_value_supersedes_from_then_on(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    (lyon,) = await memories.add(user, [home("Lyon")])
    (nice,) = await memories.add(user, [home("Nice", day=2)])
    assert (nice.valid_from, nice.valid_to) == (START + 2 * DAY, nice.valid_to)
    old = await memories.get(user, lyon.id)
    assert (old.valid_from, old.valid_to) == (START, START + 2 * DAY)
    assert await true(database, user) == ["I live in Nice"]
    assert await true(database, user, START + DAY) == ["I live in Lyon"]
    assert await true(database, user, START + 2 * DAY) == ["I live in Nice"]
    assert await true(database, user, START - DAY) == []


async def test_the_same_value_in_other_words_supersedes_nothing(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    await memories.add(user, [home("Lyon")])
    await memories.add(
        user, [NewMemory(content="Lyon is my home", attribute="home", value="Lyon", created_at=START + DAY)]
    )
    assert sorted(await true(database, user)) == ["I live in Lyon", "Lyon is my home"]
    await memories.add(user, [home("Nice", day=2)])
    assert await true(database, user) == ["I live in Nice"]


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("order", ["012", "210", "102", "120"])
async def test_supersession_follows_the_times_told_not_the_order_of_adding(
    database: Database, memories: PostgresMemories, user: User, order: str, *, at_once: bool
) -> None:
    homes = [home("Lyon", 0), home("Nice", 1), home("Rome", 2)]
    new = [homes[int(n)] for n in order]
    if at_once:
        await memories.add(user, new)
    else:
        for one in new:
            await memories.add(user, [one])
    assert await true(database, user) == ["I live in Rome"]
    for day, where in enumerate(("Lyon", "Nice", "Rome")):
        assert await true(database, user, START + day * DAY + HOUR) == [f"I live in {where}"]


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
async def test_what_was_superseded_can_be_told_again(
    database: Database, memories: PostgresMemories, user: User, *, at_once: bool
) -> None:
    homes = [home("Lyon", 0), home("Nice", 1), home("Lyon", 2)]
    added = (
        await memories.add(user, homes)
        if at_once
        else [(await memories.add(user, [one]))[0] for one in homes]
    )
    assert len({one.id for one in added}) == 3
    assert await true(database, user) == ["I live in Lyon"]
    assert await true(database, user, START + DAY) == ["I live in Nice"]


# --- reading


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_go_from_the_newest_and_meet(memories: PostgresMemories, user: User, limit: int) -> None:
    await memories.add(
        user, [*told("a", "b", "c"), *told("z", at=START - DAY), *told("d", "e", at=START + DAY)]
    )
    seen: list[str] = []
    cursor = None
    while True:
        page = await memories.page(user, limit=limit, cursor=cursor)
        seen += contents(page.memories)
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.memories) == limit
    assert seen == ["e", "d", "c", "b", "a", "z"]


async def test_a_cursor_of_something_else_is_invalid(memories: PostgresMemories, user: User) -> None:
    for cursor in ("x", "é", ConversationPlace.at(START, new_id()).encoded()[:-3]):
        with pytest.raises(Invalid) as caught:
            await memories.page(user, limit=1, cursor=cursor)
        assert caught.value.errors[0].field == "cursor"
    assert MemoryPlace.decoded(MemoryPlace.at(START, UUID(int=1)).encoded()).created_at == START


async def test_nothing_of_another_user_is_seen_or_changed(
    memories: PostgresMemories, user: User, stranger: User, database: Database
) -> None:
    (mine,) = await memories.add(user, told("a secret cat"))
    assert (await memories.page(stranger, limit=9)).memories == []
    for change in (
        memories.get(stranger, mine.id),
        memories.delete(stranger, mine.id),
        memories.edit(stranger, mine.id, MemoryEdit(content="x")),
    ):
        with pytest.raises(NotFound):
            await change
    assert await memories.unindexed(stranger, limit=9) == []
    assert await memories.mark_indexed(stranger, [Unindexed(id=mine.id, content=mine.content)]) == []
    await memories.used(stranger, [mine.id])
    await memories.delete_all(stranger)
    assert await memories.get(user, mine.id) == mine
    assert await PostgresUsers(database).owner_of_memory(mine.id) == user
    assert await PostgresUsers(database).owner_of_memory(new_id()) is None


async def test_use_is_counted(database: Database, memories: PostgresMemories, user: User) -> None:
    first, second = await memories.add(user, told("a", "b"))
    await memories.used(user, [first.id, new_id()])
    await memories.used(user, [first.id])
    assert await rows(database, user, "SELECT use_count FROM memories ORDER BY id") == [(2,), (0,)]
    assert (await memories.get(user, first.id)).last_used_at is not None
    assert (await memories.get(user, second.id)).last_used_at is None


# --- changing


async def test_an_edit_changes_what_it_names(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    (old,) = await memories.add(user, [home("Lyon")])
    await memories.mark_indexed(user, [Unindexed(id=old.id, content=old.content)])
    edited = (await memories.edit(user, old.id, MemoryEdit(importance=0.9, kind="preference"))).memory
    assert (edited.importance, edited.kind, edited.content) == (0.9, "preference", old.content)
    assert await memories.unindexed_count() == 0
    edited = (await memories.edit(user, old.id, MemoryEdit(content="I have a boat"))).memory
    assert edited == await memories.get(user, old.id)
    assert (edited.importance, edited.created_at) == (0.9, old.created_at)
    assert await true(database, user) == ["I have a boat"]
    assert [one.content for one in await memories.unindexed(user, limit=9)] == ["I have a boat"]
    await memories.add(user, [home("Nice", day=1)])
    assert await true(database, user) == ["I have a boat", "I live in Nice"]


async def test_an_edit_may_say_what_the_new_content_is_about(
    database: Database, memories: PostgresMemories, user: User
) -> None:
    (one,) = await memories.add(user, [home("Lyon")])
    edit = MemoryEdit(content="I live in Rome", attribute="home", value="Rome")
    await memories.edit(user, one.id, edit)
    await memories.add(user, [home("Nice", day=1)])
    assert await true(database, user) == ["I live in Nice"]


async def test_an_edit_that_makes_a_duplicate_is_a_conflict(memories: PostgresMemories, user: User) -> None:
    first, second = await memories.add(user, told("a", "b"))
    with pytest.raises(Conflict):
        await memories.edit(user, second.id, MemoryEdit(content="a"))
    assert (await memories.get(user, second.id)).content == "b"
    assert (await memories.edit(user, first.id, MemoryEdit(content="a"))).memory == first
