"""The scripted model server against the official clients, raw sockets and its own log."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# The ollama client's signatures are partly untyped (its `tools`, its `__aenter__`).

import asyncio
import json
import math
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import ollama
import openai
import pytest

from tests.scripted_model import (
    ByteByByte,
    Fault,
    Garbage,
    Hang,
    MissingEnd,
    Refuse,
    Reset,
    Script,
    ScriptedModel,
    SlowHead,
    StreamError,
    TwoPerChunk,
)

CHAT = "llama3.2:1b"
EMBEDDING = "nomic-embed-text"
OLLAMA_CHAT = "/api/chat"
OPENAI_CHAT = "/v1/chat/completions"
BOTH_DIALECTS = pytest.mark.parametrize("path", [OLLAMA_CHAT, OPENAI_CHAT], ids=["ollama", "openai"])
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as running:
        yield running


@pytest.fixture
async def http(server: ScriptedModel) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
        yield client


@pytest.fixture
async def ollama_client(server: ScriptedModel) -> AsyncIterator[ollama.AsyncClient]:
    async with ollama.AsyncClient(host=server.url, timeout=10) as client:
        yield client


@pytest.fixture
async def openai_client(server: ScriptedModel) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=server.openai_url, api_key="none", max_retries=0, timeout=10
    ) as client:
        yield client


def asking(text: str = "Hello there", *, stream: bool = True, **extra: object) -> dict[str, object]:
    return {"model": CHAT, "messages": [{"role": "user", "content": text}], "stream": stream, **extra}


def dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def words(stream: bytes) -> str:
    """Return the text in a stream of either dialect."""
    text = ""
    for line in stream.decode().splitlines():
        payload = line.removeprefix("data: ")
        if payload.startswith("{"):
            said = json.loads(payload)
            if "message" in said:
                text += said["message"]["content"]
            elif said.get("choices"):
                text += said["choices"][0]["delta"].get("content", "")
    return text


class TestOllamaClient:
    async def test_chat_streams_tokens_and_ends_with_counts(
        self, server: ScriptedModel, ollama_client: ollama.AsyncClient
    ) -> None:
        parts = [
            part
            async for part in await ollama_client.chat(
                model=CHAT,
                messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Ça va ?"}],
                stream=True,
                options={"num_ctx": 4096, "temperature": 0.5},
            )
        ]
        assert "".join(part.message.content or "" for part in parts) == "You said: Ça va ?"
        assert [part.done for part in parts] == [False] * 5 + [True]
        assert (parts[-1].eval_count, parts[-1].prompt_eval_count, parts[-1].done_reason) == (5, 13, "stop")
        [record] = server.log.generating
        assert [(m.role, m.content) for m in record.messages] == [
            ("system", "Be brief."),
            ("user", "Ça va ?"),
        ]
        assert record.options == {"num_ctx": 4096, "temperature": 0.5}
        assert (record.path, record.model, record.outcome, record.tokens_sent) == (
            OLLAMA_CHAT,
            CHAT,
            "complete",
            5,
        )
        assert record.started_s <= (record.first_token_s or 0) <= (record.ended_s or 0)

    async def test_chat_answers_whole(self, ollama_client: ollama.AsyncClient) -> None:
        answer = await ollama_client.chat(model=CHAT, messages=[{"role": "user", "content": "Hi"}])
        assert (answer.message.content, answer.done_reason) == ("You said: Hi", "stop")

    async def test_generate(self, ollama_client: ollama.AsyncClient) -> None:
        whole = await ollama_client.generate(model=CHAT, prompt="Hi", system="Brief.")
        parts = [p async for p in await ollama_client.generate(model=CHAT, prompt="Hi", stream=True)]
        assert whole.response == "".join(p.response or "" for p in parts) == "You said: Hi"

    async def test_chat_without_messages_only_loads(self, ollama_client: ollama.AsyncClient) -> None:
        answer = await ollama_client.chat(model=CHAT)
        assert (answer.message.content, answer.done_reason) == ("", "load")

    async def test_embeddings_are_unit_vectors_close_for_shared_words(
        self, ollama_client: ollama.AsyncClient
    ) -> None:
        answer = await ollama_client.embed(
            model=EMBEDDING, input=["the cat sat", "the cat ran", "ocean liner fleet", "Sat the CAT"]
        )
        cat, similar, other, same_words = answer.embeddings
        assert len(cat) == 64
        assert math.hypot(*cat) == pytest.approx(1.0)
        assert dot(cat, same_words) == pytest.approx(1.0)
        assert dot(cat, similar) > dot(cat, other) + 0.2
        assert (await ollama_client.embeddings(model=EMBEDDING, prompt="the cat sat")).embedding == cat

    async def test_lists_shows_and_reports(self, ollama_client: ollama.AsyncClient) -> None:
        assert [m.model for m in (await ollama_client.list()).models] == [CHAT, f"{EMBEDDING}:latest"]
        shown = await ollama_client.show(CHAT)
        assert (shown.modelinfo or {})["llama.context_length"] == 8192
        assert shown.capabilities == ["completion", "tools"]
        assert (await ollama_client.show(EMBEDDING)).capabilities == ["embedding"]
        assert (await ollama_client.ps()).models == []
        await ollama_client.generate(model=CHAT, prompt="Hi")
        assert [m.model for m in (await ollama_client.ps()).models] == [CHAT]

    async def test_pull_reports_progress_and_adds_the_model(self, ollama_client: ollama.AsyncClient) -> None:
        steps = [step async for step in await ollama_client.pull("phi9", stream=True)]
        assert [s.completed for s in steps if s.completed] == sorted(
            s.completed for s in steps if s.completed
        )
        assert steps[-1].status == "success"
        assert (await ollama_client.chat(model="phi9:latest")).done_reason == "load"
        assert (await ollama_client.pull("phi10")).status == "success"

    async def test_pull_that_fails(self, server: ScriptedModel, ollama_client: ollama.AsyncClient) -> None:
        server.script_next(
            Script(fault=StreamError(message="pull model manifest: file does not exist")), kind="pull"
        )
        with pytest.raises(ollama.ResponseError, match="file does not exist"):
            await anext(aiter(await ollama_client.pull("nope", stream=True)))
        with pytest.raises(ollama.ResponseError, match="model 'nope' not found"):
            await ollama_client.show("nope")

    async def test_unknown_model_is_worded_as_ollama_does(
        self, http: httpx.AsyncClient, ollama_client: ollama.AsyncClient
    ) -> None:
        with pytest.raises(ollama.ResponseError, match=r"^model 'nope' not found") as caught:
            await ollama_client.chat(model="nope", messages=[{"role": "user", "content": "Hi"}])
        assert caught.value.status_code == 404
        response = await http.post(OLLAMA_CHAT, json={**asking(), "model": "nope"})
        assert (response.status_code, response.content) == (404, b'{"error":"model \'nope\' not found"}')

    async def test_embedding_model_does_not_chat(self, ollama_client: ollama.AsyncClient) -> None:
        with pytest.raises(ollama.ResponseError, match='"nomic-embed-text" does not support chat'):
            await ollama_client.chat(model=EMBEDDING, messages=[{"role": "user", "content": "Hi"}])

    async def test_mid_stream_error_reaches_the_client(
        self, server: ScriptedModel, ollama_client: ollama.AsyncClient
    ) -> None:
        server.script(Script(tokens=5, fault=StreamError(at_token=2, message="cuda went away")))
        asked = [{"role": "user", "content": "Hi"}]
        parts = aiter(await ollama_client.chat(model=CHAT, messages=asked, stream=True))
        assert [(await anext(parts)).message.content for _ in range(2)] == ["w0", " w1"]
        with pytest.raises(ollama.ResponseError, match="cuda went away"):
            await anext(parts)

    async def test_version(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/api/version")).json().keys() == {"version"}


class TestOpenAIClient:
    async def test_chat_streams_with_usage_only_when_asked(
        self, server: ScriptedModel, openai_client: openai.AsyncOpenAI
    ) -> None:
        stream = await openai_client.chat.completions.create(
            model=CHAT,
            messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            stream=True,
            stream_options={"include_usage": True},
            temperature=0.25,
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "You said: Hi"
        assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
        usage = chunks[-1].usage
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (5, 3, 8)
        [record] = server.log.generating
        assert record.last_user_message == "Hi"
        assert record.options["temperature"] == 0.25
        plain = await openai_client.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        assert all(chunk.usage is None for chunk in [chunk async for chunk in plain])

    async def test_chat_answers_whole(self, openai_client: openai.AsyncOpenAI) -> None:
        answer = await openai_client.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "Hi"}]
        )
        assert answer.choices[0].message.content == "You said: Hi"
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 3

    async def test_embeddings_in_base64_and_floats_agree(self, openai_client: openai.AsyncOpenAI) -> None:
        packed = await openai_client.embeddings.create(model=EMBEDDING, input=["one two"], dimensions=16)
        floats = await openai_client.embeddings.create(
            model=EMBEDDING, input="one two", dimensions=16, encoding_format="float"
        )
        assert len(floats.data[0].embedding) == 16
        assert packed.data[0].embedding == pytest.approx(floats.data[0].embedding, abs=1e-6)

    async def test_models(self, openai_client: openai.AsyncOpenAI) -> None:
        assert [m.id for m in (await openai_client.models.list()).data] == [CHAT, f"{EMBEDDING}:latest"]
        assert (await openai_client.models.retrieve(CHAT)).id == CHAT

    async def test_unknown_model(self, openai_client: openai.AsyncOpenAI) -> None:
        with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
            await openai_client.chat.completions.create(
                model="nope", messages=[{"role": "user", "content": "Hi"}]
            )

    async def test_mid_stream_error_reaches_the_client(
        self, server: ScriptedModel, openai_client: openai.AsyncOpenAI
    ) -> None:
        server.script(Script(tokens=5, fault=StreamError(at_token=2, message="cuda went away")))
        stream = await openai_client.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        chunks = aiter(stream)
        assert [(await anext(chunks)).choices[0].delta.content for _ in range(2)] == ["w0", " w1"]
        with pytest.raises(openai.APIError, match="cuda went away"):
            await anext(chunks)

    async def test_llama_server_health_and_props(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/health")).json() == {"status": "ok"}
        assert (await http.get("/props")).json()["default_generation_settings"]["n_ctx"] == 8192


class TestScripts:
    async def test_one_use_rules_come_first_then_the_newest_that_fits(
        self, server: ScriptedModel, http: httpx.AsyncClient
    ) -> None:
        server.script(Script(text="old"), match="cat")
        server.script(Script(text="new"), match="cat")
        server.script_next(Script(text="once"), match="cat")
        answers = [
            (await http.post(OLLAMA_CHAT, json=asking(text, stream=False))).json()["message"]["content"]
            for text in ("a dog", "a cat", "a cat")
        ]
        assert answers == ["You said: a dog", "once", "new"]

    @BOTH_DIALECTS
    async def test_tokens_are_deterministic(
        self, server: ScriptedModel, http: httpx.AsyncClient, path: str
    ) -> None:
        server.script(Script(tokens=4))
        first, second = [words((await http.post(path, json=asking())).content) for _ in range(2)]
        assert first == second == "w0 w1 w2 w3"

    @pytest.mark.parametrize(
        ("path", "limit"),
        [(OLLAMA_CHAT, {"options": {"num_predict": 2}}), (OPENAI_CHAT, {"max_tokens": 2})],
        ids=["ollama", "openai"],
    )
    async def test_token_limit_ends_the_answer_with_length(
        self, server: ScriptedModel, http: httpx.AsyncClient, path: str, limit: dict[str, object]
    ) -> None:
        server.script(Script(tokens=4))
        stream = (await http.post(path, json={**asking(), **limit})).content
        assert words(stream) == "w0 w1"
        assert b'"length"' in stream

    async def test_reported_prompt_tokens_and_done_reason_are_scripted(
        self, server: ScriptedModel, http: httpx.AsyncClient
    ) -> None:
        server.script(Script(prompt_tokens=7, done_reason="length"))
        answer = (await http.post(OLLAMA_CHAT, json=asking(stream=False))).json()
        assert (answer["prompt_eval_count"], answer["done_reason"]) == (7, "length")

    async def test_reported_prompt_never_exceeds_the_window(self, http: httpx.AsyncClient) -> None:
        body = asking("long " * 400, stream=False, options={"num_ctx": 64})
        assert (await http.post(OLLAMA_CHAT, json=body)).json()["prompt_eval_count"] == 64

    async def test_pace_and_first_token_delay(self, server: ScriptedModel, http: httpx.AsyncClient) -> None:
        server.script(Script(tokens=5, tokens_per_s=100, first_token_delay_s=0.05))
        await http.post(OLLAMA_CHAT, json=asking())
        [record] = server.log.generating
        assert record.first_token_s is not None
        assert record.ended_s is not None
        assert record.first_token_s - record.started_s >= 0.05
        assert record.ended_s - record.started_s >= 0.085

    @BOTH_DIALECTS
    async def test_gate_holds_the_stream_before_its_token(
        self, server: ScriptedModel, http: httpx.AsyncClient, path: str
    ) -> None:
        server.script(Script(tokens=4, gate="half", gate_at_token=2))
        async with http.stream("POST", path, json=asking()) as response:
            await server.wait_for(lambda log: log.counts["waiting"])
            [record] = server.log.generating
            assert (record.waiting_at, record.tokens_sent) == ("half", 2)
            server.release("half")
            assert words(await response.aread()) == "w0 w1 w2 w3"


class TestFaults:
    @BOTH_DIALECTS
    @pytest.mark.parametrize("at_token", [0, 2, 99], ids=["prefill", "mid-stream", "before-the-end"])
    async def test_hang_goes_on_when_released(
        self, server: ScriptedModel, http: httpx.AsyncClient, path: str, at_token: int
    ) -> None:
        server.script(Script(tokens=4, fault=Hang(at_token=at_token)))
        request = asyncio.ensure_future(http.post(path, json=asking()))
        await server.wait_for(lambda log: log.counts["waiting"])
        assert server.log.generating[0].tokens_sent == min(at_token, 4)
        assert not request.done()
        server.release()
        assert words((await request).content) == "w0 w1 w2 w3"

    async def test_hang_in_prefill_sends_no_head(self, server: ScriptedModel) -> None:
        server.script(Script(fault=Hang()))
        reader, writer = await ask_raw(server, asking())
        await server.wait_for(lambda log: log.counts["waiting"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        writer.close()

    async def test_hang_in_prefill_after_the_head(self, server: ScriptedModel) -> None:
        server.script(Script(head_first=True, fault=Hang()))
        reader, writer = await ask_raw(server, asking())
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        await server.wait_for(lambda log: log.counts["waiting"])
        writer.close()

    @BOTH_DIALECTS
    @pytest.mark.parametrize("at_token", [0, 1, 3])
    async def test_reset_is_a_tcp_reset_after_the_tokens(
        self, server: ScriptedModel, path: str, at_token: int
    ) -> None:
        server.script(Script(tokens=4, fault=Reset(at_token=at_token)))
        reader, writer = await ask_raw(server, asking(), path)
        received = await read_until_reset(reader)
        writer.close()
        assert received.count(b'"content":') == at_token
        assert (b"HTTP/1.1" in received) is (at_token > 0)
        [record] = server.log.generating
        assert (record.outcome, record.tokens_sent) == ("reset", at_token)

    @pytest.mark.parametrize(
        ("path", "fault", "last_line"),
        [
            (OLLAMA_CHAT, StreamError(at_token=1, message="oh"), '{"error":"oh"}'),
            (
                OPENAI_CHAT,
                StreamError(at_token=1, message="oh"),
                'data: {"error":{"code":500,"message":"oh","type":"server_error","param":null}}',
            ),
            (OLLAMA_CHAT, Garbage(at_token=1, text="<p>"), "<p>"),
            (OPENAI_CHAT, Garbage(at_token=1, text="<p>"), "data: <p>"),
        ],
        ids=["ollama-error", "openai-error", "ollama-garbage", "openai-garbage"],
    )
    async def test_stream_ends_properly_after_a_bad_line(
        self, server: ScriptedModel, http: httpx.AsyncClient, path: str, fault: Fault, last_line: str
    ) -> None:
        server.script(Script(tokens=3, fault=fault))
        response = await http.post(path, json=asking())
        assert response.status_code == 200
        assert words(response.content.replace(last_line.encode(), b"")) == "w0"
        assert response.text.strip().splitlines()[-1] == last_line
        assert server.log.generating[0].outcome == "error"

    @pytest.mark.parametrize(
        ("path", "drop", "present", "absent"),
        [
            (OLLAMA_CHAT, None, b'"done":false', b'"done":true'),
            (OPENAI_CHAT, None, b'"content":" w2"', b'"finish_reason":"stop"'),
            (OPENAI_CHAT, 1, b'"finish_reason":"stop"', b"[DONE]"),
        ],
        ids=["ollama-done", "openai-finish", "openai-DONE"],
    )
    async def test_missing_end_closes_cleanly(
        self,
        server: ScriptedModel,
        http: httpx.AsyncClient,
        path: str,
        drop: int | None,
        present: bytes,
        absent: bytes,
    ) -> None:
        server.script(Script(tokens=3, fault=MissingEnd(drop=drop)))
        response = await http.post(path, json=asking())
        assert words(response.content) == "w0 w1 w2"
        assert present in response.content
        assert absent not in response.content

    @BOTH_DIALECTS
    @pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
    async def test_missing_end_of_http(
        self, server: ScriptedModel, http: httpx.AsyncClient, path: str, *, stream: bool
    ) -> None:
        server.script(Script(tokens=3, fault=MissingEnd(cut_http=True)))
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(path, json=asking(stream=stream))

    @BOTH_DIALECTS
    async def test_byte_by_byte_splits_characters(
        self, server: ScriptedModel, http: httpx.AsyncClient, path: str
    ) -> None:
        server.script(Script(text="naïve 日本 🙂", fault=ByteByByte()))
        async with http.stream("POST", path, json=asking()) as response:
            parts = [part async for part in response.aiter_raw()]
        assert {len(part) for part in parts} == {1}
        assert words(b"".join(parts)) == "naïve 日本 🙂"

    async def test_two_objects_share_a_chunk(self, server: ScriptedModel, http: httpx.AsyncClient) -> None:
        server.script(Script(tokens=5, fault=TwoPerChunk()))
        async with http.stream("POST", OLLAMA_CHAT, json=asking()) as response:
            parts = [part async for part in response.aiter_raw()]
        assert [part.count(b"\n") for part in parts] == [2, 2, 1, 1]

    @pytest.mark.parametrize("status", [404, 500, 503])
    @BOTH_DIALECTS
    async def test_refusals(
        self, server: ScriptedModel, http: httpx.AsyncClient, path: str, status: int
    ) -> None:
        server.script_next(Script(fault=Refuse(status=status)))
        response = await http.post(path, json=asking())
        assert response.status_code == status
        assert response.json()["error"]
        assert (await http.post(path, json=asking())).status_code == 200
        assert [record.status for record in server.log.generating] == [status, 200]

    async def test_faults_of_other_endpoints_are_named_by_kind(
        self, server: ScriptedModel, http: httpx.AsyncClient
    ) -> None:
        server.script(Script(fault=Refuse(status=503)), kind="health")
        server.script(Script(fault=Reset()), kind="embed")
        assert (await http.get("/health")).json()["error"]["message"] == "Loading model"
        with pytest.raises(httpx.ReadError):
            await http.post("/api/embed", json={"model": EMBEDDING, "input": "x"})
        assert (await http.post(OLLAMA_CHAT, json=asking())).status_code == 200

    async def test_slow_head(self, server: ScriptedModel, http: httpx.AsyncClient) -> None:
        server.script(Script(tokens=2, fault=SlowHead(byte_interval_s=0.001)))
        response = await http.post(OLLAMA_CHAT, json=asking())
        [record] = server.log.generating
        assert words(response.content) == "w0 w1"
        assert (record.ended_s or 0) - record.started_s > 0.05

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (OLLAMA_CHAT, b""),
            (OLLAMA_CHAT, b"{"),
            (OLLAMA_CHAT, b'{"model":1}'),
            (OLLAMA_CHAT, b'{"messages":[]}'),
            (OLLAMA_CHAT, b'{"model":"llama3.2:1b","options":{"num_ctx":"many"}}'),
            (OPENAI_CHAT, b'{"model":"llama3.2:1b","messages":[]}'),
            ("/v1/embeddings", b'{"model":"nomic-embed-text","input":"x","encoding_format":"hex"}'),
        ],
    )
    async def test_malformed_bodies(self, http: httpx.AsyncClient, path: str, body: bytes) -> None:
        response = await http.post(path, content=body)
        assert response.status_code == 400
        assert response.json()["error"]

    async def test_malformed_http(self, server: ScriptedModel) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"nonsense\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


class TestLog:
    @BOTH_DIALECTS
    @pytest.mark.parametrize("with_reset", [False, True], ids=["FIN", "RST"])
    @pytest.mark.parametrize(
        "script",
        [
            Script(fault=Hang()),
            Script(tokens=9, fault=Hang(at_token=3)),
            Script(first_token_delay_s=60),
            Script(tokens=1000, tokens_per_s=50),
            Script(gate="never"),
        ],
        ids=["hang-in-prefill", "hang-mid-stream", "delay", "paced-stream", "gate"],
    )
    async def test_disconnect_is_seen_at_once(
        self, server: ScriptedModel, path: str, script: Script, *, with_reset: bool
    ) -> None:
        server.script(script)
        _, writer = await ask_raw(server, asking(), path)
        streams = script.tokens is not None
        await server.wait_for(lambda log: log.counts["first_token" if streams else "started"])
        left_s = asyncio.get_running_loop().time()
        if with_reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
        else:
            writer.close()
        await server.wait_for(lambda log: log.counts["client_disconnected"], timeout_s=1)
        [record] = server.log.generating
        assert record.outcome == "client_disconnected"
        assert (record.tokens_sent > 0) is streams
        assert 0 <= (record.ended_s or 0) - left_s < 1
        assert server.log.running == 0

    async def test_disconnect_while_the_client_does_not_read(self, server: ScriptedModel) -> None:
        server.script(Script(tokens=400_000))
        _, writer = await ask_raw(server, asking())
        await server.wait_for(lambda log: log.counts["first_token"])
        writer.transport.abort()
        await server.wait_for(lambda log: log.counts["client_disconnected"], timeout_s=1)
        assert 0 < server.log.generating[0].tokens_sent < 400_000

    async def test_peak_concurrency(self, server: ScriptedModel, http: httpx.AsyncClient) -> None:
        server.script(Script(gate="all here"))
        requests = [asyncio.ensure_future(http.post(OLLAMA_CHAT, json=asking())) for _ in range(7)]
        await server.wait_for(lambda log: log.counts["waiting"] == 7)
        assert (server.log.running, server.log.peak) == (7, 7)
        server.release("all here")
        await asyncio.gather(*requests)
        await http.post(OLLAMA_CHAT, json=asking())
        assert (server.log.running, server.log.peak) == (0, 7)
        assert sorted(record.concurrency for record in server.log.generating) == [1, 1, 2, 3, 4, 5, 6, 7]

    async def test_keeps_the_newest_records_and_all_counts(self) -> None:
        async with ScriptedModel(keep=2) as server, httpx.AsyncClient(base_url=server.url) as http:
            for text in ("a", "b", "c"):
                await http.post(OLLAMA_CHAT, json=asking(text))
            assert [record.last_user_message for record in server.log.records] == ["b", "c"]
            assert server.log.counts["complete"] == 3

    async def test_waiting_in_vain_says_what_there_is(
        self, server: ScriptedModel, http: httpx.AsyncClient
    ) -> None:
        await http.get("/health")
        with pytest.raises(TimeoutError, match="1:health:complete"):
            await server.wait_for(lambda log: log.counts["reset"], timeout_s=0.01)

    async def test_closing_the_server_ends_what_runs(self) -> None:
        async with ScriptedModel() as server:
            server.script(Script(fault=Hang()))
            reader, writer = await ask_raw(server, asking())
            await server.wait_for(lambda log: log.counts["waiting"])
        assert server.log.generating[0].outcome == "server_closed"
        assert await reader.read() == b""
        writer.close()


class TestOwnProcess:
    async def test_is_scripted_and_asked_over_http(self, tmp_path: Path) -> None:
        log_file = tmp_path / "model.ndjson"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.scripted_model",
            "--log",
            str(log_file),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            url = (await asyncio.wait_for(process.stdout.readline(), 10)).decode().strip()
            async with httpx.AsyncClient(base_url=url, timeout=10) as http:
                await self.drive(http)
        finally:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 10) == 0
        lines = [json.loads(line) for line in log_file.read_text().splitlines()]
        assert [(line["event"], line["record"]["outcome"]) for line in lines] == [
            ("started", None),
            ("ended", "complete"),
        ]

    async def drive(self, http: httpx.AsyncClient) -> None:
        rule = {"script": {"tokens": 2, "fault": {"type": "hang", "at_token": 1}}, "match": "Hello"}
        assert (await http.post("/__script__", json=rule)).status_code == 200
        assert (await http.post("/__script__", json={"script": {"speed": 1}})).status_code == 400
        request = asyncio.ensure_future(http.post(OLLAMA_CHAT, json=asking()))
        assert (await http.get("/__wait__?event=waiting&n=1")).json() == {"event": "waiting", "n": 1}
        page = (await http.get("/__log__?kind=chat")).json()
        assert (page["records"][0]["tokens_sent"], page["running"], page["peak"]) == (1, 1, 1)
        assert (await http.get("/__wait__?event=ended&timeout_s=0.01")).status_code == 408
        await http.post("/__release__")
        assert words((await request).content) == "w0 w1"
        await http.delete("/__log__")
        assert (await http.get("/__log__")).json()["records"] == []


async def ask_raw(
    server: ScriptedModel, body: dict[str, object], path: str = OLLAMA_CHAT
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    payload = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: model\r\nContent-Length: {len(payload)}\r\n\r\n"
    writer.write(head.encode() + payload)
    return reader, writer


async def read_until_reset(reader: asyncio.StreamReader) -> bytes:
    """Return what came before the RST; fail on a proper end."""
    received = bytearray()
    try:
        while part := await reader.read(4096):
            received += part
    except ConnectionResetError:
        return bytes(received)
    raise AssertionError("the connection ended without a reset")
