"""`jarvis migrate` and `jarvis check`: the database, looked at without serving."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.migrations import HEAD, current_revision, migrate
from jarvis.adapters.postgres.row_security import verify_row_security
from jarvis.app.assembly import database_settings
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.postgres import start_postgres
from jarvis.embedded.running import running_postgres
from jarvis.embedded.supervisor import Supervisor
from jarvis.settings import Settings


async def migrate_database(settings: Settings) -> int:
    """Bring the database to this version's schema. Raises what `migrations.migrate` raises."""
    async with effective_database(settings) as url:
        changed = await migrate(url)
        Console().print(f"The database is at revision {HEAD}{'' if changed else ' already'}.")
    return 0


async def check(settings: Settings) -> int:
    """Check the schema and the row security; the settings were checked before."""
    async with effective_database(settings) as url:
        revision = await current_revision(url)
        if revision != HEAD:
            Console(stderr=True).print(
                f"The database is at revision {revision}, this version needs {HEAD}: run jarvis migrate."
            )
            return 1
        async with Database(database_settings(settings, url)) as database:
            await verify_row_security(database)
    Console().print("Settings, schema and row security are right.")
    return 0


@asynccontextmanager
async def effective_database(settings: Settings) -> AsyncGenerator[str]:
    """Yield the address of the database that is set, or of the embedded one.

    That of a running server is used as it is; else it is started for the while. Raises EmbeddedError;
    DataDirInUse when a server has the data folder and its Postgres is not up.
    """
    if url := reachable_database(settings):
        yield url
        return
    with DataDir(settings.data_dir) as data_dir:
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            bin_dir = Path(settings.postgres_bin) if settings.postgres_bin else None
            yield await start_postgres(supervisor, data_dir, bin_dir=bin_dir)


def reachable_database(settings: Settings) -> str | None:
    """Return the address of the database that is set, or of the embedded one of a running server."""
    return database_settings(settings, settings.database_url).url or running_postgres(settings.data_dir)
