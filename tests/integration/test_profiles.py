"""Profiles of AUTH_MODE=local: whose a thing is, as far as the wire tells."""

import pytest

from tests.clients import a_word, chat, query, socket
from tests.running import Running


async def titles(server: Running, **params: str) -> list[str]:
    response = await server.http.get("/api/chat/conversations", params=params)
    return [conversation["title"] for conversation in response.json()["conversations"]]


async def test_the_default_profile_is_called_default(server: Running) -> None:
    assert (await chat(server, "Hello"))["user_id"] == "default"


@pytest.mark.parametrize("where", ["body", "query"])
async def test_a_profile_is_made_on_first_use(server: Running, where: str) -> None:
    name = a_word()
    response = await server.http.post(
        "/api/chat",
        json={"message": "Hello"} | ({"user_id": name} if where == "body" else {}),
        params={"user_id": name} if where == "query" else {},
    )
    assert response.json()["user_id"] == name
    owners = await query(
        server,
        "SELECT u.username FROM messages m JOIN users u ON u.id = m.user_id WHERE m.conversation_id = $1",
        response.json()["conversation_id"],
    )
    assert [row["username"] for row in owners] == [name, name]


async def test_the_body_goes_before_the_query(server: Running) -> None:
    body = {"message": "Hello", "user_id": "in-body"}
    response = await server.http.post("/api/chat", json=body, params={"user_id": "in-query"})
    assert response.json()["user_id"] == "in-body"


async def test_lists_are_of_one_profile(server: Running) -> None:
    anna, bert = a_word(), a_word()
    await chat(server, "of anna", user_id=anna)
    await chat(server, "of bert", user_id=bert)
    assert await titles(server, user_id=anna) == ["of anna"]
    assert await titles(server, user_id=bert) == ["of bert"]
    assert {"of anna", "of bert"}.isdisjoint(await titles(server))
    newest = (await server.http.get("/api/chat/history", params={"user_id": anna})).json()
    assert newest["conversation"]["title"] == "of anna"
    assert newest["conversation"]["user_id"] == anna


async def test_a_profile_without_anything_has_empty_lists(server: Running) -> None:
    name = a_word()
    assert await titles(server, user_id=name) == []
    history = (await server.http.get("/api/chat/history", params={"user_id": name})).json()
    assert history == {
        "messages": [],
        "conversation": None,
        "total_count": 0,
        "has_more": False,
        "next_cursor": None,
    }


async def test_a_conversation_of_another_profile_is_worked_in_as_that_profile(server: Running) -> None:
    anna = a_word()
    first = await chat(server, "Hello", user_id=anna)
    conversation_id = first["conversation_id"]
    second = await chat(server, "again", conversation_id=conversation_id, user_id="somebody-else")
    assert second["user_id"] == anna
    owners = await query(
        server, "SELECT DISTINCT user_id FROM messages WHERE conversation_id = $1", conversation_id
    )
    assert len(owners) == 1
    shown = await server.http.get(f"/api/chat/history/{conversation_id}", params={"user_id": "somebody-else"})
    assert len(shown.json()) == 4
    turn = await server.http.get(f"/api/chat/turns/{first['turn_id']}", params={"user_id": "somebody-else"})
    assert turn.json()["status"] == "complete"


async def test_a_frame_names_its_profile(server: Running) -> None:
    async with socket(server) as ws:
        await ws.say("Hello", user_id="anna")
        assert (await ws.to_end())[-1]["user_id"] == "anna"
        await ws.say("Hello")
        assert (await ws.to_end())[-1]["user_id"] == "default"
        await ws.send({"message": "Hello", "user_id": "anna"})
        assert (await ws.next())["user_id"] == "anna"


@pytest.mark.parametrize("name", ["", "no spaces", "x" * 65, "é", "a/b", "a\n"])
@pytest.mark.parametrize("where", ["body", "query"])
async def test_a_name_that_is_none_is_refused(server: Running, where: str, name: str) -> None:
    response = await server.http.post(
        "/api/chat",
        json={"message": "Hello"} | ({"user_id": name} if where == "body" else {}),
        params={"user_id": name} if where == "query" else {},
    )
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    assert response.json()["errors"][0]["field"] == "user_id"


@pytest.mark.parametrize("token", ["Bearer null", "Bearer x.y.z", "Basic Zm9v", ""])
async def test_any_authorization_is_ignored(server: Running, token: str) -> None:
    response = await server.http.get("/api/chat/conversations", headers={"Authorization": token})
    assert response.status_code == 200
