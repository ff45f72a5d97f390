"""What asyncpg and the operating system report, as Jarvis' own errors: the one place that knows both."""

import asyncpg

from jarvis.adapters.postgres.driver import sqlstate_of
from jarvis.core.errors import JarvisError, Unavailable

DRIVER_ERRORS: tuple[type[Exception], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""All that a call to the driver raises, beside cancellation."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection, authorisation, no such database,
# rolled back, insufficient resources, object in use, operator intervention, system error, internal error.
_AWAY_CLASSES = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58", "XX"})
_READ_ONLY = "25006"  # a standby after a failover


def translated(error: Exception) -> JarvisError:
    """Return Unavailable where trying again later may help; anything else is a fault of ours."""
    match error:
        case TimeoutError():
            return Unavailable("database", "The database did not answer in time.")
        case asyncpg.PostgresError() if not _is_away(sqlstate_of(error)):
            return JarvisError("The database refused what Jarvis asked of it.")
        case _:
            return Unavailable("database", "The database cannot be reached.")


def _is_away(sqlstate: str) -> bool:
    return sqlstate[:2] in _AWAY_CLASSES or sqlstate == _READ_ONLY
