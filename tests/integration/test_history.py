"""Reading what was said: pages of messages and of conversations, back in time and never twice."""

from typing import Any

import pytest
import pytest_asyncio

from tests.clients import Json, a_word, chat, messages_of, streamed
from tests.running import Running
from tests.scripted_model import Script, ScriptedModel

TURNS = 5
CONVERSATION_FIELDS = {
    *("id", "title", "user_id", "status", "model", "system_prompt", "message_count"),
    *("created_at", "updated_at", "last_message_at"),
}
MESSAGE_FIELDS = {
    *("id", "conversation_id", "turn_id", "role", "content", "status", "alternative_of"),
    *("created_at", "updated_at", "timestamp", "metadata"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def talk(module_server: Running) -> list[Json]:
    """A conversation of some turns, as it is stored, oldest message first."""
    conversation_id: str | None = None
    for number in range(TURNS):
        answer = await chat(module_server, f"u{number}", conversation_id=conversation_id)
        conversation_id = answer["conversation_id"]
    assert conversation_id
    return await messages_of(module_server, conversation_id)


async def get(server: Running, path: str, **params: Any) -> Any:
    response = await server.http.get(f"/api/chat/{path}", params=params)
    assert response.status_code == 200, response.text
    return response.json()


async def test_messages_are_listed_oldest_first(server: Running, talk: list[Json]) -> None:
    del server
    expected: list[str] = []
    for number in range(TURNS):
        expected += [f"u{number}", f"You said: u{number}"]
    assert [message["content"] for message in talk] == expected
    for message in talk:
        assert message.keys() == MESSAGE_FIELDS
        assert message["timestamp"] == message["created_at"]
        assert message["created_at"].endswith(("Z", "+00:00"))


async def test_a_page_is_the_newest_and_the_cursor_goes_back(server: Running, talk: list[Json]) -> None:
    conversation_id = talk[0]["conversation_id"]
    pages: list[list[Json]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await get(server, "history", conversation_id=conversation_id, limit=3, **cursor)
        assert page["total_count"] == len(talk)
        pages.insert(0, page["messages"])
        assert page["has_more"] == (page["next_cursor"] is not None) == (len(pages) < 4)
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [len(page) for page in pages] == [1, 3, 3, 3]
    assert [message for page in pages for message in page] == talk


async def test_the_offset_goes_back_too(server: Running, talk: list[Json]) -> None:
    conversation_id = talk[0]["conversation_id"]
    page = await get(server, "history", conversation_id=conversation_id, limit=3, offset=2)
    assert page["messages"] == talk[-5:-2]
    assert page["has_more"]
    page = await get(server, "history", conversation_id=conversation_id, offset=100)
    assert (page["messages"], page["has_more"]) == ([], False)


async def test_since_is_strictly_later(server: Running, talk: list[Json]) -> None:
    page = await get(
        server, "history", conversation_id=talk[0]["conversation_id"], since=talk[3]["created_at"]
    )
    assert page["messages"] == talk[4:]


async def test_the_bare_array_tells_its_cursor_in_a_header(server: Running, talk: list[Json]) -> None:
    path = f"/api/chat/history/{talk[0]['conversation_id']}"
    response = await server.http.get(path, params={"limit": 6})
    assert response.json() == talk[-6:]
    response = await server.http.get(path, params={"limit": 6, "cursor": response.headers["x-next-cursor"]})
    assert response.json() == talk[:4]
    assert "x-next-cursor" not in response.headers


async def test_without_a_conversation_it_is_the_one_last_active(server: Running, talk: list[Json]) -> None:
    del talk
    first = await chat(server, "older", user_id="history")
    second = await chat(server, "newer", user_id="history")
    page = await get(server, "history", user_id="history")
    assert page["conversation"]["id"] == second["conversation_id"]
    await chat(server, "again", conversation_id=first["conversation_id"])
    page = await get(server, "history", user_id="history")
    assert page["conversation"]["id"] == first["conversation_id"]
    assert page["conversation"].keys() == CONVERSATION_FIELDS
    assert page["conversation"]["message_count"] == page["total_count"] == 4


async def test_conversations_are_listed_by_their_newest_activity(server: Running) -> None:
    name = a_word()
    made = [(await chat(server, f"title {n}", user_id=name))["conversation_id"] for n in range(5)]
    await chat(server, "again", conversation_id=made[1])
    expected = [made[1], made[4], made[3], made[2], made[0]]
    whole = await get(server, "conversations", user_id=name)
    assert [conversation["id"] for conversation in whole["conversations"]] == expected
    assert (whole["count"], whole["total"], whole["limit"], whole["offset"]) == (5, 5, 20, 0)
    assert (whole["has_more"], whole["next_cursor"]) == (False, None)
    first = await get(server, "conversations", user_id=name, limit=2)
    assert (first["count"], first["total"], first["has_more"]) == (2, 5, True)
    second = await get(server, "conversations", user_id=name, limit=2, cursor=first["next_cursor"])
    assert [conversation["id"] for conversation in second["conversations"]] == expected[2:4]
    third = await get(server, "conversations", user_id=name, limit=2, offset=4)
    assert [conversation["id"] for conversation in third["conversations"]] == expected[4:]
    found = await get(server, "conversations", user_id=name, q="TITLE 3")
    assert [conversation["id"] for conversation in found["conversations"]] == [made[3]]
    archived = await get(server, "conversations", user_id=name, status="archived")
    assert archived["conversations"] == []


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("history", {"cursor": "nonsense"}),
        ("conversations", {"cursor": "nonsense"}),
        ("history", {"since": "yesterday"}),
        ("history", {"since": "2026-01-01T00:00:00"}),
        ("history", {"offset": "-1"}),
        ("history", {"alternatives": "perhaps"}),
        ("conversations", {"status": "lost"}),
    ],
)
async def test_a_parameter_that_is_none_is_refused(
    server: Running, talk: list[Json], path: str, params: dict[str, str]
) -> None:
    if path == "history":
        params = params | {"conversation_id": talk[0]["conversation_id"]}
    response = await server.http.get(f"/api/chat/{path}", params=params)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "path", ["/chat/history", "/chat/conversations", "/api/chat/history/", "/chat/conversations/"]
)
async def test_old_proxies_strip_the_prefix_and_slashes_never_matter(server: Running, path: str) -> None:
    response = await server.http.get(path)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"


async def test_a_question_is_in_the_history_before_its_answer(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(gate=gate))
    async with streamed(server, "Hello") as events:
        ack = await events.next()
        (asked,) = await messages_of(server, ack["conversation_id"])
        assert (asked["id"], asked["role"], asked["status"]) == (ack["message_id"], "user", "complete")
        llm.release(gate)
        await events.rest()
