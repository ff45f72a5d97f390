"""What the LLM port promises, on every adapter that fills it, against a model server that obeys."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from jarvis.adapters.late import LateLLM
from jarvis.adapters.ollama import Ollama
from jarvis.adapters.openai import OpenAICompatible
from jarvis.core.errors import Invalid, JarvisError, TimedOut, Unavailable
from jarvis.core.ports import LLM, Chunk, Finish, Options, PromptMessage
from tests.scripted_model import (
    ByteByByte,
    Fault,
    Garbage,
    Hang,
    Log,
    MissingEnd,
    Model,
    Refuse,
    Reset,
    Script,
    ScriptedModel,
    SlowHead,
    StreamError,
    TwoPerChunk,
)

Adapter: TypeAlias = Ollama | OpenAICompatible
Open: TypeAlias = Callable[[ScriptedModel], Adapter]

CHAT = "llama3.2:1b"
PROMPT = [
    PromptMessage(role="system", content="You are brief."),
    PromptMessage(role="user", content="un secret à garder"),
]
OPTIONS = Options(temperature=0.3, max_tokens=64)
FIRST_S = 0.5
BETWEEN_S = 0.4


def open_ollama(
    server: ScriptedModel, *, num_ctx: int | None = None, model: str = CHAT, hasty: bool = False
) -> Ollama:
    first_s, between_s = (FIRST_S, BETWEEN_S) if hasty else (60, 20)
    return Ollama(server.url, model, num_ctx=num_ctx, first_token_s=first_s, inter_token_s=between_s)


def open_openai(
    server: ScriptedModel, *, num_ctx: int | None = None, model: str = CHAT, hasty: bool = False
) -> OpenAICompatible:
    first_s, between_s = (FIRST_S, BETWEEN_S) if hasty else (60, 20)
    return OpenAICompatible(
        server.openai_url, model, num_ctx=num_ctx, first_token_s=first_s, inter_token_s=between_s
    )


ADAPTERS = {"ollama": open_ollama, "openai": open_openai}


@pytest.fixture
async def server() -> AsyncGenerator[ScriptedModel]:
    small = Model(name="small:latest", context_length=2048)
    large = Model(name="large:latest", context_length=131_072)
    async with ScriptedModel(models=[Model(name=CHAT, context_length=4096), small, large]) as running:
        yield running


@pytest.fixture(params=list(ADAPTERS))
def kind(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture(params=["itself", "late"])
async def llm(request: pytest.FixtureRequest, kind: str, server: ScriptedModel) -> AsyncGenerator[LLM]:
    async with ADAPTERS[kind](server) as adapter:
        if request.param == "itself":
            yield adapter
        else:
            late = LateLLM("what was hoped for")
            late.arrive(adapter)
            yield late


@pytest.fixture
async def adapter(kind: str, server: ScriptedModel) -> AsyncGenerator[Adapter]:
    async with ADAPTERS[kind](server) as opened:
        yield opened


@pytest.fixture
async def hasty(kind: str, server: ScriptedModel) -> AsyncGenerator[Adapter]:
    async with ADAPTERS[kind](server, hasty=True) as opened:
        await opened.window_tokens()
        yield opened


async def collect(llm: LLM, options: Options = OPTIONS) -> tuple[str, Finish | None]:
    text, finish = "", None
    async with contextlib.aclosing(llm.stream(PROMPT, options)) as chunks:
        async for chunk in chunks:
            assert finish is None, "a chunk came after the one with `finish`"
            text += chunk.text
            finish = chunk.finish
    return text, finish


async def collect_into(came: list[Chunk], llm: LLM) -> None:
    async for chunk in llm.stream(PROMPT, OPTIONS):
        came.append(chunk)  # noqa: PERF401 # what came before the failure is to be kept


def open_sockets() -> set[str]:
    """Return this process's sockets, the scripted server's ends included."""
    links = [os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir()]
    return {link for link in links if "socket:" in link}


def chats(log: Log, outcome: str) -> int:
    return sum(record.outcome == outcome for record in log.of("chat"))


TEXTS = {
    "plain": "The quick brown fox",
    "accents": "Où ça ? À Noël — l'été, 42 € … \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "other line ends": "next\u0085line \u2028separator \u2029paragraph \x0bvertical \x0cform \x1crecord",
    "line feeds": "one\n\ntwo\r\nthree\n",
    "quotes": 'he said "data: [DONE]" \\ {"done": true}',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("fault", [None, ByteByByte(), TwoPerChunk()], ids=["whole", "bytewise", "in pairs"])
async def test_an_answer_comes_as_the_model_said_it(
    llm: LLM, server: ScriptedModel, text: str, fault: Fault | None
) -> None:
    server.script(Script(text=text, prompt_tokens=17, fault=fault))
    said, finish = await collect(llm)
    assert said == text
    tokens = server.log.of("chat")[0].tokens_sent
    assert finish == Finish(model=CHAT, prompt_tokens=17, completion_tokens=tokens, reason="stop")


async def test_an_answer_cut_by_its_limit_says_so(llm: LLM, server: ScriptedModel) -> None:
    server.script(Script(tokens=50))
    text, finish = await collect(llm, Options(temperature=0, max_tokens=3))
    assert text == "w0 w1 w2"
    assert finish is not None
    assert (finish.reason, finish.completion_tokens) == ("length", 3)


async def test_an_empty_answer_is_an_answer(llm: LLM, server: ScriptedModel) -> None:
    server.script(Script(text=""))
    text, finish = await collect(llm)
    assert text == ""
    assert finish is not None


async def test_the_model_gets_the_prompt_and_the_options(llm: LLM, server: ScriptedModel, kind: str) -> None:
    await collect(llm, Options(model="small", temperature=0, max_tokens=5))
    record = server.log.of("chat")[0]
    assert [(m.role, m.content) for m in record.messages] == [(m.role, m.content) for m in PROMPT]
    assert record.model == "small"
    if kind == "ollama":
        assert record.options == {"num_ctx": 2048, "num_predict": 5, "temperature": 0}
    else:
        assert {name: record.options[name] for name in ("temperature", "max_tokens", "cache_prompt")} == {
            "temperature": 0,
            "max_tokens": 5,
            "cache_prompt": True,
        }


async def test_the_window_is_the_models(llm: LLM, server: ScriptedModel) -> None:
    assert await llm.window_tokens() == 4096
    asked = len(server.log.records)
    assert await llm.window_tokens() == 4096
    assert len(server.log.records) == asked, "an answer that was known was asked for again"


@pytest.mark.parametrize(("num_ctx", "window"), [(1024, 1024), (100_000, 4096)], ids=["lower", "higher"])
async def test_the_setting_lowers_the_window_and_cannot_raise_it(
    kind: str, server: ScriptedModel, num_ctx: int, window: int
) -> None:
    async with ADAPTERS[kind](server, num_ctx=num_ctx) as adapter:
        assert await adapter.window_tokens() == window


async def test_a_model_nobody_has_is_the_clients_fault_only_where_it_was_named(
    kind: str, server: ScriptedModel
) -> None:
    options = Options(model="nobody:7b", temperature=0, max_tokens=5)
    async with ADAPTERS[kind](server) as adapter:
        with pytest.raises(Invalid) as named:
            await adapter.window_tokens("nobody:7b")
        assert [error.field for error in named.value.errors] == ["model"]
        with pytest.raises(Invalid):
            await collect(adapter, options)
    async with ADAPTERS[kind](server, model="nobody:7b") as adapter:
        with pytest.raises(Unavailable):
            await adapter.window_tokens()
        with pytest.raises(Unavailable):
            await collect(adapter)


async def test_it_goes_on_with_the_beginning_of_an_answer(llm: LLM, server: ScriptedModel) -> None:
    server.script(Script(text="Un deux trois\nquatre cinq"))
    assert await llm.continues()
    begun = [*PROMPT, PromptMessage(role="assistant", content="Un deux trois")]
    text = "".join([chunk.text async for chunk in llm.stream(begun, OPTIONS)])
    assert text == "\nquatre cinq"
    assert [message.role for message in server.log.generating[-1].messages] == ["system", "user", "assistant"]


async def test_models_are_listed(llm: LLM) -> None:
    listed = await llm.models()
    assert [(model.name, model.default) for model in listed] == [
        (CHAT, True),
        ("small:latest", False),
        ("large:latest", False),
    ]
    assert all(model.modified_at is not None and model.modified_at.tzinfo is not None for model in listed)


async def test_a_ping_asks_for_no_generation(llm: LLM, server: ScriptedModel) -> None:
    await llm.ping()
    assert len(server.log.records) == 1
    assert not server.log.generating


async def test_a_ping_to_a_silent_server_ends(adapter: Adapter, server: ScriptedModel) -> None:
    server.script(Script(fault=Hang()), kind="version")
    server.script(Script(fault=Hang()), kind="health")
    started_s = time.monotonic()
    with pytest.raises(TimedOut):
        await adapter.ping()
    assert time.monotonic() - started_s < 2


BROKEN = {
    "400": Refuse(status=400, message="bad request about un secret"),
    "401": Refuse(status=401, message="invalid key sk-123"),
    "403": Refuse(status=403),
    "404 path": Refuse(status=404, message="404 page not found"),
    "429": Refuse(status=429),
    "500": Refuse(status=500),
    "503": Refuse(status=503),
    "reset in prefill": Reset(at_token=0),
    "reset after 3": Reset(at_token=3),
    "error in prefill": StreamError(at_token=0),
    "error after 3": StreamError(at_token=3, message="un secret at http://127.0.0.1"),
    "garbage in prefill": Garbage(at_token=0),
    "garbage after 3": Garbage(at_token=3, text='{"un secret'),
    "a list": Garbage(at_token=3, text="[1]"),
    "a number": Garbage(at_token=0, text="7"),
    "wrong types": Garbage(at_token=2, text='{"message": 4, "choices": 4}'),
    "nested": Garbage(at_token=2, text="[" * 100_000),
    "no end": MissingEnd(),
    "no end, cut": MissingEnd(cut_http=True),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
async def test_a_failure_is_unavailable_and_keeps_what_came(
    adapter: Adapter, server: ScriptedModel, fault: Fault
) -> None:
    server.script(Script(tokens=6, fault=fault))
    came: list[Chunk] = []
    with pytest.raises(Unavailable) as raised:
        await collect_into(came, adapter)
    error = raised.value
    assert (error.code, error.dependency) == ("llm_unavailable", "llm")
    assert not any(word in error.detail for word in ("secret", "127.0.0.1", "http", str(server.port), "sk-"))
    assert all(chunk.finish is None for chunk in came)
    at = getattr(fault, "at_token", None)
    expected = 6 if isinstance(fault, MissingEnd) else 0 if at is None or isinstance(fault, Reset) else at
    assert len("".join(chunk.text for chunk in came).split()) >= expected


async def test_the_key_is_named_where_it_is_wrong(adapter: Adapter, server: ScriptedModel) -> None:
    server.script(Script(fault=Refuse(status=401)))
    with pytest.raises(Unavailable, match="key"):
        await collect(adapter)


@pytest.mark.parametrize("question", ["stream", "window", "models", "ping"])
async def test_a_server_that_is_not_there_is_unavailable(kind: str, question: str) -> None:
    with socket.socket() as bound:
        # Bound but not listening: nobody else can take the port, and connecting is refused.
        bound.bind(("127.0.0.1", 0))
        away = ScriptedModel(port=int(bound.getsockname()[1]))
        async with ADAPTERS[kind](away) as adapter:
            ask = {
                "stream": lambda: collect(adapter),
                "window": adapter.window_tokens,
                "models": adapter.models,
                "ping": adapter.ping,
            }[question]
            with pytest.raises(Unavailable):
                await ask()


async def test_a_host_name_that_does_not_exist_is_unavailable(kind: str) -> None:
    away = ScriptedModel(host="nowhere.invalid", port=9)
    async with ADAPTERS[kind](away) as adapter:
        with pytest.raises(Unavailable):
            await adapter.models()


SLOW = {
    "no head": Script(tokens=6, fault=Hang(at_token=0)),
    "a head, no token": Script(tokens=6, fault=Hang(at_token=0), head_first=True),
    "a byte now and then": Script(tokens=6, fault=SlowHead(byte_interval_s=0.05)),
    "silent after 3": Script(tokens=6, fault=Hang(at_token=3)),
}


@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW)
async def test_a_model_too_slow_is_given_up(hasty: Adapter, server: ScriptedModel, script: Script) -> None:
    server.script(script)
    started_s = time.monotonic()
    with pytest.raises(TimedOut) as raised:
        await collect(hasty)
    assert time.monotonic() - started_s < 2.5
    assert raised.value.code == "llm_timeout"
    await server.wait_for(lambda log: chats(log, "client_disconnected") == 1, timeout_s=1)


async def test_a_steady_model_may_take_longer_than_either_limit(
    hasty: Adapter, server: ScriptedModel
) -> None:
    server.script(Script(tokens=16, tokens_per_s=20))
    text, _ = await collect(hasty)
    assert len(text.split()) == 16


async def test_a_reader_may_take_its_time(hasty: Adapter, server: ScriptedModel) -> None:
    server.script(Script(tokens=1000))
    chunks = hasty.stream(PROMPT, Options(temperature=0, max_tokens=1000))
    async with contextlib.aclosing(chunks):
        first = await anext(chunks)
        # The wait itself is what is tested: longer than both limits together.
        await asyncio.sleep(FIRST_S + 2 * BETWEEN_S)
        rest = [chunk async for chunk in chunks]
    assert len("".join(chunk.text for chunk in [first, *rest]).split()) == 1000


async def test_a_stream_may_change_its_reader(adapter: Adapter, server: ScriptedModel) -> None:
    server.script(Script(tokens=3))
    chunks = adapter.stream(PROMPT, OPTIONS)
    first = await asyncio.ensure_future(anext(chunks))
    rest = [chunk async for chunk in chunks]
    assert "".join(chunk.text for chunk in [first, *rest]) == "w0 w1 w2"


TIMES = 100


@pytest.fixture
async def nothing_left(server: ScriptedModel, adapter: Adapter) -> AsyncGenerator[None]:
    """Fail the test that leaves a task, a socket or an unretrieved exception behind."""
    await adapter.window_tokens()
    loop = asyncio.get_running_loop()
    tasks, sockets = len(asyncio.all_tasks()), len(open_sockets())
    complaints: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        yield
        await server.wait_for(lambda log: log.running == 0, timeout_s=1)
        for _ in range(5):
            await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert complaints == []
    assert len(asyncio.all_tasks()) <= tasks
    assert len(open_sockets()) <= sockets + 2


@pytest.mark.parametrize("head_first", [False, True], ids=["no byte answered", "head answered"])
@pytest.mark.usefixtures("nothing_left")
async def test_cancelling_the_reader_in_prefill_closes_the_connection(
    adapter: Adapter, server: ScriptedModel, *, head_first: bool
) -> None:
    server.script(Script(tokens=3, head_first=head_first, fault=Hang(at_token=0)))
    for n in range(1, TIMES + 1):
        reader = asyncio.ensure_future(collect(adapter))
        await server.wait_for(lambda log, n=n: log.counts["waiting"] == n)
        left_s = time.monotonic()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await server.wait_for(lambda log, n=n: chats(log, "client_disconnected") == n, timeout_s=1)
        ended_s = server.log.of("chat")[-1].ended_s
        assert ended_s is not None
        assert ended_s - left_s < 1


@pytest.mark.usefixtures("nothing_left")
async def test_cancelling_the_reader_between_tokens_closes_the_connection(
    adapter: Adapter, server: ScriptedModel
) -> None:
    server.script(Script(tokens=5, fault=Hang(at_token=2)))
    for n in range(1, TIMES + 1):
        reader = asyncio.ensure_future(collect(adapter))
        await server.wait_for(lambda log, n=n: log.counts["waiting"] == n)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await server.wait_for(lambda log, n=n: chats(log, "client_disconnected") == n, timeout_s=1)


@pytest.mark.usefixtures("nothing_left")
async def test_closing_the_generator_closes_the_connection(adapter: Adapter, server: ScriptedModel) -> None:
    server.script(Script(tokens=5, fault=Hang(at_token=2)))
    for n in range(1, TIMES + 1):
        chunks = adapter.stream(PROMPT, OPTIONS)
        assert (await anext(chunks)).text == "w0"
        await chunks.aclose()
        await server.wait_for(lambda log, n=n: chats(log, "client_disconnected") == n, timeout_s=1)


@pytest.mark.usefixtures("nothing_left")
async def test_a_burst_of_cancelled_readers_leaves_nothing(adapter: Adapter, server: ScriptedModel) -> None:
    server.script(Script(tokens=3, fault=Hang(at_token=0)))
    readers = [asyncio.ensure_future(collect(adapter)) for _ in range(TIMES)]
    await server.wait_for(lambda log: log.counts["waiting"] >= TIMES)
    for reader in readers:
        reader.cancel()
        # A second cancellation while the first is still closing the socket must not stop it.
        asyncio.get_running_loop().call_soon(reader.cancel)
    results = await asyncio.gather(*readers, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    await server.wait_for(lambda log: chats(log, "client_disconnected") == TIMES, timeout_s=1)
    server.clear_scripts()
    assert (await collect(adapter))[1] is not None


async def test_a_connection_is_used_again_after_a_whole_answer(adapter: Adapter) -> None:
    await collect(adapter)
    before = open_sockets()
    await collect(adapter)
    assert open_sockets() == before


async def test_a_stream_never_begun_asks_nothing(adapter: Adapter, server: ScriptedModel) -> None:
    await adapter.stream(PROMPT, OPTIONS).aclose()
    assert server.log.records == []


async def test_a_model_that_is_late_says_why() -> None:
    late = LateLLM("hoped:1b")
    late.progress = "The model is being fetched: 43 %."
    assert (late.model, late.starting) == ("hoped:1b", True)
    asks: list[Callable[[], object]] = [late.window_tokens, late.models, late.ping, lambda: collect(late)]
    for ask in asks:
        with pytest.raises(Unavailable) as raised:
            await ask()  # type: ignore[misc]
        assert raised.value.detail == "The model is being fetched: 43 %."
    late.fail("The model could not be fetched.")
    assert not late.starting
    with pytest.raises(JarvisError, match="could not be fetched"):
        await late.ping()
