"""`subscribe` on /ws: the status now and on change, and what happens to a profile's conversations."""

import asyncio
from contextlib import AsyncExitStack

import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from tests.clients import Json, Socket, a_word, asked_of, socket, streamed
from tests.running import Running, running
from tests.scripted_model import Script, ScriptedModel

STATUS = {"type": "subscribe", "channels": ["status"]}
CONVERSATIONS = {"type": "subscribe", "channels": ["conversations"]}


async def subscribed(connection: Socket, frame: Json = CONVERSATIONS) -> None:
    """Subscribe, and see that it was taken: frames are obeyed in order."""
    await connection.send(frame)
    await connection.send({"type": "ping"})
    assert (await connection.next())["type"] == "pong"


async def told(connection: Socket) -> tuple[str, str]:
    frame = await connection.next()
    assert frame["type"] == "conversation"
    return frame["event"], frame["conversation"]["id"]


async def test_the_status_is_told_now_as_health_has_it(server: Running) -> None:
    async with socket(server) as connection:
        await connection.send(STATUS)
        frame = await connection.next()
        health = (await server.http.get("/health")).json()
        assert frame["type"] == "system_status"
        assert frame["status"].keys() == health.keys()
        assert frame["status"]["services"].keys() == health["services"].keys()
        assert await connection.silent()


async def test_a_change_of_status_is_told_to_every_subscriber_once(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(AsyncExitStack())
        url = (await model.enter_async_context(ScriptedModel())).url
        server = await stack.enter_async_context(running(database_url, url))
        one = await stack.enter_async_context(socket(server))
        other = await stack.enter_async_context(socket(server))
        for connection in (one, other):
            await connection.send(STATUS)
            await connection.send(STATUS)
            assert [(await connection.next())["type"] for _ in range(2)] == ["system_status"] * 2
        await model.aclose()
        for connection in (one, other):
            changed = await connection.next()
            assert changed["status"]["status"] == "degraded"
            assert changed["status"]["services"]["llm"]["status"] == "unhealthy"
            assert await connection.silent()


async def test_a_turn_tells_that_a_conversation_is_there_and_that_it_changed(
    server: Running, llm: ScriptedModel
) -> None:
    word = a_word()
    llm.script(Script(tokens=3, gate=word), match=word)
    async with socket(server) as connection:
        await subscribed(connection)
        async with streamed(server, word) as events:
            conversation_id = (await events.until("ack"))["conversation_id"]
            assert await told(connection) == ("created", conversation_id)
            await asked_of(llm, word, waiting=True)
            llm.release(word)
            await events.rest()
        updated = await connection.next()
        assert (updated["event"], updated["conversation"]["id"]) == ("updated", conversation_id)
        assert updated["conversation"]["message_count"] == 2
        assert updated["conversation"]["title"] == word


async def test_what_is_made_renamed_archived_and_deleted_is_told_in_order(server: Running) -> None:
    async with socket(server) as connection:
        await subscribed(connection)
        made: Json = (await server.http.post("/api/chat/conversation", json={"title": "one"})).json()
        path = f"/api/chat/conversation/{made['id']}"
        assert await connection.next() == {"type": "conversation", "event": "created", "conversation": made}
        await server.http.patch(path, json={"title": "two"})
        renamed = await connection.next()
        assert (renamed["event"], renamed["conversation"]["title"]) == ("updated", "two")
        await server.http.patch(path, json={"status": "archived"})
        assert (await connection.next())["conversation"]["status"] == "archived"
        await server.http.delete(path)
        gone = await connection.next()
        assert (gone["event"], gone["conversation"]["title"]) == ("deleted", "two")
        assert await connection.silent()


async def test_every_socket_of_a_profile_is_told_and_no_other(server: Running) -> None:
    async with socket(server) as one, socket(server) as two, socket(server) as stranger:
        await subscribed(one, {**CONVERSATIONS, "user_id": "anna"})
        await subscribed(two, {**CONVERSATIONS, "user_id": "anna"})
        await subscribed(stranger, {**CONVERSATIONS, "user_id": "ben"})
        made: Json = (
            await server.http.post("/api/chat/conversation?user_id=anna", json={"title": "x"})
        ).json()
        for connection in (one, two):
            assert await told(connection) == ("created", made["id"])
        assert await stranger.silent()
        other: Json = (
            await server.http.post("/api/chat/conversation?user_id=ben", json={"title": "y"})
        ).json()
        assert await told(stranger) == ("created", other["id"])


async def test_the_address_of_a_socket_may_name_its_profile(server: Running) -> None:
    async with socket(server) as default:
        await subscribed(default)
        url = f"{server.ws_url}?user_id=carl&api_key=ignored"
        async with socket(msgspec.structs.replace(server, ws_url=url)) as connection:
            await subscribed(connection)
            await connection.say("hello")
            frames = await connection.until("chat_response")
            assert frames[-1]["user_id"] == "carl"
            kinds = [frame["type"] for frame in frames]
            assert "conversation" in kinds
            await connection.send({"message": "old"})
            while "response" not in (answer := await connection.next()):
                pass
            assert answer["user_id"] == "carl"
        assert await default.silent()


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ({}, "channels"),
        ({"channels": []}, "channels"),
        ({"channels": "status"}, "channels"),
        ({"channels": ["status", "weather"]}, "channels[1]"),
        ({"channels": ["status"] * 9}, "channels"),
        ({"channels": ["status"], "user_id": "not a name"}, "user_id"),
    ],
    ids=str,
)
async def test_a_wrong_subscription_is_refused_and_the_socket_stays_open(
    server: Running, frame: Json, field: str
) -> None:
    async with socket(server) as connection:
        await connection.send({"type": "subscribe", **frame})
        refused = await connection.next()
        assert (refused["type"], refused["code"]) == ("error", "invalid_request")
        assert refused["message"].startswith(f"{field}:")
        assert await connection.silent()


async def test_a_socket_cannot_subscribe_without_end(server: Running) -> None:
    async with socket(server) as connection:
        for number in range(16):
            await subscribed(connection, {**CONVERSATIONS, "user_id": f"profile{number}"})
        await connection.send({**CONVERSATIONS, "user_id": "one.more"})
        assert (await connection.next())["code"] == "overloaded"
        await subscribed(connection, {**CONVERSATIONS, "user_id": "profile3"})


async def test_a_socket_that_is_gone_is_no_subscriber_any_more(server: Running) -> None:
    feed, health = server.assembly.services.feed, server.assembly.services.health
    async with socket(server) as connection:
        await subscribed(connection)
        await connection.send(STATUS)
        await connection.next()
        assert (feed.subscribers, health.watchers) == (1, 1)
    async with asyncio.timeout(10):
        while feed.subscribers or health.watchers:  # noqa: ASYNC110 they tell nobody
            await asyncio.sleep(0)


async def test_a_profile_in_the_address_that_is_no_name_is_refused_before_the_upgrade(
    server: Running,
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with socket(msgspec.structs.replace(server, ws_url=f"{server.ws_url}?user_id=no%20name")):
            pass
    response = caught.value.response
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert msgspec.json.decode(response.body)["errors"][0]["field"] == "user_id"
