"""Looks at a database from outside, for the person who runs it: on one connection, reading only."""

from typing import Any

import asyncpg
import msgspec

from jarvis.adapters.postgres.failures import DRIVER_ERRORS
from jarvis.core.errors import Unavailable

CONNECT_TIMEOUT_S = 2.0
STATEMENT_TIMEOUT_S = 1.0
CONTENTS = "SELECT (SELECT count(*) FROM conversations), (SELECT count(*) FROM messages)"


class DatabaseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`revision` None: Alembic never ran. The counts are over all users; None where they cannot be had."""

    version: str
    size_bytes: int
    revision: str | None
    conversations: int | None = None
    messages: int | None = None


async def inspect_database(url: str) -> DatabaseFacts:
    """Raises Unavailable, whose text is Postgres' own and meant for the administrator only."""
    connection: Any = None
    try:
        connection = await _connect(url)
        version, size_bytes = await connection.fetchrow(
            "SELECT current_setting('server_version'), pg_database_size(current_database())"
        )
        revision = await _revision(connection)
        counted = None if revision is None else await _counted(connection, CONTENTS)
        conversations, messages = counted or (None, None)
    except TimeoutError as exc:
        raise Unavailable("database", "It did not answer in time.") from exc
    except DRIVER_ERRORS as exc:
        raise Unavailable("database", str(exc)) from exc
    finally:
        if connection is not None:
            connection.terminate()
    return DatabaseFacts(
        version=version.partition(" ")[0],
        size_bytes=size_bytes,
        revision=revision,
        conversations=conversations,
        messages=messages,
    )


async def count_memories(url: str) -> tuple[int, int] | None:
    """Return how many memories all users have, and how many are unindexed; None where that cannot be had."""
    connection: Any = None
    try:
        connection = await _connect(url)
        return await _counted(
            connection, "SELECT count(*), count(*) FILTER (WHERE indexed_at IS NULL) FROM memories"
        )
    except (TimeoutError, *DRIVER_ERRORS):
        return None
    finally:
        if connection is not None:
            connection.terminate()


async def _revision(connection: Any) -> str | None:
    try:
        return await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None


async def _counted(connection: Any, question: str) -> tuple[int, int] | None:
    """Count two things as the role that may see all rows; never as a superuser past the policies."""
    try:
        async with connection.transaction(readonly=True):
            await connection.execute("SET LOCAL ROLE jarvis_system")
            first, second = await connection.fetchrow(question)
            return first, second
    except (asyncpg.PostgresError, TimeoutError):
        return None  # not our role or schema, or more rows than can be counted in time


async def _connect(url: str) -> Any:
    connect: Any = asyncpg.connect  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  asyncpg ships no types
    return await connect(
        url,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=STATEMENT_TIMEOUT_S,
        statement_cache_size=0,  # behind PgBouncer too
        server_settings={"application_name": "jarvis-doctor"},
    )
