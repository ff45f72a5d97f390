"""Where vectors are kept, and what makes them, goes away and comes back; Postgres keeps all that matters."""

import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Iterator
from pathlib import Path

import psutil
import pytest

from jarvis.adapters.qdrant.spaces import NAME
from tests.chaos.listening import poll
from tests.clients import Events, Json, chat, streamed
from tests.qdrant import QdrantServer
from tests.running import JarvisProcess, Running, jarvis_process, running
from tests.scripted_model import EMBEDDING_MODEL, Model, Refuse, Script, ScriptedModel
from tests.scripted_model.catalogue import CHAT_MODEL

CAT = "My cat is called Mistral and she hates the rain."
DOG = "My dog is called Rex and he buries bones."
CAUGHT_UP_WITHIN_S = 60.0
NOTICED_WITHIN_S = 15.0
PROMPT_S = 4.0
"""No patience at all would make a turn last for ever; the recall's own is a second."""
EARLIER = "jarvis_memory"
"""What an earlier server called its collection."""

Server = Running | JarvisProcess


@pytest.fixture
async def qdrant() -> AsyncGenerator[QdrantServer]:
    """A Qdrant server that an earlier server has used, whose collection is neither used nor changed."""
    async with QdrantServer() as server:
        await server.make(EARLIER, dimensions=384)
        yield server
        if EARLIER in await server.names():
            assert await server.ids(EARLIER) == {"1"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="jarvis-test-", ignore_cleanup_errors=True) as path:
        yield Path(path)


async def _unindexed(server: Server) -> int:
    metrics = (await server.http.get("/metrics")).text
    (line,) = [line for line in metrics.splitlines() if line.startswith("jarvis_memory_unindexed ")]
    return int(float(line.split()[1]))


async def _add(server: Server, content: str) -> str:
    response = await server.http.post("/api/memory/add", json={"content": content})
    assert response.status_code == 200, response.text
    return response.json()["id"]


async def _found(server: Server, content: str) -> Json | None:
    """Return the memory as a search for its own words finds it."""
    response = await server.http.post("/api/memory/search", json={"query": content})
    assert response.status_code == 200, response.text
    results: list[Json] = response.json()["results"]
    return next((each for each in results if each["content"] == content), None)


async def _is_found_by_meaning(server: Server, content: str) -> bool:
    found = await _found(server, content)
    return found is not None and found["why"]["closeness"] > 0


async def _caught_up(server: Server, *contents: str) -> None:
    """Wait until nothing is unindexed, and see that these are then found by their meaning."""

    async def is_caught_up() -> bool:
        return await _unindexed(server) == 0 and await _is_found_by_meaning(server, contents[0])

    await poll(is_caught_up, within_s=CAUGHT_UP_WITHIN_S)
    for content in contents:
        assert await _is_found_by_meaning(server, content)


async def _said_and_kept(server: Server, text: str) -> None:
    """Say it, and wait until it was looked through for what is worth remembering."""
    response = await server.http.post("/api/chat", json={"message": text})
    assert response.status_code == 200, response.text

    async def is_kept() -> bool:
        return await _found(server, text) is not None

    await poll(is_kept, within_s=10)


async def _status(server: Server, service: str = "memory") -> str:
    return (await server.http.get("/health")).json()["services"][service]["status"]


def _becomes(server: Server, status: str) -> Awaitable[None]:
    async def is_so() -> bool:
        return await _status(server) == status

    return poll(is_so, within_s=NOTICED_WITHIN_S)


async def _assert_goes_on_without_meanings(server: Running) -> None:
    """See that a turn is answered, says what it lacks, and recalls by words."""
    async with streamed(server, "What do you know of Mistral?") as events:
        await _assert_degraded(events)
    ready = await server.http.get("/ready")
    assert (ready.status_code, ready.json()["failed_checks"]) == (200, [])


async def _assert_degraded(events: Events) -> None:
    seen = await events.rest()
    assert seen[-1]["type"] == "chat_response"
    assert seen[-1]["status"] == "complete"
    assert [each["code"] for each in seen if each["type"] == "notice"] == ["memory_unavailable"]
    (context,) = [each for each in seen if each["type"] == "context"]
    assert context["notices"] == ["memory_unavailable"]
    assert seen[-1]["context"]["notices"] == ["memory_unavailable"]
    assert any("Mistral" in memory["content"] for memory in context["memories"]), str(context)


async def _assert_whole(server: Running, qdrant: QdrantServer) -> None:
    """See that every memory has its own vector, and that a turn lacks nothing.

    A search does not tell: the meaning of neighbours counts for a memory too.
    """
    listed = (await server.http.get("/api/memory/list", params={"limit": 200})).json()
    assert {memory["id"] for memory in listed} == await _points(qdrant)
    answer = await chat(server, "What is my cat called?")
    assert answer["context"]["notices"] == []
    assert any("Mistral" in memory["content"] for memory in answer["context"]["memories"])


async def test_vectors_that_are_away_at_the_start_are_made_when_they_come(
    database_url: str, model: ScriptedModel, qdrant: QdrantServer
) -> None:
    await qdrant.leave()
    async with running(database_url, model.url, qdrant_url=qdrant.url) as server:
        await _said_and_kept(server, CAT)
        await _add(server, DOG)
        await _assert_goes_on_without_meanings(server)
        assert (await server.http.get("/ready")).json()["status"] == "degraded"
        await _becomes(server, "unhealthy")
        assert await _unindexed(server) >= 2
        await qdrant.arrive()
        await _caught_up(server, CAT, DOG)
        await _assert_whole(server, qdrant)
        await _becomes(server, "healthy")
        assert (await server.http.get("/ready")).json()["status"] == "ready"


async def test_vectors_that_vanish_and_come_back_empty_are_made_again(
    database_url: str, model: ScriptedModel, qdrant: QdrantServer
) -> None:
    async with running(database_url, model.url, qdrant_url=qdrant.url) as server:
        await _said_and_kept(server, CAT)
        await _caught_up(server, CAT)
        await qdrant.leave()
        qdrant.lose_everything()
        await _assert_goes_on_without_meanings(server)
        await _becomes(server, "unhealthy")
        await _add(server, DOG)
        assert not await _is_found_by_meaning(server, DOG)
        await qdrant.arrive()
        await _caught_up(server, CAT, DOG)
        await _assert_whole(server, qdrant)


async def test_vectors_that_are_lost_in_a_blink_are_made_again_though_nobody_says_anything(
    database_url: str, model: ScriptedModel, qdrant: QdrantServer
) -> None:
    async with running(database_url, model.url, qdrant_url=qdrant.url) as server:
        kept = {await _add(server, CAT), await _add(server, DOG)}
        await _caught_up(server, CAT, DOG)
        qdrant.lose_everything()

        async def all_are_back() -> bool:
            return await _points(qdrant) == kept

        await poll(all_are_back, within_s=CAUGHT_UP_WITHIN_S)


async def test_what_was_forgotten_while_vectors_were_away_goes_when_they_return(
    database_url: str, model: ScriptedModel, qdrant: QdrantServer
) -> None:
    async with running(database_url, model.url, qdrant_url=qdrant.url) as server:
        cat, dog = await _add(server, CAT), await _add(server, DOG)
        await _caught_up(server, CAT, DOG)
        await qdrant.leave()
        assert (await server.http.delete(f"/api/memory/{cat}")).json() == {"deleted": 1}
        await qdrant.arrive()

        async def is_gone() -> bool:
            return await _points(qdrant) == {dog}

        await poll(is_gone, within_s=CAUGHT_UP_WITHIN_S)


async def test_vectors_that_hang_hold_up_no_turn(
    database_url: str, model: ScriptedModel, qdrant: QdrantServer
) -> None:
    async with running(database_url, model.url, qdrant_url=qdrant.url) as server:
        await _said_and_kept(server, CAT)
        await _caught_up(server, CAT)
        qdrant.fall_silent()
        # The first meets silence itself; a later one may know of it already.
        for _ in range(3):
            begun_at = time.monotonic()
            async with streamed(server, "What do you know of Mistral?") as events:
                await events.until("delta")
                assert time.monotonic() - begun_at < PROMPT_S
                await _assert_degraded(events)
        assert qdrant.unanswered
        await _becomes(server, "unhealthy")
        await _add(server, DOG)
        qdrant.speak()
        await _caught_up(server, CAT, DOG)
        await _assert_whole(server, qdrant)


async def test_an_embedder_that_is_away_is_waited_for(
    database_url: str, model: ScriptedModel, qdrant: QdrantServer
) -> None:
    model.script(Script(fault=Refuse(status=503)), kind="embed")
    settings = {"qdrant_url": qdrant.url, "embed_backend": "ollama"}
    async with running(database_url, model.url, **settings) as server:
        await _said_and_kept(server, CAT)
        await _assert_goes_on_without_meanings(server)
        model.clear_scripts()
        await _caught_up(server, CAT)
        await _assert_whole(server, qdrant)
        model.script(Script(fault=Refuse(status=503)), kind="embed")
        await _said_and_kept(server, DOG)
        await _assert_goes_on_without_meanings(server)
        assert await _unindexed(server) >= 1
        model.clear_scripts()
        await _caught_up(server, CAT, DOG)
        await _assert_whole(server, qdrant)


async def test_an_embedder_that_hangs_holds_up_no_turn(
    database_url: str, model: ScriptedModel, qdrant: QdrantServer
) -> None:
    settings = {"qdrant_url": qdrant.url, "embed_backend": "ollama"}
    async with running(database_url, model.url, **settings) as server:
        await _said_and_kept(server, CAT)
        await _caught_up(server, CAT)
        model.script(Script(gate="embed"), kind="embed")
        begun_at = time.monotonic()
        async with streamed(server, "What do you know of Mistral?") as events:
            await events.until("delta")
            assert time.monotonic() - begun_at < PROMPT_S
            await _assert_degraded(events)
        model.clear_scripts()
        model.release("embed")
        await _caught_up(server, CAT)
        await _assert_whole(server, qdrant)


async def test_an_engine_in_the_data_folder_that_dies_is_started_again(
    database_url: str, model: ScriptedModel, folder: Path
) -> None:
    environment = _process_environment(database_url, model, folder)
    async with jarvis_process(environment) as server:
        await _add(server, CAT)
        await _caught_up(server, CAT)
        (engine,) = [
            child
            for child in psutil.Process(server.process.pid).children(recursive=True)
            if any("edge_process" in word for word in child.cmdline())
        ]
        engine.kill()
        await _add(server, DOG)
        await _caught_up(server, CAT, DOG)


def _with_revision(revision: str) -> list[Model]:
    return [CHAT_MODEL, Model(name=EMBEDDING_MODEL.name, capabilities=("embedding",), revision=revision)]


@pytest.mark.parametrize("kept_in", ["server", "folder"])
@pytest.mark.parametrize("change", ["dimensions", "digest"])
async def test_with_another_embedding_model_everything_is_indexed_anew(
    database_url: str, qdrant: QdrantServer, folder: Path, kept_in: str, change: str
) -> None:
    settings = {"embed_backend": "ollama", "jarvis_data_dir": str(folder)}
    if kept_in == "server":
        settings["qdrant_url"] = qdrant.url

    async def spaces() -> set[str]:
        if kept_in == "server":
            return await qdrant.names() - {EARLIER}
        return {each.name for each in (folder / "vectors").iterdir() if NAME.fullmatch(each.name)}

    async with ScriptedModel() as first, running(database_url, first.url, **settings) as server:
        await _add(server, CAT)
        await _add(server, DOG)
        await _caught_up(server, CAT, DOG)
    (old,) = await spaces()

    dimensions, revision = (32, "") if change == "dimensions" else (64, "2")
    other = ScriptedModel(embedding_dimensions=dimensions, models=_with_revision(revision))
    other.script(Script(gate="index"), kind="embed", match="cat")
    async with other, running(database_url, other.url, **settings) as server:
        await other.wait_for(lambda log: any(record.waiting_at for record in log.of("embed")))
        assert old in await spaces()
        assert len(await spaces()) == 2
        assert await _unindexed(server) == 2
        assert (await chat(server, "Hello!"))["status"] == "complete"
        other.release("index")
        await _caught_up(server, CAT, DOG)

        async def only_the_new_is_left() -> bool:
            return len(await spaces()) == 1

        await poll(only_the_new_is_left, within_s=10)
        assert old not in await spaces()
        if kept_in == "server":
            await _assert_whole(server, qdrant)
            assert EARLIER in await qdrant.names()


@pytest.mark.parametrize("kept_in", ["server", "folder"])
async def test_what_was_acknowledged_is_found_by_its_meaning_after_a_kill(
    database_url: str, model: ScriptedModel, qdrant: QdrantServer, folder: Path, kept_in: str
) -> None:
    environment = _process_environment(database_url, model, folder)
    if kept_in == "server":
        environment["QDRANT_URL"] = qdrant.url
    async with jarvis_process(environment) as server:
        await _add(server, CAT)
        await _kill(server)
    async with jarvis_process(environment) as server:
        await _caught_up(server, CAT)
        answer = await server.http.post("/api/chat", json={"message": DOG})
        assert answer.json()["status"] == "complete"
        await _kill(server)
    async with jarvis_process(environment) as server:

        async def is_found() -> bool:
            return await _is_found_by_meaning(server, DOG)

        await poll(is_found, within_s=CAUGHT_UP_WITHIN_S)
        await _caught_up(server, CAT, DOG)


async def test_kills_again_and_again_lose_nothing(
    database_url: str, model: ScriptedModel, folder: Path
) -> None:
    environment = _process_environment(database_url, model, folder)
    told: list[str] = []
    for life in range(3):
        async with jarvis_process(environment) as server:
            for number in range(20):
                told.append(f"Parcel {life}-{number} holds {number * 37} blue marbles from shelf {life}.")
                await _add(server, told[-1])
            await _kill(server)
    async with jarvis_process(environment) as server:
        await _caught_up(server, *told)


def _process_environment(database_url: str, model: ScriptedModel, folder: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model.url,
        "EMBED_BACKEND": "ollama",
        "JARVIS_DATA_DIR": str(folder),
    }


async def _kill(server: JarvisProcess) -> None:
    server.signal(signal.SIGKILL)
    assert await server.exit_code(5) == -signal.SIGKILL


async def _points(qdrant: QdrantServer) -> set[str]:
    names = [name for name in await qdrant.names() if name.startswith(f"{EARLIER}_")]
    return {id_ for name in names for id_ in await qdrant.ids(name)}
