"""After a few hundred turns of every kind, nothing of them is left: no task, no descriptor, no connection.

`python -m benchmarks.soak` does ten thousand, and weighs the process.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Any, NamedTuple

import psutil
import pytest

from tests.chaos.mischief import RULES, SETTINGS, make_mischief
from tests.clients import query
from tests.running import Running, running
from tests.scripted_model import ScriptedModel

CLIENTS = 6
WARM_TURNS = 40
TURNS = 200
POOL = 6
BACK_WITHIN_S = 20.0
POOLED = 2 * 16 * 2
"""Descriptors that may be there one time and not the next: as many connections to the model are kept, for the
next turn and for what is embedded, and both ends of each are in this process."""

OTHERS = 2
"""Connections besides the pool's: the health check's, and one of the test's that is just being closed."""
CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

pytestmark = pytest.mark.timeout(180)


class Held(NamedTuple):
    tasks: int
    descriptors: int
    connections: int


async def test_turns_leave_nothing_behind(database_url: str, model: ScriptedModel) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    for rule in RULES:
        model.script(rule.script, match=rule.match)
    try:
        async with running(database_url, model.url, db_max_connections=str(POOL), **SETTINGS) as server:
            await make_mischief(server.url, deeds=WARM_TURNS, clients=CLIENTS, seed="warm")
            before = await _held(server, model, lambda _: True)
            await make_mischief(server.url, deeds=TURNS, clients=CLIENTS, seed="soak")
            after = await _held(
                server,
                model,
                lambda held: held.tasks <= before.tasks and held.descriptors <= before.descriptors + POOLED,
            )
            assert server.assembly.services.turns.inflight == 0
            (left,) = await query(server, "SELECT count(*) FROM turns WHERE status IN ('queued', 'running')")
            assert left["count"] == 0
        gc.collect()
        assert after.tasks <= before.tasks
        assert after.descriptors <= before.descriptors + POOLED
        assert after.connections <= POOL + OTHERS
        assert not complaints
    finally:
        asyncio.get_running_loop().set_exception_handler(None)


async def _held(server: Running, model: ScriptedModel, is_back: Callable[[Held], bool]) -> Held:
    """Return what the process holds once no turn runs and it `is_back`, or after BACK_WITHIN_S."""
    services = server.assembly.services
    held = Held(0, 0, 0)
    try:
        async with asyncio.timeout(BACK_WITHIN_S):
            while True:
                held = Held(
                    tasks=len(asyncio.all_tasks() - model.tasks),
                    descriptors=psutil.Process().num_fds(),
                    connections=(await query(server, CONNECTIONS))[0]["count"],
                )
                if not services.turns.inflight and not len(services.sockets) and is_back(held):
                    return held
                await asyncio.sleep(0.05)  # what ends by itself has no event of ours
    except TimeoutError:
        return held
