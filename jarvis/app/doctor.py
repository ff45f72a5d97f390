"""`jarvis doctor`: what is configured, what answers, and what to do about what does not.

Works beside a running server and without one; starts and changes nothing.
"""

import asyncio
import os
import sys
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from jarvis import __version__
from jarvis.app.checking import reachable_database
from jarvis.app.examination.database import examine_database
from jarvis.app.examination.finding import Finding, Report, as_table
from jarvis.app.examination.memory import examine_memory
from jarvis.app.examination.model import examine_model
from jarvis.app.examination.redis import examine_redis
from jarvis.app.examination.surroundings import (
    examine_data_folder,
    examine_machine,
    examine_port,
    examine_settings,
    examine_versions,
)
from jarvis.app.examination.voice import examine_voice
from jarvis.settings import Settings

DEADLINE_S = 3.0


async def doctor(settings: Settings, directory: Path, *, as_json: bool) -> int:
    """Print the report; return 0 when nothing needs anybody. `directory` holds the `.env` that was read."""
    report = await examine(settings, directory, os.environ)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    else:
        Console().print(as_table(report))
    return 0 if report.ok else 1


async def examine(settings: Settings, directory: Path, environment: Mapping[str, str]) -> Report:
    """Take every look at the same time, each for DEADLINE_S at most."""
    looks = {
        "versions": examine_versions(),
        "machine": examine_machine(),
        "settings": examine_settings(directory, environment),
        "data_folder": examine_data_folder(settings),
        "postgres": examine_database(settings),
        "language_model": examine_model(settings),
        "memory": examine_memory(settings),
        "redis": examine_redis(settings),
        "voice": examine_voice(settings),
        "server": examine_port(settings),
    }
    findings = await asyncio.gather(*map(_within_deadline, looks.values()))
    return Report(
        ok=all(finding.state != "failed" for finding in findings),
        version=__version__,
        database_url=reachable_database(settings),
        checks=dict(zip(looks, findings, strict=True)),
    )


async def _within_deadline(look: Coroutine[Any, Any, Finding]) -> Finding:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await look
    except TimeoutError:
        return Finding(
            state="failed",
            found=f"No answer within {DEADLINE_S:g} s.",
            advice="What is asked here hangs or is very busy; restart it.",
        )
    except Exception as exc:  # noqa: BLE001 - one look that fails must not hide the others
        return Finding(state="failed", found=f"{type(exc).__name__}: {exc}", advice="Report this.")
