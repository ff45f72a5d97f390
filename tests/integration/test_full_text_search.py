"""The search function on a real Postgres: both languages, accents folded, one user's rows, and its index."""

from typing import Any
from uuid import UUID

import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.types import ChatCommand, User, new_id
from tests.postgres import PostgresServer

MANY = 20_000
LAST_ID = UUID(int=2**128 - 1)
SEARCH = "SELECT * FROM jarvis_search_messages($1, 10, 'infinity', $2, 'infinity')"
FILL = """
INSERT INTO messages (id, conversation_id, user_id, position, role, content)
SELECT gen_random_uuid(), c.id, c.user_id, n * 2, 'user', 'shared word' || n
  FROM conversations c, generate_series(1, $1::int) n
"""
EXPLAIN = """
ANALYZE messages;
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET client_min_messages = log;
SET plan_cache_mode = force_generic_plan;
"""


async def say(database: Database, user: User, text: str) -> None:
    await PostgresTurns(database).begin(
        user, ChatCommand(text=text), turn_id=new_id(), owner="o", lease_s=9, waiting=False
    )


async def found(database: Database, user: User | None, query: str) -> set[str]:
    async with database.transaction(user) as transaction:
        rows = await transaction.raw(
            "SELECT content FROM jarvis_search_messages($1, 10, 'infinity', $2, 'infinity') "
            "JOIN messages ON id = message_id",
            *(query, LAST_ID),
        )
    return {row["content"] for row in rows}


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("We were running late", "run"),
        ("Nous mangions des CRÊPES au château", "crepe"),
        ("Nous mangions des crepes au chateau", "châteaux"),
        ("Élégant été", "elegant"),
        ("L'hôpital était fermé", "hopital ferme"),
    ],
)
async def test_words_are_found_in_any_form_and_with_or_without_accents(
    database: Database, said: str, query: str
) -> None:
    user = await PostgresUsers(database).profile("anna")
    await say(database, user, said)
    await say(database, user, "something else")
    assert await found(database, user, query) == {said}


@pytest.mark.parametrize("query", ["", "the", '"', "' & | ! :*", "a" * 5000])
async def test_any_query_is_only_a_query(database: Database, query: str) -> None:
    user = await PostgresUsers(database).profile("anna")
    await say(database, user, "cats")
    assert await found(database, user, query) == set()


async def test_only_the_users_own_messages_are_found(database: Database) -> None:
    users = PostgresUsers(database)
    anna, ben = await users.profile("anna"), await users.profile("ben")
    await say(database, anna, "a secret cat")
    assert await found(database, anna, "cat") == {"a secret cat"}
    assert await found(database, ben, "cat") == set()
    assert await found(database, None, "cat") == set()
    async with database.transaction(ben) as transaction:
        # The function itself, not the policy of the table it is joined with here.
        (row,) = await transaction.raw(SEARCH, "cat", LAST_ID)
    assert (row["message_id"], row["total"]) == (None, 0)


@pytest.mark.parametrize(
    ("word", "index"),
    [
        ("zebra", "Bitmap Index Scan on messages_search_idx"),
        ("shared", "Index Scan Backward using messages_newest_idx on messages"),
    ],
)
async def test_the_function_uses_an_index_for_rare_and_for_common_words(
    database: Database, postgres: PostgresServer, migrated_database: str, word: str, index: str
) -> None:
    user = await PostgresUsers(database).profile("anna")
    await say(database, user, "zebra")
    plans: list[str] = []

    def keep(_: object, message: Any) -> None:
        plans.append(message.message)

    connection = await postgres.connect(migrated_database)
    try:
        await connection.execute(FILL, MANY)
        await connection.execute(EXPLAIN)
        connection.add_log_listener(keep)
        async with connection.transaction():
            await connection.execute(f"SET LOCAL ROLE jarvis_app; SET LOCAL jarvis.user_id = '{user.id}'")
            await connection.execute(SEARCH, word, LAST_ID)
    finally:
        await connection.close()
    (plan,) = (plan for plan in plans if "ts_rank" in plan)
    assert index in plan
    assert "Seq Scan" not in plan
    stem = word.removesuffix("d")
    assert f"'{stem}'" in plan.partition("search @@")[2], "planned for the words asked for, not for any"
