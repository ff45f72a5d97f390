"""Turns of every kind by the thousand, with clients that leave and a model that fails: what stays of them.

`python -m benchmarks.soak [turns]` measures it alone.
"""

import asyncio
import signal
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import httpx
import msgspec
import psutil
import uvloop

from benchmarks.looked_into import Look
from benchmarks.report import Figure, at_most, figures_table
from benchmarks.servers import scripted_model
from benchmarks.stand import Stand, stand
from jarvis.adapters.postgres.driver import connect
from jarvis.telemetry import configure_logging
from tests.chaos.listening import poll
from tests.chaos.mischief import RULES, SETTINGS, make_mischief
from tests.running import JarvisProcess, jarvis_process

TURNS = 10_000
WARM_SHARE = 10
"""One turn in so many is done before the baseline is taken."""
CLIENTS = 12
SEED = "soak"
SETTLE_S = 8.0
"""Connections to the model are kept for 3 s; what is cut off in the middle is over soon."""
BACK_WITHIN_S = 60.0
POOLED = 2 * 16
"""Connections to the model that may be kept, one time and not the next: for turns, and to embed."""
SHOWN = 12

CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the process holds with no turn running and no client there."""

    rss_mb: float
    descriptors: int
    """But connections to the model."""
    pooled: int
    """Connections to the model."""
    connections: int
    look: Look


async def measure_soak(built: Stand, turns: int = TURNS) -> list[Figure]:
    file = built.folder / "look.json"
    upper = {name.upper(): value for name, value in SETTINGS.items()}
    environment = built.settings | upper | {"LOOK_FILE": str(file), "LOG_LEVEL": "WARNING"}
    async with AsyncExitStack() as stack:
        model_url = await stack.enter_async_context(scripted_model())  # its own: it fails whoever asks
        async with httpx.AsyncClient(base_url=model_url, trust_env=False) as model:
            for rule in RULES:
                (await model.post("/__script__", content=msgspec.json.encode(rule))).raise_for_status()
        environment["OLLAMA_URL"] = model_url
        # Its end fails where its log tells of a defect, or of a task whose exception nobody retrieved.
        jarvis = await stack.enter_async_context(jarvis_process(environment, module="benchmarks.looked_into"))
        await _soak(jarvis, turns // WARM_SHARE, "warm")
        model_port = urlsplit(model_url).port
        assert model_port is not None
        before = await _held(built, jarvis, file, model_port)
        begun_s = perf_counter()
        done = await _soak(jarvis, turns, SEED)
        took_s = perf_counter() - begun_s
        after = await _held(built, jarvis, file, model_port)
        ended = await _turns_ended(jarvis)
    told = f"{turns / took_s:.0f} turns/s; ended {dict(ended)}; done {dict(done.most_common())}"
    print(told, file=sys.stderr)
    grown = Counter(after.look.objects)
    grown.subtract(before.look.objects)
    print(f"objects more than before: {grown.most_common(SHOWN)}", file=sys.stderr)
    return _figures(f"{turns:,} turns", before, after)


def _figures(named: str, before: Held, after: Held) -> list[Figure]:
    log_mb = [held.look.ended_log_bytes / 1e6 for held in (before, after)]
    return [
        _figure(f"{named}: memory more than before", after.rss_mb - before.rss_mb, before.rss_mb, "MB", 10),
        _figure(f"{named}: of it, the log of ended turns", log_mb[1] - log_mb[0], log_mb[0], "MB", None),
        _figure(
            f"{named}: descriptors more than before",
            after.descriptors - before.descriptors,
            before.descriptors,
            "",
            0,
        ),
        _figure(
            f"{named}: connections to the model more than before",
            after.pooled - before.pooled,
            before.pooled,
            "",
            POOLED,
        ),
        _figure(f"{named}: tasks more", after.look.tasks - before.look.tasks, before.look.tasks, "", 0),
        _figure(
            f"{named}: connections to Postgres more",
            after.connections - before.connections,
            before.connections,
            "",
            0,
        ),
    ]


def _figure(measure: str, value: float, before: float, unit: str, limit: float | None) -> Figure:
    return Figure(
        measure=measure,
        jarvis=value,
        unit=unit,
        against="before",
        other=before,
        ratio=None,
        judged=value,
        goal=None if limit is None else at_most(limit, f" {unit}".rstrip()),
    )


async def _soak(jarvis: JarvisProcess, turns: int, seed: str) -> Counter[str]:
    """Go on until so many turns more have ended."""
    done = Counter[str]()
    target = (await _turns_ended(jarvis)).total() + turns
    while (missing := target - (await _turns_ended(jarvis)).total()) > 0:
        done += await make_mischief(jarvis.url, deeds=missing, clients=CLIENTS, seed=f"{seed}/{done.total()}")
        await poll(lambda: _is_idle(jarvis), within_s=BACK_WITHIN_S)
    return done


async def _held(built: Stand, jarvis: JarvisProcess, file: Path, model_port: int) -> Held:
    await poll(lambda: _is_idle(jarvis), within_s=BACK_WITHIN_S)
    await asyncio.sleep(SETTLE_S)
    look = await _look(jarvis, file)
    process = psutil.Process(jarvis.process.pid)
    connection = await connect(built.database_url)
    try:
        connections = await connection.fetchval(CONNECTIONS)
    finally:
        await connection.close()
    pooled = sum(bool(each.raddr) and each.raddr.port == model_port for each in process.net_connections())
    return Held(
        rss_mb=process.memory_info().rss / 1e6,
        descriptors=process.num_fds() - pooled,
        pooled=pooled,
        connections=connections,
        look=look,
    )


async def _look(jarvis: JarvisProcess, file: Path) -> Look:
    await asyncio.to_thread(file.unlink, missing_ok=True)
    jarvis.signal(signal.SIGUSR1)

    async def told() -> bool:
        return await asyncio.to_thread(file.exists)

    await poll(told, within_s=BACK_WITHIN_S)
    return msgspec.json.decode(await asyncio.to_thread(file.read_bytes), type=Look)


async def _turns_ended(jarvis: JarvisProcess) -> Counter[str]:
    return Counter(
        {
            name.partition('"')[2].partition('"')[0]: int(value)
            for name, value in (await _metrics(jarvis)).items()
            if name.startswith("jarvis_turns_total")
        }
    )


async def _is_idle(jarvis: JarvisProcess) -> bool:
    told = await _metrics(jarvis)
    return not any(
        told[name] for name in ("jarvis_turns_inflight", "jarvis_ws_connections", "jarvis_memory_unindexed")
    )


async def _metrics(jarvis: JarvisProcess) -> dict[str, float]:
    lines = (await jarvis.http.get("/metrics")).text.splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


async def main() -> int:
    configure_logging("WARNING", "console")
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    async with stand() as built:
        figures = await measure_soak(built, turns)
    print(figures_table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
