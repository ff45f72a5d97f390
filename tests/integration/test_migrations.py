"""Migrations on a real Postgres: up, down, up; adoption of an earlier server's rows; what is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from jarvis.adapters.postgres import migrations
from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.conversations import PostgresConversations
from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.identity import PostgresIdentity
from jarvis.adapters.postgres.leases import PostgresLeases
from jarvis.adapters.postgres.migrations import MigrationRefused, current_revision, downgrade, migrate
from jarvis.adapters.postgres.row_security import verify_row_security
from jarvis.adapters.postgres.schema import metadata
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.errors import Unavailable
from jarvis.core.types import ChatCommand, MessageMetadata, Turn, new_id
from tests.identities import account_of, begun, counting, token
from tests.postgres import PostgresServer

ANNA = UUID("11111111-1111-4111-8111-111111111111")
UNNAMED = UUID("22222222-2222-4222-8222-222222222222")
TALK, ALONE, ODD, GONE, EMPTY = (UUID(int=n) for n in range(1, 6))

RUST_TABLES = """
CREATE TYPE conversation_status AS ENUM ('active', 'archived', 'deleted');
CREATE TYPE message_role AS ENUM ('user', 'assistant', 'system');
CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY);
CREATE TABLE users (id uuid PRIMARY KEY, username text, email text);
CREATE TABLE conversations (
    id uuid PRIMARY KEY, title text, user_id uuid, status conversation_status NOT NULL DEFAULT 'active',
    created_at timestamptz NOT NULL, updated_at timestamptz, last_message_at timestamptz
);
CREATE TABLE messages (
    id uuid PRIMARY KEY, conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    role message_role NOT NULL, content text NOT NULL, metadata jsonb,
    created_at timestamp NOT NULL, updated_at timestamptz
);
CREATE INDEX messages_search_idx ON messages (content);
CREATE TABLE notes (id serial PRIMARY KEY, message_id uuid REFERENCES messages);
"""

OWN_TABLES = "SELECT count(*) FROM pg_class WHERE relname IN ('turns', 'alembic_version', 'memories')"


@pytest.fixture
async def rust(postgres: PostgresServer, empty_database: str) -> AsyncIterator[Any]:
    """A connection to a database of the earlier Rust server, with rows, some of them odd."""
    connection = await postgres.connect(empty_database)
    await connection.execute(RUST_TABLES)
    await connection.execute("INSERT INTO users VALUES ($1, 'anna', 'a@b.c')", ANNA)
    await connection.executemany(
        "INSERT INTO conversations VALUES ($1, $2, $3, ($4::text)::conversation_status, "
        "'2025-01-01T10:00Z', '2025-01-02T10:00Z', $5::text::timestamptz)",
        [
            (TALK, "Pets", ANNA, "active", "2025-01-01T11:00:00.123456Z"),
            (ALONE, None, UNNAMED, "archived", None),
            (ODD, "Ödd", None, "active", None),
            (GONE, "gone", ANNA, "deleted", None),
            (EMPTY, "empty", None, "active", None),
        ],
    )
    said = [
        (TALK, "user", "I have a cat", '{"tokens_used": 4, "colour": "blue"}'),
        (TALK, "assistant", "Nice é 🐈", '{"model_name": "m", "tokens_used": "5", "temperature": "warm"}'),
        (TALK, "user", "Her name?", None),
        (ALONE, "user", "first", "null"),
        (ALONE, "user", "second", "[1]"),
        (ALONE, "assistant", "answer", None),
        (ODD, "assistant", "Welcome!", None),
        (ODD, "system", "note", None),
        (ODD, "user", "hi", None),
        (ODD, "assistant", "a", None),
        (ODD, "assistant", "b", None),
        (GONE, "user", "gone", None),
    ]
    await connection.executemany(
        "INSERT INTO messages VALUES ($1, $2, ($3::text)::message_role, $4, $5::text::jsonb, "
        "timestamp '2025-01-01 10:00:00.5' + $6::int * interval '1 minute', NULL)",
        [(UUID(int=100 + n), *message, n) for n, message in enumerate(said)],
    )
    await connection.execute("INSERT INTO notes (message_id) SELECT id FROM messages LIMIT 1")
    yield connection
    await connection.close()


async def placed(connection: Any, conversation: UUID) -> list[tuple[Any, ...]]:
    rows = await connection.fetch(
        "SELECT position, role::text, content FROM messages WHERE conversation_id = $1 ORDER BY position",
        conversation,
    )
    return [tuple(row) for row in rows]


async def test_an_empty_database_goes_up_and_a_second_time_there_is_nothing_to_do(
    postgres: PostgresServer, empty_database: str
) -> None:
    url = postgres.url(empty_database)
    assert await current_revision(url) is None
    assert await migrate(url) is True
    assert await migrate(url) is False
    assert await current_revision(url) == migrations.HEAD


def test_head_is_the_newest_revision() -> None:
    from alembic.config import Config  # noqa: PLC0415  as in the code under test
    from alembic.script import ScriptDirectory  # noqa: PLC0415  likewise

    config = Config()
    config.set_main_option("script_location", str(migrations.migrations_dir()))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


async def test_the_tables_are_those_that_statements_are_described_with(
    postgres: PostgresServer, migrated_database: str
) -> None:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  as in the code under test
    from alembic.migration import MigrationContext  # noqa: PLC0415  likewise
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  likewise

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: postgres.connect(migrated_database)
    )
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"compare_type": True}), metadata
            )
        )
    await engine.dispose()
    assert differences == []


async def test_many_starting_at_once_migrate_once(postgres: PostgresServer, empty_database: str) -> None:
    url = postgres.url(empty_database)
    await asyncio.gather(*(migrate(url) for _ in range(4)))
    assert await current_revision(url) == migrations.HEAD


async def test_up_down_up_leaves_no_trace_in_between(postgres: PostgresServer, empty_database: str) -> None:
    url = postgres.url(empty_database)
    connection = await postgres.connect(empty_database)
    things = (
        "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relname NOT LIKE 'alembic_version%'), "
        "(SELECT count(*) FROM pg_proc WHERE proname LIKE 'jarvis%'), "
        "(SELECT count(*) FROM pg_ts_config WHERE cfgname LIKE 'jarvis%'), "
        "(SELECT count(*) FROM pg_type WHERE typtype = 'e'), to_regnamespace('jarvis_adopted') IS NULL"
    )
    await migrate(url)
    await downgrade(url, "base")
    assert tuple(await connection.fetchrow(things)) == (0, 0, 0, 0, True)
    await migrate(url)
    await connection.close()
    async with Database(DatabaseSettings(url=url)) as database:
        await verify_row_security(database)


async def test_adopted_rows_keep_ids_texts_times_and_metadata(
    postgres: PostgresServer, empty_database: str, rust: Any
) -> None:
    url = postgres.url(empty_database)
    await migrate(url)

    assert await placed(rust, TALK) == [
        (0, "user", "I have a cat"),
        (1, "assistant", "Nice é 🐈"),
        (2, "user", "Her name?"),
    ]
    async with Database(DatabaseSettings(url=url)) as database:
        await verify_row_security(database)
        store, users = PostgresConversations(database), PostgresUsers(database)
        anna = await users.profile("anna")
        assert anna.id == ANNA
        page = await store.messages(anna, TALK, limit=10)
        assert [message.id for message in page.messages] == [UUID(int=100 + n) for n in range(3)]
        assert page.messages[0].created_at.isoformat() == "2025-01-01T10:00:00.500000+00:00"
        assert page.messages[0].updated_at == page.messages[0].created_at
        assert page.messages[0].metadata == MessageMetadata(tokens_used=4)
        assert page.messages[1].metadata == MessageMetadata(model_name="m", tokens_used=5)
        conversation = await store.get(anna, TALK)
        assert (conversation.title, conversation.message_count) == ("Pets", 3)
        assert str(conversation.last_message_at) == "2025-01-01 11:00:00.123456+00:00"
    stored = await rust.fetchval("SELECT metadata FROM messages WHERE id = $1", UUID(int=100))
    assert json.loads(stored) == {"tokens_used": 4, "colour": "blue"}


async def test_rows_without_a_user_belong_to_default_and_unnamed_users_keep_their_id(
    postgres: PostgresServer, empty_database: str, rust: Any
) -> None:
    await migrate(postgres.url(empty_database))
    found = await rust.fetch(
        "SELECT c.id, c.status::text, u.username, u.id AS user_id "
        "FROM conversations c JOIN users u ON u.id = user_id"
    )
    assert {row["id"]: (row["username"], row["status"]) for row in found} == {
        TALK: ("anna", "active"),
        ALONE: ("user-22222222", "archived"),
        ODD: ("default", "active"),
        EMPTY: ("default", "active"),
    }
    assert {row["user_id"] for row in found if row["id"] == ALONE} == {UNNAMED}


async def test_odd_conversations_get_places_that_later_turns_can_follow(
    postgres: PostgresServer, empty_database: str, rust: Any
) -> None:
    url = postgres.url(empty_database)
    await migrate(url)
    assert await placed(rust, ALONE) == [
        (0, "user", "first"),
        (2, "user", "second"),
        (3, "assistant", "answer"),
    ]
    assert await placed(rust, ODD) == [
        (0, "assistant", "Welcome!"),
        (1, "system", "note"),
        (2, "user", "hi"),
        (3, "assistant", "a"),
        (4, "assistant", "b"),
    ]
    found = await rust.fetch("SELECT id, next_position FROM conversations")
    assert {row["id"]: row["next_position"] for row in found} == {TALK: 4, ALONE: 4, ODD: 6, EMPTY: 0}
    async with Database(DatabaseSettings(url=url)) as database:
        default = await PostgresUsers(database).profile("default")
        turn = await PostgresTurns(database).begin(
            default,
            ChatCommand(text="go on", conversation_id=ODD),
            turn_id=new_id(),
            owner="o",
            lease_s=9,
            waiting=False,
        )
        assert isinstance(turn, Turn)
        history = await PostgresTurns(database).history(turn, limit=2)
    assert (turn.user_position, history.total) == (6, 5)
    assert [message.content for message in history.messages] == ["a", "b"]


async def test_going_back_gives_the_earlier_server_its_tables_and_up_again_adopts_again(
    postgres: PostgresServer, empty_database: str, rust: Any
) -> None:
    url = postgres.url(empty_database)
    everything = (
        "SELECT (SELECT json_agg(c ORDER BY id) FROM conversations c)::text, "
        "(SELECT json_agg(m ORDER BY id) FROM messages m)::text, "
        "(SELECT count(*) FROM users), (SELECT count(*) FROM _sqlx_migrations), (SELECT count(*) FROM notes)"
    )
    before = tuple(await rust.fetchrow(everything))
    await migrate(url)
    await downgrade(url, "base")
    assert tuple(await rust.fetchrow(everything)) == before
    await migrate(url)
    assert len(await placed(rust, TALK)) == 3


async def test_an_earlier_python_servers_database_is_left_alone(
    postgres: PostgresServer, empty_database: str
) -> None:
    await postgres.run(
        "CREATE TABLE conversations (id serial PRIMARY KEY, message text, response text)",
        "INSERT INTO conversations (message, response) VALUES ('hi', 'there')",
        database=empty_database,
    )
    with pytest.raises(MigrationRefused, match="createdb"):
        await migrate(postgres.url(empty_database))
    connection = await postgres.connect(empty_database)
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 1
    assert await connection.fetchval(OWN_TABLES) == 0
    await connection.close()


@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE users (id int)",
        "CREATE TABLE conversations (id uuid)",
        "CREATE VIEW messages AS SELECT 1",
    ],
)
async def test_another_programs_tables_are_left_alone(
    postgres: PostgresServer, empty_database: str, table: str
) -> None:
    await postgres.run(table, database=empty_database)
    with pytest.raises(MigrationRefused, match="some other program"):
        await migrate(postgres.url(empty_database))


async def test_a_database_newer_than_the_code_is_left_alone(
    postgres: PostgresServer, migrated_database: str
) -> None:
    await postgres.run("UPDATE alembic_version SET version_num = '9999'", database=migrated_database)
    with pytest.raises(MigrationRefused, match="newer"):
        await migrate(postgres.url(migrated_database))


async def test_with_postgres_away_it_says_so(postgres: PostgresServer) -> None:
    with pytest.raises(Unavailable):
        await migrate(postgres.url("nowhere"))


@pytest.fixture
async def weak_role(postgres: PostgresServer) -> AsyncIterator[str]:
    """A login role that is no superuser and owns nothing yet."""
    await postgres.run("CREATE ROLE weak LOGIN")
    yield "weak"
    await postgres.run("DROP OWNED BY weak", "DROP ROLE weak")


@pytest.fixture
async def weak_database(postgres: PostgresServer, weak_role: str) -> AsyncIterator[str]:
    name = await postgres.new_database(owner=weak_role)
    yield name
    await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def no_roles(postgres: PostgresServer) -> AsyncIterator[None]:
    """Take the roles away that other tests' databases need, and give them back their rights by renaming."""
    names = ("jarvis_app", "jarvis_system")
    rows = [await _role_exists(postgres, name) for name in names]
    present = [name for name, exists in zip(names, rows, strict=True) if exists]
    await postgres.run(*(f"ALTER ROLE {name} RENAME TO {name}_aside" for name in present))
    yield
    for name in present:
        if await _role_exists(postgres, name):
            await postgres.run(f"DROP ROLE {name}")
        await postgres.run(f"ALTER ROLE {name}_aside RENAME TO {name}")


async def _role_exists(postgres: PostgresServer, name: str) -> bool:
    connection = await postgres.connect()
    try:
        return bool(await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name))
    finally:
        await connection.close()


@pytest.mark.usefixtures("no_roles")
async def test_a_role_that_may_not_make_roles_is_told_what_the_administrator_runs(
    postgres: PostgresServer, weak_database: str, weak_role: str
) -> None:
    with pytest.raises(MigrationRefused) as caught:
        await migrate(postgres.url(weak_database, role=weak_role))
    connection = await postgres.connect(weak_database)
    assert await connection.fetchval(OWN_TABLES) == 0
    await connection.close()
    _, _, told = str(caught.value).partition("\n\n")
    statements = [line.strip().replace("<role>", weak_role) for line in told.splitlines() if line.strip()]
    assert statements
    await postgres.run(*statements, database=weak_database)
    try:
        await _serves(postgres.url(weak_database, role=weak_role))
    finally:
        await postgres.run("DROP OWNED BY jarvis_app, jarvis_system", database=weak_database)


@pytest.mark.usefixtures("no_roles")
async def test_an_owner_that_is_no_superuser_makes_the_roles_itself(
    postgres: PostgresServer, weak_database: str, weak_role: str
) -> None:
    await postgres.run(f"ALTER ROLE {weak_role} CREATEROLE")
    try:
        await _serves(postgres.url(weak_database, role=weak_role))
    finally:
        await postgres.run("DROP OWNED BY jarvis_app, jarvis_system", database=weak_database)


async def _serves(url: str) -> None:
    assert await migrate(url) is True
    async with Database(DatabaseSettings(url=url)) as database:
        await verify_row_security(database)
        users, turns = PostgresUsers(database), PostgresTurns(database)
        user = await users.profile("default")
        turn = await turns.begin(
            user, ChatCommand(text="hi"), turn_id=new_id(), owner="o", lease_s=-1, waiting=False
        )
        assert isinstance(turn, Turn)
        assert await users.owner_of_turn(turn.id) == user
        taken = await PostgresLeases(database).abandoned("p", [], predecessors="", limit=1)
        assert [ref.turn_id for ref in taken] == [turn.id]
        async with database.transaction(user) as transaction:
            (row,) = await transaction.raw(
                "SELECT * FROM jarvis_search_messages('hi', 5, 'infinity', $1, 'infinity')",
                UUID(int=2**128 - 1),
            )
        assert row["message_id"] == turn.user_message_id
        register, identity = PostgresAccounts(database), PostgresIdentity(database)
        first = token()
        session_id = await begun(identity, await account_of(register, "anna"), first)
        assert await identity.renew_session(first.digest, token(), address="") is not None
        assert await counting(identity, session_id) == {session_id}
        await register.set_status("anna", "suspended")
        assert await counting(identity, session_id) == set()
        await identity.sweep(audit_days=1)
    await downgrade(url, "base")
    await migrate(url)
