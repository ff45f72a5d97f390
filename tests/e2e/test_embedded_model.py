"""The real llama-server with the real weights; EMBEDDED_MODEL may name a GGUF file that is there already."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from jarvis.adapters.openai import OpenAICompatible
from jarvis.core.ports import Options, PromptMessage
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.llama import Endpoint, start_llama
from jarvis.embedded.supervisor import Supervisor
from jarvis.embedded.weights import fetch_weights

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
async def endpoint(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Endpoint]:
    folder = Path(os.environ.get("JARVIS_E2E_DATA_DIR") or tmp_path_factory.mktemp("data"))
    with DataDir(folder) as data_dir:
        model = await fetch_weights(os.environ.get("EMBEDDED_MODEL", "1.5b"), data_dir)
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            yield await start_llama(supervisor, model, data_dir)


def client(endpoint: Endpoint) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(
        uds=str(endpoint.uds), limits=httpx.Limits(max_keepalive_connections=0)
    )
    return httpx.AsyncClient(transport=transport, base_url=endpoint.url, timeout=120)


async def ask(endpoint: Endpoint, question: str, *, max_tokens: int = 32) -> str:
    body = {
        "model": endpoint.model,
        "temperature": 0,
        "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": question}],
    }
    async with client(endpoint) as http:
        answer = await http.post("chat/completions", json=body)
    assert answer.status_code == 200
    return answer.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("What is the capital of France? Answer in one word.", "Paris"),
        ("Quelle est la capitale de la France ? Réponds en une phrase en français.", "capitale"),
    ],
    ids=["English", "French"],
)
async def test_it_answers(endpoint: Endpoint, question: str, word: str) -> None:
    assert word in await ask(endpoint, question)


async def test_it_goes_on_with_the_beginning_of_an_answer(endpoint: Endpoint) -> None:
    prompt = [
        PromptMessage(role="user", content="List the seven days of the week in English, one per line."),
        PromptMessage(role="assistant", content="Monday\nTuesday\nWednesday"),
    ]
    async with OpenAICompatible(endpoint.url, endpoint.model, uds=str(endpoint.uds)) as llm:
        assert await llm.continues()
        answer = llm.stream(prompt, Options(temperature=0, max_tokens=32))
        text = "".join([chunk.text async for chunk in answer])
    assert text.startswith("\nThursday\nFriday\nSaturday\nSunday")
    assert "Monday" not in text


async def test_it_names_its_model(endpoint: Endpoint) -> None:
    async with client(endpoint) as http:
        listed = (await http.get("models")).json()
    assert [model["id"] for model in listed["data"]] == [endpoint.model]


async def test_nobody_else_can_reach_it(endpoint: Endpoint) -> None:
    assert endpoint.uds.parent.stat().st_mode & 0o077 == 0


async def test_leaving_during_prompt_evaluation_frees_it(endpoint: Endpoint) -> None:
    """Evaluating this prompt takes half a minute and more; the next answer must not wait for it."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await ask(endpoint, "zebra " * 4000)
    async with asyncio.timeout(15.0):
        await ask(endpoint, "Say hello.", max_tokens=4)
