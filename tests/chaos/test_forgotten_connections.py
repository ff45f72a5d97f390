"""A network forgets the connections to Postgres that it carried, and tells neither side."""

import asyncio
import time

import pytest

from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.core.errors import Unavailable
from tests.chaos.proxy import FAIR, HALF_OPEN, Proxy
from tests.postgres import PostgresServer

AT_ONCE = 12
WITHIN_S = 2.0


async def _use(database: Database, together: asyncio.Barrier) -> None:
    async with database.transaction(None) as transaction:
        await together.wait()
        await transaction.raw("SELECT 1")


async def _use_all(database: Database) -> None:
    """Hold AT_ONCE connections together."""
    together = asyncio.Barrier(AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(_use(database, together))


async def test_none_of_them_is_used_once_the_outage_is_known(
    postgres: PostgresServer, migrated_database: str
) -> None:
    async with Proxy(postgres.data_dir.run_dir / ".s.PGSQL.5432") as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{migrated_database}?sslmode=disable"
        async with Database(DatabaseSettings(url=url)) as database:
            await database.ping()
            await _use_all(database)
            proxy.change(HALF_OPEN)
            with pytest.raises(Unavailable):
                await database.ping()
            proxy.weather = FAIR  # of those to come
            await database.ping()
            begun_s = time.monotonic()
            await _use_all(database)
            assert time.monotonic() - begun_s < WITHIN_S
            assert database.in_use == 0


async def test_who_works_on_one_meanwhile_may_finish(
    postgres: PostgresServer, migrated_database: str
) -> None:
    async with Proxy(postgres.data_dir.run_dir / ".s.PGSQL.5432") as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{migrated_database}?sslmode=disable"
        async with Database(DatabaseSettings(url=url)) as database:
            async with database.transaction(None) as transaction:
                proxy.refuse_new()
                with pytest.raises(Unavailable):
                    await database.ping()
                assert await transaction.raw("SELECT 1")
            assert database.in_use == 0
            await proxy.listen()
            await database.ping()
            await _use_all(database)
