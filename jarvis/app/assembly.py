"""Opens everything a server needs, in order, and closes it in reverse."""

import asyncio
import os
import resource
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import msgspec
import structlog

from jarvis import __version__
from jarvis.adapters.late import LateLLM
from jarvis.adapters.postgres.conversations import PostgresConversations
from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.migrations import HEAD, current_revision, migrate
from jarvis.adapters.postgres.row_security import verify_row_security
from jarvis.adapters.postgres.titles import PostgresTitles
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.adapters.turn_log import InProcessTurnLog
from jarvis.app.model import ModelStart, choose_backend
from jarvis.core.errors import Unavailable
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.postgres import start_postgres
from jarvis.embedded.supervisor import Supervisor
from jarvis.services.admission import Admission
from jarvis.services.conversations import Conversations
from jarvis.services.feed import ConversationFeed
from jarvis.services.health import HealthCheck, MemoryUsage, Probe
from jarvis.services.identity import LocalIdentity
from jarvis.services.orchestrator import Orchestrator, Policy
from jarvis.services.titles import Titles
from jarvis.services.turns import Limits, Turns
from jarvis.settings import Settings
from jarvis.telemetry import Metrics
from jarvis.web.context import Services
from jarvis.web.sockets import Sockets

MIGRATIONS = "migrations"
PREPARE_RETRY_S = 1.0
PREPARE_PATIENCE_S = 1.0
"""How long listening waits for the database to be migrated and checked: an ordinary start takes less."""

log = structlog.stdlib.get_logger("jarvis")


class Assembly(msgspec.Struct, frozen=True, kw_only=True):
    """A server's parts, open; `database_url` is the effective one."""

    services: Services
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
        if not settings.database_url or backend == "embedded":
            data_dir = stack.enter_context(DataDir(settings.data_dir))
            supervisor = await stack.enter_async_context(
                Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir)
            )
        database_url = settings.database_url
        if not database_url and supervisor and data_dir:
            bin_dir = Path(settings.postgres_bin) if settings.postgres_bin else None
            database_url = await start_postgres(supervisor, data_dir, bin_dir=bin_dir)
        database = await stack.enter_async_context(Database(database_settings(settings, database_url)))
        model = ModelStart(settings, backend, supervisor=supervisor, data_dir=data_dir)
        metrics = Metrics(__version__)
        services = _services(settings, database, model, metrics, place)
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
        tasks.start_soon(services.health.run)
        tasks.start_soon(services.feed.run)
        tasks.start_soon(model.run)
        yield Assembly(
            services=services,
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


def _services(
    settings: Settings, database: Database, model: ModelStart, metrics: Metrics, place: str
) -> Services:
    llm = model.llm
    log_of_turns = InProcessTurnLog()
    store = PostgresTurns(database)
    orchestrator = Orchestrator(
        store=store,
        log=log_of_turns,
        llm=llm,
        policy=Policy(
            system_prompt=settings.system_prompt,
            temperature=settings.ollama_temperature,
            max_tokens=settings.ollama_max_tokens,
            max_answer_bytes=settings.max_answer_bytes,
            turn_s=settings.turn_secs,
        ),
        metrics=metrics,
    )
    reporter = structlog.stdlib.get_logger("jarvis.background")
    conversations = PostgresConversations(database)
    feed = ConversationFeed(conversations, reporter)
    turns = Turns(
        store=store,
        log=log_of_turns,
        orchestrator=orchestrator,
        admission=Admission(max_running=settings.llm_max_concurrency, max_waiting=settings.llm_max_queue),
        feed=feed,
        titles=Titles(
            store=PostgresTitles(database),
            llm=llm,
            system_prompt=settings.system_prompt,
            feed=feed,
            reporter=reporter,
        ),
        reporter=reporter,
        place=place,
        limits=Limits(turn_s=settings.turn_secs, detached_s=settings.detached_turn_secs),
    )
    health = HealthCheck(
        {
            "database": Probe(ping=database.ping),
            "llm": Probe(
                ping=model.llm.ping, starting=lambda: model.llm.progress if model.llm.starting else None
            ),
        },
        version=__version__,
        memory_usage=memory_usage,
    )
    sockets = Sockets()
    metrics.watch(
        turns_inflight=lambda: turns.inflight,
        turns_queued=lambda: turns.queued,
        ws_connections=lambda: len(sockets),
        db_pool_in_use=lambda: database.in_use,
        dependencies_up=lambda: {name: health.is_up(name) for name in health.asked},
    )
    return Services(
        turns=turns,
        conversations=Conversations(store=conversations, turns=turns, feed=feed),
        llm=llm,
        feed=feed,
        identity=LocalIdentity(PostgresUsers(database)),
        health=health,
        sockets=sockets,
        render_metrics=metrics.render,
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


def memory_usage() -> MemoryUsage:
    """Read this process's resident memory and the machine's, from /proc (Linux)."""
    page_mb = resource.getpagesize() / 2**20
    used_mb = int(Path("/proc/self/statm").read_text().split()[1]) * page_mb
    total_mb = os.sysconf("SC_PHYS_PAGES") * page_mb
    return MemoryUsage(
        used_mb=round(used_mb, 1),
        total_mb=round(total_mb, 1),
        percentage=round(100 * used_mb / total_mb, 2),
    )
