"""Clients that ask for whole answers and never read one: they cost what they may, and no turn is lost.

`python -m benchmarks.slow_readers` has fifty of them, weighs the process, and looks at who else is served.
"""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable

import pytest_asyncio

from jarvis.web.outbox import MAX_BYTES, Outbox
from tests.clients import query, socket
from tests.deaf import Deaf, StreamedDoor
from tests.running import Running
from tests.scripted_model import Script, ScriptedModel

SETTINGS = {"llm_max_concurrency": "10", "llm_max_queue": "200"}
CLIENTS = 10
ANSWERS = 8
"""Of each: the system's buffers take some 4 MB for a connection, and an answer is told in 1 MB."""
ANSWER_BYTES = 256 * 1024
WITHIN_S = 60.0

STORED = (
    "SELECT count(*) FROM messages"
    " WHERE role = 'assistant' AND status = 'complete' AND octet_length(content) = $1"
)


@pytest_asyncio.fixture
async def flooding(server: Running, llm: ScriptedModel) -> AsyncGenerator[Running]:
    llm.script(Script(text=("x" * 2047 + " ") * (ANSWER_BYTES // 2048 + 1)), match="flood")
    yield server
    assert server.assembly.services.turns.inflight == 0


async def asking(server: Running, door: StreamedDoor) -> list[Deaf]:
    port = int(server.url.rpartition(":")[2])
    clients = [Deaf(door, port, f"{door}{number}") for number in range(CLIENTS)]
    for client in clients:
        for _ in range(ANSWERS):
            await client.ask("flood")
    return clients


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not so():  # noqa: ASYNC110 - the server's own counts have no event
            await asyncio.sleep(0.01)


def all_outboxes() -> list[Outbox]:
    return [each for each in gc.get_objects() if isinstance(each, Outbox)]


async def stored(server: Running) -> int:
    """Return how many answers are stored whole."""
    return (await query(server, STORED, ANSWER_BYTES))[0]["count"]


async def test_sockets_that_nobody_reads_are_ended_and_their_turns_are_stored(flooding: Running) -> None:
    services, before = flooding.assembly.services, await stored(flooding)
    earlier = all_outboxes()
    clients = await asking(flooding, "websocket")
    try:
        await until(lambda: len(services.sockets) == CLIENTS)
        outboxes = [each for each in all_outboxes() if each not in earlier]
        await until(lambda: not len(services.sockets))
        await until(lambda: not services.turns.inflight)
    finally:
        for client in clients:
            client.leave()
    assert await stored(flooding) - before == CLIENTS * ANSWERS
    assert len(outboxes) >= CLIENTS
    for outbox in outboxes:
        outbox.put(bytes(MAX_BYTES))  # there is room for so much only where nothing waits
    async with socket(flooding) as ws:
        await ws.say("hello")
        assert (await ws.to_end())[-1]["content"] == "You said: hello"


async def test_streams_that_nobody_reads_wait_and_are_left_when_their_clients_are(
    flooding: Running, llm: ScriptedModel
) -> None:
    services, before = flooding.assembly.services, await stored(flooding)
    tasks = len(asyncio.all_tasks() - llm.tasks)
    clients = await asking(flooding, "sse")
    try:
        async with asyncio.timeout(WITHIN_S):
            while await stored(flooding) - before < CLIENTS:  # noqa: ASYNC110 - nor have rows
                await asyncio.sleep(0.01)
        await until(lambda: not services.turns.inflight)
        # A pipelined request is read once the answer before it has been taken.
        assert await stored(flooding) - before < CLIENTS * ANSWERS
    finally:
        for client in clients:
            client.leave()
    await until(lambda: len(asyncio.all_tasks() - llm.tasks) <= tasks)
