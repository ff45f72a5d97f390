"""TurnStore on a real Postgres."""

import asyncio
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import pytest

from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.errors import NotFound
from jarvis.core.turn_store import Ending, StoredTurn, TurnOutcome
from jarvis.core.types import (
    AgainCommand,
    ChatCommand,
    ContextReport,
    HistoryReport,
    MessageMetadata,
    Once,
    Turn,
    Usage,
    User,
    new_id,
)

OWNER = "box/1"


@pytest.fixture
def store(database: Database) -> PostgresTurns:
    return PostgresTurns(database)


async def begin(
    store: PostgresTurns,
    user: User,
    text: str = "Hello",
    *,
    conversation_id: UUID | None = None,
    waiting: bool = False,
    owner: str = OWNER,
    lease_s: float = 60,
    history_limit: int = 0,
    once: Once | None = None,
) -> Turn:
    begun = await store.begin(
        user,
        ChatCommand(text=text, conversation_id=conversation_id),
        turn_id=new_id(),
        owner=owner,
        lease_s=lease_s,
        waiting=waiting,
        history_limit=history_limit,
        once=once,
    )
    assert isinstance(begun, Turn)
    return begun


def complete(text: str = "Hi") -> TurnOutcome:
    return TurnOutcome(
        status="complete",
        text=text,
        last_seq=7,
        metadata=MessageMetadata(model_name="m", tokens_used=2, source="rest"),
        ending=Ending(
            model="m",
            usage=Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3),
            response_time_ms=12,
            memory_saved=False,
            context=ContextReport(
                budget_tokens=100, prompt_tokens=1, history=HistoryReport(sent=0, summarised=0, dropped=0)
            ),
        ),
    )


def interrupted(text: str = "") -> TurnOutcome:
    return TurnOutcome(
        status="interrupted", text=text, last_seq=3, metadata=None, error={"code": "draining", "message": "x"}
    )


async def rows(database: Database, user: User, sql: str, *arguments: object) -> list[tuple[object, ...]]:
    async with database.transaction(user) as transaction:
        return [tuple(row) for row in await transaction.raw(sql, *arguments)]


async def test_begin_makes_a_conversation_and_stores_the_message_as_it_was_sent(
    database: Database, store: PostgresTurns, user: User
) -> None:
    text = "  Une première ligne 🌍\r\n\tand <b>more</b>  "
    turn = await begin(store, user, text)

    assert turn.user_position == 0
    assert turn.user == user
    assert turn.created_at.tzinfo is not None
    stored = await rows(
        database,
        user,
        "SELECT m.content, m.role::text, m.status::text, m.turn_id, m.position, c.title, c.next_position, "
        "c.last_message_at IS NOT NULL FROM messages m JOIN conversations c ON c.id = m.conversation_id",
    )
    assert stored == [(text, "user", "complete", turn.id, 0, "Une première ligne 🌍", 2, True)]


async def test_begin_reserves_two_places_each_in_the_order_of_commits(
    store: PostgresTurns, user: User
) -> None:
    first = await begin(store, user)
    later = await asyncio.gather(
        *(begin(store, user, f"{n}", conversation_id=first.conversation_id, waiting=True) for n in range(8))
    )
    assert sorted(turn.user_position for turn in later) == [2, 4, 6, 8, 10, 12, 14, 16]


async def test_begin_returns_the_conversations_model_and_system_prompt(
    database: Database, store: PostgresTurns, user: User
) -> None:
    first = await begin(store, user)
    await rows(database, user, "UPDATE conversations SET model = 'm', system_prompt = 'Be brief.'")
    second = await begin(store, user, conversation_id=first.conversation_id)
    assert (second.conversation_model, second.conversation_system_prompt) == ("m", "Be brief.")


async def test_begin_in_an_unknown_conversation_stores_nothing(
    database: Database, store: PostgresTurns, user: User
) -> None:
    with pytest.raises(NotFound):
        await begin(store, user, conversation_id=new_id())
    assert await rows(database, user, "SELECT 1 FROM messages UNION ALL SELECT 1 FROM turns") == []


async def test_begin_in_a_strangers_conversation_is_not_found_and_takes_no_place(
    database: Database, store: PostgresTurns, user: User, stranger: User
) -> None:
    theirs = await begin(store, stranger)
    with pytest.raises(NotFound):
        await begin(store, user, conversation_id=theirs.conversation_id)
    assert await rows(database, stranger, "SELECT next_position FROM conversations") == [(2,)]


async def test_a_waiting_turn_is_queued_until_it_starts(store: PostgresTurns, user: User) -> None:
    turn = await begin(store, user, waiting=True)
    assert (await store.get(user, turn.id)).status == "queued"
    await store.start(user, turn.id, owner=OWNER)
    assert (await store.get(user, turn.id)).status == "running"


async def test_start_does_not_revive_a_turn_that_has_ended(store: PostgresTurns, user: User) -> None:
    turn = await begin(store, user, waiting=True)
    await store.finish(user, turn.id, interrupted(), owner=OWNER)
    await store.start(user, turn.id, owner=OWNER)
    assert (await store.get(user, turn.id)).status == "interrupted"


async def test_finish_stores_the_answer_beside_its_question(
    database: Database, store: PostgresTurns, user: User
) -> None:
    turn = await begin(store, user)
    await store.checkpoint(user, turn.id, text="H", seq=3, owner=OWNER)
    ended = await store.finish(user, turn.id, complete(), owner=OWNER)

    assert ended.status == "complete"
    assert ended.message is not None
    assert ended.message.content == "Hi"
    assert ended.message.metadata == complete().metadata
    assert (ended.ending, ended.checkpoint_seq, ended.partial_text) == (complete().ending, 7, "")
    assert await store.get(user, turn.id) == ended
    assert await rows(
        database,
        user,
        "SELECT m.position, m.role::text, m.turn_id, c.last_message_at = m.created_at "
        "FROM messages m JOIN conversations c ON c.id = m.conversation_id ORDER BY m.position",
    ) == [(0, "user", turn.id, False), (1, "assistant", turn.id, True)]
    assert await rows(
        database, user, "SELECT partial_text, lease_owner, lease_until, finished_at IS NULL FROM turns"
    ) == [("", None, None, False)]


async def test_finish_again_changes_nothing_and_tells_the_stored_end(
    database: Database, store: PostgresTurns, user: User
) -> None:
    turn = await begin(store, user)
    first = await store.finish(user, turn.id, complete(), owner=OWNER)
    assert await store.finish(user, turn.id, interrupted("other"), owner=OWNER) == first
    assert await rows(database, user, "SELECT count(*) FROM messages") == [(2,)]


async def test_of_many_finishes_at_once_one_wins_and_all_tell_the_same(
    database: Database, store: PostgresTurns, user: User
) -> None:
    turn = await begin(store, user)
    told: list[StoredTurn] = await asyncio.gather(
        *(store.finish(user, turn.id, complete(f"answer {n}"), owner=OWNER) for n in range(10))
    )
    assert all(one == told[0] for one in told)
    assert await rows(database, user, "SELECT count(*) FROM messages") == [(2,)]


async def test_a_turn_that_ended_without_text_keeps_an_empty_message_and_its_error(
    store: PostgresTurns, user: User
) -> None:
    turn = await begin(store, user)
    ended = await store.finish(user, turn.id, interrupted(), owner=OWNER)
    assert ended.message is not None
    assert (ended.message.content, ended.message.status) == ("", "interrupted")
    assert ended.error == {"code": "draining", "message": "x"}
    assert ended.ending is None
    assert await store.get(user, turn.id) == ended


async def test_a_checkpoint_keeps_the_text_so_far(store: PostgresTurns, user: User) -> None:
    turn = await begin(store, user)
    await store.checkpoint(user, turn.id, text="So far", seq=12, owner=OWNER)
    stored = await store.get(user, turn.id)
    assert (stored.partial_text, stored.checkpoint_seq, stored.message) == ("So far", 12, None)


async def test_a_checkpoint_after_the_end_does_nothing(store: PostgresTurns, user: User) -> None:
    turn = await begin(store, user)
    ended = await store.finish(user, turn.id, complete(), owner=OWNER)
    await store.checkpoint(user, turn.id, text="late", seq=99, owner=OWNER)
    assert await store.get(user, turn.id) == ended


@pytest.mark.parametrize("limit", [1, 3, 4, 50])
async def test_history_is_the_newest_before_the_turn_and_counts_all(
    store: PostgresTurns, user: User, limit: int
) -> None:
    turn = await begin(store, user, "u0")
    await store.finish(user, turn.id, complete("a0"), owner=OWNER)
    turn = await begin(store, user, "u1", conversation_id=turn.conversation_id)
    await store.finish(user, turn.id, complete("a1"), owner=OWNER)
    turn = await begin(store, user, "u2", conversation_id=turn.conversation_id)
    await begin(store, user, "u3", conversation_id=turn.conversation_id, waiting=True)

    history = await store.history(turn, limit=limit)
    assert [message.content for message in history.messages] == ["u0", "a0", "u1", "a1"][-limit:]
    assert history.total == 4


async def begin_again(store: PostgresTurns, turn: Turn, **changes: Any) -> Turn:
    begun = await store.begin_again(
        turn.user,
        AgainCommand(conversation_id=turn.conversation_id, **changes),
        turn_id=new_id(),
        owner=OWNER,
        lease_s=60,
        waiting=False,
        history_limit=10,
    )
    assert isinstance(begun, Turn)
    return begun


async def test_to_begin_again_takes_no_place_and_asks_as_before(store: PostgresTurns, user: User) -> None:
    first = await begin(store, user, "u0")
    await store.finish(user, first.id, complete("a0"), owner=OWNER)
    second = await begin(store, user, "u1", conversation_id=first.conversation_id)
    await store.finish(user, second.id, complete("a1"), owner=OWNER)
    again = await begin_again(store, second, temperature=0.3)
    assert (again.user_message_id, again.user_position) == (second.user_message_id, 2)
    assert (again.command.text, again.command.temperature) == ("u1", 0.3)
    assert again.history is not None
    assert [message.content for message in again.history.messages] == ["u0", "a0"]
    stored = await store.finish(user, again.id, complete("a1 again"), owner=OWNER)
    assert stored.message is not None
    assert stored.message.alternative_of is None
    third = await begin(store, user, "u2", conversation_id=first.conversation_id)
    assert third.user_position == 4


async def test_to_begin_again_in_a_strangers_conversation_is_not_found(
    store: PostgresTurns, user: User, stranger: User
) -> None:
    theirs = await begin(store, stranger)
    with pytest.raises(NotFound):
        await begin_again(store, msgspec.structs.replace(theirs, user=user))


async def test_history_leaves_earlier_alternatives_out(store: PostgresTurns, user: User) -> None:
    first = await begin(store, user, "u0")
    await store.finish(user, first.id, complete("a0"), owner=OWNER)
    again = await begin_again(store, first)
    await store.finish(user, again.id, complete("a0 again"), owner=OWNER)
    turn = await begin(store, user, "u1", conversation_id=first.conversation_id)
    history = await store.history(turn, limit=2)
    assert [message.content for message in history.messages] == ["u0", "a0 again"]
    assert history.total == 2


@pytest.mark.parametrize("method", ["get", "finish"])
async def test_a_strangers_turn_is_not_found(
    store: PostgresTurns, user: User, stranger: User, method: str
) -> None:
    turn = await begin(store, user)
    finish = partial(store.finish, outcome=complete(), owner=OWNER)
    with pytest.raises(NotFound):
        await {"get": store.get, "finish": finish}[method](stranger, turn.id)
    assert (await store.get(user, turn.id)).status == "running"


async def test_begin_and_finish_are_three_round_trips_each(database_url: str) -> None:
    asked: list[str] = []

    def note(record: Any) -> None:
        asked.append(record.query)

    async with Database(DatabaseSettings(url=database_url, max_connections=1)) as single:
        store, user = PostgresTurns(single), await PostgresUsers(single).profile("default")
        async with single.transaction(user) as transaction:
            connection: Any = transaction._connection  # pyright: ignore[reportPrivateUsage]  to see its queries
            connection.add_query_logger(note)
        asked.clear()
        turn = await begin(store, user)
        opening, statement, commit = asked
        assert opening.startswith("BEGIN; SET LOCAL ROLE jarvis_app; SET LOCAL jarvis.user_id = ")
        assert (statement[:4], commit) == ("WITH", "COMMIT")
        asked.clear()
        await store.finish(user, turn.id, complete(), owner=OWNER)
        assert len(asked) == 3


async def test_text_that_would_overflow_the_search_index_is_stored_whole(
    store: PostgresTurns, user: User
) -> None:
    turn = await begin(store, user)
    text = " ".join(f"word{n}é" for n in range(150_000))  # no word twice
    ended = await store.finish(user, turn.id, complete(text), owner=OWNER)
    assert (await store.get(user, turn.id)).message == ended.message


@pytest.mark.parametrize("limit", [1, 3, 200])
async def test_a_begin_can_bring_the_history_along(store: PostgresTurns, user: User, limit: int) -> None:
    first = await begin(store, user)
    await store.finish(user, first.id, complete("one"), owner=OWNER)
    second = await begin(store, user, conversation_id=first.conversation_id)
    await store.finish(user, second.id, complete("two"), owner=OWNER)
    third = await begin(store, user, conversation_id=first.conversation_id, history_limit=limit)
    assert third.history == await store.history(third, limit=limit)
    assert third.history is not None
    assert [message.content for message in third.history.messages][-1] == "two"
    assert third.history.total == 4
