"""Transactions and the pool, on a real Postgres that stops, dies and comes back."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic, sleep
from typing import Any

import pytest

from jarvis.adapters.postgres.database import PING_TIMEOUT_S, Database, DatabaseSettings
from jarvis.core.errors import JarvisError, Unavailable
from jarvis.core.types import User, new_id
from tests.postgres import PostgresServer

SOMEBODY = User(id=new_id(), name="somebody")
IDLE_IN_TRANSACTION = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
)
SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'jarvis'"
)


@pytest.fixture(params=["cached", "uncached"])
async def small(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """Two connections and short deadlines, with prepared statements kept and not."""
    settings = DatabaseSettings(
        url=database_url,
        max_connections=2,
        acquire_timeout_s=0.5,
        connect_timeout_s=0.4,
        statement_timeout_s=0.7,
        statement_cache=request.param == "cached",
    )
    async with Database(settings) as opened:
        yield opened
        assert opened.in_use == 0


@pytest.fixture(autouse=True)
async def no_complaints() -> AsyncIterator[None]:
    """asyncpg reports what it had to clean up after us to the loop."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    loop.set_exception_handler(None)
    assert complaints == []


@pytest.fixture
async def witness(postgres: PostgresServer, migrated_database: str) -> AsyncIterator[Any]:
    connection = await postgres.connect(migrated_database)
    yield connection
    await connection.close()


async def answer(database: Database) -> object:
    async with database.transaction(SOMEBODY) as transaction:
        return (await transaction.raw("SELECT 42"))[0][0]


async def test_a_transaction_opens_as_the_app_role_and_the_user(small: Database) -> None:
    async with small.transaction(SOMEBODY) as transaction:
        (row,) = await transaction.raw(
            "SELECT current_user::text, current_setting('jarvis.user_id'), "
            "current_setting('statement_timeout')"
        )
    assert tuple(row) == ("jarvis_app", SOMEBODY.id.hex, "700ms")


async def test_role_and_user_end_with_the_transaction(database_url: str) -> None:
    async with Database(DatabaseSettings(url=database_url, max_connections=1)) as single:
        async with single.transaction(SOMEBODY) as transaction:
            (first,) = await transaction.raw("SELECT pg_backend_pid()")
        async with single.transaction(None) as transaction:
            (second,) = await transaction.raw("SELECT pg_backend_pid(), current_setting('jarvis.user_id')")
    assert tuple(second) == (first[0], "")


async def test_a_transaction_commits_at_its_end(small: Database) -> None:
    async with small.transaction(None) as transaction:
        await transaction.raw("SELECT jarvis_profile('kept', $1)", new_id())
    async with small.transaction(None) as transaction:
        (row,) = await transaction.raw("SELECT jarvis_profile('kept', NULL) IS NOT NULL")
    assert row[0] is True


async def test_an_error_in_the_body_rolls_back_and_passes(small: Database) -> None:
    id_ = new_id()

    async def fail() -> None:
        async with small.transaction(None) as transaction:
            await transaction.raw("SELECT jarvis_profile('lost', $1)", id_)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    other = new_id()
    async with small.transaction(None) as transaction:
        (row,) = await transaction.raw("SELECT jarvis_profile('lost', $1)", other)
    assert row[0] == other


async def test_a_fault_of_ours_is_no_outage_and_tells_no_sql(small: Database) -> None:
    with pytest.raises(JarvisError) as caught:
        async with small.transaction(None) as transaction:
            await transaction.raw("SELECT nonsense")
    assert caught.value.code == "internal"
    assert "nonsense" not in caught.value.detail
    assert await answer(small) == 42


async def test_a_slow_statement_is_unavailable_at_its_deadline(small: Database) -> None:
    started = monotonic()
    with pytest.raises(Unavailable):
        async with small.transaction(None) as transaction:
            await transaction.raw("SELECT pg_sleep(20)")
    assert monotonic() - started < 0.7 + 1
    assert await answer(small) == 42


async def test_a_full_pool_is_unavailable_at_the_acquire_deadline(small: Database) -> None:
    async with small.transaction(None), small.transaction(None):
        assert small.in_use == 2
        started = monotonic()
        with pytest.raises(Unavailable):
            await answer(small)
        assert monotonic() - started < 0.5 + 1
        assert small.in_use == 2
    assert await answer(small) == 42


@pytest.mark.parametrize(
    "statement", ["SELECT pg_sleep(20)", "SELECT 1"], ids=["in a query", "between queries"]
)
async def test_cancel_leaves_the_pool_clean(small: Database, witness: Any, statement: str) -> None:
    async def work(reached: asyncio.Event) -> None:
        async with small.transaction(None) as transaction:
            await transaction.raw("SELECT 1")
            reached.set()
            await transaction.raw(statement)
            await asyncio.Event().wait()

    for _ in range(20):
        reached = asyncio.Event()
        task = asyncio.create_task(work(reached))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert small.in_use == 0
        assert await witness.fetchval(IDLE_IN_TRANSACTION) == 0
    assert await asyncio.gather(answer(small), answer(small), answer(small)) == [42, 42, 42]


async def test_cancelled_at_any_moment_no_connection_is_lost(small: Database, witness: Any) -> None:
    for step in range(60):
        task = asyncio.create_task(answer(small))
        for _ in range(step % 30):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.result() == 42
    assert await asyncio.gather(*(answer(small) for _ in range(6))) == [42] * 6
    assert small.in_use == 0
    assert await witness.fetchval(IDLE_IN_TRANSACTION) == 0
    assert await witness.fetchval(SESSIONS) <= 2


async def test_a_second_cancel_does_not_stop_the_rollback(small: Database, witness: Any) -> None:
    reached = asyncio.Event()

    async def work() -> None:
        async with small.transaction(None) as transaction:
            await transaction.raw("SELECT 1")
            reached.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await reached.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert await asyncio.gather(answer(small), answer(small)) == [42, 42]
    assert await witness.fetchval(IDLE_IN_TRANSACTION) == 0


@pytest.mark.parametrize("warm", [True, False], ids=["with idle connections", "with none"])
async def test_a_frozen_postgres_is_unavailable_in_time_and_heals(
    small: Database, postgres: PostgresServer, *, warm: bool
) -> None:
    if warm:
        await asyncio.gather(answer(small), answer(small))
        await small.ping()
    postgres.freeze()
    try:
        started = monotonic()
        outcomes = await asyncio.gather(*(answer(small) for _ in range(6)), return_exceptions=True)
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        assert monotonic() - started < 0.5 + 0.7 + 1
        started = monotonic()
        with pytest.raises(Unavailable):
            await small.ping()
        assert monotonic() - started < 1.2
        assert small.in_use == 0
    finally:
        postgres.thaw()
    await small.ping()
    assert await answer(small) == 42


async def test_once_a_ping_has_failed_nobody_waits_until_one_succeeds(
    small: Database, postgres: PostgresServer
) -> None:
    await answer(small)
    postgres.freeze()
    try:
        with pytest.raises(Unavailable):
            await small.ping()
        started = monotonic()
        with pytest.raises(Unavailable):
            await answer(small)
        assert monotonic() - started < 0.3
    finally:
        postgres.thaw()
    with pytest.raises(Unavailable):
        await answer(small)
    await small.ping()
    assert await answer(small) == 42


async def test_a_process_that_stood_still_itself_takes_no_answer_for_an_outage(small: Database) -> None:
    await small.ping()
    asking = asyncio.create_task(small.ping())
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it is on its way
    sleep(PING_TIMEOUT_S + 0.1)  # noqa: ASYNC251 that is what it is about
    await asking


async def test_postgres_frozen_inside_a_transaction(small: Database, postgres: PostgresServer) -> None:
    async def work() -> None:
        async with small.transaction(None) as transaction:
            await transaction.raw("SELECT 1")
            postgres.freeze()
            try:
                await transaction.raw("SELECT 1")
            finally:
                postgres.thaw()

    started = monotonic()
    with pytest.raises(Unavailable):
        await work()
    assert monotonic() - started < 0.7 + 1
    assert await answer(small) == 42


async def test_cancelled_while_postgres_is_frozen(small: Database, postgres: PostgresServer) -> None:
    await answer(small)
    postgres.freeze()
    try:
        task = asyncio.create_task(answer(small))
        await asyncio.wait([task], timeout=0.1)
        task.cancel()
        started = monotonic()
        await asyncio.wait([task])
        assert task.cancelled()
        assert monotonic() - started < 1.5
        assert small.in_use == 0
    finally:
        postgres.thaw()
    assert await answer(small) == 42


async def test_after_a_restart_of_postgres_the_next_call_heals(
    small: Database, postgres: PostgresServer
) -> None:
    await asyncio.gather(answer(small), answer(small))
    await small.ping()
    await postgres.restart()
    assert await asyncio.gather(*(answer(small) for _ in range(4))) == [42] * 4
    await small.ping()


async def test_with_postgres_away_it_opens_says_so_and_heals(
    database_url: str, postgres: PostgresServer
) -> None:
    socket = postgres.data_dir.run_dir / ".s.PGSQL.5432"
    hidden = socket.with_name("hidden")
    socket.rename(hidden)
    try:
        async with Database(DatabaseSettings(url=database_url)) as database:
            with pytest.raises(Unavailable):
                await answer(database)
            with pytest.raises(Unavailable):
                await database.ping()
            hidden.rename(socket)
            await database.ping()
            assert await answer(database) == 42
    finally:
        if hidden.exists():
            hidden.rename(socket)


async def test_a_wrong_password_or_database_is_unavailable(postgres: PostgresServer) -> None:
    async with Database(DatabaseSettings(url=postgres.url("nowhere"))) as database:
        with pytest.raises(Unavailable) as caught:
            await answer(database)
    assert "nowhere" not in caught.value.detail


async def test_ping_answers_while_the_pool_is_full(small: Database) -> None:
    async with small.transaction(None), small.transaction(None):
        await asyncio.gather(small.ping(), small.ping())


async def test_closing_gives_every_session_back(database_url: str, witness: Any) -> None:
    async with Database(DatabaseSettings(url=database_url)) as database:
        await asyncio.gather(*(answer(database) for _ in range(5)), database.ping())
    # A backend takes a moment to leave the view.
    async with asyncio.timeout(5):
        while await witness.fetchval(SESSIONS):  # noqa: ASYNC110  it is another process' event
            await asyncio.sleep(0)
