"""Takes what was deleted out of the files of Postgres: the tables that held it are written anew.

VACUUM alone leaves it in holes of pages, in TOAST and in the keys of GIN. CLUSTER writes table, TOAST and
indexes anew, as VACUUM FULL does, and within a transaction: so the wish for it goes when it is fulfilled. The
old files are emptied by the commit. What ANALYZE has sampled is in pg_statistic, rewritten in turn.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

import asyncpg

from jarvis.adapters.postgres.database import Database
from jarvis.core.erasure_store import Erased

INDEX_OF: Mapping[str, str] = {
    "conversations": "conversations_pkey",
    "messages": "messages_pkey",
    "turns": "turns_pkey",
    "memories": "memories_pkey",
    "pg_statistic": "pg_statistic_relid_att_inh_index",
}
"""Tables, and the index that orders their rows. The samples come last: the others have new ones taken."""

MAX_BYTES = 512 * 2**20
"""With indexes; larger tables are left to the administrator. A plain VACUUM of them would erase nothing."""
LOCK_WAIT_MS = 300
"""Whoever comes meanwhile waits behind us."""
LOCKED_MS = 4_000
"""Less than the limit of anybody's statement, so that nobody who waits for us fails."""
MEMORIES_LOCKED_MS = 30_000
"""A turn needs no memory to begin or end, and recall has a patience of its own: only who asks for memories
themselves may fail. Measured on two cores: 100,000 take 1.7 s, and 5 s where both are busy; two thirds of it
are the index of words."""
LOCK_KEY = 0x4A61_7276_4572  # "JarvEr"

Outcome = Literal["rewritten", "busy", "left"]


class Wish(NamedTuple):
    ids: list[int]
    is_seen: bool
    """A transaction may still see what was deleted: rewriting would keep it."""


class PostgresErasure:
    """Fills the ErasureStore port."""

    def __init__(self, database: Database, *, max_bytes: int = MAX_BYTES) -> None:
        self._database = database
        self._max_bytes = max_bytes

    async def rewrite(self) -> Erased:
        outcomes: dict[str, Outcome] = {}
        async with self._database.apart() as connection:
            for table in INDEX_OF:
                wish = await _wish(connection, table)
                if wish.ids:
                    outcomes[table] = "busy" if wish.is_seen else await self._fulfil(connection, table, wish)
            if "rewritten" in outcomes.values():
                await _end_log(connection)
        return Erased(
            is_done="busy" not in outcomes.values(),
            left=[table for table, outcome in outcomes.items() if outcome == "left"],
        )

    async def _fulfil(self, connection: Any, table: str, wish: Wish) -> Outcome:
        size = await connection.fetchval("SELECT pg_total_relation_size($1::text::regclass)", table)
        try:
            if size <= self._max_bytes:
                return await _rewrite(connection, table, wish)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            return "busy"
        except (asyncpg.QueryCanceledError, asyncpg.InsufficientPrivilegeError):
            pass  # too slow here, or not ours
        await connection.execute("DELETE FROM erasure_wanted WHERE id = ANY($1::bigint[])", wish.ids)
        return "left"


async def _wish(connection: Any, table: str) -> Wish:
    ids, is_seen = await connection.fetchrow(_WISH, table)
    return Wish(ids=ids, is_seen=is_seen)


async def _rewrite(connection: Any, table: str, wish: Wish) -> Outcome:
    locked_ms = MEMORIES_LOCKED_MS if table == "memories" else LOCKED_MS
    async with connection.transaction():
        await connection.execute(
            f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}; SET LOCAL statement_timeout = {locked_ms}; "
            "SET LOCAL search_path = public"
        )
        if not await connection.fetchval(f"SELECT pg_try_advisory_xact_lock({LOCK_KEY})"):
            return "busy"
        taken = await connection.fetch(
            "DELETE FROM erasure_wanted WHERE id = ANY($1::bigint[]) RETURNING id", wish.ids
        )
        if not taken:
            return "rewritten"  # by another process
        if table != "pg_statistic":
            # Before the lock, which ends reading too: samples are taken of rows that are there.
            await connection.execute(f"ANALYZE {table}")
            await connection.execute("INSERT INTO erasure_wanted (table_name) VALUES ('pg_statistic')")
        await connection.execute(f"CLUSTER {table} USING {INDEX_OF[table]}")
    return "rewritten"


async def _end_log(connection: Any) -> None:
    """Let go of the write-ahead log up to here, where this role may: otherwise the next checkpoint does."""
    for statement in ("SELECT pg_switch_wal()", "CHECKPOINT"):
        # One that takes long goes on by itself.
        with suppress(asyncpg.InsufficientPrivilegeError, asyncpg.QueryCanceledError):
            await connection.execute(statement)


# xmin of a row: the transaction that deleted and wished. All see its deletion once every transaction that
# runs, and every snapshot that somebody holds, is younger.
_WISH = """
SELECT coalesce(array_agg(w.id), '{}'),
       coalesce(bool_or(
           age(w.xmin) <= age(pg_snapshot_xmin(pg_current_snapshot())::xid)
           OR EXISTS (SELECT FROM pg_stat_activity a
                       WHERE coalesce(a.datname, current_database()) = current_database()
                         AND a.pid <> pg_backend_pid() AND age(w.xmin) <= age(a.backend_xmin))
           OR EXISTS (SELECT FROM pg_replication_slots s WHERE age(w.xmin) <= age(s.xmin))), false)
  FROM erasure_wanted w WHERE w.table_name = $1
"""
