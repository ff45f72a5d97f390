"""POST /api/chat/conversation/{id}/regenerate: another answer, and what becomes of the first one."""

import asyncio
from typing import Any

import pytest

from tests.clients import (
    NOBODY,
    Json,
    a_word,
    asked_of,
    bare_connection,
    cancel,
    chat,
    messages_of,
    query,
    streamed,
    turn_of,
)
from tests.running import Running
from tests.scripted_model import Hang, Reset, Script, ScriptedModel


async def again(server: Running, conversation_id: str, **fields: object) -> Json:
    response = await server.http.post(f"/api/chat/conversation/{conversation_id}/regenerate", json=fields)
    assert response.status_code == 200, response.text
    return response.json()


async def everything_in(server: Running, conversation_id: str) -> list[Json]:
    """Return all messages, alternatives among them, and check the count that lists read."""
    params: dict[str, Any] = {"conversation_id": conversation_id, "alternatives": True, "limit": 200}
    response = await server.http.get("/api/chat/history", params=params)
    assert response.status_code == 200, response.text
    history = response.json()
    current = [message for message in history["messages"] if message["alternative_of"] is None]
    assert history["conversation"]["message_count"] == len(current)
    assert await messages_of(server, conversation_id) == current
    return history["messages"]


async def test_the_new_answer_stands_where_the_earlier_one_stood(server: Running, llm: ScriptedModel) -> None:
    llm.script_next(Script(text="first"))
    first = await chat(server, "question")
    conversation_id = first["conversation_id"]
    llm.script_next(Script(text="second"))
    second = await again(server, conversation_id)
    assert (second["status"], second["content"]) == ("complete", "second")
    assert second["turn_id"] != first["turn_id"]
    asked, earlier, standing = await everything_in(server, conversation_id)
    assert (asked["content"], asked["alternative_of"]) == ("question", None)
    assert (earlier["id"], earlier["content"], earlier["alternative_of"]) == (
        first["id"],
        "first",
        second["id"],
    )
    assert standing == second["message"]
    assert standing["alternative_of"] is None


async def test_all_earlier_answers_are_alternatives_of_the_newest(
    server: Running, llm: ScriptedModel
) -> None:
    for text in ("one", "two", "three"):
        llm.script_next(Script(text=text))
    conversation_id = (await chat(server, "question"))["conversation_id"]
    await again(server, conversation_id)
    newest = await again(server, conversation_id)
    _, *answers = await everything_in(server, conversation_id)
    assert [(answer["content"], answer["alternative_of"]) for answer in answers] == [
        ("one", newest["id"]),
        ("two", newest["id"]),
        ("three", None),
    ]


async def test_it_is_asked_as_it_was_then_without_the_earlier_answer(
    server: Running, llm: ScriptedModel
) -> None:
    conversation_id = (await chat(server, "u0"))["conversation_id"]
    await chat(
        server,
        "u1",
        conversation_id=conversation_id,
        system_prompt="Be Yoda.",
        context="It rains.",
        temperature=0.1,
        max_tokens=77,
    )
    (before,) = [record for record in llm.log.generating if record.last_user_message == "u1"]
    llm.log.clear()
    await again(server, conversation_id)
    (after,) = [record for record in llm.log.generating if record.last_user_message == "u1"]
    assert after.messages == before.messages
    assert after.options == before.options


async def test_a_model_and_a_temperature_may_be_named_for_it(server: Running, llm: ScriptedModel) -> None:
    conversation_id = (await chat(server, "u", temperature=0.1))["conversation_id"]
    await again(server, conversation_id, temperature=1.5)
    assert [record.options["temperature"] for record in llm.log.generating] == [0.1, 1.5]
    response = await server.http.post(
        f"/api/chat/conversation/{conversation_id}/regenerate", json={"model": "no-such"}
    )
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "model")


async def test_the_conversation_goes_on_from_the_new_answer(server: Running, llm: ScriptedModel) -> None:
    llm.script_next(Script(text="old"))
    conversation_id = (await chat(server, "u0"))["conversation_id"]
    llm.script_next(Script(text="new"))
    await again(server, conversation_id)
    await chat(server, "u1", conversation_id=conversation_id)
    prompt = [(said.role, said.content) for said in llm.log.generating[-1].messages]
    assert prompt[1:] == [("user", "u0"), ("assistant", "new"), ("user", "u1")]


async def test_its_events_are_those_of_any_turn_and_its_ack_names_the_message_that_is_answered(
    server: Running,
) -> None:
    first = await chat(server, "question")
    path = f"/api/chat/conversation/{first['conversation_id']}/regenerate"
    response = await server.http.post(path, json={"stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [line for line in response.text.splitlines() if line.startswith("event: ")]
    assert events[0] == "event: ack"
    assert events[-1] == "event: chat_response"
    asked, *_ = await messages_of(server, first["conversation_id"])
    assert f'"message_id":"{asked["id"]}"' in response.text


@pytest.mark.parametrize("body", [None, {}], ids=["no body", "empty object"])
async def test_nothing_need_be_sent(server: Running, body: Json | None) -> None:
    conversation_id = (await chat(server, "question"))["conversation_id"]
    path = f"/api/chat/conversation/{conversation_id}/regenerate"
    response = await (server.http.post(path) if body is None else server.http.post(path, json=body))
    assert response.status_code == 200, response.text


async def test_a_failed_answer_leaves_the_earlier_one_standing(server: Running, llm: ScriptedModel) -> None:
    first = await chat(server, "question")
    llm.script_next(Script(tokens=9, fault=Reset(at_token=3)))
    response = await server.http.post(f"/api/chat/conversation/{first['conversation_id']}/regenerate")
    assert (response.status_code, response.json()["code"]) == (503, "llm_unavailable")
    partial = response.json()["partial"]
    assert partial["alternative_of"] == first["id"]
    _, standing, failed = await everything_in(server, first["conversation_id"])
    assert (standing["id"], standing["alternative_of"]) == (first["id"], None)
    assert failed == partial


async def test_an_answer_ended_before_its_first_word_leaves_the_earlier_one_standing(
    server: Running, llm: ScriptedModel
) -> None:
    word = a_word()
    first = await chat(server, word)
    llm.log.clear()
    llm.script_next(Script(fault=Hang()))
    async with asyncio.TaskGroup() as tasks:
        answering = tasks.create_task(again(server, first["conversation_id"]))
        await asked_of(llm, word)
        ((turn_id,),) = await query(server, "SELECT id FROM turns WHERE status = 'running'")
        await cancel(server, str(turn_id))
    assert answering.result()["status"] == "cancelled"
    messages = await everything_in(server, first["conversation_id"])
    assert [(message["content"], message["alternative_of"]) for message in messages[1:]] == [
        (first["content"], None),
        ("", first["id"]),
    ]


async def test_any_answer_displaces_one_that_failed(server: Running, llm: ScriptedModel) -> None:
    llm.script_next(Script(tokens=9, fault=Reset(at_token=3)))
    failed = await server.http.post("/api/chat", json={"message": "question"})
    conversation_id = failed.json()["conversation_id"]
    answer = await again(server, conversation_id)
    _, earlier, standing = await everything_in(server, conversation_id)
    assert (earlier["status"], earlier["alternative_of"]) == ("failed", answer["id"])
    assert standing["id"] == answer["id"]


async def test_it_waits_its_turn_in_the_conversation(server: Running, llm: ScriptedModel) -> None:
    word = a_word()
    conversation_id = (await chat(server, "u0"))["conversation_id"]
    llm.script(Script(tokens=4, gate=word, gate_at_token=2), match=word)
    async with streamed(server, word, conversation_id=conversation_id) as running:
        await asked_of(llm, word, waiting=True)
        async with asyncio.TaskGroup() as tasks:
            answering = tasks.create_task(again(server, conversation_id))
            await _queued(server)
            llm.release(word)
        await running.rest()
    asked, _, last_asked, earlier, standing = await everything_in(server, conversation_id)
    assert (asked["content"], last_asked["content"]) == ("u0", word)
    assert earlier["alternative_of"] == standing["id"] == answering.result()["id"]


async def _queued(server: Running) -> None:
    async with asyncio.timeout(10):
        while not server.assembly.services.turns.queued:  # noqa: ASYNC110 a queue tells nobody
            await asyncio.sleep(0)


async def test_what_is_said_meanwhile_comes_after_it(server: Running, llm: ScriptedModel) -> None:
    word = a_word()
    conversation_id = (await chat(server, word))["conversation_id"]
    llm.log.clear()
    llm.script_next(Script(tokens=4, gate=word, gate_at_token=2))
    async with asyncio.TaskGroup() as tasks:
        answering = tasks.create_task(again(server, conversation_id))
        await asked_of(llm, word, waiting=True)
        later = tasks.create_task(chat(server, "later", conversation_id=conversation_id))
        await _queued(server)
        llm.release(word)
    told = [(message["content"]) for message in await everything_in(server, conversation_id)]
    assert told[2:] == [answering.result()["content"], "later", later.result()["content"]]
    assert "w0 w1 w2 w3" in [said.content for said in llm.log.generating[-1].messages]


async def test_a_client_that_leaves_cancels_it(server: Running, llm: ScriptedModel) -> None:
    word = a_word()
    first = await chat(server, word)
    llm.log.clear()
    llm.script_next(Script(fault=Hang()))
    async with bare_connection(server) as connection:
        connection.post(f"/api/chat/conversation/{first['conversation_id']}/regenerate", {})
        record = await asked_of(llm, word)
        await connection.leave()
    await llm.wait_for(lambda _: record.ended_s)
    assert record.outcome == "client_disconnected"


async def test_a_conversation_in_which_nobody_spoke_has_nothing_to_answer(server: Running) -> None:
    conversation_id = (await server.http.post("/api/chat/conversation")).json()["id"]
    response = await server.http.post(f"/api/chat/conversation/{conversation_id}/regenerate")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert await query(server, "SELECT 1 FROM turns WHERE status IN ('queued', 'running')") == []


async def test_an_unknown_conversation_is_not_found(server: Running) -> None:
    response = await server.http.post(f"/api/chat/conversation/{NOBODY}/regenerate", json={})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_the_turn_can_be_looked_at_by_its_id(server: Running) -> None:
    conversation_id = (await chat(server, "question"))["conversation_id"]
    answer = await again(server, conversation_id)
    assert (await turn_of(server, answer["turn_id"]))["text"] == answer["content"]
