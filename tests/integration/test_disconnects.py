"""Clients that leave: a JSON turn ends with its client, every other runs on and can be resumed."""

import asyncio
import re
import time

import pytest

from tests.clients import (
    a_word,
    asked_of,
    assert_closed_within_a_second,
    bare_connection,
    query,
    resumed,
    side_by_side,
    socket,
    streamed,
    turn_of,
)
from tests.running import Running, running
from tests.scripted_model import Hang, Script, ScriptedModel

SETTINGS = {"llm_max_concurrency": "20", "llm_max_queue": "100"}

moments = pytest.mark.parametrize("at_token", [0, 2], ids=["before the first token", "after it"])


async def turn_id_of(server: Running, message: str) -> str:
    (row,) = await query(server, "SELECT turn_id FROM messages WHERE content = $1", message)
    return str(row["turn_id"])


async def leave_json_turn(server: Running, llm: ScriptedModel, *, at_token: int, reset: bool = False) -> None:
    """Send a message, leave while the model is silent, and see all that has to follow from it."""
    message = a_word()
    async with bare_connection(server) as client:
        client.post("/api/chat", {"message": message})
        record = await asked_of(llm, message, waiting=True)
        # A second reader: it sees what the JSON client cannot, and keeps nothing alive.
        async with resumed(server, await turn_id_of(server, message)) as events:
            if at_token:
                await events.until("delta")
            left_s = time.monotonic()
            if reset:
                client.reset()
            else:
                await client.leave()
            await assert_closed_within_a_second(llm, record, since_s=left_s)
            end = (await events.rest())[-1]
    assert (end["type"], end["status"]) == ("chat_response", "cancelled")
    assert "one two".startswith(end["content"])
    assert bool(end["content"]) == bool(at_token)
    rows = await query(
        server,
        "SELECT t.status::text, m.status::text, m.content FROM turns t JOIN messages m "
        "ON m.id = t.assistant_message_id WHERE t.id = $1",
        end["turn_id"],
    )
    assert [tuple(row) for row in rows] == [("cancelled", "cancelled", end["content"])]


@moments
async def test_a_hundred_json_clients_leave(server: Running, llm: ScriptedModel, at_token: int) -> None:
    llm.script(Script(text="one two three", fault=Hang(at_token=at_token)))

    async def once(_: int) -> None:
        await leave_json_turn(server, llm, at_token=at_token)

    await side_by_side(once, times=100)


@moments
async def test_a_json_client_is_cut_off(server: Running, llm: ScriptedModel, at_token: int) -> None:
    llm.script(Script(text="one two three", fault=Hang(at_token=at_token)))
    await leave_json_turn(server, llm, at_token=at_token, reset=True)


async def test_a_json_client_leaves_while_its_turn_waits(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(fault=Hang()))
    async with streamed(server, "first") as first:
        ack = await first.next()
        async with bare_connection(server) as client:
            message = a_word()
            body = {"message": message, "conversation_id": ack["conversation_id"]}
            async with socket(server) as ws:
                client.post("/api/chat", body)
                # Behind the one above in its conversation: once this one waits, that one does.
                await ws.say("third", conversation_id=ack["conversation_id"])
                await ws.until("notice")
                async with resumed(server, await turn_id_of(server, message)) as events:
                    await client.leave()
                    assert (await events.rest())[-1]["status"] == "cancelled"
    assert [record.last_user_message for record in llm.log.generating] == ["first"]


@moments
async def test_a_json_client_with_a_key_leaves_and_its_turn_runs_on(
    server: Running, llm: ScriptedModel, at_token: int
) -> None:
    gate, message = a_word(), a_word()
    llm.script(Script(text="one two three", gate=gate, gate_at_token=at_token))
    seen_leaving = await count_of_clients_gone(server)
    async with bare_connection(server) as client:
        client.post("/api/chat", {"message": message}, extra_head=f"Idempotency-Key: {message}\r\n")
        await asked_of(llm, message, waiting=True)
        await client.leave()
        async with asyncio.timeout(5):
            while await count_of_clients_gone(server) == seen_leaving:
                pass
    llm.release(gate)
    async with resumed(server, await turn_id_of(server, message)) as events:
        end = (await events.rest())[-1]
    assert (end["status"], end["content"]) == ("complete", "one two three")


async def count_of_clients_gone(server: Running) -> int:
    metrics = (await server.http.get("/metrics")).text
    found = re.search(
        r'^http_requests_total{[^}]*route="/api/chat",status="499"} (\d+)', metrics, re.MULTILINE
    )
    return int(found[1]) if found else 0


@moments
async def test_turns_of_streams_and_sockets_run_on(
    server: Running, llm: ScriptedModel, at_token: int
) -> None:
    gate = a_word()
    llm.script(Script(text="one two three", gate=gate, gate_at_token=at_token))
    awaited = "delta" if at_token else "context"
    async with streamed(server, "over SSE") as events:
        await events.until(awaited)
    async with socket(server) as ws:
        await ws.say("over a socket")
        frames = await ws.until(awaited)
    await llm.wait_for(lambda log: log.counts["waiting"] == 2)
    llm.release(gate)
    for seen in (events.seen, frames):
        async with resumed(server, seen[0]["turn_id"], after=seen[-1]["seq"]) as resumption:
            told = await resumption.rest()
        assert told[-1]["content"] == "one two three"
        assert [event["seq"] for event in seen + told] == list(range(len(seen + told)))


async def test_a_turn_nobody_listens_to_is_interrupted_and_one_with_a_listener_is_not(
    database_url: str, model: ScriptedModel
) -> None:
    model.script(Script(text="one two three", fault=Hang(at_token=2)))
    async with (
        running(database_url, model.url, detached_turn_secs="0.1") as server,
        streamed(server, "heard") as heard,
    ):
        heard_id = (await heard.until("delta"))["turn_id"]
        async with streamed(server, "left") as left:
            left_id = (await left.until("delta"))["turn_id"]
        record = await asked_of(model, "left")
        await model.wait_for(lambda _: record.outcome == "client_disconnected")
        assert (await turn_of(server, heard_id))["status"] == "running"
        async with resumed(server, left_id) as events:
            end = (await events.rest())[-1]
        assert (end["type"], end["status"], end["content"]) == ("chat_response", "interrupted", "one two")
