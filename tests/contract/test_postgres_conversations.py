"""ConversationStore on a real Postgres."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from jarvis.adapters.postgres import list_statements as statements
from jarvis.adapters.postgres.conversations import SLICE_CHARS, SLICE_MESSAGES, PostgresConversations
from jarvis.adapters.postgres.cursors import AFTER_ALL_CONVERSATIONS
from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.errors import Invalid, NotFound, Unavailable
from jarvis.core.stores import ConversationEdit
from jarvis.core.transcripts import ImportedConversation, ImportedMessage, Place
from jarvis.core.types import ChatCommand, ConversationStatus, Message, Turn, User, new_id

START = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def store(database: Database) -> PostgresConversations:
    return PostgresConversations(database)


async def make(
    database: Database,
    user: User,
    *,
    messages: int = 0,
    title: str = "t",
    status: str = "active",
    age_s: int = 0,
) -> UUID:
    """A conversation whose n-th message was made n seconds after START, active `age_s` ago."""
    conversation_id = new_id()
    async with database.transaction(user) as transaction:
        await transaction.raw(
            "INSERT INTO conversations (id, user_id, title, status, last_message_at, next_position, "
            "message_count) VALUES ($1, $2, $3, $4::text::conversation_status, $5, $6, $7)",
            *(conversation_id, user.id, title, status),
            *(datetime.now(UTC) - timedelta(seconds=age_s), (messages + 1) // 2 * 2, messages),
        )
        for n in range(messages):
            await transaction.raw(
                "INSERT INTO messages (id, conversation_id, user_id, position, role, content, created_at) "
                "VALUES ($1, $2, $3, $4, $5::text::message_role, $6, $7)",
                *(new_id(), conversation_id, user.id, n, ("user", "assistant")[n % 2]),
                *(f"m{n}", START + timedelta(seconds=n)),
            )
    return conversation_id


def texts(messages: list[Message]) -> list[str]:
    return [message.content for message in messages]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10])
async def test_pages_of_messages_go_back_in_time_and_meet(
    database: Database, store: PostgresConversations, user: User, limit: int
) -> None:
    conversation_id = await make(database, user, messages=7)
    seen: list[str] = []
    cursor = None
    while True:
        page = await store.messages(user, conversation_id, limit=limit, cursor=cursor)
        assert page.total == 7
        assert page.has_more == (page.next_cursor is not None)
        seen = texts(page.messages) + seen
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.messages) == limit
    assert seen == [f"m{n}" for n in range(7)]


async def test_an_offset_goes_back_too(database: Database, store: PostgresConversations, user: User) -> None:
    conversation_id = await make(database, user, messages=5)
    page = await store.messages(user, conversation_id, limit=2, offset=1)
    assert texts(page.messages) == ["m2", "m3"]
    assert (await store.messages(user, conversation_id, limit=2, offset=2**62)).messages == []


async def test_since_is_strictly_later(database: Database, store: PostgresConversations, user: User) -> None:
    conversation_id = await make(database, user, messages=5)
    page = await store.messages(user, conversation_id, limit=10, since=START + timedelta(seconds=2))
    assert (texts(page.messages), page.total) == (["m3", "m4"], 2)


async def test_since_outside_of_the_calendar_is_invalid(
    database: Database, store: PostgresConversations, user: User
) -> None:
    conversation_id = await make(database, user)
    edge = datetime.fromisoformat("0001-01-01T00:00:00+14:00")
    with pytest.raises(Invalid) as caught:
        await store.messages(user, conversation_id, limit=1, since=edge)
    assert caught.value.errors[0].field == "since"


async def test_alternatives_come_only_when_asked_after_the_current_answer(
    database: Database, store: PostgresConversations, user: User
) -> None:
    conversation_id = await make(database, user, messages=4)
    async with database.transaction(user) as transaction:
        await transaction.raw(
            "INSERT INTO messages (id, conversation_id, user_id, position, alternative, role, content, "
            "alternative_of) SELECT $1, $2, $3, 1, 1, 'assistant', 'old', id FROM messages "
            "WHERE conversation_id = $2 AND position = 1",
            *(new_id(), conversation_id, user.id),
        )
    plain = await store.messages(user, conversation_id, limit=10)
    everything = await store.messages(user, conversation_id, limit=10, alternatives=True)
    assert (texts(plain.messages), plain.total) == (["m0", "m1", "m2", "m3"], 4)
    assert (texts(everything.messages), everything.total) == (["m0", "m1", "old", "m2", "m3"], 5)
    page = await store.messages(user, conversation_id, limit=3, alternatives=True)
    rest = await store.messages(user, conversation_id, limit=3, alternatives=True, cursor=page.next_cursor)
    assert texts(rest.messages) + texts(page.messages) == ["m0", "m1", "old", "m2", "m3"]
    assert (await store.get(user, conversation_id)).message_count == 4


async def test_no_messages_is_an_empty_page_and_no_conversation_is_not_found(
    database: Database, store: PostgresConversations, user: User, stranger: User
) -> None:
    conversation_id = await make(database, user)
    page = await store.messages(user, conversation_id, limit=5)
    assert (page.messages, page.total, page.has_more, page.next_cursor) == ([], 0, False, None)
    for who, which in ((user, new_id()), (stranger, conversation_id)):
        with pytest.raises(NotFound):
            await store.messages(who, which, limit=5)
        with pytest.raises(NotFound):
            await store.get(who, which)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "====",
        "WzEsMF0x",
        "W10",
        "bnVsbA",
        "WzEsOTk5OTldAA",
        "WzEsOTk5OTld",
        "WyJhIiwwXQ",
        "Wy0xLDBd",
        "\0",
    ],
)
async def test_a_cursor_that_is_none_is_invalid(
    database: Database, store: PostgresConversations, user: User, cursor: str
) -> None:
    conversation_id = await make(database, user)
    with pytest.raises(Invalid) as caught:
        await store.messages(user, conversation_id, limit=5, cursor=cursor)
    assert caught.value.errors[0].field == "cursor"
    with pytest.raises(Invalid):
        await store.conversations(user, limit=5, cursor=cursor)


async def test_pages_of_conversations_go_from_the_newest_activity_and_meet(
    database: Database, store: PostgresConversations, user: User, stranger: User
) -> None:
    await make(database, stranger)
    made = [await make(database, user, title=f"c{n}", age_s=n, messages=n) for n in range(5)]
    seen: list[tuple[UUID, int]] = []
    cursor = None
    while True:
        page = await store.conversations(user, limit=2, cursor=cursor)
        assert page.total == 5
        seen += [(conversation.id, conversation.message_count) for conversation in page.conversations]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [(id_, n) for n, id_ in enumerate(made)]
    offset = await store.conversations(user, limit=2, offset=3)
    assert [conversation.title for conversation in offset.conversations] == ["c3", "c4"]
    assert {conversation.user_id for conversation in offset.conversations} == {"default"}


async def test_conversations_active_at_the_same_instant_are_all_listed_once(
    database: Database, store: PostgresConversations, user: User
) -> None:
    for _ in range(5):
        await make(database, user)
    async with database.transaction(user) as transaction:
        await transaction.raw("UPDATE conversations SET last_message_at = NULL, created_at = now()")
    first = await store.conversations(user, limit=3)
    second = await store.conversations(user, limit=3, cursor=first.next_cursor)
    ids = {conversation.id for conversation in first.conversations + second.conversations}
    assert (len(ids), second.has_more) == (5, False)


async def test_conversations_by_title_and_status(
    database: Database, store: PostgresConversations, user: User
) -> None:
    await make(database, user, title="About 100% Cats")
    await make(database, user, title="Dogs", status="archived")
    await make(database, user, title="Birds")

    async def found(**where: str) -> list[str | None]:
        page = await store.conversations(user, limit=10, **where)  # pyright: ignore[reportArgumentType]  a status among them
        assert page.total == len(page.conversations)
        return [conversation.title for conversation in page.conversations]

    assert await found(title_contains="cats") == ["About 100% Cats"]
    assert await found(title_contains="%") == ["About 100% Cats"]
    assert await found(title_contains="dogs") == []
    assert await found(status="archived") == ["Dogs"]
    assert await found() == ["Birds", "About 100% Cats"]


async def test_the_conversation_last_active(
    database: Database, store: PostgresConversations, user: User, stranger: User
) -> None:
    assert await store.last_active(user) is None
    await make(database, user, title="older", age_s=10)
    await make(database, user, title="newer", age_s=5)
    await make(database, user, title="archived", status="archived")
    await make(database, stranger, title="theirs")
    last = await store.last_active(user)
    assert last is not None
    assert last.title == "newer"


async def test_an_edit_tells_whether_anything_changed(
    store: PostgresConversations, user: User, stranger: User
) -> None:
    made = await store.create(user, title=None, model=None, system_prompt=None)
    same = await store.edit(user, made.id, ConversationEdit(status="active", title=None))
    assert (same.changed, same.conversation) == (False, made)
    edited = await store.edit(user, made.id, ConversationEdit(title="New", model="m"))
    assert edited.changed
    assert (edited.conversation.title, edited.conversation.model) == ("New", "m")
    assert edited.conversation.updated_at > made.updated_at
    for who, which in ((user, new_id()), (stranger, made.id)):
        with pytest.raises(NotFound):
            await store.edit(who, which, ConversationEdit(title="x"))
        with pytest.raises(NotFound):
            await store.delete(who, which)


async def test_what_was_deleted_is_told_with_all_its_alternatives(
    database: Database, store: PostgresConversations, user: User
) -> None:
    turn = await PostgresTurns(database).begin(
        user, ChatCommand(text="hi"), turn_id=new_id(), owner="o", lease_s=9, waiting=False
    )
    assert isinstance(turn, Turn)
    async with database.transaction(user) as transaction:
        await transaction.raw(
            "INSERT INTO messages (id, conversation_id, user_id, position, role, content, alternative_of) "
            "VALUES ($1, $2, $3, 1, 'assistant', 'old', $1)",
            *(new_id(), turn.conversation_id, user.id),
        )
    before = await store.get(user, turn.conversation_id)
    deleted = await store.delete(user, turn.conversation_id)
    assert (deleted.conversation, deleted.messages, deleted.turn_ids) == (before, 2, [turn.id])
    with pytest.raises(NotFound):
        await store.transcript_page(user, turn.conversation_id, first_position=0, end_position=9)


def transcript(*contents: str) -> Iterator[tuple[Place, ImportedMessage]]:
    for number, content in enumerate(contents):
        message = ImportedMessage(role="user", content=content, created_at=START)
        yield Place(new_id(), 2 * number, 0, None), message


async def test_a_transcript_is_stored_in_slices_and_read_in_stretches(
    store: PostgresConversations, user: User
) -> None:
    contents = [f"m{number}" for number in range(SLICE_MESSAGES + 1)] + ["x" * SLICE_CHARS, "last"]
    id_ = await store.add_transcript(
        user,
        ImportedConversation(created_at=START),
        transcript(*contents),
        next_position=2 * len(contents),
        message_count=len(contents),
    )
    start = await store.transcript_start(user, id_)
    assert start.end_position == 2 * len(contents)
    assert start.conversation.message_count == len(contents)
    assert (start.conversation.created_at, start.conversation.updated_at) == (START, START)
    whole = await store.transcript_page(user, id_, first_position=0, end_position=start.end_position)
    assert texts(whole) == contents
    part = await store.transcript_page(user, id_, first_position=2, end_position=6)
    assert texts(part) == ["m1", "m2"]


async def test_a_transcript_that_fails_midway_leaves_nothing(
    database: Database, store: PostgresConversations, user: User
) -> None:
    def failing() -> Iterator[tuple[Place, ImportedMessage]]:
        yield from transcript(*["m"] * SLICE_MESSAGES)
        raise Invalid("messages", "is not what it seemed")

    with pytest.raises(Invalid):
        await store.add_transcript(
            user, ImportedConversation(created_at=START), failing(), next_position=0, message_count=0
        )
    async with database.transaction(user) as transaction:
        assert await transaction.raw("SELECT FROM conversations") == []
        assert await transaction.raw("SELECT FROM messages") == []


async def test_a_transaction_may_have_a_longer_deadline_than_its_statements(
    database_url: str, user: User
) -> None:
    settings = DatabaseSettings(url=database_url, statement_timeout_s=0.4)
    async with Database(settings) as impatient:
        async with impatient.transaction(user, deadline_s=5) as transaction:
            for _ in range(3):
                await transaction.raw("SELECT pg_sleep(0.2)")
        with pytest.raises(Unavailable):
            async with impatient.transaction(user, deadline_s=5) as transaction:
                await transaction.raw("SELECT pg_sleep(3)")
        with pytest.raises(Unavailable):
            async with impatient.transaction(user, deadline_s=0.1) as transaction:
                await transaction.raw("SELECT pg_sleep(0.3)")


async def test_conversations_of_any_time_are_paged(store: PostgresConversations, user: User) -> None:
    for year in (1, 1965, 1970, 2024, 9999):
        await store.add_transcript(
            user,
            ImportedConversation(created_at=datetime(year, 6, 1, tzinfo=UTC)),
            (),
            next_position=0,
            message_count=0,
        )
    years: list[int] = []
    cursor = None
    while True:
        page = await store.conversations(user, limit=1, cursor=cursor)
        years += [conversation.created_at.year for conversation in page.conversations]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert years == [9999, 2024, 1970, 1965, 1]


@pytest.mark.parametrize("plan_for", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("status", statements.STATUSES)
async def test_a_page_is_read_in_the_order_of_an_index_also_under_row_security(
    database: Database, user: User, status: ConversationStatus, plan_for: str
) -> None:
    page = statements.Conversations(
        user_id=user.id,
        title_contains=None,
        activity=AFTER_ALL_CONVERSATIONS.activity,
        id=AFTER_ALL_CONVERSATIONS.id,
        limit=21,
        offset=0,
    )
    listed = statements.CONVERSATIONS[status]
    async with database.transaction(user) as transaction:
        await transaction.raw(
            "INSERT INTO conversations (id, user_id, status) SELECT gen_random_uuid(), $1, "
            "$2::text::conversation_status FROM generate_series(1, 3000)",
            *(user.id, status),
        )
        await transaction.raw(f"SET LOCAL plan_cache_mode = {plan_for}")
        rows = await transaction.raw(f"EXPLAIN {listed.sql}", *listed.values(page))
    plan = "\n".join(row[0] for row in rows)
    assert f"Index Scan Backward using conversations_{status}_idx" in plan
    assert "Sort" not in plan
