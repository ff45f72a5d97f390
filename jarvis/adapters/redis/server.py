"""A Redis (or Valkey) server that may leave and return at any time: connections, deadlines, errors."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self, TypeAlias

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ConnectionError, NoPermissionError, RedisError  # noqa: A004

from jarvis.core.errors import Unavailable

TIMEOUT_S = 0.5
"""Of connecting and a command, together (the design's section 3)."""
MAX_CONNECTIONS = 16
AWAY = "Redis cannot be reached."
REFUSED = "Redis refuses the user or the password."
Client: TypeAlias = Any
"""redis.asyncio.Redis, whose types say little."""
ERRORS: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
"""All that a call to the client raises, beside cancellation and what _errors says."""


class RedisServer:
    """Close it, or use it as a context manager. Opening connects to nothing: Redis may come later."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._is_away = False
        # Without a deadline of the client's own, which makes a task of each command and doubles its cost.
        self._client = self._open(max_connections=MAX_CONNECTIONS, patience_s=None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose(close_connection_pool=True)

    @asynccontextmanager
    async def asking(self) -> AsyncGenerator[Client]:
        """Lend the client for a command or two, which together have the timeout, connecting included.

        Raises Unavailable("cache", ...): at once while Redis is known to be away. That is known from the
        first failure to the next `ping`.
        """
        if self._is_away:
            raise Unavailable("cache", AWAY)
        try:
            with _errors():
                async with asyncio.timeout(self._timeout_s):
                    yield self._client
        except Unavailable:
            self._is_away = True
            raise

    @asynccontextmanager
    async def listening(self, *, patience_s: float) -> AsyncGenerator[Client]:
        """Open a client of one's own, whose reads may wait for `patience_s`.

        Raises Unavailable("cache", ...) in place of whatever the client raises in the body. Whoever ends the
        body uses a scope of anyio, which cancels until it is heard: this client sends under asyncio.wait_for,
        which on Python 3.11 may swallow a cancellation.
        """
        client = self._open(max_connections=2, patience_s=patience_s + self._timeout_s)
        try:
            with _errors():
                yield client
        finally:
            await client.aclose(close_connection_pool=True)

    async def ping(self) -> None:
        """Return when Redis answers. Raises Unavailable("cache", ...) within the timeout."""
        try:
            with _errors():
                async with asyncio.timeout(self._timeout_s):
                    await self._client.ping()
        except Unavailable:
            self._is_away = True
            raise
        self._is_away = False

    def _open(self, *, max_connections: int, patience_s: float | None) -> Client:
        pools: Any = BlockingConnectionPool
        pool = pools.from_url(
            self._url,
            max_connections=max_connections,
            timeout=self._timeout_s,
            socket_timeout=patience_s,
            socket_connect_timeout=self._timeout_s,
            # Of a pool every connection has to find out by itself that Redis was started again.
            retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        )
        return Redis(connection_pool=pool)


@contextmanager
def _errors() -> Generator[None]:
    """Turn what the client raises into Unavailable."""
    try:
        yield
    except ERRORS as exc:
        raise _unavailable(exc) from exc
    except RuntimeError as exc:
        # uvloop's word for writing to a connection that was reset; asyncio's own loop has none.
        if not str(exc).endswith("the handler is closed"):
            raise
        raise Unavailable("cache", AWAY) from exc


def _unavailable(exc: Exception) -> Unavailable:
    is_refused = isinstance(exc, AuthenticationError | NoPermissionError)
    return Unavailable("cache", REFUSED if is_refused else AWAY)
