"""Row security on a real Postgres: what jarvis_app sees, and that a weakened database is not served from."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from jarvis.adapters.postgres import account_statements as administrator
from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.identity_statements import Named, OfUser
from jarvis.adapters.postgres.row_security import OWNED_TABLES, RowSecurityBroken, verify_row_security
from jarvis.adapters.postgres.schema import metadata
from jarvis.adapters.postgres.statement import Statement
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.errors import JarvisError
from jarvis.core.types import ChatCommand, User, new_id
from tests.postgres import PostgresServer


@pytest.fixture
async def single(database_url: str) -> AsyncIterator[Database]:
    """One connection, so that whatever a transaction leaves behind meets the next one."""
    async with Database(DatabaseSettings(url=database_url, max_connections=1)) as opened:
        yield opened


@pytest.fixture
async def two_users(single: Database) -> tuple[User, User]:
    """Two users with a row in every table each."""
    users = PostgresUsers(single)
    names = ("anna", "ben")
    for name in names:
        user = await users.profile(name)
        await PostgresTurns(single).begin(
            user, ChatCommand(text=f"{name} says"), turn_id=new_id(), owner="o", lease_s=60, waiting=False
        )
        async with single.transaction(user) as transaction:
            await transaction.raw(
                "INSERT INTO memories (id, user_id, content) VALUES ($1, $2, $3)", new_id(), user.id, name
            )
            await transaction.raw(
                "INSERT INTO forgotten_memories (id, user_id) VALUES ($1, $2)", new_id(), user.id
            )
            await transaction.raw(
                "INSERT INTO refresh_tokens (id, session_id, user_id, digest, expires_at) "
                "VALUES (gen_random_uuid(), gen_random_uuid(), $1, $2, 'infinity')",
                *(user.id, name.encode()),
            )
            await transaction.raw(
                "INSERT INTO api_keys (id, user_id, name, prefix, digest) "
                "VALUES (gen_random_uuid(), $1, 'laptop', 'jvk_12345678', $2)",
                *(user.id, name.encode()),
            )
            await transaction.raw("INSERT INTO spent_keys (user_id, digest) VALUES ($1, 'x')", user.id)
            await transaction.raw("SELECT jarvis_note('signed_in', $1, '', NULL)", user.id)
    anna, ben = [await users.profile(name) for name in names]
    return anna, ben


async def owners(database: Database, user: User | None, table: str) -> set[object]:
    column = "id" if table == "users" else "user_id"
    async with database.transaction(user) as transaction:
        # S608: names of our own tables.
        return {row[0] for row in await transaction.raw(f"SELECT {column} FROM {table}")}  # noqa: S608


@pytest.mark.parametrize("table", OWNED_TABLES)
async def test_a_query_without_where_sees_only_the_users_own_rows(
    single: Database, two_users: tuple[User, User], table: str
) -> None:
    anna, ben = two_users
    assert await owners(single, None, table) == set()
    assert await owners(single, anna, table) == {anna.id}
    assert await owners(single, None, table) == set()
    assert await owners(single, ben, table) == {ben.id}
    assert await owners(single, User(id=new_id(), name="nobody"), table) == set()


@pytest.mark.parametrize("table", ["conversations", "messages", "turns", "memories"])
async def test_a_write_without_where_changes_only_the_users_own_rows(
    single: Database, two_users: tuple[User, User], table: str
) -> None:
    anna, ben = two_users
    async with single.transaction(anna) as transaction:
        await transaction.raw(f"UPDATE {table} SET created_at = 'epoch'")  # noqa: S608  as above
    async with single.transaction(None) as transaction:
        await transaction.raw(f"UPDATE {table} SET created_at = 'epoch'")  # noqa: S608  as above
    async with single.transaction(ben) as transaction:
        rows = await transaction.raw(f"SELECT 1 FROM {table} WHERE created_at = 'epoch'")  # noqa: S608  as above
    assert rows == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO conversations (id, user_id) VALUES (gen_random_uuid(), $1)",
        "INSERT INTO memories (id, user_id, content) VALUES (gen_random_uuid(), $1, 'x')",
        "INSERT INTO forgotten_memories (id, user_id) VALUES (gen_random_uuid(), $1)",
        "INSERT INTO refresh_tokens SELECT id, id, $1, 'x', now(), now() FROM gen_random_uuid() id",
        "INSERT INTO api_keys SELECT id, $1, 'x', 'x', 'x' FROM gen_random_uuid() id",
        "UPDATE conversations SET user_id = $1",
        "UPDATE messages SET user_id = $1",
    ],
)
async def test_a_row_for_another_user_is_refused(
    single: Database, two_users: tuple[User, User], statement: str
) -> None:
    anna, ben = two_users
    with pytest.raises(JarvisError) as caught:
        async with single.transaction(anna) as transaction:
            await transaction.raw(statement, ben.id)
    assert "row-level security" in str(caught.value.__cause__)


async def test_a_message_cannot_lie_in_another_users_conversation(
    single: Database, two_users: tuple[User, User]
) -> None:
    anna, ben = two_users
    async with single.transaction(ben) as transaction:
        (row,) = await transaction.raw("SELECT id FROM conversations")
    with pytest.raises(JarvisError) as caught:
        async with single.transaction(anna) as transaction:
            await transaction.raw(
                "INSERT INTO messages (id, conversation_id, user_id, position, role, content) "
                "VALUES ($1, $2, $3, 90, 'user', 'x')",
                new_id(),
                row["id"],
                anna.id,
            )
    assert "foreign key" in str(caught.value.__cause__)


async def test_the_app_role_cannot_become_more(single: Database) -> None:
    for statement in (
        "SELECT jarvis_owner_of_turn(gen_random_uuid())",
        "SELECT 1",
    ):
        async with single.transaction(None) as transaction:
            await transaction.raw(statement)
    for statement in (
        "ALTER TABLE messages DISABLE ROW LEVEL SECURITY",
        "DROP POLICY own_rows ON messages",
        "INSERT INTO users (id, username) VALUES (gen_random_uuid(), 'x')",
        "UPDATE users SET role = 'owner'",
        "UPDATE users SET status = 'active'",
        "UPDATE users SET password_hash = 'x'",
        "UPDATE refresh_tokens SET used_at = NULL",
        "UPDATE refresh_tokens SET expires_at = 'infinity'",
        "DELETE FROM refresh_tokens",
        "UPDATE api_keys SET expires_at = 'infinity'",
        "INSERT INTO audit_log (event) VALUES ('signed_in')",
        "UPDATE audit_log SET event = 'signed_in'",
        "DELETE FROM audit_log",
        "SELECT * FROM alembic_version",
    ):
        with pytest.raises(JarvisError) as caught:
            async with single.transaction(None) as transaction:
                await transaction.raw(statement)
        assert type(caught.value.__cause__).__name__ == "InsufficientPrivilegeError"


async def test_the_app_role_cannot_do_what_the_administrator_does(
    single: Database, two_users: tuple[User, User]
) -> None:
    anna, ben = two_users
    status = administrator.SetStatus(user_id=ben.id, status="suspended")
    refused: list[tuple[Statement[Any, Any], msgspec.Struct]] = [
        (administrator.SUSPEND, status),
        (administrator.RESUME, status),
        (administrator.SET_PASSWORD, administrator.SetPassword(user_id=ben.id, password_hash="x")),
        (administrator.ADD, administrator.Add(user_id=new_id(), name="x", password_hash="x", role="owner")),
    ]
    for statement, arguments in refused:
        with pytest.raises(JarvisError) as caught:
            async with single.transaction(anna) as transaction:
                await transaction.all(statement, arguments)
        assert type(caught.value.__cause__).__name__ == "InsufficientPrivilegeError"
    async with single.transaction(anna) as transaction:
        seen = await transaction.all(administrator.ALL, administrator.Nobody())
        assert [row.username for row in seen] == ["anna"]
        assert await transaction.all(administrator.NAMED, Named(name="ben")) == []
        assert await transaction.all(administrator.END_ALL_SESSIONS, OfUser(user_id=ben.id)) == []
        assert await transaction.all(administrator.DELETE_ALL_KEYS, OfUser(user_id=ben.id)) == []
    async with single.transaction(ben) as transaction:
        (left,) = await transaction.raw(
            "SELECT (SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NULL), "
            "(SELECT count(*) FROM api_keys)"
        )
    assert tuple(left) == (1, 1)


async def test_the_administrator_sees_everybody_and_leaves_nothing_of_it_on_the_connection(
    single: Database, two_users: tuple[User, User]
) -> None:
    anna, _ = two_users
    for table in OWNED_TABLES:
        column = "id" if table == "users" else "user_id"
        async with single.administering() as transaction:
            rows = await transaction.raw(f"SELECT {column} FROM {table}")  # noqa: S608  as above
        assert {row[0] for row in rows} == {user.id for user in two_users}
        assert await owners(single, anna, table) == {anna.id}
        assert await owners(single, None, table) == set()


async def test_the_functions_that_span_users_are_for_the_app_role_only(
    postgres: PostgresServer, migrated_database: str
) -> None:
    connection = await postgres.connect(migrated_database)
    try:
        rows = await connection.fetch(
            "SELECT proname::text, proowner::regrole::text, prosecdef, "
            "proconfig::text LIKE '%search_path=public%', "
            "(SELECT array_agg(grantee::regrole::text ORDER BY 1) FROM aclexplode(proacl)) "
            "FROM pg_proc WHERE (proname LIKE 'jarvis\\_%' OR prosecdef) "
            "AND pronamespace = 'public'::regnamespace ORDER BY 1"
        )
    finally:
        await connection.close()
    assert len(rows) == 23
    for row in rows:
        assert tuple(row)[1:4] == ("jarvis_system", True, True), row[0]
        assert set(row[4]) == {"jarvis_app", "jarvis_system"}, row[0]


async def test_the_check_passes_on_a_sound_database(
    database: Database, single: Database, two_users: tuple[User, User]
) -> None:
    assert len(two_users) == 2
    await verify_row_security(database)
    await verify_row_security(single)


def test_the_check_knows_every_table() -> None:
    names_of_tables_only = {"erasure_wanted", "indexed_space"}
    assert set(OWNED_TABLES) == set(metadata.tables) - names_of_tables_only


@pytest.mark.parametrize(
    "mutation",
    [
        "DROP POLICY own_rows ON messages",
        "ALTER TABLE turns DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE memories NO FORCE ROW LEVEL SECURITY",
        "ALTER POLICY own_rows ON users USING (true)",
        "ALTER POLICY own_rows ON conversations WITH CHECK (true)",
        "ALTER POLICY all_rows ON messages TO PUBLIC",
        "CREATE POLICY extra ON conversations FOR SELECT USING (true)",
        "DROP TABLE memories",
    ],
)
async def test_the_check_fails_on_a_weakened_database(
    postgres: PostgresServer, migrated_database: str, mutation: str
) -> None:
    await postgres.run(mutation, database=migrated_database)
    async with Database(DatabaseSettings(url=postgres.url(migrated_database))) as database:
        with pytest.raises(RowSecurityBroken):
            await verify_row_security(database)


@pytest.mark.parametrize(
    ("mutation", "undo"),
    [
        ("ALTER ROLE jarvis_app BYPASSRLS", "ALTER ROLE jarvis_app NOBYPASSRLS"),
        ("ALTER ROLE jarvis_app SUPERUSER", "ALTER ROLE jarvis_app NOSUPERUSER"),
        ("GRANT jarvis_system TO jarvis_app", "REVOKE jarvis_system FROM jarvis_app"),
    ],
    ids=["bypass", "superuser", "member"],
)
async def test_the_check_fails_when_the_role_may_see_all(
    database: Database, postgres: PostgresServer, mutation: str, undo: str
) -> None:
    await postgres.run(mutation)
    try:
        with pytest.raises(RowSecurityBroken):
            await verify_row_security(database)
    finally:
        await postgres.run(undo)
    await verify_row_security(database)
