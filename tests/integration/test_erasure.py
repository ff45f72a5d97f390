"""What was forgotten is taken out of Postgres' files: by whom, when, and what is left to whom."""

import asyncio
from typing import Any

import pytest

from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.driver import connect
from jarvis.adapters.postgres.erasure import LOCK_KEY, LOCKED_MS, PostgresErasure
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.migrations import migrate
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.erasure_store import Erased
from jarvis.core.memories import NewMemory
from jarvis.services.erasure import Erasure
from tests.memories import begun_turn, end, ended_turn
from tests.postgres import PostgresServer
from tests.traces import files_with
from tests.turns import a_turn


async def test_what_the_planner_sampled_is_erased_too(
    postgres: PostgresServer, migrated_database: str, database: Database
) -> None:
    user = await PostgresUsers(database).profile("anna")
    added = await PostgresMemories(database).add(
        user, [NewMemory(content=f"{word} is a word") for word in ("zzkwgvbd", "gvbdkwzz")]
    )
    await postgres.run("ANALYZE", "CHECKPOINT", database=migrated_database)
    connection = await postgres.connect(migrated_database)
    samples = postgres.cluster.path / await connection.fetchval("SELECT pg_relation_filepath('pg_statistic')")
    assert b"zzkwgvbd" in samples.read_bytes()
    await PostgresMemories(database).delete(user, added[0].id)
    while await PostgresErasure(database).rewrite() != Erased(is_done=True, left=[]):  # noqa: ASYNC110 as above
        await asyncio.sleep(0.05)
    assert await wishes(database) == set()
    await connection.execute("CHECKPOINT")
    folder = samples.parent
    await connection.close()
    assert files_with(folder, b"zzkwgvbd") == []
    assert files_with(folder, b"gvbdkwzz")


@pytest.mark.usefixtures("migrated_template")  # by which the roles are there
async def test_a_role_that_may_not_is_told_of_what_is_left(
    postgres: PostgresServer, empty_database: str
) -> None:
    role = f"owner_{empty_database}"
    await postgres.run(
        f"CREATE ROLE {role} LOGIN CREATEROLE",
        f"ALTER DATABASE {empty_database} OWNER TO {role}",
        f"GRANT jarvis_app, jarvis_system TO {role} WITH ADMIN OPTION",
    )
    url = postgres.url(empty_database, role=role)
    await migrate(url)
    async with Database(DatabaseSettings(url=url)) as database:
        await a_wish(database)
        assert await PostgresErasure(database).rewrite() == Erased(is_done=True, left=["pg_statistic"])
        assert await wishes(database) == set()
    await postgres.run(f"REASSIGN OWNED BY {role} TO postgres", database=empty_database)
    await postgres.run(f"DROP OWNED BY {role}", database=empty_database)
    await postgres.run(f"DROP ROLE {role}")


async def a_wish(database: Database, rows: int = 1) -> None:
    """Store memories and delete one of them."""
    user = await PostgresUsers(database).profile("anna")
    store = PostgresMemories(database)
    added = await store.add(user, [NewMemory(content=f"memory {number}") for number in range(rows)])
    await store.delete(user, added[0].id)


async def wishes(database: Database) -> set[str]:
    async with database.transaction(None) as transaction:
        return {row[0] for row in await transaction.raw("SELECT table_name FROM erasure_wanted")}


SLOW_INDEX = f"""
CREATE FUNCTION slow(content text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM pg_sleep({(LOCKED_MS + 500) / 1000});
    RETURN content;
END $$;
CREATE INDEX slow_idx ON memories (slow(content));
ALTER INDEX slow_idx ALTER COLUMN 1 SET STATISTICS 0; -- else ANALYZE is as slow
"""
MEMORIES_ARE_LOCKED = """
SELECT count(*) FROM pg_locks
 WHERE relation = 'memories'::regclass AND mode = 'AccessExclusiveLock' AND granted
"""


async def test_nothing_is_rewritten_as_long_as_somebody_may_still_see_it(
    database: Database, database_url: str
) -> None:
    seeing: Any = await connect(database_url)
    async with seeing.transaction(isolation="repeatable_read"):
        await seeing.fetch("SELECT 1")
        await a_wish(database)
        assert await PostgresErasure(database).rewrite() == Erased(is_done=False, left=[])
        assert await wishes(database) == {"memories"}
    await seeing.close()
    assert await PostgresErasure(database).rewrite() == Erased(is_done=True, left=[])
    assert await wishes(database) == set()


async def test_memories_may_take_longer_than_any_statement(database: Database, database_url: str) -> None:
    """An index that is slow to make stands for very many rows."""
    user = await PostgresUsers(database).profile("anna")
    memories = PostgresMemories(database)
    kept, gone = await memories.add(user, [NewMemory(content="kept"), NewMemory(content="gone")])
    await memories.delete(user, gone.id)
    connection: Any = await connect(database_url)
    await connection.execute(SLOW_INDEX)
    erasing = asyncio.create_task(PostgresErasure(database).rewrite())
    while not await connection.fetchval(MEMORIES_ARE_LOCKED):  # noqa: ASYNC110 Postgres tells nobody
        await asyncio.sleep(0.01)
    turn = await ended_turn(database, user, "hello")  # which needs no memory
    assert not erasing.done()
    assert await erasing == Erased(is_done=True, left=[])
    await connection.close()
    assert await wishes(database) == set()
    assert await memories.get(user, kept.id) == kept
    assert turn.user == user


async def test_a_table_in_use_is_left_for_later(database: Database, database_url: str) -> None:
    await a_wish(database)
    reading: Any = await connect(database_url)
    async with reading.transaction():
        await reading.execute("LOCK TABLE memories IN ACCESS SHARE MODE")
        assert (await PostgresErasure(database).rewrite()).is_done is False
        assert "memories" in await wishes(database)
    await reading.close()
    assert await PostgresErasure(database).rewrite() == Erased(is_done=True, left=[])


async def test_two_processes_erase_once(database: Database, database_url: str) -> None:
    await a_wish(database)
    held: Any = await connect(database_url)
    async with held.transaction():
        await held.execute(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        assert (await PostgresErasure(database).rewrite()).is_done is False
    await held.close()


async def test_a_table_that_is_too_large_is_left_to_the_administrator(database: Database) -> None:
    await a_wish(database)
    erased = await PostgresErasure(database, max_bytes=1).rewrite()
    assert erased == Erased(is_done=True, left=["memories"])
    assert await wishes(database) == set()


async def test_a_deletion_that_is_rolled_back_wishes_for_nothing(
    database: Database, database_url: str
) -> None:
    user = await PostgresUsers(database).profile("anna")
    await PostgresMemories(database).add(user, [NewMemory(content="kept")])
    connection: Any = await connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("DELETE FROM memories")
    await transaction.rollback()
    await connection.close()
    assert await wishes(database) == set()


class Told:
    """An ErasureStore that says when it is asked, and a reporter that keeps what it is told."""

    def __init__(self, erased: Erased) -> None:
        self.rewriting = asyncio.Event()
        self.ended = asyncio.Event()
        self.go_on = asyncio.Event()
        self.asked = 0
        self.warnings: list[object] = []
        self._erased = erased

    async def rewrite(self) -> Erased:
        self.asked += 1
        self.rewriting.set()
        try:
            await self.go_on.wait()
        finally:
            self.ended.set()
        return self._erased

    def warning(self, event: str, **facts: object) -> None:
        del event
        self.warnings.append(facts["table"])

    def exception(self, event: str) -> None:
        raise AssertionError(event)


async def test_a_turn_that_begins_ends_the_rewriting_and_its_end_lets_it_go_on() -> None:
    told = Told(Erased(is_done=True, left=["messages"]))
    erasure = Erasure(store=told, reporter=told, quiet_s=0, period_s=0, retry_s=0)
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(5):
        running_ = tasks.create_task(erasure.run())
        await told.rewriting.wait()
        erasure.turn_began(a_turn())
        await told.ended.wait()
        told.go_on.set()
        for _ in range(20):
            await asyncio.sleep(0)
        assert told.asked == 1
        erasure.all_ended()
        while told.asked < 4:  # noqa: ASYNC110 its periods have no length here
            await asyncio.sleep(0)
        running_.cancel()
    assert told.warnings == ["messages"]


async def test_tables_are_rewritten_while_a_turn_runs(database: Database) -> None:
    await a_wish(database)
    told = Told(Erased(is_done=True, left=[]))
    store = PostgresErasure(database)
    erasure = Erasure(store=store, reporter=told, quiet_s=60, patience_s=0.01, retry_s=0.01)
    turn = await begun_turn(database, await PostgresUsers(database).profile("anna"), "hello")
    erasure.turn_began(turn)
    running_ = asyncio.create_task(erasure.run())
    async with asyncio.timeout(20):
        while await wishes(database):  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.02)
    running_.cancel()
    assert (await end(database, turn)).status == "complete"


async def test_where_turns_never_end_it_is_done_all_the_same_and_no_turn_ends_it() -> None:
    told = Told(Erased(is_done=False, left=[]))
    erasure = Erasure(store=told, reporter=told, quiet_s=60, patience_s=0.01, period_s=60, retry_s=0)
    erasure.turn_began(a_turn())
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(5):
        running_ = tasks.create_task(erasure.run())
        await told.rewriting.wait()
        erasure.turn_began(a_turn())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not told.ended.is_set()
        told.go_on.set()
        while told.asked < 4:  # noqa: ASYNC110 what was left is not waited for again
            await asyncio.sleep(0)
        running_.cancel()
