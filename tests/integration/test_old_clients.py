"""The clients of the earlier servers, unchanged, each in their own words: what they send, what they read."""

import pytest

from tests.clients import Json, asked_of, socket
from tests.running import Running
from tests.scripted_model import CHAT_MODEL, ScriptedModel

PAGE = "http://127.0.0.1:3000"


async def test_a_page_that_only_knows_messages_and_responses(server: Running) -> None:
    """Its frames are {"message", "user_id"}; of what comes it reads `response` and shows them in order."""
    said = [f"Question {number}?" for number in range(5)]
    async with socket(server, origin=PAGE) as ws:
        for message in said:
            await ws.send({"message": message, "user_id": "web_user"})
        shown = [await ws.next() for _ in said]
        # Nothing else came in between: the next frame answers the next message.
        await ws.send({"message": "One more.", "user_id": "web_user"})
        shown.append(await ws.next())
    assert [frame["response"] for frame in shown] == [f"You said: {text}" for text in [*said, "One more."]]
    assert {frame["user_id"] for frame in shown} == {"web_user"}
    assert all("type" not in frame and "error" not in frame for frame in shown)


class ContentClient:
    """The newest page: `content` both ways, and a token that its storage does not hold."""

    def __init__(self, server: Running) -> None:
        self._http = server.http
        self._headers = {"Authorization": "Bearer null", "Origin": PAGE}
        self.conversation_id: str | None = None
        self.shown: list[Json] = []

    async def send(self, content: str) -> None:
        body = {"content": content, "conversation_id": self.conversation_id}
        response = await self._http.post("/api/chat", json=body, headers=self._headers)
        answer = response.raise_for_status().json()
        self.conversation_id = answer["conversation_id"]
        self.shown.append({"id": answer["id"], "role": answer["role"], "content": answer["content"]})

    async def load(self) -> list[Json]:
        response = await self._http.get(f"/api/chat/history/{self.conversation_id}", headers=self._headers)
        return response.raise_for_status().json()


async def test_a_page_that_sends_content_and_bearer_null(server: Running, llm: ScriptedModel) -> None:
    client = ContentClient(server)
    await client.send("My name is Ada.")
    first = client.conversation_id
    await client.send("What is my name?")
    assert client.conversation_id == first
    asked = await asked_of(llm, "What is my name?")
    prompt = [message.content for message in asked.messages[1:]]
    assert prompt == ["My name is Ada.", "You said: My name is Ada.", "What is my name?"]
    loaded = await client.load()
    assert [message["role"] for message in loaded] == ["user", "assistant", "user", "assistant"]
    answers = [{name: message[name] for name in ("id", "role", "content")} for message in loaded[1::2]]
    assert answers == client.shown


async def test_a_script_that_picks_a_model_and_posts_to_a_slash(server: Running, llm: ScriptedModel) -> None:
    """It follows no redirect: a POST would become a GET."""
    listed = (await server.http.get("/chat/models")).raise_for_status().json()
    names = [model["name"] for model in listed["models"]]
    chosen = names[names.index(CHAT_MODEL.name)]
    answer = await server.http.post("/chat/", json={"message": "Hello", "model": chosen})
    assert (answer.status_code, answer.json()["response"]) == (200, "You said: Hello")
    assert (await asked_of(llm, "Hello")).model == chosen


@pytest.mark.parametrize("path", ["/ws", "/ws/chat"], ids=["proxy", "path"])
async def test_a_client_that_falls_back_from_a_socket_to_posts(server: Running, path: str) -> None:
    """Its reverse proxy drops `Upgrade`, or its socket has a path of its own: told so, it posts."""
    health = (await server.http.get("/health")).raise_for_status().json()
    assert health["status"] in {"healthy", "degraded"}
    handshake = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
    refused = await server.http.get(path, headers=handshake)
    assert 400 <= refused.status_code < 500
    answer = await server.http.post("/chat", json={"message": "Hello", "user_id": "default"})
    assert (answer.status_code, answer.json()["response"]) == (200, "You said: Hello")


async def test_a_script_that_pages_through_everything_by_offset(server: Running) -> None:
    """The second server's: `message` is an object, pages go by `limit` and `offset`, newest page first."""
    conversation_id = None
    answers: list[Json] = []
    for number in range(3):
        body = {"message": f"u{number}", "conversation_id": conversation_id, "user_id": "migration"}
        response = await server.http.post("/api/chat", json=body)
        answers.append(response.raise_for_status().json())
        conversation_id = answers[-1]["conversation_id"]
    assert all(isinstance(answer["response_time_ms"], int) for answer in answers)

    listed = (await server.http.get("/api/chat/conversations?user_id=migration&limit=20&offset=0")).json()
    assert (listed["count"], [found["id"] for found in listed["conversations"]]) == (1, [conversation_id])

    pages: list[Json] = []
    for offset in (0, 4):
        where = f"conversation_id={conversation_id}&limit=4&offset={offset}"
        pages.append((await server.http.get(f"/api/chat/history?{where}")).raise_for_status().json())
    assert [page["has_more"] for page in pages] == [True, False]
    assert [page["total_count"] for page in pages] == [6, 6]
    messages = pages[1]["messages"] + pages[0]["messages"]
    assert [message["content"] for message in messages[::2]] == ["u0", "u1", "u2"]
    assert messages[1::2] == [answer["message"] for answer in answers]
