"""Each way in which a model fails: its code and status, what is kept, and what the next prompt has of it."""

import pytest

from tests.clients import Json, chat, messages_of, query, streamed, turn_of, types
from tests.running import Running, running
from tests.scripted_model import (
    Fault,
    Garbage,
    Hang,
    MissingEnd,
    Refuse,
    Reset,
    Script,
    ScriptedModel,
    StreamError,
)

SETTINGS = {"llm_first_token_secs": "0.2", "llm_inter_token_secs": "0.2"}

UNAVAILABLE = (503, "llm_unavailable")
TIMED_OUT = (504, "llm_timeout")

silent = pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Refuse(status=503), UNAVAILABLE),
        (Refuse(status=500), UNAVAILABLE),
        (Refuse(status=404), UNAVAILABLE),
        (Reset(), UNAVAILABLE),
        (StreamError(), UNAVAILABLE),
        (Garbage(), UNAVAILABLE),
        (Hang(), TIMED_OUT),
    ],
    ids=["503", "500", "model missing", "reset", "error", "garbage", "silent"],
)
partial = pytest.mark.parametrize(
    ("fault", "expected", "kept"),
    [
        (Reset(at_token=2), UNAVAILABLE, "one two"),
        (StreamError(at_token=2), UNAVAILABLE, "one two"),
        (Garbage(at_token=2), UNAVAILABLE, "one two"),
        (MissingEnd(), UNAVAILABLE, "one two three"),
        (MissingEnd(cut_http=True), UNAVAILABLE, "one two three"),
        (Hang(at_token=2), TIMED_OUT, "one two"),
        (Hang(at_token=9), TIMED_OUT, "one two three"),
    ],
    ids=["reset", "error", "garbage", "no end", "HTTP cut", "silent", "silent at the end"],
)


def failing(fault: Fault) -> Script:
    # Paced, so that what was sent before a reset has been read before it.
    return Script(text="one two three", tokens_per_s=50, fault=fault)


async def failed_answer(server: Running, message: str, expected: tuple[int, str], **fields: object) -> Json:
    response = await server.http.post("/api/chat", json={"message": message, **fields})
    problem = response.json()
    assert (response.status_code, problem["code"]) == expected
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == response.status_code
    assert problem["request_id"] == response.headers["x-request-id"]
    if response.status_code == 503:
        assert 1 <= int(response.headers["retry-after"]) <= 30
    return problem


async def next_prompt(server: Running, llm: ScriptedModel, conversation_id: str) -> list[tuple[str, str]]:
    """Say something more, and return what the model was given of the conversation."""
    llm.clear_scripts()
    await chat(server, "and now?", conversation_id=conversation_id)
    given = llm.log.generating[-1].messages
    assert all(message.content for message in given)
    return [(message.role, message.content) for message in given[1:]]


@silent
async def test_a_model_that_fails_before_its_first_token(
    server: Running, llm: ScriptedModel, fault: Fault, expected: tuple[int, str]
) -> None:
    llm.script(failing(fault))
    problem = await failed_answer(server, "Hello", expected)
    assert problem["partial"] is None
    asked, answered = await messages_of(server, problem["conversation_id"])
    assert asked["id"] == problem["message_id"]
    assert (answered["turn_id"], answered["status"], answered["content"]) == (
        problem["turn_id"],
        "failed",
        "",
    )
    prompt = await next_prompt(server, llm, problem["conversation_id"])
    assert prompt == [("user", "Hello"), ("user", "and now?")]


@partial
async def test_a_model_that_fails_within_its_answer(
    server: Running, llm: ScriptedModel, fault: Fault, expected: tuple[int, str], kept: str
) -> None:
    llm.script(failing(fault))
    problem = await failed_answer(server, "Hello", expected)
    assert (problem["partial"]["content"], problem["partial"]["status"]) == (kept, "failed")
    _, answered = await messages_of(server, problem["conversation_id"])
    assert answered == problem["partial"]
    prompt = await next_prompt(server, llm, problem["conversation_id"])
    assert prompt == [("user", "Hello"), ("assistant", kept), ("user", "and now?")]


@partial
async def test_a_stream_that_fails_ends_with_an_error_event(
    server: Running, llm: ScriptedModel, fault: Fault, expected: tuple[int, str], kept: str
) -> None:
    llm.script(failing(fault))
    async with streamed(server, "Hello") as events:
        told = await events.rest()
    assert types(told) == ["ack", "context", "delta", "error"]
    end = told[-1]
    assert (end["code"], end["status"], end["partial"]["content"]) == (expected[1], "failed", kept)
    assert end["message"]
    shown = await turn_of(server, end["turn_id"])
    assert (shown["status"], shown["text"], shown["last_seq"]) == ("failed", kept, end["seq"])
    assert shown["error"]["code"] == expected[1]


async def test_every_failure_is_counted(server: Running, llm: ScriptedModel) -> None:
    async def failures() -> float:
        lines = (await server.http.get("/metrics")).text.splitlines()
        counts = [
            line.split()[-1] for line in lines if line.startswith('jarvis_turns_total{status="failed"}')
        ]
        return float(counts[0]) if counts else 0.0

    before = await failures()
    llm.script(failing(StreamError()))
    await failed_answer(server, "Hello", UNAVAILABLE)
    assert await failures() == before + 1


async def test_an_unknown_model_is_the_clients_fault(server: Running) -> None:
    problem = await failed_answer(server, "Hello", (400, "invalid_request"), model="nobody-has-it")
    assert "model" in problem["detail"]
    assert "nobody-has-it" not in problem["detail"]


async def test_a_model_that_cannot_chat_is_the_clients_fault(server: Running) -> None:
    await failed_answer(server, "Hello", (400, "invalid_request"), model="nomic-embed-text")


async def test_a_turn_may_not_take_longer_than_its_time(database_url: str, model: ScriptedModel) -> None:
    model.script(Script(tokens=100_000, tokens_per_s=100))
    async with running(database_url, model.url, turn_secs="0.3") as server:
        problem = await failed_answer(server, "Hello", TIMED_OUT)
        assert problem["partial"]["content"].startswith("w0 w1")
        await model.wait_for(lambda log: log.counts["client_disconnected"])


async def test_a_message_beyond_the_models_window(database_url: str, model: ScriptedModel) -> None:
    async with running(database_url, model.url, ollama_num_ctx="512") as server:
        await failed_answer(server, "word " * 1_000, (400, "message_too_large"))
        assert model.log.generating == []


async def test_a_model_that_is_away(database_url: str, model: ScriptedModel, unused_tcp_port: int) -> None:
    del model
    async with running(database_url, f"http://127.0.0.1:{unused_tcp_port}") as server:
        problem = await failed_answer(server, "Hello", UNAVAILABLE)
        assert str(unused_tcp_port) not in problem["detail"]
        assert (await server.http.get("/ready")).json()["status"] == "degraded"
        rows = await query(server, "SELECT status::text FROM turns")
        assert [row["status"] for row in rows] == ["failed"]
