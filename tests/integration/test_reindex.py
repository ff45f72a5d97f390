"""`jarvis reindex`: beside a server, without one, and where nothing can be done."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.app import reindexing
from jarvis.core.memories import NewMemory
from jarvis.settings import load
from tests.postgres import PostgresServer
from tests.qdrant import QdrantServer
from tests.running import jarvis_process
from tests.scripted_model import Refuse, Script, ScriptedModel

ROOT = Path(__file__).parents[2]
COUNT = 150
WITHIN_S = 60.0


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="jarvis-test-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.fixture
async def qdrant() -> AsyncGenerator[QdrantServer]:
    async with QdrantServer() as server:
        yield server


@pytest.fixture
async def environment(database_url: str, model: ScriptedModel, folder: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model.url,
        "EMBED_BACKEND": "ollama",
        "JARVIS_DATA_DIR": str(folder / "data"),
    }


async def remember(database: Database) -> set[str]:
    """Have COUNT memories, as if all were indexed; return their ids."""
    user = await PostgresUsers(database).profile("default")
    store = PostgresMemories(database)
    new = [NewMemory(content=f"Parcel {number} is on shelf {number % 7}.") for number in range(COUNT)]
    added = await store.add(user, new)
    while batch := await store.unindexed(user, limit=COUNT):
        await store.mark_indexed(user, batch)
    return {str(memory.id) for memory in added}


async def reindex(environment: dict[str, str], folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jarvis", "reindex"),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(WITHIN_S):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def points_of(qdrant: QdrantServer) -> set[str]:
    (name,) = await qdrant.names()
    return await qdrant.ids(name)


@pytest.mark.parametrize("kept_in", ["server", "folder"])
async def test_beside_a_server_that_server_makes_them(
    environment: dict[str, str],
    folder: Path,
    database: Database,
    qdrant: QdrantServer,
    model: ScriptedModel,
    kept_in: str,
) -> None:
    if kept_in == "server":
        environment["QDRANT_URL"] = qdrant.url
    async with jarvis_process(environment) as server:
        await remember(database)
        model.log.clear()
        code, output = await reindex(environment, folder)
        assert (code, output.splitlines()[-1]) == (0, f"All {COUNT} memories are indexed.")
        embedded = {text for record in model.log.of("embed") for text in record.inputs}
        assert len([text for text in embedded if text.startswith("Parcel")]) == COUNT
        found = await server.http.post("/api/memory/search", json={"query": "Parcel 33 is on shelf 5."})
        assert found.json()["results"][0]["why"]["closeness"] > 0


@pytest.mark.parametrize("kept_in", ["server", "folder"])
async def test_without_a_server_it_makes_them_itself(
    environment: dict[str, str], folder: Path, database: Database, qdrant: QdrantServer, kept_in: str
) -> None:
    if kept_in == "server":
        environment["QDRANT_URL"] = qdrant.url
    ids = await remember(database)
    code, output = await reindex(environment, folder)
    assert (code, output.splitlines()[-1]) == (0, f"All {COUNT} memories are indexed.")
    assert output.startswith(f"0 of {COUNT} memories are indexed.\n")
    if kept_in == "server":
        assert await points_of(qdrant) == ids
    async with jarvis_process(environment) as server:
        found = await server.http.post("/api/memory/search", json={"query": "Parcel 33 is on shelf 5."})
        assert found.json()["results"][0]["content"] == "Parcel 33 is on shelf 5."


async def test_without_memories_there_is_nothing_to_do(environment: dict[str, str], folder: Path) -> None:
    assert await reindex(environment, folder) == (
        0,
        "0 of 0 memories are indexed.\nAll 0 memories are indexed.\n",
    )


async def test_a_wrong_setting_is_refused(environment: dict[str, str], folder: Path) -> None:
    code, output = await reindex(environment | {"EMBED_BACKEND": "abacus"}, folder)
    assert code == 2
    assert "EMBED_BACKEND" in output


async def test_a_database_that_is_away_is_told(environment: dict[str, str], folder: Path) -> None:
    code, output = await reindex(environment | {"DATABASE_URL": "postgresql://localhost:1/x"}, folder)
    assert code == 1
    assert "Traceback" not in output
    assert output.strip()


async def test_an_older_database_is_left_as_it_is(
    environment: dict[str, str], folder: Path, postgres: PostgresServer, empty_database: str
) -> None:
    code, output = await reindex(environment | {"DATABASE_URL": postgres.url(empty_database)}, folder)
    assert code == 1
    assert "run jarvis migrate" in output


async def test_when_nobody_makes_vectors_it_says_so_and_they_stay_marked(
    environment: dict[str, str], database: Database, model: ScriptedModel
) -> None:
    model.script(Script(fault=Refuse(status=503)), kind="embed")
    await remember(database)
    settings = load(environment)
    assert await reindexing.reindex(settings, begun_within_s=0.1, stalled_s=0.5) == 1
    assert await PostgresMemories(database).unindexed_count() == COUNT
