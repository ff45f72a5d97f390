"""The pool, and the one way to use it: a transaction as somebody.

Owns deadlines and what becomes of a connection; no connection goes back to the pool with a transaction open.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self

import msgspec

from jarvis.adapters.postgres.driver import connect, create_pool
from jarvis.adapters.postgres.failures import DRIVER_ERRORS, translated
from jarvis.adapters.postgres.statement import ArgumentsT, RowT, Statement
from jarvis.core.errors import InDoubt, Unavailable
from jarvis.core.types import User

PING_TIMEOUT_S = 0.9  # less than the second that the background check gives it
ROLLBACK_TIMEOUT_S = 1.0
CLOSE_TIMEOUT_S = 1.0
RETIRED_S = 330.0  # more than the longest `deadline_s` of all, an import's
# A transaction of ours is over within the statement timeout; this is for a process stopped inside one.
IDLE_IN_TRANSACTION_S = 10.0


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`statement_cache` has to be off behind PgBouncer."""

    url: str
    max_connections: int = 20
    acquire_timeout_s: float = 3.0
    connect_timeout_s: float = 2.0
    statement_timeout_s: float = 5.0
    statement_cache: bool = True


class Transaction:
    """Runs statements inside the transaction that made it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def all(self, statement: Statement[ArgumentsT, RowT], arguments: ArgumentsT) -> list[RowT]:
        records: list[Any] = await self._connection.fetch(statement.sql, *statement.values(arguments))
        return [statement.row(record) for record in records]

    async def first(self, statement: Statement[ArgumentsT, RowT], arguments: ArgumentsT) -> RowT | None:
        records: list[Any] = await self._connection.fetch(statement.sql, *statement.values(arguments))
        return statement.row(records[0]) if records else None

    async def raw(self, sql: str, *arguments: object) -> list[Any]:
        """Run a statement that is not described: for checks of the database itself, and for tests."""
        return await self._connection.fetch(sql, *arguments)


class Database:
    """A pool of connections that are made when first needed, so that Postgres may be away at the start.

    Use as an async context manager.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._pool: Any = None
        self._probe: Any = None
        self._probing = asyncio.Lock()
        self._is_away = False
        self.pending = ""
        """Why nobody may open a transaction yet, in a sentence; empty: they may."""
        self._in_use = 0
        self._cleaning: set[asyncio.Task[None]] = set()
        limits = _limits(settings)
        # PgBouncer may refuse start-up parameters, and shares sessions: there each opening carries them.
        self._session_settings = limits if settings.statement_cache else {}
        local = {} if settings.statement_cache else limits
        self._local_limits = "".join(f"SET LOCAL {name} = {value}; " for name, value in local.items())

    async def __aenter__(self) -> Self:
        self._pool = await self._new_pool()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Wait a little for connections in use, then end them."""
        if self._probe is not None:
            self._probe.terminate()
        await _end(self._pool, within_s=CLOSE_TIMEOUT_S)
        if self._cleaning:
            _, left = await asyncio.wait(self._cleaning, timeout=CLOSE_TIMEOUT_S)
            for task in left:
                task.cancel()  # which ends the connections it waits for

    @property
    def in_use(self) -> int:
        """How many connections of the pool somebody holds right now."""
        return self._in_use

    def transaction(
        self, user: User | None, *, deadline_s: float | None = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction as `user`, or as nobody: no row, but the functions that span users.

        Commits at the end; rolls back when the body raises or is cancelled. Ends within the acquire and the
        statement timeout and 1 s more, whatever the server does (where `deadline_s` is given, that counts for
        all its statements together instead); at once while the last `ping` failed, or while it is `pending`.
        Raises Unavailable, and that is InDoubt where it may have been committed all the same.
        """
        # `hex` is digits only, whatever the id was made of.
        whose = f"SET LOCAL jarvis.user_id = '{user.id.hex if user else ''}'"
        return self._begun(f"SET LOCAL ROLE jarvis_app; {whose}", deadline_s)

    def administering(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction as jarvis_system, which sees everybody's rows: for the administrator only.

        Otherwise as `transaction`.
        """
        return self._begun("SET LOCAL ROLE jarvis_system", None)

    @asynccontextmanager
    async def _begun(self, as_whom: str, deadline_s: float | None) -> AsyncGenerator[Transaction]:
        if self._is_away or self.pending:
            raise Unavailable("database", self.pending or "The database cannot be reached.")
        is_committing = False
        try:
            async with asyncio.timeout(self._settings.acquire_timeout_s) as deadline:
                pool = self._pool
                connection = await pool.acquire()
                self._in_use += 1
                try:
                    deadline.reschedule(
                        asyncio.get_running_loop().time() + (deadline_s or self._settings.statement_timeout_s)
                    )
                    await connection.execute(f"BEGIN; {self._local_limits}{as_whom}")
                    yield Transaction(connection)
                    is_committing = True
                    await connection.execute("COMMIT")
                    is_committing = False
                except BaseException as exc:
                    is_silent = deadline.expired() or isinstance(exc, TimeoutError)
                    if not is_silent:
                        deadline.reschedule(None)  # cleaning has a deadline of its own
                    await self._clean(pool, connection, is_silent=is_silent)
                    raise
                await self._give_back(pool, connection)
        except DRIVER_ERRORS as exc:
            error = translated(exc)
            raise (
                InDoubt(error.detail) if is_committing and isinstance(error, Unavailable) else error
            ) from exc

    @asynccontextmanager
    async def apart(self) -> AsyncGenerator[Any]:
        """Open a connection of its own, in no transaction, as the role that was given: the tables' owner.

        It is past the pool, and has the statement timeout only. A cancelled body cancels what runs at the
        server too. Raises Unavailable.
        """
        if self._is_away or self.pending:
            raise Unavailable("database", self.pending or "The database cannot be reached.")
        try:
            connection = await connect(self._settings.url, **self._connect_options())
            try:
                yield connection
            finally:
                await asyncio.shield(self._clean_up(_close(connection)))
        except DRIVER_ERRORS as exc:
            raise translated(exc) from exc

    async def ping(self) -> None:
        """Return when Postgres answers, on a connection of its own: a busy pool is no outage.

        Raises Unavailable within 1 s.
        """
        asking = asyncio.create_task(self._ask())
        try:
            await _ended(asking, within_s=PING_TIMEOUT_S)
            self._is_away = False
        except BaseException as exc:
            asking.cancel()
            await asyncio.wait({asking})  # which ends at once
            if self._probe is not None:
                self._probe.terminate()
                self._probe = None
            if isinstance(exc, DRIVER_ERRORS):
                if not self._is_away:
                    await self._exchange_pool()
                self._is_away = True
                raise translated(exc) from exc
            raise

    async def _ask(self) -> None:
        async with self._probing:
            if self._probe is None or self._probe.is_closed():
                self._probe = await connect(self._settings.url, **self._connect_options())
            await self._probe.execute("SELECT 1")

    async def _exchange_pool(self) -> None:
        """Use none of the idle connections again: a network that failed may have forgotten them silently.

        Who holds one may finish.
        """
        old, self._pool = self._pool, await self._new_pool()
        self._clean_up(_end(old, within_s=RETIRED_S))

    async def _new_pool(self) -> Any:
        return await create_pool(
            self._settings.url,
            min_size=0,
            max_size=self._settings.max_connections,
            reset=_nothing_to_reset,
            **self._connect_options(),
        )

    def _connect_options(self) -> dict[str, Any]:
        return {
            "timeout": self._settings.connect_timeout_s,
            "statement_cache_size": 100 if self._settings.statement_cache else 0,
            "max_cached_statement_lifetime": 0,
            "server_settings": {"application_name": "jarvis", **self._session_settings},
        }

    async def _give_back(self, pool: Any, connection: Any) -> None:
        self._in_use -= 1
        # What was committed is committed, and what failed has failed already: a connection that breaks now is
        # only replaced by the pool.
        with suppress(*DRIVER_ERRORS):
            await pool.release(connection, timeout=ROLLBACK_TIMEOUT_S)

    async def _clean(self, pool: Any, connection: Any, *, is_silent: bool) -> None:
        """Give back a connection whose transaction did not commit, also when the caller is cancelled."""
        if is_silent:
            _terminate(connection)
        await asyncio.shield(self._clean_up(self._roll_back(pool, connection)))

    def _clean_up(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        cleaning = asyncio.create_task(work)
        self._cleaning.add(cleaning)
        cleaning.add_done_callback(self._cleaning.discard)
        return cleaning

    async def _roll_back(self, pool: Any, connection: Any) -> None:
        try:
            if not connection.is_closed():
                async with asyncio.timeout(ROLLBACK_TIMEOUT_S):
                    await connection.execute("ROLLBACK")
        except DRIVER_ERRORS:
            _terminate(connection)
        finally:
            await self._give_back(pool, connection)


def _limits(settings: DatabaseSettings) -> dict[str, str]:
    return {
        "statement_timeout": str(round(settings.statement_timeout_s * 1000)),
        "idle_in_transaction_session_timeout": str(round(IDLE_IN_TRANSACTION_S * 1000)),
    }


async def _ended(task: asyncio.Task[None], *, within_s: float) -> None:
    """Raise TimeoutError where it does not end; unlike asyncio.timeout not where only we looked late."""
    await asyncio.wait({task}, timeout=within_s)
    if not task.done():
        raise TimeoutError
    await task


async def _end(pool: Any, *, within_s: float) -> None:
    """Wait for connections in use, then end them."""
    try:
        async with asyncio.timeout(within_s):
            await pool.close()
    except DRIVER_ERRORS:
        pool.terminate()


async def _close(connection: Any) -> None:
    """Close, after asyncpg has sent the cancelling of what runs."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await connection.close()
    except DRIVER_ERRORS:
        _terminate(connection)


def _terminate(connection: Any) -> None:
    # asyncpg takes a connection back by itself when it could not cancel the query on it.
    with suppress(*DRIVER_ERRORS):
        connection.terminate()


async def _nothing_to_reset(connection: object) -> None:
    """Spare asyncpg's own reset, a round trip: all we set is LOCAL to a transaction that has ended."""
