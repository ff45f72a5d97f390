"""A server and its embedded Postgres are killed together, every process, at a moment of chance."""

import asyncio
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import psutil
import pytest

from jarvis.adapters.postgres.driver import connect
from jarvis.embedded.postgres import database_url
from tests.chaos.journal import Journal, broken
from tests.chaos.seeds import judge, runs
from tests.chaos.stand import Server, rows_of
from tests.chaos.talking import talkers
from tests.scripted_model import Script, ScriptedModel

SEEDS = runs(in_ci=3, one_in=10)
TALKERS = 6
WORDS = 20
TOKENS_PER_S = 40.0
KILLED_WITHIN_S = 1.5
ENDED_WITHIN_S = 30.0

pytestmark = pytest.mark.timeout(60 + 60 * len(SEEDS))


async def test_nothing_acknowledged_is_lost_doubled_or_out_of_order(model: ScriptedModel) -> None:
    model.script(Script(tokens_per_s=TOKENS_PER_S))
    with tempfile.TemporaryDirectory(prefix="jarvis-kill-", ignore_cleanup_errors=True) as folder:
        environment = {"LLM_BACKEND": "ollama", "OLLAMA_URL": model.url, "LLM_MAX_CONCURRENCY": "4"}
        server = Server(environment | {"JARVIS_DATA_DIR": folder})
        await server.start()
        try:
            await judge("kill-embedded", SEEDS, partial(_run, server, Path(folder)))
        finally:
            await server.end()


async def _run(server: Server, folder: Path, seed: int, random: Random) -> tuple[str, list[str]]:
    journal, stop = Journal(), asyncio.Event()
    moment_s = random.uniform(0, KILLED_WITHIN_S)

    def come_by(_: Random) -> Callable[[], str]:
        return lambda: server.url

    people = await talkers(
        server.url, f"{seed}", journal, random, number=TALKERS, words=WORDS, come_by=come_by
    )
    async with asyncio.timeout(KILLED_WITHIN_S + 2 * ENDED_WITHIN_S), asyncio.TaskGroup() as talking:
        for one in people:
            talking.create_task(one.talk(stop))
        await asyncio.sleep(moment_s)
        await _kill_all(server)
        await server.start()
        stop.set()
    connection = await connect(database_url(folder / "run"))
    rows = await rows_of(connection, *(wish.text for wish in journal.wishes))
    await connection.close()
    wrong = [wrong for one in people for wrong in one.wrong] + broken(journal.wishes, rows)
    acked = sum(wish.acked_at is not None for wish in journal.wishes)
    interrupted = sum(row.status == "interrupted" for row in rows)
    what = f"all killed at {moment_s:.3f} s, {acked} of {len(journal.wishes)} acknowledged"
    return f"{what}, {interrupted} interrupted", wrong


async def _kill_all(server: Server) -> None:
    processes = psutil.Process(server.process.process.pid).children(recursive=True)
    assert any("postgres" in process.name() for process in processes)
    for process in processes:
        process.suspend()  # or it would see the server go, and end as one that is told to
    await server.kill()
    for process in processes:
        process.kill()
    await asyncio.to_thread(psutil.wait_procs, processes, timeout=ENDED_WITHIN_S)
