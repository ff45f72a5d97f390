"""What single products do that others do not, as bytes on a socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TypeAlias

import pytest

from jarvis.adapters.model_http import MAX_LINE_BYTES
from jarvis.adapters.ollama import Ollama
from jarvis.adapters.openai import OpenAICompatible
from jarvis.core.errors import Invalid, MessageTooLarge, Unavailable
from jarvis.core.ports import LLM, Finish, Options, PromptMessage
from tests.scripted_model import MissingEnd, Script, ScriptedModel

Answers: TypeAlias = dict[str, tuple[int, bytes]]

PROMPT = [PromptMessage(role="user", content="hi")]
OPTIONS = Options(temperature=0, max_tokens=8)
SHOWN = json.dumps({"model_info": {"llama.context_length": 4096}}).encode()
LISTED = json.dumps({"object": "list", "data": [{"id": "m", "max_model_len": 3000}]}).encode()


class Canned:
    """Answers each path with the same bytes; keeps the heads of what was asked."""

    def __init__(self, answers: Answers) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.url = ""
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            self.heads.append(head)
            self.bodies.append(await reader.readexactly(length))
            status, body = self._answers.get(head.split(b" ")[1].decode(), (404, b"404 page not found"))
            writer.write(
                b"HTTP/1.1 %d X\r\nConnection: close\r\nLocation: http://elsewhere.invalid/\r\n\r\n" % status
            )
            writer.write(body)
            await writer.drain()


@contextlib.asynccontextmanager
async def canned(answers: Answers, *, uds: str | None = None) -> AsyncGenerator[Canned]:
    here = Canned(answers)
    if uds is None:
        server = await asyncio.start_server(here.serve, "127.0.0.1", 0)
        here.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    else:
        server = await asyncio.start_unix_server(here.serve, uds)
        here.url = "http://model"
    async with server:
        yield here


def events(*values: object) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def said(text: str | None, *, reason: str | None = None, **delta: str) -> dict[str, object]:
    return {"choices": [{"delta": {"content": text, **delta}, "finish_reason": reason}]}


async def collect(llm: LLM, options: Options = OPTIONS) -> tuple[str, Finish | None]:
    chunks = [chunk async for chunk in llm.stream(PROMPT, options)]
    return "".join(chunk.text for chunk in chunks), chunks[-1].finish


@contextlib.asynccontextmanager
async def openai_saying(
    status: int, body: bytes, **others: tuple[int, bytes]
) -> AsyncGenerator[OpenAICompatible]:
    answers = {"/v1/models": (200, LISTED), "/v1/chat/completions": (status, body)}
    answers |= {f"/{path}": answer for path, answer in others.items()}
    async with canned(answers) as server, OpenAICompatible(f"{server.url}/v1", "m") as llm:
        yield llm


GOOD = {
    "no usage": (events(said("a"), said(None, reason="stop")) + b"data: [DONE]\n\n", "stop", None),
    "usage with the reason": (
        events(
            said("a"), {**said(None, reason="length"), "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
        ),
        "length",
        3,
    ),
    "no [DONE]": (events(said("a"), said(None, reason="stop")), "stop", None),
    "[DONE] alone": (events(said("a")) + b"data: [DONE]\n\n", "stop", None),
    "thoughts": (events(said(None, reasoning_content="hm"), said("a", reason="stop")), "stop", None),
    "comments, CRLF, no space": (
        b": ping\r\n\r\nevent: x\r\ndata:" + json.dumps(said("a", reason="stop")).encode() + b"\r\n\r\n",
        "stop",
        None,
    ),
    "null usage": (events({**said("a", reason="stop"), "usage": None}), "stop", None),
}


@pytest.mark.parametrize(("body", "reason", "tokens"), GOOD.values(), ids=GOOD)
async def test_the_shapes_of_a_good_answer(body: bytes, reason: str, tokens: int | None) -> None:
    async with openai_saying(200, body) as llm:
        text, finish = await collect(llm)
    assert text == "a"
    assert finish is not None
    assert (finish.reason, finish.prompt_tokens, finish.model) == (reason, tokens, "m")


FULL = {"code": 400, "message": "request (9 tokens) exceeds", "type": "exceed_context_size_error", "n_ctx": 8}
TOO_LARGE = {
    "llama-server": (400, json.dumps({"error": FULL}).encode()),
    "llama-server, mid-stream": (200, events(said("a"), {"error": FULL})),
    "OpenAI": (400, json.dumps({"error": {"code": "context_length_exceeded", "message": "m"}}).encode()),
    "vLLM": (
        400,
        json.dumps(
            {"object": "error", "message": "This model's maximum context length is 8", "code": 400}
        ).encode(),
    ),
}


@pytest.mark.parametrize(("status", "body"), TOO_LARGE.values(), ids=TOO_LARGE)
async def test_a_prompt_beyond_the_window_is_too_large(status: int, body: bytes) -> None:
    async with openai_saying(status, body) as llm:
        with pytest.raises(MessageTooLarge):
            await collect(llm)


NO_MODEL = {
    "OpenAI": (404, {"error": {"code": "model_not_found", "message": "no", "type": "invalid_request_error"}}),
    "vLLM": (404, {"object": "error", "message": "The model `x` does not exist.", "code": 404}),
    "llama-server's router": (400, {"error": {"code": 400, "message": "model 'x' not found"}}),
}


@pytest.mark.parametrize(("status", "body"), NO_MODEL.values(), ids=NO_MODEL)
async def test_a_model_the_server_lacks_is_told_from_other_refusals(status: int, body: object) -> None:
    async with openai_saying(status, json.dumps(body).encode()) as llm:
        with pytest.raises(Invalid):
            await collect(llm, Options(model="m", temperature=0, max_tokens=8))


BAD = {
    "an error as text": (200, events({"error": "boom at http://host.invalid"})),
    "an old vLLM's error": (200, events(said("a"), {"object": "error", "message": "boom", "code": 500})),
    "a page": (200, b"<html>it works</html>"),
    "a redirect": (307, b""),
    "an endless line": (200, b"data: " + b"x" * (MAX_LINE_BYTES + 10)),
    "an endless refusal": (500, b"x" * (17 * 1024 * 1024)),
    "broken UTF-8": (200, b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n'),
    "nothing": (200, b""),
}


@pytest.mark.parametrize(("status", "body"), BAD.values(), ids=BAD)
async def test_what_is_no_answer_is_unavailable(status: int, body: bytes) -> None:
    async with openai_saying(status, body) as llm:
        with pytest.raises(Unavailable) as raised:
            await collect(llm)
    assert "boom" not in raised.value.detail
    assert "invalid" not in raised.value.detail
    chat = (status, body.replace(b"data: ", b""))
    async with (
        canned({"/api/show": (200, SHOWN), "/api/chat": chat}) as server,
        Ollama(server.url, "m") as llm,
    ):
        with pytest.raises(Unavailable):
            await collect(llm)


def props(n_ctx: object) -> bytes:
    return json.dumps({"default_generation_settings": {"n_ctx": n_ctx}, "total_slots": 4}).encode()


WINDOWS = {
    "vLLM": ((404, b""), 3000),
    "llama-server": ((200, props(512)), 512),
    "llama-server's router": ((200, props(0)), 3000),
    "LM Studio": ((200, b'{"error":"Unexpected endpoint or method."}'), 3000),
}


@pytest.mark.parametrize(("answer", "window"), WINDOWS.values(), ids=WINDOWS)
async def test_where_the_window_is_found(answer: tuple[int, bytes], window: int) -> None:
    async with openai_saying(200, b"", props=answer) as llm:
        assert await llm.window_tokens() == window


def listed(owner: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": "m", "owned_by": owner}]}).encode()


CONTINUING = {
    "vLLM": ((404, b""), listed("vllm"), True),
    "llama-server": ((200, props(512)), listed("llamacpp"), True),
    "OpenAI": ((404, b""), listed("openai"), False),
    "no owners": ((404, b""), LISTED, False),
}


@pytest.mark.parametrize(("told", "models", "continues"), CONTINUING.values(), ids=CONTINUING)
async def test_which_servers_continue(told: tuple[int, bytes], models: bytes, *, continues: bool) -> None:
    async with (
        canned({"/v1/models": (200, models), "/props": told}) as server,
        OpenAICompatible(f"{server.url}/v1", "m") as llm,
    ):
        assert await llm.continues() == continues


@pytest.mark.parametrize(
    ("capabilities", "continues"),
    [(None, True), (["completion"], True), (["completion", "thinking"], False)],
    ids=["an old Ollama", "plain", "thinking"],
)
async def test_which_of_ollamas_models_continue(capabilities: list[str] | None, *, continues: bool) -> None:
    shown = json.dumps({"model_info": {}, "capabilities": capabilities}).encode()
    async with canned({"/api/show": (200, shown)}) as server, Ollama(server.url, "m") as llm:
        assert await llm.continues() == continues


async def test_the_beginning_of_an_answer_is_asked_to_be_continued() -> None:
    answers = {
        "/v1/models": (200, listed("vllm")),
        "/v1/chat/completions": (200, events(said("a", reason="stop"))),
    }
    async with canned(answers) as server, OpenAICompatible(f"{server.url}/v1", "m") as llm:
        await collect(llm)
        begun = [*PROMPT, PromptMessage(role="assistant", content="Once")]
        async for _ in llm.stream(begun, OPTIONS):
            pass
    plain, continued = (json.loads(body) for body in server.bodies[-2:])
    assert "continue_final_message" not in plain
    assert (continued["continue_final_message"], continued["add_generation_prompt"]) == (True, False)
    assert continued["messages"][-1] == {"role": "assistant", "content": "Once"}


async def test_a_server_that_tells_no_window_is_taken_to_have_8192() -> None:
    async with canned({}) as server, OpenAICompatible(f"{server.url}/v1", "m") as llm:
        assert await llm.window_tokens() == 8192
        assert await llm.models() == []


async def test_a_llama_server_still_loading_is_not_mistaken_for_another_product() -> None:
    async with openai_saying(200, b"", props=(503, b""), health=(503, b"")) as llm:
        for ask in (llm.window_tokens, llm.ping):
            with pytest.raises(Unavailable):
                await ask()


async def test_without_a_name_the_first_model_listed_answers() -> None:
    chat = events(said("a", reason="stop"))
    answers = {"/v1/models": (200, LISTED), "/v1/chat/completions": (200, chat)}
    async with canned(answers) as server, OpenAICompatible(f"{server.url}/v1/", "") as llm:
        _, finish = await collect(llm)
    assert finish is not None
    assert finish.model == "m"
    assert json.loads(server.bodies[-1])["model"] == "m"


async def test_only_llama_server_is_asked_to_keep_the_prompt() -> None:
    chat = events(said("a", reason="stop"))
    answers = {"/v1/models": (200, LISTED), "/v1/chat/completions": (200, chat)}
    async with canned(answers) as server, OpenAICompatible(f"{server.url}/v1", "m", api_key="k-1") as llm:
        await collect(llm)
    assert "cache_prompt" not in json.loads(server.bodies[-1])
    assert json.loads(server.bodies[-1])["stream_options"] == {"include_usage": True}
    assert all(b"authorization: bearer k-1\r\n" in head.lower() for head in server.heads)


async def test_a_unix_socket_is_an_address(tmp_path: Path) -> None:
    uds = str(tmp_path / "model.sock")
    chat = events(said("a", reason="stop"))
    answers = {"/v1/models": (200, LISTED), "/v1/chat/completions": (200, chat)}
    async with (
        canned(answers, uds=uds) as server,
        OpenAICompatible(f"{server.url}/v1", "m", uds=uds) as llm,
    ):
        assert (await collect(llm))[0] == "a"


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with ScriptedModel() as server:
        async with Ollama(server.url, "llama3.2:1b") as ollama:
            await ollama.ping()
            await collect(ollama)
        async with OpenAICompatible(server.openai_url, "llama3.2:1b") as openai:
            await openai.ping()


async def test_ollama_fetches_what_it_lacks_and_tells_how_far() -> None:
    told: list[tuple[int, int]] = []
    async with ScriptedModel() as server, Ollama(server.url, "fresh") as ollama:
        assert not await ollama.has_model("fresh")
        await ollama.pull("fresh", lambda completed, total: told.append((completed, total)))
        assert await ollama.has_model("fresh")
        assert await ollama.has_model("fresh:latest")
        assert not await ollama.has_model("fresh:1b")
    assert [round(completed / total, 2) for completed, total in told] == [0.25, 0.5, 0.75, 1.0]


def ignore(completed: int, total: int) -> None:
    del completed, total


async def test_a_pull_without_success_failed() -> None:
    async with ScriptedModel() as server, Ollama(server.url, "fresh") as ollama:
        server.script(Script(fault=MissingEnd(drop=1)), kind="pull")
        with pytest.raises(Unavailable):
            await ollama.pull("fresh", ignore)


async def test_a_pull_adds_up_its_layers_and_knows_a_model_nobody_has() -> None:
    steps = [{"status": "a", "digest": d, "total": 100, "completed": c} for d, c in (("x", 100), ("y", 20))]
    lines = b"".join(json.dumps(step).encode() + b"\n" for step in [*steps, {"status": "success"}])
    told: list[tuple[int, int]] = []
    async with canned({"/api/pull": (200, lines)}) as server, Ollama(server.url, "m") as ollama:
        await ollama.pull("m", lambda completed, total: told.append((completed, total)))
    assert told == [(100, 100), (120, 200)]
    nobody = b'{"error":"pull model manifest: file does not exist"}\n'
    async with canned({"/api/pull": (200, nobody)}) as server, Ollama(server.url, "m") as ollama:
        with pytest.raises(Invalid):
            await ollama.pull("m", ignore)


async def test_ollama_says_which_models_are_loaded() -> None:
    async with ScriptedModel() as server, Ollama(server.url, "llama3.2:1b") as ollama:
        await collect(ollama)
        listed = await ollama.models()
    assert [(model.name, model.loaded) for model in listed] == [
        ("llama3.2:1b", True),
        ("nomic-embed-text:latest", False),
    ]


async def test_a_model_that_only_embeds_cannot_chat() -> None:
    async with ScriptedModel() as server, Ollama(server.url, "llama3.2:1b") as ollama:
        with pytest.raises(Invalid):
            await collect(ollama, Options(model="nomic-embed-text", temperature=0, max_tokens=8))
