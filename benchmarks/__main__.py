"""`make bench`: every promise about speed and size, each beside a floor measured in the same run.

Prints one Markdown report. Nothing here decides a test.
"""

import os
import platform
import resource
import sys
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import uvloop

from benchmarks.identity import measure_identity
from benchmarks.lists import measure_lists
from benchmarks.overload import measure_overload
from benchmarks.parts import Parts
from benchmarks.recalling import measure_recalling
from benchmarks.replicas import measure_replicas
from benchmarks.report import figures_table
from benchmarks.slow_readers import measure_slow_readers
from benchmarks.soak import measure_soak
from benchmarks.stand import Contenders, Stand, stand
from benchmarks.start import measure_boot, measure_memory
from benchmarks.streams import measure_first_token, measure_tokens
from benchmarks.turns import health_bytes, measure_health, measure_turns
from benchmarks.voice import measure_voice
from jarvis import __version__
from jarvis.telemetry import configure_logging

PACKAGES = (
    "granian",
    "litestar",
    "asyncpg",
    "msgspec",
    "uvloop",
    "fastapi",
    "uvicorn",
    "sqlalchemy",
    "pydantic",
)

# A part of what they do alone: a minute, and 10,000 turns.
SLOW_READERS_S = 20.0
SOAK_TURNS = 1_000

NOTES = """\
- Read the ratios: both sides of each were measured by turns on this machine in this run. A figure is the
  median of its rounds, a ratio the median of the rounds' ratios.
- CPU is that of the server process alone, user and system. Jarvis logs each request, as by default, but for
  `no request log`; the floor and uvicorn log nothing.
- Postgres is the embedded one with its safe settings; only for `model in process` commits do not wait for
  the disk. With two CPUs or more, servers run on the first; load, Postgres and scripted model on the
  others.
- `bare asyncpg route`: raw ASGI on Jarvis' server, the same SQL in the same two transactions, the same
  JSON; no limits, log, events or cancelling. `FastAPI + ORM`: uvicorn with uvloop and httptools, SQLAlchemy
  on asyncpg.
- `first token added`: the time from a request over SSE to its first delta, less the model's own, asked
  directly by the same client. Turns are begun evenly spread, unless it says otherwise.
- Starts have compiled bytecode, as pip leaves it: the first start of each program compiles, and is not
  counted."""


async def main() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    configure_logging("WARNING", "console")  # to stderr; the report is alone on stdout
    begun_at, begun_s = datetime.now(UTC), perf_counter()
    parts = Parts()
    async with stand() as built:
        async with built.contenders(instant=False) as servers:
            sizes = await _sizes(servers)
            await parts.run("memory", partial(measure_memory, servers))
            await parts.run("/health", partial(measure_health, servers))
            await parts.run("turns, model over HTTP", partial(measure_turns, servers, instant=False))
            await parts.run("first token", partial(measure_first_token, servers.jarvis, built.model_port))
            await parts.run("tokens", partial(measure_tokens, servers))
        await parts.run("recall", partial(measure_recalling, built))
        await measure_identity(built, parts)
        await measure_voice(built, parts)
        await parts.run("replicas", partial(measure_replicas, built))
        await parts.run("overload", partial(measure_overload, built))
        await parts.run("slow readers", partial(measure_slow_readers, built, SLOW_READERS_S))
        await built.spare_the_disk()
        async with built.contenders(instant=True) as servers:
            await parts.run("turns, model in process", partial(measure_turns, servers, instant=True))
        await parts.run("boot", partial(measure_boot, built))
        await parts.run("lists", partial(measure_lists, built))
        await parts.run("soak", partial(measure_soak, built, SOAK_TURNS))
        _print(parts, built, begun_at, sizes)
    print(f"\nIn all {perf_counter() - begun_s:.0f} s.")
    return 1 if parts.failures else 0


async def _sizes(servers: Contenders) -> str:
    named = {"Jarvis": servers.jarvis, "raw ASGI": servers.floor, "FastAPI": servers.fastapi}
    return ", ".join([f"{name} {await health_bytes(server)}" for name, server in named.items()])


def _print(parts: Parts, built: Stand, begun_at: datetime, sizes: str) -> None:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    print(f"# Jarvis {__version__}, measured {begun_at:%Y-%m-%d %H:%M} UTC\n")
    print(f"{_processor()}, {len(built.cpus.all)} CPUs, load {os.getloadavg()[0]:.1f} at the end.")
    print(f"{platform.platform()}, Python {platform.python_version()}, {packages}.\n")
    print(figures_table(parts.figures))
    print("".join(f"\n{failure}\n" for failure in parts.failures), end="")
    print(f"\n{NOTES}\n- Bytes of a whole answer to /health: {sizes}.\n")
    print(parts.times_table())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
