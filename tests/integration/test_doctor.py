"""`jarvis doctor`, in the situations people call for one; `check` and `migrate` beside a running server."""

import asyncio
import io
import json
import os
import platform
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest
from rich.console import Console

from jarvis.app.doctor import examine
from jarvis.app.examination.finding import Finding, Report, as_table, size
from jarvis.app.examination.surroundings import examine_settings, processor_facts
from jarvis.embedded.catalogue import WEIGHTS
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import PartUnavailable
from jarvis.embedded.llama import check_machine
from jarvis.embedded.running import holder_of, running_postgres
from jarvis.settings import load
from tests.postgres import PostgresServer
from tests.qdrant import QdrantServer
from tests.running import Running, jarvis_process
from tests.scripted_model import ScriptedModel

CLOSED = "127.0.0.1:1"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not tmp_path: as root, Postgres runs as another user, who may not enter pytest's folders."""
    path = Path(tempfile.mkdtemp(prefix="jarvis-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def contents(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def report_on(folder: Path, **environment: str) -> Report:
    settings = load({"JARVIS_DATA_DIR": str(folder / "data"), "PORT": free_port(), **environment})
    return await examine(settings, folder, environment)


async def command(name: str, *arguments: str, folder: Path, **environment: str) -> tuple[int, str]:
    """Run `python -m jarvis` and return its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jarvis", name, *arguments),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, (output + errors).decode()


def table_of(report: Report) -> str:
    written = io.StringIO()
    Console(width=200, file=written).print(as_table(report))
    return written.getvalue()


async def test_where_nothing_runs_nothing_is_started_or_made(folder: Path, model: ScriptedModel) -> None:
    report = await report_on(folder, LLM_BACKEND="ollama", OLLAMA_URL=model.url)
    assert report.ok
    assert report.database_url is None
    assert report.checks["postgres"].state == "not_started"
    assert "jarvis serve starts it" in report.checks["postgres"].advice
    assert report.checks["server"].facts["running"] is None
    assert contents(folder) == []


async def test_beside_a_server_everything_answers(jarvis: Running, folder: Path) -> None:
    await jarvis.http.post("/api/chat", json={"message": "Hello"})
    settings = msgspec.structs.replace(
        jarvis.settings, port=urlsplit(jarvis.url).port or 0, jarvis_data_dir=str(folder / "data")
    )
    report = await examine(settings, folder, {})
    assert report.ok
    assert report.database_url == jarvis.settings.database_url
    postgres = report.checks["postgres"]
    assert postgres.state == "ok"
    assert postgres.facts["row_security_verified"] is True
    assert (postgres.facts["conversations"], postgres.facts["messages"]) == (1, 2)
    assert report.checks["language_model"].state == "ok"
    assert report.checks["server"].facts["running"] is not None


async def test_beside_an_embedded_postgres_every_command_uses_that(
    folder: Path, model: ScriptedModel
) -> None:
    environment = {
        "JARVIS_DATA_DIR": str(folder / "data"),
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model.url,
    }
    async with jarvis_process(environment) as server:
        environment["PORT"] = str(server.port)
        code, output = await command("doctor", "--json", folder=folder, **environment)
        assert code == 0, output
        found = json.loads(output)
        assert found["checks"]["data_folder"]["facts"]["in_use_by_pid"] == server.process.pid
        assert found["checks"]["postgres"]["facts"]["kind"] == "embedded"
        assert found["checks"]["server"]["facts"]["running"]["version"] == found["version"]
        connection: Any = await _connect(found["database_url"])
        assert await connection.fetchval("SELECT version_num FROM alembic_version")
        await connection.close()
        assert await command("check", folder=folder, **environment) == (
            0,
            "Settings, schema and row security are right.\n",
        )
        code, output = await command("migrate", folder=folder, **environment)
        assert (code, "already" in output) == (0, True)
        assert (await server.http.get("/ready")).status_code == 200
        server.signal(signal.SIGTERM)
        assert await server.exit_code(20) == 0
    assert running_postgres(folder / "data") is None


async def test_a_postgres_that_is_away_is_named_without_its_password(folder: Path) -> None:
    url = f"postgresql://jarvis:hunter2@{CLOSED}/jarvis"
    environment = {"DATABASE_URL": url, "JARVIS_DATA_DIR": str(folder / "data"), "PORT": free_port()}
    code, table = await command("doctor", folder=folder, **environment)
    assert code == 1
    assert "hunter2" not in table
    assert "jarvis:***@" in table
    code, output = await command("doctor", "--json", folder=folder, **environment)
    found = json.loads(output)
    assert code == 1
    assert found["ok"] is False
    assert found["database_url"] == url
    assert "hunter2" not in json.dumps(found["checks"])
    assert "DATABASE_URL" in found["checks"]["postgres"]["advice"]


async def test_a_postgres_that_hangs_is_told_in_time(
    folder: Path, postgres: PostgresServer, database_url: str, model: ScriptedModel
) -> None:
    postgres.freeze()
    try:
        report = await report_on(
            folder, DATABASE_URL=database_url, LLM_BACKEND="ollama", OLLAMA_URL=model.url
        )
    finally:
        postgres.thaw()
    assert not report.ok
    assert "did not answer in time" in report.checks["postgres"].found
    assert report.checks["language_model"].state == "ok"


@pytest.mark.parametrize(("migrates", "state"), [("true", "warning"), ("false", "failed")])
async def test_a_database_without_the_schema(
    folder: Path, postgres: PostgresServer, empty_database: str, migrates: str, state: str
) -> None:
    report = await report_on(folder, DATABASE_URL=postgres.url(empty_database), MIGRATE_ON_START=migrates)
    assert report.checks["postgres"].state == state
    assert "jarvis migrate" in report.checks["postgres"].advice


async def test_a_dropped_policy_is_found(
    folder: Path, postgres: PostgresServer, migrated_database: str
) -> None:
    await postgres.run("DROP POLICY own_rows ON messages", database=migrated_database)
    found = (await report_on(folder, DATABASE_URL=postgres.url(migrated_database))).checks["postgres"]
    assert found.state == "failed"
    assert found.facts["row_security_verified"] is False
    assert "messages" in found.advice


async def test_a_model_that_ollama_lacks(folder: Path, model: ScriptedModel) -> None:
    report = await report_on(folder, LLM_BACKEND="auto", OLLAMA_URL=model.url, OLLAMA_MODEL="nobody:7b")
    found = report.checks["language_model"]
    assert found.state == "warning"
    assert found.facts["why"] == "auto: it answers"
    assert "ollama pull nobody:7b" in found.advice


async def test_an_openai_server_that_lacks_the_model(folder: Path, model: ScriptedModel) -> None:
    settings = {"LLM_BACKEND": "openai", "OPENAI_BASE_URL": f"{model.url}/v1"}
    assert (await report_on(folder, **settings)).checks["language_model"].state == "ok"
    found = (await report_on(folder, **settings, OPENAI_MODEL="nobody")).checks["language_model"]
    assert found.state == "failed"
    assert "OPENAI_MODEL" in found.advice


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"LLM_BACKEND": "ollama", "OLLAMA_URL": f"http://{CLOSED}"}, "OLLAMA_URL"),
        ({"LLM_BACKEND": "openai", "OPENAI_BASE_URL": f"http://{CLOSED}/v1"}, "OPENAI_BASE_URL"),
    ],
    ids=["ollama", "openai"],
)
async def test_a_model_that_is_away(folder: Path, settings: dict[str, str], named: str) -> None:
    found = (await report_on(folder, **settings)).checks["language_model"]
    assert found.state == "failed"
    assert named in found.advice


async def test_the_embedded_model_says_how_much_is_to_be_fetched(folder: Path) -> None:
    try:
        flags = frozenset(processor_facts()["flags"].split())
        check_machine(platform.machine(), platform.libc_ver(), flags)
    except PartUnavailable as exc:
        pytest.skip(str(exc))
    settings = {"LLM_BACKEND": "embedded", "EMBEDDED_MODEL": "0.5b"}
    found = (await report_on(folder, **settings)).checks["language_model"]
    assert found.state == "not_started"
    assert found.facts["to_fetch_bytes"] == WEIGHTS["0.5b"].wheel_bytes
    models = folder / "data" / "models"
    models.mkdir(parents=True)
    first = WEIGHTS["0.5b"].parts[0]
    with (models / f"{WEIGHTS['0.5b'].name}.gguf.joining").open("wb") as file:
        file.truncate(first.data_bytes)  # a hole: takes no room
    found = (await report_on(folder, **settings)).checks["language_model"]
    assert found.facts["to_fetch_bytes"] == WEIGHTS["0.5b"].wheel_bytes - first.wheel_bytes


async def test_a_file_that_is_no_model(folder: Path) -> None:
    found = (
        await report_on(folder, LLM_BACKEND="embedded", EMBEDDED_MODEL=str(folder / "absent.gguf"))
    ).checks["language_model"]
    assert found.state == "failed"
    assert found.advice


async def test_another_program_on_the_port(folder: Path, model: ScriptedModel) -> None:
    found = (await report_on(folder, PORT=str(urlsplit(model.url).port))).checks["server"]
    assert found.state == "failed"
    assert "PORT" in found.advice


async def test_what_never_answers_costs_the_deadline_and_hides_nothing_else(
    folder: Path, model: ScriptedModel
) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        port: int = silent.sockets[0].getsockname()[1]
        report = await report_on(folder, PORT=str(port), LLM_BACKEND="ollama", OLLAMA_URL=model.url)
    assert report.checks["server"] == Finding(
        state="failed",
        found="No answer within 3 s.",
        advice="What is asked here hangs or is very busy; restart it.",
    )
    assert report.checks["language_model"].state == "ok"


async def test_settings_are_told_with_their_origin_and_without_secrets(folder: Path) -> None:
    (folder / ".env").write_text("PORT=1234\nLOG_LEVEL=DEBUG\nOLLAMA_MODLE=typo\nOPENAI_API_KEY=sk-secret\n")
    environment = {"PORT": "4321", "HOME_ASSISTANT_URL": "http://old", "EDITOR": "ed"}
    found = await examine_settings(folder, environment)
    assert found.facts["set"] == {
        "PORT": {"value": "4321", "from": "environment"},
        "LOG_LEVEL": {"value": "DEBUG", "from": ".env"},
        "OPENAI_API_KEY": {"value": "***", "from": ".env"},
    }
    assert found.facts["ignored"] == ["HOME_ASSISTANT_URL", "OLLAMA_MODLE"]
    assert found.state == "warning"


def test_the_holder_of_a_folder_is_who_has_it_open(folder: Path) -> None:
    assert holder_of(folder) is None
    with DataDir(folder):
        assert holder_of(folder) == os.getpid()
    assert (folder / "lock").read_text().strip() == str(os.getpid())  # stale, and of a living process
    assert holder_of(folder) is None


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (("ok", "warning"), "Everything that is needed answers."),
        (("ok", "not_started"), "Nothing is wrong. jarvis serve starts what is not started."),
        (("failed", "ok"), "1 of 2 needs you: see the arrows at ✗."),
        (("failed", "failed"), "2 of 2 need you: see the arrows at ✗."),
    ],
    ids=["fine", "idle", "one", "two"],
)
def test_the_table_ends_with_a_verdict(states: Any, verdict: str) -> None:
    checks: Mapping[str, Finding] = {
        f"part_{number}": Finding(state=state, found="[bold]so[/bold]", advice="do that")
        for number, state in enumerate(states)
    }
    table = table_of(Report(ok=True, version="1", database_url=None, checks=checks))
    assert table.strip().splitlines()[-1] == verdict
    assert "Part 1" in table
    assert "[bold]so[/bold]" in table  # not taken for markup
    assert "→ do that" in table


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (8_400_000, "8 MB"), (999_999, "1 MB"), (1_100_000_000, "1.1 GB")],
    ids=str,
)
def test_sizes_are_spelled_for_people(count: int, text: str) -> None:
    assert size(count) == text


async def _connect(url: str) -> Any:
    connect: Any = asyncpg.connect  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  asyncpg ships no types
    return await connect(url, timeout=5)


async def test_the_memory_is_counted_and_its_parts_are_asked(jarvis: Running, folder: Path) -> None:
    await jarvis.http.post("/api/memory/add", json={"content": "My cat is called Mistral."})
    await _no_unindexed(jarvis)
    settings = msgspec.structs.replace(jarvis.settings, jarvis_data_dir=str(folder / "data"))
    memory = (await examine(settings, folder, {})).checks["memory"]
    assert (memory.state, memory.advice) == ("ok", "")
    assert memory.facts["memories"] == 1
    assert memory.facts["unindexed"] == 0
    assert memory.facts["kept_in"] == "folder"
    assert memory.facts["embedder"] == "ollama"
    assert "1 memory, none without a vector" in memory.found
    assert "64 dimensions" in memory.found
    assert contents(folder) == []


async def test_memories_without_vectors_are_warned_of(database_url: str, folder: Path) -> None:
    connection: Any = await _connect(database_url)
    await connection.execute(
        "WITH one AS (INSERT INTO users (id, username) VALUES (gen_random_uuid(), 'one') RETURNING id) "
        "INSERT INTO memories (id, user_id, kind, content) "
        "SELECT gen_random_uuid(), id, 'fact', 'My cat is called Mistral.' FROM one"
    )
    await connection.close()
    report = await report_on(folder, DATABASE_URL=database_url, EMBED_BACKEND="embedded")
    memory = report.checks["memory"]
    assert memory.state == "warning"
    assert "jarvis reindex" in memory.advice
    assert (memory.facts["memories"], memory.facts["unindexed"]) == (1, 1)
    assert "1 memory, 1 without a vector" in memory.found


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        pytest.param({"QDRANT_URL": f"http://{CLOSED}"}, "correct QDRANT_URL", id="qdrant away"),
        pytest.param(
            {"EMBED_BACKEND": "ollama", "OLLAMA_URL": f"http://{CLOSED}"}, "ollama pull", id="ollama away"
        ),
        pytest.param(
            {"EMBED_BACKEND": "openai", "OPENAI_BASE_URL": f"http://{CLOSED}/v1"},
            "correct OPENAI_BASE_URL",
            id="openai away",
        ),
    ],
)
async def test_a_part_of_the_memory_that_is_away_needs_somebody(
    folder: Path, environment: dict[str, str], advice: str
) -> None:
    memory = (await report_on(folder, **({"EMBED_BACKEND": "embedded"} | environment))).checks["memory"]
    assert memory.state == "failed"
    assert advice in memory.advice
    assert "found by their words only" in memory.advice


async def test_a_qdrant_server_is_asked_and_not_changed(folder: Path) -> None:
    async with QdrantServer() as qdrant:
        report = await report_on(folder, QDRANT_URL=qdrant.url, EMBED_BACKEND="embedded")
        assert await qdrant.names() == set()
    memory = report.checks["memory"]
    assert (memory.state, memory.advice) == ("not_started", "")
    assert (memory.facts["kept_in"], memory.facts["answers"]) == ("server", True)
    assert qdrant.url in memory.found


async def _no_unindexed(jarvis: Running) -> None:
    async with asyncio.timeout(10):
        while "jarvis_memory_unindexed 0.0" not in (await jarvis.http.get("/metrics")).text:  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.02)
