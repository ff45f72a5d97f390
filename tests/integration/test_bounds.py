"""What a client may send, and what comes back of it: bounds of fields, addresses, bodies and answers."""

import pytest

from tests.clients import NOBODY, Json, chat, messages_of, streamed
from tests.running import Running, running
from tests.scripted_model import Script, ScriptedModel

BYTE_FOR_BYTE = [
    "  spaces round it  ",
    "line\r\nline\r\n",
    "\ttab\x0bvt\x1f",
    "🙂👩‍👩‍👧‍👦🇫🇷",
    "e\u0301 is not é",
    "<script>&amp;'\"\\</script>",
    "\u2028\u2029\x85\ufeff",
    "\U0010ffff",
]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "message"),
        ({"message": ""}, "message"),
        ({"message": " \t\r\n\u2003"}, "message"),
        ({"content": " "}, "content"),
        ({"message": "x" * 32_001}, "message"),
        ({"content": "🙂" * 32_001}, "content"),
        ({"message": "x", "content": "x"}, "content"),
        ({"message": 5}, "message"),
        ({"message": None}, "message"),
        ({"message": "x", "conversation_id": "x"}, "conversation_id"),
        ({"message": "x", "conversation_id": 5}, "conversation_id"),
        ({"message": "x", "temperature": 2.1}, "temperature"),
        ({"message": "x", "temperature": -0.1}, "temperature"),
        ({"message": "x", "temperature": "1"}, "temperature"),
        ({"message": "x", "max_tokens": 0}, "max_tokens"),
        ({"message": "x", "max_tokens": 8193}, "max_tokens"),
        ({"message": "x", "max_tokens": 1.5}, "max_tokens"),
        ({"message": "x", "stream": "true"}, "stream"),
        ({"message": "x", "if_busy": "wait"}, "if_busy"),
        ({"message": "a\0b"}, "message"),
    ],
)
async def test_a_field_out_of_bounds_is_named(
    server: Running, llm: ScriptedModel, body: Json, field: str
) -> None:
    response = await server.http.post("/api/chat", json=body)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert "turn_id" not in problem
    assert llm.log.generating == []


@pytest.mark.parametrize("text", ["x" * 32_000, "🙂" * 8_000], ids=["ASCII", "emoji"])
async def test_a_message_may_have_32000_code_points(server: Running, llm: ScriptedModel, text: str) -> None:
    llm.script(Script(text="Long."))
    response = await server.http.post("/api/chat", json={"message": text})
    # It is within the bounds; whether it fits the model's window is another question.
    assert response.status_code == 200 or response.json()["code"] == "message_too_large"
    stored = await messages_of(server, response.json()["conversation_id"])
    assert stored[0]["content"] == text


@pytest.mark.parametrize("text", BYTE_FOR_BYTE)
async def test_text_comes_back_byte_for_byte(server: Running, llm: ScriptedModel, text: str) -> None:
    llm.script(Script(text=text))
    answer = await chat(server, text)
    assert answer["content"] == text
    assert llm.log.generating[-1].last_user_message == text
    asked, answered = await messages_of(server, answer["conversation_id"])
    assert (asked["content"], answered["content"]) == (text, text)
    async with streamed(server, text) as events:
        assert (await events.rest())[-1]["content"] == text


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", None])
async def test_only_json_is_read_as_json(server: Running, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await server.http.post("/api/chat", content=b'{"message": "x"}', headers=headers)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"message": "\xff"}',
        b'{"message": "\\ud800"}',
        b'{"message": "x", "y": NaN}',
    ],
    ids=["empty", "cut", "list", "null", "no UTF-8", "half a surrogate", "NaN"],
)
async def test_bad_json_is_refused(server: Running, body: bytes) -> None:
    response = await server.http.post("/api/chat", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


async def test_a_body_beyond_a_mebibyte_is_refused(server: Running) -> None:
    response = await server.http.post("/api/chat", json={"message": "x", "y": "x" * 2**20})
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["history/{}", "turns/{}", "turns/{}/events"])
@pytest.mark.parametrize(
    ("id_", "status"), [("nonsense", 400), (NOBODY.replace("-", ""), 400), (NOBODY, 404)]
)
async def test_ids_in_paths(server: Running, path: str, id_: str, status: int) -> None:
    response = await server.http.get(f"/api/chat/{path.format(id_)}")
    expected = {400: "invalid_request", 404: "not_found"}[status]
    assert (response.status_code, response.json()["code"]) == (status, expected)
    assert id_ not in response.json()["detail"]


async def test_an_unknown_conversation_is_not_found(server: Running, llm: ScriptedModel) -> None:
    for body in ({"message": "x"}, {"message": "x", "stream": True}):
        response = await server.http.post("/api/chat", json=body | {"conversation_id": NOBODY})
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    response = await server.http.get("/api/chat/history", params={"conversation_id": NOBODY})
    assert response.status_code == 404
    assert llm.log.generating == []


@pytest.mark.parametrize("route", ["history", "conversations", "history/{}"])
@pytest.mark.parametrize("limit", ["-1", "0", "x", "1.0", "", "9" * 30])
async def test_a_limit_that_is_none_is_refused(server: Running, route: str, limit: str) -> None:
    conversation_id = (await chat(server, "Hello"))["conversation_id"]
    response = await server.http.get(f"/api/chat/{route.format(conversation_id)}", params={"limit": limit})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    assert response.json()["errors"][0]["field"] == "limit"


@pytest.mark.parametrize("limit", ["201", "9223372036854775807"])
async def test_a_limit_beyond_200_is_taken_as_200(server: Running, limit: str) -> None:
    response = await server.http.get("/api/chat/conversations", params={"limit": limit})
    assert (response.status_code, response.json()["limit"]) == (200, 200)


@pytest.mark.parametrize("query", ["after=x", "after=-2", "after=99999999999999999999"])
async def test_a_resume_point_that_is_none_is_refused(server: Running, query: str) -> None:
    turn_id = (await chat(server, "Hello"))["turn_id"]
    response = await server.http.get(f"/api/chat/turns/{turn_id}/events?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    headers = {"Last-Event-ID": query.removeprefix("after=")}
    response = await server.http.get(f"/api/chat/turns/{turn_id}/events", headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


async def test_an_answer_is_cut_at_its_bound_and_says_so(database_url: str, model: ScriptedModel) -> None:
    text = ("é🙂" * 20 + " ") * 4_000
    model.script(Script(text=text))
    async with running(database_url, model.url) as server:
        async with streamed(server, "Hello", max_tokens=8_000) as events:
            told = await events.rest()
        end = told[-1]
        size_bytes = len(end["content"].encode())
        assert 256 * 1024 - 4 < size_bytes <= 256 * 1024
        assert text.startswith(end["content"])
        assert (end["type"], end["status"], end["context"]["notices"]) == (
            "chat_response",
            "complete",
            ["answer_cut"],
        )
        assert [event["code"] for event in told if event["type"] == "notice"] == ["answer_cut"]
        assert all(event["text"] for event in told if event["type"] == "delta")
        await model.wait_for(lambda log: log.generating[0].outcome)


@pytest.mark.parametrize("tokens", [1023, 1024, 1025])
async def test_the_cut_is_made_exactly_at_the_bound(
    database_url: str, model: ScriptedModel, tokens: int
) -> None:
    text = "x " * (tokens // 2) + "x" * (tokens % 2)
    model.script(Script(text=text))
    async with (
        running(database_url, model.url, max_answer_bytes="1024") as server,
        streamed(server, "Hello") as events,
    ):
        told = await events.rest()
    assert told[-1]["content"] == text[:1024]
    assert told[-1]["context"]["notices"] == (["answer_cut"] if tokens > 1024 else [])
    assert all(event["text"] for event in told if event["type"] == "delta")
