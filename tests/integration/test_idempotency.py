"""Idempotency keys over JSON, SSE and the WebSocket: one key, one message, at most one answer."""

import asyncio

import pytest

from tests.clients import a_word, asked_of, chat, messages_of, query, received_text, resumed, socket, types
from tests.running import Running
from tests.scripted_model import Reset, Script, ScriptedModel


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def test_a_finished_turn_is_answered_again_byte_for_byte(server: Running) -> None:
    key, body = a_word(), {"message": a_word()}
    first = await server.http.post("/api/chat", json=body, headers=keyed(key))
    again = await server.http.post("/api/chat", json=body, headers=keyed(key))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await messages_of(server, first.json()["conversation_id"])) == 2


async def test_the_reader_may_change(server: Running) -> None:
    key, text = a_word(), a_word()
    first = (await server.http.post("/api/chat", json={"message": text}, headers=keyed(key))).json()
    async with socket(server) as ws:
        await ws.say(text, idempotency_key=key, request_id="r")
        frames = await ws.to_end()
    assert types(frames) == ["ack", "resync", "chat_response"]
    assert (frames[0]["seq"], frames[0]["idempotency_key"], frames[0]["request_id"]) == (0, key, "r")
    assert frames[1]["text"] == frames[2]["content"] == first["content"]
    assert frames[1]["seq"] + 1 == frames[2]["seq"]
    streamed = await server.http.post("/api/chat", json={"content": text, "stream": True}, headers=keyed(key))
    assert streamed.headers["idempotency-replayed"] == "true"
    assert [line for line in streamed.text.splitlines() if line.startswith("event")] == [
        "event: ack",
        "event: resync",
        "event: chat_response",
    ]


async def test_another_wish_under_the_same_key_is_refused(server: Running) -> None:
    key = a_word()
    await server.http.post("/api/chat", json={"message": "one"}, headers=keyed(key))
    other = await server.http.post("/api/chat", json={"message": "two"}, headers=keyed(key))
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


async def test_twenty_at_once_are_one(server: Running, llm: ScriptedModel) -> None:
    key, body = a_word(), {"message": a_word()}
    answers = await asyncio.gather(
        *(server.http.post("/api/chat", json=body, headers=keyed(key)) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len([record for record in llm.log.generating if record.last_user_message == body["message"]]) == 1
    rows = await query(server, "SELECT 1 FROM messages WHERE content = $1", body["message"])
    assert len(rows) == 1


@pytest.mark.parametrize("key", ["", "é", "a b", "x" * 256])
async def test_a_key_that_is_none_is_refused(server: Running, key: str) -> None:
    answer = await server.http.post(
        "/api/chat", json={"message": "x"}, headers={b"Idempotency-Key": key.encode()}
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_a_deleted_conversation_stays_deleted(server: Running) -> None:
    key, body = a_word(), {"message": a_word()}
    first = (await server.http.post("/api/chat", json=body, headers=keyed(key))).json()
    await server.http.delete(f"/api/chat/conversation/{first['conversation_id']}")
    again = await server.http.post("/api/chat", json=body, headers=keyed(key))
    assert (again.status_code, again.json()["code"]) == (404, "not_found")


async def test_regenerate_takes_a_key_too(server: Running) -> None:
    key = a_word()
    asked = await chat(server, a_word())
    path = f"/api/chat/conversation/{asked['conversation_id']}/regenerate"
    first = await server.http.post(path, headers=keyed(key))
    again = await server.http.post(path, headers=keyed(key))
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_running_turn_is_joined_by_whatever_reader(server: Running, llm: ScriptedModel) -> None:
    key, text, gate = a_word(), a_word(), a_word()
    llm.script(Script(text="one two three", gate=gate, gate_at_token=1))
    body = {"message": text}
    first = asyncio.create_task(server.http.post("/api/chat", json=body, headers=keyed(key)))
    await asked_of(llm, text, waiting=True)
    async with socket(server) as ws:
        await ws.say(text, idempotency_key=key)
        ack = await ws.next()
        second = asyncio.create_task(server.http.post("/api/chat", json=body, headers=keyed(key)))
        llm.release(gate)
        frames = [ack, *await ws.to_end()]
    answers = [await first, await second]
    assert received_text(frames) == frames[-1]["content"] == "one two three"
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert answers[0].content == answers[1].content
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true"]
    assert answers[0].json()["turn_id"] == ack["turn_id"]


async def test_a_failed_turn_is_tried_again_on_the_same_message(server: Running, llm: ScriptedModel) -> None:
    key, text = a_word(), a_word()
    llm.script(Script(text="one two three", fault=Reset(at_token=2)))
    body = {"message": text}
    failed = await server.http.post("/api/chat", json=body, headers=keyed(key))
    assert (failed.status_code, failed.json()["code"]) == (503, "llm_unavailable")
    llm.script(Script(text="four five"))
    again = await server.http.post("/api/chat", json=body, headers=keyed(key))
    assert (again.status_code, again.json()["content"]) == (200, "four five")
    for name in ("turn_id", "conversation_id"):
        assert again.json()[name] == failed.json()[name]
    user, answer = await messages_of(server, again.json()["conversation_id"])
    assert (user["id"], answer["content"]) == (failed.json()["message_id"], "four five")
    everything = await server.http.get(
        "/api/chat/history",
        params={"conversation_id": again.json()["conversation_id"], "alternatives": "true"},
    )
    (other,) = [each for each in everything.json()["messages"] if each["status"] == "failed"]
    assert other["alternative_of"] == answer["id"]
    third = await server.http.post("/api/chat", json=body, headers=keyed(key))
    assert third.content == again.content
    # Whoever had heard the first attempt begins anew.
    async with resumed(server, again.json()["turn_id"], after=2) as events:
        heard = await events.rest()
    assert received_text(heard) == "four five"
    assert heard[0]["type"] == "resync"


async def test_a_refused_wish_has_not_used_its_key_up(server: Running) -> None:
    key = a_word()
    wrong = await server.http.post("/api/chat", json={"message": " "}, headers=keyed(key))
    assert wrong.status_code == 400
    right = await server.http.post("/api/chat", json={"message": "Hello"}, headers=keyed(key))
    assert right.status_code == 200
    assert "idempotency-replayed" not in right.headers


async def test_a_key_is_known_to_its_user_only(server: Running) -> None:
    key, body = a_word(), {"message": "Hello"}
    answers = [
        (await server.http.post("/api/chat", json=body | {"user_id": name}, headers=keyed(key))).json()
        for name in (a_word(), a_word())
    ]
    assert answers[0]["turn_id"] != answers[1]["turn_id"]
    assert answers[0]["conversation_id"] != answers[1]["conversation_id"]
