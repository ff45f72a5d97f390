"""Cancelling a turn: the model's connection closes at once, what was said is kept, and others run on."""

import time

import pytest

from tests.clients import (
    NOBODY,
    a_word,
    asked_of,
    assert_closed_within_a_second,
    cancel,
    chat,
    messages_of,
    query,
    received_text,
    side_by_side,
    socket,
    streamed,
    turn_of,
)
from tests.running import Running, running
from tests.scripted_model import Hang, Script, ScriptedModel

SETTINGS = {"llm_max_concurrency": "20", "llm_max_queue": "100"}

moments = pytest.mark.parametrize("at_token", [0, 2], ids=["before the first token", "after it"])


def silent_from(at_token: int) -> Script:
    return Script(text="one two three", fault=Hang(at_token=at_token))


@moments
async def test_a_hundred_posts_cancel(server: Running, llm: ScriptedModel, at_token: int) -> None:
    llm.script(silent_from(at_token))

    async def once(number: int) -> None:
        message = f"{at_token} {number}"
        async with streamed(server, message) as events:
            turn_id = (await events.next())["turn_id"]
            record = await asked_of(llm, message, waiting=True)
            if at_token:
                await events.until("delta")
            asked_s = time.monotonic()
            shown = await cancel(server, turn_id)
            await assert_closed_within_a_second(llm, record, since_s=asked_s)
            end = (await events.rest())[-1]
        assert (end["type"], end["status"], shown["status"]) == ("chat_response", "cancelled", "cancelled")
        assert end["content"] == received_text(events.seen) == shown["text"]
        assert "one two".startswith(end["content"])
        assert bool(end["content"]) == bool(at_token)
        asked, answered = await messages_of(server, end["conversation_id"])
        assert (asked["status"], asked["content"]) == ("complete", message)
        assert answered == end["message"]
        assert answered["status"] == "cancelled"

    await side_by_side(once, times=100)


@moments
async def test_a_hundred_sockets_cancel(server: Running, llm: ScriptedModel, at_token: int) -> None:
    llm.script(silent_from(at_token))

    async def once(number: int) -> None:
        message = f"{at_token} {number}"
        async with socket(server) as ws:
            await ws.say(message)
            (ack,) = await ws.until("ack")
            record = await asked_of(llm, message, waiting=True)
            frames = await ws.until("delta" if at_token else "context")
            asked_s = time.monotonic()
            await ws.send({"type": "cancel", "turn_id": ack["turn_id"]})
            await assert_closed_within_a_second(llm, record, since_s=asked_s)
            frames += await ws.to_end()
            assert await ws.silent()
        end = frames[-1]
        assert (end["type"], end["status"]) == ("chat_response", "cancelled")
        assert end["content"] == received_text(frames)
        assert bool(end["content"]) == bool(at_token)
        shown = await turn_of(server, ack["turn_id"])
        assert (shown["status"], shown["text"]) == ("cancelled", end["content"])

    await side_by_side(once, times=100)


async def test_a_turn_is_cancelled_from_another_process(server: Running, llm: ScriptedModel) -> None:
    llm.script(silent_from(1))
    async with running(server.settings.database_url, llm.url) as other:
        message = a_word()
        async with streamed(server, message) as events:
            turn_id = (await events.next())["turn_id"]
            record = await asked_of(llm, message, waiting=True)
            await events.until("delta")
            asked_s = time.monotonic()
            await cancel(other, turn_id)
            await assert_closed_within_a_second(llm, record, since_s=asked_s)
            assert (await events.rest())[-1]["status"] == "cancelled"


async def test_a_turn_that_waits_is_cancelled_without_asking_the_model(
    server: Running, llm: ScriptedModel
) -> None:
    llm.script(Script(fault=Hang()))
    async with streamed(server, "first") as first:
        ack = await first.next()
        async with streamed(server, "second", conversation_id=ack["conversation_id"]) as second:
            waiting = await second.until("notice")
            assert (await cancel(server, waiting["turn_id"]))["status"] == "cancelled"
            end = (await second.rest())[-1]
            assert (end["status"], end["content"]) == ("cancelled", "")
        assert (await turn_of(server, ack["turn_id"]))["status"] == "running"
        await cancel(server, ack["turn_id"])
    assert [record.last_user_message for record in llm.log.generating] == ["first"]


async def test_a_finished_turn_stays_as_it_is(server: Running) -> None:
    answer = await chat(server, "Hello")
    shown = await cancel(server, answer["turn_id"])
    assert (shown["status"], shown["text"]) == ("complete", answer["content"])
    assert (await messages_of(server, answer["conversation_id"]))[1] == answer["message"]
    async with socket(server) as ws:
        await ws.send({"type": "cancel", "turn_id": answer["turn_id"]})
        end = await ws.next()
        assert (end["type"], end["message"]) == ("chat_response", answer["message"])
        assert await ws.silent()


async def test_cancelling_twice_is_cancelling_once(server: Running, llm: ScriptedModel) -> None:
    llm.script(silent_from(2))
    async with streamed(server, "Hello") as events:
        turn_id = (await events.until("delta"))["turn_id"]
        first = await cancel(server, turn_id)
        assert await cancel(server, turn_id) == first
    rows = await query(server, "SELECT count(*) FROM messages WHERE turn_id = $1", turn_id)
    assert rows[0][0] == 2


async def test_a_turn_cancelled_before_its_first_token_is_never_sent_to_a_model(
    server: Running, llm: ScriptedModel
) -> None:
    llm.script_next(Script(fault=Hang()))
    async with streamed(server, "first") as events:
        ack = await events.until("context")
        await asked_of(llm, "first", waiting=True)
        await cancel(server, ack["turn_id"])
        conversation_id = (await events.rest())[-1]["conversation_id"]
    await chat(server, "second", conversation_id=conversation_id)
    said = [(message.role, message.content) for message in llm.log.generating[-1].messages]
    assert said[1:] == [("user", "first"), ("user", "second")]


async def test_nobody_cancels_what_does_not_exist(server: Running) -> None:
    response = await server.http.post(f"/api/chat/turns/{NOBODY}/cancel")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    async with socket(server) as ws:
        await ws.send({"type": "cancel", "turn_id": NOBODY})
        frame = await ws.next()
        assert (frame["type"], frame["code"]) == ("error", "not_found")
        assert "turn_id" not in frame
