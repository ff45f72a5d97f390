"""Server-sent events of a turn: order, acknowledgement, resumption, and a turn told again from its row."""

import random

import pytest

from tests.clients import (
    a_word,
    chat,
    messages_of,
    query,
    received_text,
    resumed,
    side_by_side,
    streamed,
    turn_of,
    types,
)
from tests.running import Running, running
from tests.scripted_model import ByteByByte, Script, ScriptedModel

SETTINGS = {"llm_max_concurrency": "100", "llm_max_queue": "100"}

ANSWER = "Bonjour, ça va ? 🙂 Deux lignes :\r\nfin.  "


async def test_events_come_in_the_order_of_the_contract(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(text=ANSWER))
    async with streamed(server, "Hello") as events:
        seen = await events.rest()
        assert events.response.headers["content-type"].startswith("text/event-stream")
        assert events.response.headers["x-accel-buffering"] == "no"
        assert events.response.headers["cache-control"] == "no-store"
    assert types(seen) == ["ack", "context", "delta", "chat_response"]
    assert [event["seq"] for event in seen] == list(range(len(seen)))
    assert {event["turn_id"] for event in seen} == {seen[0]["turn_id"]}
    assert received_text(seen) == seen[-1]["content"] == ANSWER


async def test_the_accept_header_asks_for_a_stream_too(server: Running) -> None:
    body = {"message": "Hello"}
    async with server.http.stream(
        "POST", "/api/chat", json=body, headers={"Accept": "text/event-stream"}
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        await response.aread()


async def test_ack_comes_when_the_message_is_committed_and_before_the_model_speaks(
    server: Running, llm: ScriptedModel
) -> None:
    gate = a_word()
    llm.script(Script(gate=gate))
    async with streamed(server, "Is it stored?") as events:
        ack = await events.next()
        rows = await query(server, "SELECT content FROM messages WHERE id = $1", ack["message_id"])
        assert [row["content"] for row in rows] == ["Is it stored?"]
        assert (await events.next())["type"] == "context"
        llm.release(gate)
        await events.rest()


async def test_the_terminal_event_comes_when_the_answer_is_committed(server: Running) -> None:
    async with streamed(server, "Hello") as events:
        end = await events.until("chat_response")
        rows = await query(server, "SELECT content, status FROM messages WHERE id = $1", end["id"])
        assert [tuple(row) for row in rows] == [(end["content"], "complete")]


async def test_the_first_token_is_sent_while_the_model_still_speaks(
    server: Running, llm: ScriptedModel
) -> None:
    gate = a_word()
    llm.script(Script(text="one two", gate=gate, gate_at_token=1))
    async with streamed(server, "Hello") as events:
        assert (await events.until("delta"))["text"] == "one"
        llm.release(gate)
        assert received_text(await events.rest()) == "one two"


async def test_characters_that_arrive_split_leave_whole(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(text=ANSWER, fault=ByteByByte()))
    async with streamed(server, "Hello") as events:
        assert received_text(await events.rest()) == ANSWER


@pytest.mark.parametrize("way", ["after", "last_event_id"])
async def test_a_finished_turn_is_resumed_at_every_event(
    server: Running, llm: ScriptedModel, way: str
) -> None:
    llm.script(Script(tokens=40, tokens_per_s=400))
    async with streamed(server, "Hello") as events:
        told = await events.rest()
    turn_id = told[0]["turn_id"]
    assert len(told) > 4
    for at in range(-1, len(told) - 1):
        if at == -1 and way == "last_event_id":
            continue
        async with resumed(server, turn_id, **{way: at}) as events:
            assert await events.rest() == told[at + 1 :]
    async with resumed(server, turn_id) as events:
        assert await events.rest() == told


async def test_an_event_source_that_comes_back_to_its_address_goes_on_where_it_was(server: Running) -> None:
    turn_id = (await chat(server, "one two three"))["turn_id"]
    async with resumed(server, turn_id, after=0, last_event_id=2) as events:
        assert (await events.next())["seq"] == 3


@pytest.mark.parametrize("beyond", [0, 1, 10**17])
async def test_nothing_is_left_after_the_terminal_event(server: Running, beyond: int) -> None:
    async with streamed(server, "Hello") as events:
        end = (await events.rest())[-1]
    path = f"/api/chat/turns/{end['turn_id']}/events"
    response = await server.http.get(path, params={"after": end["seq"] + beyond})
    assert (response.status_code, response.content) == (204, b"")
    response = await server.http.get(path, headers={"Last-Event-ID": str(end["seq"] + beyond)})
    assert (response.status_code, response.content) == (204, b"")


async def test_a_running_turn_resumed_beyond_its_newest_event_still_tells_its_end(
    server: Running, llm: ScriptedModel
) -> None:
    gate = a_word()
    llm.script(Script(gate=gate))
    async with streamed(server, "Hello") as first:
        ack = await first.next()
        await llm.wait_for(lambda log: log.counts["waiting"])
        async with resumed(server, ack["turn_id"], after=1_000) as second:
            llm.release(gate)
            assert types(await second.rest()) == ["delta", "chat_response"]


async def test_every_reader_gets_every_event(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(tokens=20, gate=gate, gate_at_token=10))
    async with streamed(server, "Hello") as first:
        await first.until("delta")
        async with resumed(server, first.seen[0]["turn_id"]) as second:
            await second.until("delta")
            llm.release(gate)
            assert await first.rest() == await second.rest()


async def test_a_hundred_streams_cut_at_random_lose_and_repeat_nothing(
    server: Running, llm: ScriptedModel
) -> None:
    llm.script(Script(tokens=60, tokens_per_s=600))
    whole = " ".join(f"w{number}" for number in range(60))

    async def cut_and_resume(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - seeded, so that a failure can be had again
        async with streamed(server, f"seed {seed}") as events:
            for _ in range(chance.randint(1, 4)):
                await events.next()
        seen = events.seen
        while seen[-1]["type"] != "chat_response":
            async with resumed(server, seen[0]["turn_id"], after=seen[-1]["seq"]) as events:
                for _ in range(chance.randint(1, 5)):
                    if (await events.next())["type"] == "chat_response":
                        break
            seen += events.seen
        assert [event["seq"] for event in seen] == list(range(len(seen))), f"seed {seed}"
        assert received_text(seen) == seen[-1]["content"] == whole, f"seed {seed}"

    await side_by_side(cut_and_resume, times=100)
    assert [record.outcome for record in llm.log.generating] == ["complete"] * 100


async def test_a_turn_that_the_log_forgot_is_told_from_its_row(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(text=ANSWER))
    async with streamed(server, "Hello") as events:
        told = await events.rest()
    end = told[-1]
    async with running(server.settings.database_url, llm.url) as successor:
        for after in (None, 0, end["seq"] - 2):
            async with resumed(successor, end["turn_id"], after=after) as events:
                retold = await events.rest()
            assert retold == [
                {
                    "type": "resync",
                    "turn_id": end["turn_id"],
                    "seq": end["seq"] - 1,
                    "text": ANSWER,
                    "status": "complete",
                },
                end,
            ]
        async with resumed(successor, end["turn_id"], after=end["seq"] - 1) as events:
            assert await events.rest() == [end]
        response = await successor.http.get(
            f"/api/chat/turns/{end['turn_id']}/events", params={"after": end["seq"]}
        )
        assert response.status_code == 204
        assert (await turn_of(successor, end["turn_id"]))["last_seq"] == end["seq"]


async def test_a_turn_is_shown_while_it_waits_runs_and_after_it(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(text="one two", gate=gate, gate_at_token=1))
    async with streamed(server, "Hello") as events:
        ack = await events.next()
        await events.until("delta")
        shown = await turn_of(server, ack["turn_id"])
        assert (shown["status"], shown["text"], shown["last_seq"]) == ("running", "one", 2)
        assert shown["conversation_id"] == ack["conversation_id"]
        llm.release(gate)
        end = (await events.rest())[-1]
    shown = await turn_of(server, ack["turn_id"])
    assert (shown["status"], shown["text"], shown["last_seq"]) == ("complete", "one two", end["seq"])


async def test_the_events_that_are_read_are_the_rows_that_are_stored(server: Running) -> None:
    async with streamed(server, "Hello") as events:
        end = (await events.rest())[-1]
    asked, answered = await messages_of(server, end["conversation_id"])
    assert answered == end["message"]
    assert (asked["id"], asked["content"]) == (events.seen[0]["message_id"], "Hello")


async def test_the_json_answer_says_the_same_as_the_stream(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(text=ANSWER))
    answer = await chat(server, "Hello")
    async with resumed(server, answer["turn_id"]) as events:
        end = (await events.rest())[-1]
    del end["type"], end["seq"]
    assert end == answer
