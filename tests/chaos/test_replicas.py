"""Two `jarvis serve` on one Postgres and one Valkey: what begins at one is heard and ended at the other."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect

from tests.chaos.doors import Door, resume
from tests.chaos.listening import Listener, has_text, listening, poll
from tests.chaos.pairs import followed, pair
from tests.chaos.talking import Heard
from tests.scripted_model import Script, ScriptedModel
from tests.valkey import ValkeyServer

HALF = "w0 w1 w2 w3"
WHOLE = "w0 w1 w2 w3 w4 w5 w6 w7"
FIRST_FRAME_S = 1.0
SLACK_S = 1.0
"""For a busy machine, on top of what is promised."""


def has_words(number: int) -> Callable[[Listener], bool]:
    return lambda listener: len(listener.text.split()) >= number


@pytest.mark.parametrize("door", ["sse", "websocket"])
async def test_a_turn_is_followed_live_at_the_other(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer, door: Door
) -> None:
    model.script(Script(text=WHOLE, gate="go on", gate_at_token=4), match="long")
    async with pair(database_url, model, valkey) as servers, listening(servers.one, "long", "sse") as stream:
        await stream.until(has_text(HALF))
        heard, live = Heard(), asyncio.Event()
        begun_at = time.monotonic()
        first_after_s: list[float] = []

        async def follow() -> None:
            async with aclosing(
                resume(servers.other.url, stream.ack["turn_id"], door, last_seq=-1)
            ) as events:
                async for event in events:
                    first_after_s.append(time.monotonic() - begun_at)
                    heard.take(event)
                    if heard.text == HALF:
                        live.set()

        following = asyncio.create_task(follow())
        async with asyncio.timeout(5):
            await live.wait()
        assert first_after_s[0] < FIRST_FRAME_S + SLACK_S
        model.release("go on")
        await following
        assert (heard.text, heard.resyncs, heard.wrong) == (WHOLE, 0, [])
        await stream.until(lambda listener: listener.status == "complete")
        assert heard.last_seq == stream.events[-1]["seq"]


async def test_with_valkey_away_it_is_followed_by_its_row(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer
) -> None:
    model.script(Script(text=WHOLE, gate="go on", gate_at_token=4), match="long")
    async with pair(database_url, model, valkey) as servers:
        await valkey.kill()
        async with listening(servers.one, "long", "sse") as stream:
            await stream.until(has_text(HALF))
            following = asyncio.create_task(followed(servers.other, stream.ack["turn_id"]))
            view = f"/api/chat/turns/{stream.ack['turn_id']}"

            async def is_kept() -> bool:
                return (await servers.other.http.get(view)).json()["text"] == HALF

            await poll(is_kept, within_s=5)
            model.release("go on")
            heard = await following
            assert (heard.text, heard.wrong) == (WHOLE, [])
            assert heard.resyncs


async def test_a_valkey_lost_and_empty_in_the_middle_costs_no_word(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer
) -> None:
    model.script(Script(tokens=60, tokens_per_s=20), match="long")
    async with pair(database_url, model, valkey) as servers, listening(servers.one, "long", "sse") as stream:
        await stream.until(has_words(3))
        following = [
            asyncio.create_task(followed(servers.other, stream.ack["turn_id"], door=door))
            for door in ("sse", "websocket")
        ]
        await stream.until(has_words(10))
        await valkey.empty()
        await stream.until(has_words(20))
        await valkey.kill()
        await stream.until(has_words(30))
        await valkey.start()
        await stream.until(lambda listener: listener.status == "complete")
        for heard in await asyncio.gather(*following):
            assert (heard.text, heard.wrong) == (stream.text, [])
            assert heard.last_seq == stream.events[-1]["seq"]


@pytest.mark.parametrize("within_s", [1.0, 3.0], ids=["valkey", "without"])
async def test_a_turn_is_cancelled_from_the_other(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer, within_s: float
) -> None:
    model.script(Script(text=WHOLE, gate="never", gate_at_token=4), match="long")
    async with pair(database_url, model, valkey) as servers:
        if within_s > 1:
            await valkey.kill()
        async with listening(servers.one, "long", "sse") as stream:
            await stream.until(has_text(HALF))
            begun_at = time.monotonic()
            answer = await servers.other.http.post(f"/api/chat/turns/{stream.ack['turn_id']}/cancel")
            await stream.until(lambda listener: listener.status == "cancelled")
            assert time.monotonic() - begun_at < within_s + SLACK_S
            assert (answer.json()["status"], answer.json()["text"]) == ("cancelled", HALF)


async def test_who_listens_at_the_other_keeps_a_turn_alive(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer
) -> None:
    model.script(Script(tokens=60, tokens_per_s=20), match="long")
    async with pair(database_url, model, valkey, detached_turn_secs="2") as servers:
        async with listening(servers.one, "long", "websocket") as stream:
            await stream.until(has_words(2))
        heard = await followed(servers.other, stream.ack["turn_id"])
        assert heard.end is not None
        assert (heard.end["status"], heard.resyncs, heard.wrong) == ("complete", 0, [])


async def test_one_conversation_answers_one_turn_at_a_time(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer
) -> None:
    model.script(Script(text=WHOLE, gate="go on", gate_at_token=4), match="first")
    async with pair(database_url, model, valkey) as servers, listening(servers.one, "first", "sse") as stream:
        await stream.until(has_text(HALF))
        conversation_id = stream.ack["conversation_id"]
        body = {"message": "second", "conversation_id": conversation_id}
        busy = await servers.other.http.post("/api/chat", json=body | {"if_busy": "reject"})
        assert (busy.status_code, busy.json()["code"]) == (409, "conversation_busy")

        async with listening(servers.other, "second", "sse", conversation_id=conversation_id) as second:
            await second.until(lambda listener: "queued" in [event.get("code") for event in listener.events])
            model.release("go on")
            await stream.until(lambda listener: listener.status == "complete")
            await second.until(lambda listener: listener.status == "complete")
        (asked,) = [one for one in model.log.generating if one.last_user_message == "second"]
        assert WHOLE in [message.content for message in asked.messages]


async def test_interrupting_and_deleting_end_what_the_other_runs(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer
) -> None:
    model.script(Script(text=WHOLE, gate="never", gate_at_token=4), match="long")
    async with pair(database_url, model, valkey) as servers, listening(servers.one, "long", "sse") as stream:
        await stream.until(has_text(HALF))
        conversation_id = stream.ack["conversation_id"]
        body = {"message": "Hello", "conversation_id": conversation_id, "if_busy": "interrupt"}
        answer = await servers.other.http.post("/api/chat", json=body)
        assert answer.json()["content"] == "You said: Hello"
        await stream.until(lambda listener: listener.status == "cancelled")

        async with listening(servers.one, "long", "sse", conversation_id=conversation_id) as again:
            await again.until(has_text(HALF))
            deleted = await servers.other.http.delete(f"/api/chat/conversation/{conversation_id}")
            assert (deleted.status_code, deleted.json()["deleted_messages"]) == (200, 6)
            await again.until_over()
        await model.wait_for(lambda log: log.running == 0)
        for server in (servers.one, servers.other):
            gone = await server.http.get(f"/api/chat/turns/{again.ack['turn_id']}/events")
            assert gone.status_code == 404


async def test_a_subscriber_hears_of_what_happens_at_the_other(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer
) -> None:
    async with (
        pair(database_url, model, valkey) as servers,
        connect(servers.one.ws_url, proxy=None) as socket,
    ):
        await socket.send('{"type": "subscribe", "channels": ["conversations", "status"]}')
        assert (await _next(socket))["type"] == "system_status"  # so it is subscribed
        made = (await servers.other.http.post("/api/chat/conversation", json={"title": "Tea"})).json()
        assert await _heard(socket) == ("created", made["id"])
        route = f"/api/chat/conversation/{made['id']}"
        await servers.other.http.patch(route, json={"title": "Coffee"})
        assert await _heard(socket) == ("updated", made["id"])
        await servers.other.http.delete(route)
        assert await _heard(socket) == ("deleted", made["id"])


async def _next(socket: Any) -> dict[str, Any]:
    async with asyncio.timeout(10):
        return msgspec.json.decode(await socket.recv())


async def _heard(socket: Any) -> tuple[str, str]:
    while (event := await _next(socket))["type"] != "conversation":
        pass
    return event["event"], event["conversation"]["id"]
