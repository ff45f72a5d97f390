"""Brings a database to the code's schema, under a lock, in one transaction; refuses what it should not touch.

Alembic and SQLAlchemy's engine are imported only when there is something to do.
"""

import asyncio
import contextlib
from operator import methodcaller
from pathlib import Path
from typing import Any, Literal

import asyncpg

from jarvis.adapters.postgres.driver import connect
from jarvis.adapters.postgres.failures import DRIVER_ERRORS, translated

HEAD = "0006"
"""The newest revision in migrations/versions; a test compares the two."""

CONNECT_TIMEOUT_S = 2.0
LOOK_TIMEOUT_S = 5.0
LOCK_WAIT_S = 120
_LOCK_KEY = 0x4A61_7276_6973  # "Jarvis"

Shape = Literal["empty", "jarvis", "rust", "python", "foreign"]


class MigrationRefused(Exception):
    """Nothing was touched; the text says what was found and what to do."""


async def migrate(url: str) -> bool:
    """Bring the database to HEAD; return whether there was anything to do.

    Raises MigrationRefused, or Unavailable when Postgres is away.
    """
    if await current_revision(url) == HEAD:
        return False
    await _migrate_apart(url, HEAD)
    return True


async def downgrade(url: str, revision: str) -> None:
    """Go back to `revision` ("base": before the first), for the way back to an earlier server."""
    await _migrate_apart(url, revision)


async def current_revision(url: str) -> str | None:
    """Return the revision the database is at, None where Alembic never ran. Raises Unavailable."""
    connection: Any = None
    try:
        connection = await _connect(url)
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            return await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    except DRIVER_ERRORS as exc:
        raise translated(exc) from exc
    finally:
        if connection is not None:
            connection.terminate()


def shape_of(columns: dict[str, dict[str, str]]) -> Shape:
    """Tell whose tables these are; `columns` maps our table names, where they exist, to {column: type}."""
    conversations = columns.get("conversations")
    if conversations is None:
        return "foreign" if columns else "empty"
    messages = columns.get("messages", {})
    if "turns" in columns and "next_position" in conversations:
        return "jarvis"
    if (
        conversations.get("id") == "uuid"
        and messages.get("id") == "uuid"
        and {"conversation_id", "role", "content", "created_at"} <= messages.keys()
    ):
        return "rust"
    return "python" if {"message", "response"} <= conversations.keys() else "foreign"


def migrations_dir() -> Path:
    """In a wheel the scripts are inside the package, in a checkout beside it."""
    package = Path(__file__).parents[2]
    packaged = package / "_migrations"
    return packaged if packaged.is_dir() else package.parent / "migrations"


def run_script(name: str) -> None:
    """Run migrations/`name`.sql in a revision. Alembic's own way prepares, which takes one statement only."""
    from alembic import op  # noqa: PLC0415  see _migrate

    script = (migrations_dir() / f"{name}.sql").read_text(encoding="utf-8")
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(methodcaller("execute", script))


async def _migrate_apart(url: str, revision: str) -> None:
    """Migrate in a thread with an event loop of its own: Alembic is synchronous and slow to import.

    Cancelled, it ends there too, and nothing is changed.
    """
    loop = asyncio.new_event_loop()
    migrating = loop.create_task(_migrate(url, revision))

    def run() -> None:
        try:
            loop.run_until_complete(migrating)
        finally:
            loop.close()

    ran = asyncio.ensure_future(asyncio.to_thread(run))
    try:
        await asyncio.shield(ran)
    except asyncio.CancelledError:
        with contextlib.suppress(RuntimeError):  # the loop is closed: it was done already
            loop.call_soon_threadsafe(migrating.cancel)
        await asyncio.gather(ran, return_exceptions=True)
        raise


async def _migrate(url: str, revision: str) -> None:
    import sqlalchemy.exc  # noqa: PLC0415  half a second that a database at HEAD need not pay
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  likewise
    from sqlalchemy.pool import NullPool  # noqa: PLC0415  likewise

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: _connect(url), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'")
            await connection.exec_driver_sql("SET LOCAL search_path = public")
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
            found = await connection.exec_driver_sql(_COLUMNS)
            _refuse_others(_by_table([tuple(row) for row in found]))
            await connection.run_sync(_run_alembic, revision)
    except sqlalchemy.exc.DBAPIError as exc:
        raise _explained(exc.orig) from exc
    except DRIVER_ERRORS as exc:
        raise _explained(exc) from exc
    finally:
        await engine.dispose()


def _run_alembic(connection: Any, revision: str) -> None:
    from alembic import command  # noqa: PLC0415  see _migrate
    from alembic.config import Config  # noqa: PLC0415  likewise
    from alembic.migration import MigrationContext  # noqa: PLC0415  likewise
    from alembic.script import ScriptDirectory  # noqa: PLC0415  likewise

    config = Config()
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    at = MigrationContext.configure(connection).get_current_revision()
    if at is not None and at not in known:
        raise MigrationRefused(
            f"The database is at revision {at}, which this Jarvis does not know: it is newer than this code. "
            "Start the version that made it, or give this one another database with DATABASE_URL."
        )
    if revision == HEAD:
        command.upgrade(config, "head")
    else:
        command.downgrade(config, revision)


def _refuse_others(columns: dict[str, dict[str, str]]) -> None:
    match shape_of(columns):
        case "empty" | "jarvis" | "rust":
            return
        case "python":
            whose = "the earlier Python server (a table conversations with message and response)"
        case "foreign":
            whose = f"some other program ({', '.join(sorted(columns))})"
    raise MigrationRefused(
        f"This database holds tables of {whose}. They were left alone. "
        "Make a database of its own for Jarvis (createdb jarvis) and name it in DATABASE_URL."
    )


def _explained(error: BaseException | None) -> Exception:
    cause = getattr(error, "__cause__", None)
    original = cause if isinstance(cause, asyncpg.PostgresError) else error
    match original:
        case asyncpg.InsufficientPrivilegeError():
            return MigrationRefused(_FOR_THE_ADMINISTRATOR.format(reason=original))
        case asyncpg.LockNotAvailableError():
            return MigrationRefused(
                f"For {LOCK_WAIT_S} s another Jarvis has been migrating this database, "
                "or something has been using its tables. Try again when it is done."
            )
        case asyncpg.FeatureNotSupportedError() | asyncpg.UndefinedFileError() if "unaccent" in str(original):
            return MigrationRefused(
                "Postgres lacks the extension unaccent. "
                "Install its contrib package (Debian: postgresql-contrib), then start again."
            )
        case Exception():
            failure = translated(original)
            return (
                failure
                if failure.code != "internal"
                else MigrationRefused(f"The migration failed: {original}")
            )
        case _:
            return MigrationRefused("The migration failed.")


def _by_table(found: list[tuple[Any, ...]]) -> dict[str, dict[str, str]]:
    columns: dict[str, dict[str, str]] = {}
    for table, column, type_name in found:
        columns.setdefault(table, {})[column] = type_name
    return columns


async def _connect(url: str) -> Any:
    settings = {"application_name": "jarvis-migrate"}
    return await connect(url, timeout=CONNECT_TIMEOUT_S, server_settings=settings)


# Views count: whoever made them means these names.
_COLUMNS = """
SELECT c.relname, a.attname, a.atttypid::regtype::text
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND c.relname IN ('users', 'conversations', 'messages', 'turns', 'memories')
"""

_FOR_THE_ADMINISTRATOR = """\
The database role Jarvis was given may not do what the migration needs ({reason}). Nothing was touched.
Ask the administrator of Postgres to run this in Jarvis' database, with the role's name for <role>,
then start again:

    CREATE ROLE jarvis_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
    CREATE ROLE jarvis_system NOLOGIN NOSUPERUSER NOBYPASSRLS;
    GRANT jarvis_app, jarvis_system TO <role>;
    GRANT ALL ON SCHEMA public TO <role> WITH GRANT OPTION;
    CREATE EXTENSION IF NOT EXISTS unaccent;
"""
