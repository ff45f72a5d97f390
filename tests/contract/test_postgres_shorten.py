"""TurnStore.shorten on a real Postgres: an answer is cut to what was heard of it."""

import msgspec
import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.errors import NotFound
from jarvis.core.turn_store import Ending, TurnOutcome
from jarvis.core.types import (
    ChatCommand,
    ContextReport,
    HistoryReport,
    MessageMetadata,
    Turn,
    Usage,
    User,
    new_id,
)

ANSWER = "It is sunny. Naïve 🌍 birds sing. It may rain."
HEARD = "It is sunny. Naïve 🌍"


@pytest.fixture
def store(database: Database) -> PostgresTurns:
    return PostgresTurns(database)


async def begin(store: PostgresTurns, user: User, text: str = "Hello", *, after: Turn | None = None) -> Turn:
    begun = await store.begin(
        user,
        ChatCommand(text=text, conversation_id=after and after.conversation_id),
        turn_id=new_id(),
        owner="box/1",
        lease_s=60,
        waiting=False,
        history_limit=20,
    )
    assert isinstance(begun, Turn)
    return begun


async def answered(store: PostgresTurns, user: User, text: str = ANSWER) -> Turn:
    turn = await begin(store, user)
    await store.finish(user, turn.id, complete(text), owner="box/1")
    return turn


def complete(text: str) -> TurnOutcome:
    return TurnOutcome(
        status="complete",
        text=text,
        last_seq=7,
        metadata=MessageMetadata(model_name="m", tokens_used=2, source="voice"),
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


async def value(database: Database, user: User, sql: str, *arguments: object) -> object:
    async with database.transaction(user) as transaction:
        return (await transaction.raw(sql, *arguments))[0][0]


@pytest.mark.parametrize("heard", [HEARD, ""], ids=["some", "nothing"])
async def test_the_answer_is_what_was_heard(store: PostgresTurns, user: User, heard: str) -> None:
    turn = await answered(store, user)
    before = await store.get(user, turn.id)
    after = await store.shorten(user, turn.id, heard)
    assert before.message is not None
    assert after.message is not None
    assert after.message == msgspec.structs.replace(
        before.message,
        content=heard,
        status="cancelled",
        metadata=MessageMetadata(model_name="m", tokens_used=2, source="voice", audio={"cut": True}),
        updated_at=after.message.updated_at,
    )
    assert after.message.updated_at >= before.message.updated_at
    assert (after.status, after.checkpoint_seq) == ("cancelled", before.checkpoint_seq + 2)
    assert await store.get(user, turn.id) == after


async def test_what_follows_knows_only_that(store: PostgresTurns, user: User) -> None:
    turn = await answered(store, user)
    await store.shorten(user, turn.id, HEARD)
    following = await begin(store, user, "And then?", after=turn)
    assert following.history is not None
    assert [message.content for message in following.history.messages] == ["Hello", HEARD]


async def test_the_first_answers_bytes_are_not_given_again(
    database: Database, store: PostgresTurns, user: User
) -> None:
    turn = await answered(store, user)
    async with database.transaction(user) as transaction:
        await transaction.raw("UPDATE turns SET answer = 'x' WHERE id = $1", turn.id)
    await store.shorten(user, turn.id, HEARD)
    assert await value(database, user, "SELECT answer FROM turns WHERE id = $1", turn.id) is None


@pytest.mark.parametrize("text", ["It is cloudy", ANSWER + "!", "sunny"])
async def test_what_is_not_its_beginning_changes_nothing(store: PostgresTurns, user: User, text: str) -> None:
    turn = await answered(store, user)
    before = await store.get(user, turn.id)
    assert await store.shorten(user, turn.id, text) == before


async def test_again_further_but_never_back(store: PostgresTurns, user: User) -> None:
    turn = await answered(store, user)
    await store.shorten(user, turn.id, HEARD)
    shorter = await store.shorten(user, turn.id, "It is")
    assert shorter.message is not None
    assert shorter.message.content == "It is"
    assert await store.shorten(user, turn.id, HEARD) == shorter


async def test_a_turn_that_runs_is_left_alone(store: PostgresTurns, user: User) -> None:
    turn = await begin(store, user)
    await store.checkpoint(user, turn.id, text=ANSWER, seq=3, owner="box/1")
    before = await store.get(user, turn.id)
    assert await store.shorten(user, turn.id, HEARD) == before
    assert before.message is None


async def test_only_that_answer_is_cut(store: PostgresTurns, user: User) -> None:
    first, second = await answered(store, user), await answered(store, user)
    other = await store.get(user, second.id)
    await store.shorten(user, first.id, HEARD)
    assert await store.get(user, second.id) == other


async def test_nobody_cuts_anothers(store: PostgresTurns, user: User, stranger: User) -> None:
    turn = await answered(store, user)
    before = await store.get(user, turn.id)
    with pytest.raises(NotFound):
        await store.shorten(stranger, turn.id, HEARD)
    with pytest.raises(NotFound):
        await store.shorten(user, new_id(), HEARD)
    assert await store.get(user, turn.id) == before


@pytest.mark.parametrize(
    ("upto", "kept"), [(0, True), (1, False), (5, False)], ids=["before", "of it", "beyond"]
)
async def test_a_summary_that_tells_of_it_goes(
    database: Database, store: PostgresTurns, user: User, upto: int, kept: object
) -> None:
    turn = await answered(store, user)
    async with database.transaction(user) as transaction:
        position = (
            await transaction.raw(
                "SELECT position FROM messages WHERE turn_id = $1 AND role = 'assistant'", turn.id
            )
        )[0][0]
        await transaction.raw(
            "UPDATE conversations SET summary = 'They spoke.', summary_upto = $2 WHERE id = $1",
            turn.conversation_id,
            position - 1 + upto,
        )
    await store.shorten(user, turn.id, HEARD)
    told = await value(
        database, user, "SELECT summary FROM conversations WHERE id = $1", turn.conversation_id
    )
    assert told == ("They spoke." if kept else None)
