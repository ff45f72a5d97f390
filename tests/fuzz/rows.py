"""What is stored, to see that what was refused has left nothing behind."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.clients import query
from tests.running import Running

TABLES = ("conversations", "messages", "turns")
COUNTS = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in TABLES)  # noqa: S608 - our own names


@asynccontextmanager
async def nothing_stored(server: Running) -> AsyncGenerator[None]:
    before = await _counts(server)
    yield
    assert await _counts(server) == before


async def _counts(server: Running) -> dict[str, int]:
    return dict(await query(server, COUNTS))
