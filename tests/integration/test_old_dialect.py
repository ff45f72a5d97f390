"""The dialect of the first servers on /ws: one frame for each, in order."""

import pytest

from tests.clients import (
    NOBODY,
    Json,
    a_word,
    asked_of,
    chat,
    messages_of,
    resumed,
    socket,
    streamed,
    turn_of,
    types,
)
from tests.running import Running
from tests.scripted_model import Hang, Script, ScriptedModel, StreamError

SETTINGS = {"llm_max_concurrency": "20", "llm_max_queue": "100"}

OLD_ANSWER_FIELDS = {"response", "user_id", "conversation_id", "message", "timestamp", "response_time_ms"}
OLD_ERROR_FIELDS = {"error", "code", "timestamp"}


async def test_an_old_frame_gets_exactly_one_answer(server: Running) -> None:
    async with socket(server) as ws:
        await ws.send({"message": "Hello"})
        answer = await ws.next()
        assert answer.keys() == OLD_ANSWER_FIELDS
        assert (answer["response"], answer["user_id"]) == ("You said: Hello", "default")
        assert answer["message"]["content"] == answer["response"]
        assert await ws.silent()
    assert len(await messages_of(server, answer["conversation_id"])) == 2


async def test_five_old_frames_at_once_are_answered_in_order(server: Running, llm: ScriptedModel) -> None:
    async with socket(server) as ws:
        for number in range(5):
            await ws.send({"message": f"u{number}"})
        answers = [await ws.next() for _ in range(5)]
        assert await ws.silent()
    assert [answer["response"] for answer in answers] == [f"You said: u{n}" for n in range(5)]
    (conversation_id,) = {answer["conversation_id"] for answer in answers}
    stored = await messages_of(server, conversation_id)
    assert [message["content"] for message in stored[::2]] == [f"u{n}" for n in range(5)]
    assert llm.log.peak == 1


async def test_an_old_socket_keeps_one_new_conversation_for_each_user(server: Running) -> None:
    given = (await chat(server, "Hello"))["conversation_id"]
    async with socket(server) as ws:

        async def conversation_of(**fields: object) -> str:
            await ws.send({"message": "Hello", **fields})
            return (await ws.next())["conversation_id"]

        assert await conversation_of(conversation_id=given) == given
        of_default = await conversation_of()
        of_anna = await conversation_of(user_id="anna")
        assert await conversation_of(user_id="default") == of_default
        assert await conversation_of(user_id="anna") == of_anna
        assert await conversation_of(conversation_id=given) == given
        assert await conversation_of() == of_default
        assert len({given, of_default, of_anna}) == 3
    async with socket(server) as ws:
        await ws.send({"message": "Hello"})
        assert (await ws.next())["conversation_id"] not in {given, of_default, of_anna}


async def test_eight_old_frames_wait_and_the_next_is_refused_at_once(
    server: Running, llm: ScriptedModel
) -> None:
    gate = a_word()
    llm.script(Script(gate=gate))
    async with socket(server) as ws:
        for number in range(9):
            await ws.send({"message": f"u{number}"})
        await asked_of(llm, "u0", waiting=True)
        await ws.send({"message": "one more"})
        refusal = await ws.next()
        assert refusal.keys() == OLD_ERROR_FIELDS
        assert refusal["code"] == "overloaded"
        llm.release(gate)
        assert [(await ws.next())["response"] for _ in range(9)] == [f"You said: u{n}" for n in range(9)]
        assert await ws.silent()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"message": "boom"}, "llm_unavailable"),
        ({"message": " "}, "invalid_request"),
        ({"message": None}, "invalid_request"),
        ({"message": "x" * 32_001}, "invalid_request"),
        ({"message": "x", "user_id": "no spaces"}, "invalid_request"),
        ({"message": "x", "conversation_id": NOBODY}, "not_found"),
        ({"message": "x", "model": "nobody-has-it"}, "invalid_request"),
    ],
    ids=["model", "blank", "null", "long", "user", "conversation", "unknown model"],
)
async def test_an_old_frame_that_fails_gets_one_error(
    server: Running, llm: ScriptedModel, frame: Json, code: str
) -> None:
    llm.script(Script(fault=StreamError()), match="boom")
    async with socket(server) as ws:
        await ws.send(frame)
        answer = await ws.next()
        assert answer.keys() == OLD_ERROR_FIELDS
        assert answer["code"] == code
        await ws.send({"message": "Hello"})
        assert (await ws.next())["response"] == "You said: Hello"
        assert await ws.silent()


async def test_both_dialects_share_a_socket(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(gate=gate), match="typed")
    async with socket(server) as ws:
        await ws.say("typed")
        await ws.until("context")
        await ws.send({"message": "old"})
        assert (await ws.next())["response"] == "You said: old"
        llm.release(gate)
        assert types(await ws.to_end()) == ["delta", "chat_response"]


async def test_an_old_turn_runs_on_when_its_socket_is_gone(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(gate=gate))
    async with streamed(server, "a place to look at") as events:
        conversation_id = (await events.next())["conversation_id"]
        llm.release(gate)
        await events.rest()
    llm.script(Script(fault=Hang()))
    message = a_word()
    async with socket(server) as ws:
        await ws.send({"message": message, "conversation_id": conversation_id})
        await asked_of(llm, message, waiting=True)
    stored = await messages_of(server, conversation_id)
    assert (await turn_of(server, stored[-1]["turn_id"]))["status"] == "running"
    llm.release()
    async with resumed(server, stored[-1]["turn_id"]) as events:
        assert (await events.rest())[-1]["status"] == "complete"
