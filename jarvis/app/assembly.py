"""Opens everything a server needs, in order, and closes it in reverse."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import anyio
import msgspec
import structlog

from jarvis import __version__
from jarvis.adapters.audio.codec import AudioCodec
from jarvis.adapters.audio.silero import Silero
from jarvis.adapters.late import LateLLM
from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.migrations import HEAD, current_revision, migrate
from jarvis.adapters.postgres.row_security import verify_row_security
from jarvis.app.identity import build_identity
from jarvis.app.memory import EmbedderStart, keeps_vectors_here, open_vectors
from jarvis.app.model import ModelStart, choose_backend
from jarvis.app.redis import open_shared
from jarvis.app.services import Parts, build_services
from jarvis.app.voice import VoiceStart, may_run_engines_here
from jarvis.core.errors import Unavailable
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import DataDirInUse, DataDirUnusable
from jarvis.embedded.postgres import start_postgres
from jarvis.embedded.supervisor import Supervisor
from jarvis.services.health import HealthCheck
from jarvis.settings import Settings
from jarvis.telemetry import Metrics
from jarvis.web.access import Access
from jarvis.web.context import Services

MIGRATIONS = "migrations"
PREPARE_RETRY_S = 1.0
PREPARE_PATIENCE_S = 1.0
"""How long listening waits for the database to be migrated and checked: an ordinary start takes less."""
EMBEDDED_MEMORY_TOKENS = 200
"""Of memories in a prompt: the embedded model reads 100 tokens a second."""

log = structlog.stdlib.get_logger("jarvis")


class Assembly(msgspec.Struct, frozen=True, kw_only=True):
    """A server's parts, open; `database_url` is the effective one."""

    services: Services
    access: Access
    llm: LateLLM
    metrics: Metrics
    database: Database
    database_url: str


@asynccontextmanager
async def open_assembly(settings: Settings, *, place: str) -> AsyncGenerator[Assembly]:
    """Open what the settings name; what is away outside may come later, what we start ourselves must start.

    `place` names what only one process at a time can be: its address. Raises EmbeddedError, MigrationRefused
    and RowSecurityBroken, each with a text for the person who started Jarvis.
    """
    async with AsyncExitStack() as stack:
        backend = await choose_backend(settings)
        data_dir: DataDir | None = None
        supervisor: Supervisor | None = None
        starts_parts = not settings.database_url or backend == "embedded"
        if starts_parts or keeps_vectors_here(settings):
            data_dir = stack.enter_context(DataDir(settings.data_dir))
        elif may_run_engines_here(settings):
            # Another server here may have the folder: then that one has our engines, and this one has none.
            with suppress(DataDirInUse, DataDirUnusable):
                data_dir = stack.enter_context(DataDir(settings.data_dir))
        if data_dir and (starts_parts or may_run_engines_here(settings)):
            supervisor = await stack.enter_async_context(
                Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir)
            )
        database_url = settings.database_url
        if not database_url and supervisor and data_dir:
            bin_dir = Path(settings.postgres_bin) if settings.postgres_bin else None
            database_url = await start_postgres(supervisor, data_dir, bin_dir=bin_dir)
        database = await stack.enter_async_context(Database(database_settings(settings, database_url)))
        model = ModelStart(settings, backend, supervisor=supervisor, data_dir=data_dir)
        embedder = EmbedderStart(settings)
        vectors = await open_vectors(settings, stack, data_dir.vectors_dir if data_dir else None)
        shared = await open_shared(settings, stack)
        voice = VoiceStart(settings, supervisor=supervisor, data_dir=data_dir, model_is_up=model.llm.settled)
        codec = AudioCodec(max_bytes=settings.max_audio_bytes, max_secs=settings.max_audio_secs)
        detector = Silero()
        stack.callback(detector.close)
        metrics = Metrics(__version__)
        identity = build_identity(
            settings, database, shared.limiter, structlog.stdlib.get_logger("jarvis.background")
        )
        parts = Parts(
            database=database,
            accounts=identity.accounts,
            llm=model.llm,
            memory_tokens=EMBEDDED_MEMORY_TOKENS if backend == "embedded" else None,
            embedder=embedder.embedder,
            vectors=vectors,
            shared=shared,
            transcribers=voice.hearing,
            synthesizers=voice.speaking,
            voice_starting=voice.starting,
            codec=await stack.enter_async_context(codec),
            detector=detector,
            metrics=metrics,
            place=place,
        )
        services, background = build_services(settings, parts)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        database.pending = "The database is not migrated yet."
        services.health.not_ready[MIGRATIONS] = None
        prepared = asyncio.Event()
        prepare = partial(_prepare_database, settings, database, database_url)
        tasks.start_soon(_prepare_until_done, prepare, services.health, prepared)
        with anyio.move_on_after(PREPARE_PATIENCE_S):
            await prepared.wait()
        await stack.enter_async_context(services.turns.running())
        await services.health.check()
        for work in (
            *background,
            *identity.background,
            *shared.background,
            services.health.run,
            model.run,
            voice.run,
        ):
            tasks.start_soon(work)
        if vectors is not None:
            tasks.start_soon(embedder.run)
        yield Assembly(
            services=services,
            access=identity.access,
            llm=model.llm,
            metrics=metrics,
            database=database,
            database_url=database_url,
        )


def database_settings(settings: Settings, url: str) -> DatabaseSettings:
    return DatabaseSettings(
        url=url,
        max_connections=settings.db_max_connections,
        acquire_timeout_s=settings.db_acquire_timeout_secs,
        statement_cache=settings.db_statement_cache == "on",
    )


async def _prepare_database(settings: Settings, database: Database, url: str) -> None:
    """Migrate, if that is wanted, see that nobody sees another's rows, and let `database` be used.

    Raises Unavailable, MigrationRefused or RowSecurityBroken.
    """
    if settings.migrate_on_start:
        if await migrate(url):
            log.info("database.migrated", revision=HEAD)
    elif await current_revision(url) != HEAD:
        raise Unavailable("database", "Migrations are pending; run jarvis migrate.")
    async with Database(database_settings(settings, url)) as unseen:
        await verify_row_security(unseen)
    database.pending = ""


async def _prepare_until_done(
    prepare: Callable[[], Awaitable[None]], health: HealthCheck, prepared: asyncio.Event
) -> None:
    """Prepare the database, as soon as it answers; what no waiting mends ends the process."""
    told = ""
    while True:
        try:
            await prepare()
        except Unavailable as exc:
            if exc.detail != told:
                told = exc.detail
                log.warning("database.away", reason=told, cause=str(exc.__cause__ or ""))
            await asyncio.sleep(PREPARE_RETRY_S)
        else:
            break
    del health.not_ready[MIGRATIONS]
    prepared.set()
