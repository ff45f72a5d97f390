"""ConversationStore on a real Postgres."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from jarvis.adapters.postgres.conversations import PostgresConversations
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.errors import Invalid, NotFound
from jarvis.core.types import Message, User, new_id

START = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def store(database: Database) -> PostgresConversations:
    return PostgresConversations(database)


@pytest.fixture
async def user(database: Database) -> User:
    return await PostgresUsers(database).profile("default")


@pytest.fixture
async def stranger(database: Database) -> User:
    return await PostgresUsers(database).profile("stranger")


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
            "INSERT INTO conversations (id, user_id, title, status, last_message_at, next_position) "
            "VALUES ($1, $2, $3, $4::text::conversation_status, $5, $6)",
            *(conversation_id, user.id, title, status),
            *(datetime.now(UTC) - timedelta(seconds=age_s), (messages + 1) // 2 * 2),
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
            "INSERT INTO messages (id, conversation_id, user_id, position, alternative, role, content) "
            "VALUES ($1, $2, $3, 1, 1, 'assistant', 'old')",
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
