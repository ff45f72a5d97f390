"""Draining within a process: waiting turns end, running ones get their time, everybody is told."""

import asyncio
import contextlib
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from jarvis.adapters.postgres.driver import connect
from jarvis.web.closing import RESTART
from tests.clients import Json, a_word, asked_of, chat, query, socket, streamed
from tests.running import running
from tests.scripted_model import Hang, Script, ScriptedModel

PATIENCE_S = 0.5
WAITING_FOR_LOCK = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock' AND query NOT LIKE '%jarvis_take_abandoned%'"
)
"""But for the sweep, which comes by itself."""


async def test_every_turn_ends_with_its_terminal_event(database_url: str, model: ScriptedModel) -> None:
    gate = a_word()
    model.script(Script(text="one two three", gate=gate, gate_at_token=1), match="in time")
    model.script(Script(text="one two three", fault=Hang(at_token=2)), match="too late")
    async with (
        running(database_url, model.url, llm_max_concurrency="3") as server,
        AsyncExitStack() as stack,
    ):
        in_time = await stack.enter_async_context(streamed(server, "in time"))
        await in_time.until("delta")
        too_late = await stack.enter_async_context(socket(server))
        await too_late.say("too late")
        heard = await too_late.until("delta")
        answering = asyncio.create_task(chat(server, "too late as JSON"))
        await asked_of(model, "too late as JSON", waiting=True)
        waiting = [await stack.enter_async_context(streamed(server, f"waiting {n}")) for n in range(3)]
        for stream in waiting:
            await stream.until("notice")

        draining = asyncio.create_task(server.assembly.services.turns.drain(PATIENCE_S))
        for stream in waiting:
            end = (await stream.rest())[-1]
            assert (end["type"], end["status"], end["content"]) == ("chat_response", "interrupted", "")
        refused = await server.http.post("/api/chat", json={"message": "new"})
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        assert 1 <= int(refused.headers["retry-after"]) <= 30

        assert not draining.done()
        model.release(gate)
        end = (await in_time.rest())[-1]
        assert (end["status"], end["content"]) == ("complete", "one two three")

        heard += await too_late.to_end()
        assert (heard[-1]["status"], heard[-1]["content"]) == ("interrupted", "one two")
        answer = await answering
        assert (answer["status"], answer["content"]) == ("interrupted", "one two")
        await draining
        await model.wait_for(lambda log: log.counts["client_disconnected"] == 2)
        rows = await query(server, "SELECT status::text, count(*) FROM turns GROUP BY 1")
        assert dict(rows) == {"complete": 1, "interrupted": 5}


@pytest.mark.parametrize(
    "frame", [{"type": "chat_message", "content": "Hello"}, {"message": "Hello"}], ids=["typed", "old"]
)
async def test_a_socket_closes_once_the_turn_that_is_beginning_is_told(
    database_url: str, model: ScriptedModel, frame: dict[str, str]
) -> None:
    async with running(database_url, model.url) as server, socket(server) as ws:
        services = server.assembly.services
        holder = await connect(database_url)
        try:
            async with holder.transaction():
                await holder.execute("LOCK TABLE turns")
                await ws.send(frame)
                async with asyncio.timeout(10):
                    while not await holder.fetchval(WAITING_FOR_LOCK):  # noqa: ASYNC110 - Postgres tells nobody
                        await asyncio.sleep(0.01)
                await services.turns.drain(0)
                closing = asyncio.create_task(services.sockets.close_all(RESTART))
                await asyncio.sleep(0)  # the close has begun, and the turn has not
            frames: list[Json] = []
            with contextlib.suppress(ConnectionClosed):
                while True:
                    frames.append(await ws.next())
            await closing
        finally:
            await holder.close()
        assert ws.connection.close_code == RESTART
        told = frames[-1]["message"]
        assert (told["status"], told["content"]) == ("interrupted", "")


async def test_a_server_that_closes_stores_what_its_turns_had_said(
    database_url: str, model: ScriptedModel
) -> None:
    model.script(Script(text="one two three", fault=Hang(at_token=2)))
    async with running(database_url, model.url) as server, streamed(server, "Hello") as events:
        turn_id = (await events.until("delta"))["turn_id"]
    async with running(database_url, model.url) as successor:
        shown = (await successor.http.get(f"/api/chat/turns/{turn_id}")).json()
    assert (shown["status"], shown["text"]) == ("interrupted", "one two")
