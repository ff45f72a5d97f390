"""What a newcomer does: start Jarvis with nothing configured, and talk. The real program, the real model."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import psutil
import pytest
import websockets

from tests.running import JarvisProcess, in_one_task, jarvis_process

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

NO_OLLAMA = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def data_dir() -> Generator[Path]:
    """Not below pytest's own folder, which is root's alone: the user that runs Postgres has to get there."""
    kept = os.environ.get("JARVIS_E2E_DATA_DIR")
    folder = Path(kept or tempfile.mkdtemp(prefix="jarvis-e2e-"))
    yield folder
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)  # likewise, a moment after its end


def environment(data_dir: Path) -> dict[str, str]:
    return {"JARVIS_DATA_DIR": str(data_dir), "OLLAMA_URL": NO_OLLAMA}


@pytest.fixture(scope="module")
async def jarvis(data_dir: Path) -> AsyncGenerator[JarvisProcess]:
    started = time.monotonic()
    async with in_one_task(jarvis_process(environment(data_dir))) as process:
        print(f"\nready after {time.monotonic() - started:.1f} s")
        await wait_for_model(process)
        print(f"the model answers after {time.monotonic() - started:.1f} s")
        yield process


async def wait_for_model(process: JarvisProcess) -> None:
    async with asyncio.timeout(1500):
        while (await process.http.get("/health")).json()["services"]["llm"]["status"] != "healthy":  # noqa: ASYNC110 another process fetches and loads a gigabyte
            await asyncio.sleep(0.2)


async def say(process: JarvisProcess, message: str, conversation_id: str | None = None) -> dict[str, Any]:
    body = {"message": message, "conversation_id": conversation_id, "temperature": 0}
    response = await process.http.post("/api/chat", json=body, timeout=300)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_second_message_is_answered_from_the_first(jarvis: JarvisProcess) -> None:
    first = await say(jarvis, "Hello Jarvis, my cat is called Mistral.")
    second = await say(jarvis, "What is my cat called?", first["conversation_id"])
    assert "Mistral" in second["response"]


async def test_the_same_in_french(jarvis: JarvisProcess) -> None:
    first = await say(jarvis, "Bonjour Jarvis, mon chien s'appelle Sirius et j'habite à Lyon.")
    second = await say(jarvis, "Comment s'appelle mon chien ?", first["conversation_id"])
    assert "Sirius" in second["response"]
    assert {"votre", "ton", "chien", "s'appelle"} & set(second["response"].lower().split())


async def test_it_streams_over_sse(jarvis: JarvisProcess) -> None:
    body = {"message": "Count from one to five in words.", "stream": True, "temperature": 0}
    async with httpx_sse.aconnect_sse(jarvis.http, "POST", "/api/chat", json=body, timeout=300) as stream:
        events = [json.loads(event.data) async for event in stream.aiter_sse()]
    deltas = [event["text"] for event in events if event["type"] == "delta"]
    assert len(deltas) > 3
    assert "".join(deltas) == events[-1]["content"]
    assert "three" in events[-1]["content"].lower()


async def test_it_streams_over_a_websocket(jarvis: JarvisProcess) -> None:
    async with websockets.connect(jarvis.ws_url) as socket:
        await socket.send(json.dumps({"type": "chat_message", "content": "Say hello.", "temperature": 0}))
        events = [json.loads(await socket.recv())]
        while events[-1]["type"] not in {"chat_response", "error"}:
            events.append(json.loads(await socket.recv()))
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert "".join(event["text"] for event in events if event["type"] == "delta") == events[-1]["content"]


async def test_the_parts_fit_into_a_small_machine(jarvis: JarvisProcess) -> None:
    parent = psutil.Process(jarvis.process.pid)
    parts = {child.name(): child.memory_full_info().pss for child in parent.children(recursive=True)}
    total = sum(child.memory_full_info().pss for child in (parent, *parent.children(recursive=True)))
    print(f"\nmemory of all parts (proportional): {total / 2**20:.0f} MB; server and {sorted(parts)}")
    assert {"llama-server", "postgres"} <= parts.keys()
    assert total < 4 * 2**30


FACTS = {
    "My cat is called Mistral.": ("What is my cat called?", "Mistral"),
    "My sister Claire lives in Lyon.": ("Where does my sister Claire live?", "Lyon"),
    "I work as a baker.": ("What do I work as?", "baker"),
    "My car is a red Twingo.": ("Which car do I have?", "Twingo"),
    "J'ai rendez-vous chez le dentiste le 12 mars.": ("When do I see the dentist?", "12"),
}


async def test_what_was_told_is_known_after_a_restart_in_another_conversation(
    jarvis: JarvisProcess, data_dir: Path
) -> None:
    del jarvis  # it has fetched the model, and serves on; this one is told by a profile of its own
    other = f"{data_dir}-facts"
    shutil.copytree(data_dir / "models", Path(other) / "models", dirs_exist_ok=True)
    try:
        async with jarvis_process(environment(Path(other))) as told:
            await wait_for_model(told)
            for fact in FACTS:
                await say(told, fact)
            told.signal(signal.SIGTERM)
            assert await told.exit_code(within_s=30) == 0
        async with jarvis_process(environment(Path(other))) as asked:
            await wait_for_model(asked)
            right = 0
            for question, word in FACTS.values():
                answer = await say(asked, question)
                memories = [memory["content"] for memory in answer["context"]["memories"]]
                right += word in answer["response"]
                print(f"\n{question} {answer['response']!r}, told of {memories}")
            assert right >= 4
    finally:
        shutil.rmtree(other, ignore_errors=True)  # parts of a killed server may still write


async def test_what_was_said_is_there_after_a_restart_without_network(
    jarvis: JarvisProcess, data_dir: Path
) -> None:
    jarvis.signal(signal.SIGTERM)
    assert await jarvis.exit_code(within_s=30) == 0
    async with jarvis_process(
        environment(data_dir) | {"HTTPS_PROXY": NO_OLLAMA, "HTTP_PROXY": NO_OLLAMA}
    ) as again:
        await wait_for_model(again)
        history: httpx.Response = await again.http.get("/api/chat/history", params={"limit": 200})
        texts = [message["content"] for message in history.json()["messages"]]
        assert texts
        listed = (await again.http.get("/api/chat/conversations")).json()["conversations"]
        first = min(listed, key=lambda conversation: conversation["created_at"])
        answer = await say(again, "Once more: what is my cat called?", first["id"])
        assert "Mistral" in answer["response"]
