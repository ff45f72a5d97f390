"""How a server starts when something it needs is away, wrong, taken or not its own."""

import asyncio
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from jarvis.adapters.postgres.migrations import migrate
from tests.chaos.listening import poll, poll_ready
from tests.postgres import PostgresServer
from tests.running import REPOSITORY, JarvisProcess, jarvis_process
from tests.scripted_model import ScriptedModel

EVERYWHERE = "0.0.0.0"  # noqa: S104  what is refused, unless it is made fit for it
SAMPLE = "dev-jwt-secret-change-in-production"
NOWHERE = "postgresql://jarvis:swordfish@127.0.0.1:1/jarvis"


def _environment(database_url: str, model_url: str, **settings: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "LLM_BACKEND": "ollama", "OLLAMA_URL": model_url, **settings}


async def _refusal(environment: Mapping[str, str], *, code: int, within_s: float = 10.0) -> str:
    """Start a server that must not start; return what it says."""
    async with jarvis_process(environment, wait=False) as jarvis:
        assert await jarvis.exit_code(within_s) == code
        return jarvis.log


async def test_postgres_may_come_later(
    empty_database: str, model: ScriptedModel, postgres: PostgresServer
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sockets = Path(folder) / "sockets"
        environment = _environment(f"postgresql://postgres@/{empty_database}?host={sockets}", model.url)
        async with jarvis_process(environment, wait=False) as jarvis:
            await poll_ready(jarvis, "not_ready", failed=["database", "migrations"], within_s=10)
            health = await jarvis.http.get("/health")
            assert (health.status_code, health.json()["status"]) == (200, "unhealthy")
            refused = await jarvis.http.post("/api/chat", json={"message": "hello"})
            assert refused.json()["code"] == "database_unavailable"
            assert "database.away" in jarvis.log
            sockets.symlink_to(postgres.data_dir.run_dir)
            await poll_ready(jarvis, "ready")
            assert (await jarvis.http.post("/api/chat", json={"message": "hello"})).status_code == 200


async def test_nobody_uses_a_database_before_it_is_migrated(
    empty_database: str, model: ScriptedModel, postgres: PostgresServer
) -> None:
    url = postgres.url(empty_database)
    environment = _environment(url, model.url, MIGRATE_ON_START="false")
    async with jarvis_process(environment, wait=False) as jarvis:
        await poll_ready(jarvis, "not_ready", failed=["migrations"], within_s=10)
        for request in (
            jarvis.http.post("/api/chat", json={"message": "hello"}),
            jarvis.http.get("/api/chat/conversations"),
        ):
            refused = await request
            assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        await migrate(url)
        await poll_ready(jarvis, "ready")
        assert (await jarvis.http.post("/api/chat", json={"message": "hello"})).status_code == 200


async def test_a_postgres_that_comes_later_may_be_refused(
    empty_database: str, model: ScriptedModel, postgres: PostgresServer
) -> None:
    await postgres.run(LEGACY_PYTHON, database=empty_database)
    with tempfile.TemporaryDirectory() as folder:
        sockets = Path(folder) / "sockets"
        environment = _environment(f"postgresql://postgres@/{empty_database}?host={sockets}", model.url)
        async with jarvis_process(environment, wait=False) as jarvis:
            await poll_ready(jarvis, "not_ready", failed=["database", "migrations"], within_s=10)
            sockets.symlink_to(postgres.data_dir.run_dir)
            assert await jarvis.exit_code(8) == 1
            assert "the earlier Python server" in jarvis.log


async def test_the_model_may_come_later(database_url: str) -> None:
    port = _free_port()
    async with AsyncExitStack() as stack:
        environment = _environment(database_url, f"http://127.0.0.1:{port}")
        jarvis = await stack.enter_async_context(jarvis_process(environment))
        await poll_ready(jarvis, "degraded")
        failed = await jarvis.http.post("/api/chat", json={"message": "hello"})
        problem = failed.json()
        assert (failed.status_code, problem["code"]) == (503, "llm_unavailable")
        assert 1 <= int(failed.headers["retry-after"]) <= 30
        user, assistant = (await jarvis.http.get(f"/api/chat/history/{problem['conversation_id']}")).json()
        assert (user["id"], user["content"]) == (problem["message_id"], "hello")
        assert (assistant["turn_id"], assistant["status"], assistant["content"]) == (
            problem["turn_id"],
            "failed",
            "",
        )
        turn = (await jarvis.http.get(f"/api/chat/turns/{problem['turn_id']}")).json()
        assert (turn["status"], turn["error"]["code"]) == ("failed", "llm_unavailable")
        async with ScriptedModel(port=port):
            await poll_ready(jarvis, "ready")
            assert (await jarvis.http.post("/api/chat", json={"message": "hello"})).status_code == 200


async def test_every_wrong_setting_is_named_at_once() -> None:
    told = await _refusal(
        {
            "PORT": "99999",
            "OLLAMA_TEMPERATURE": "hot",
            "LOG_LEVEL": "LOUD",
            "WORKERS": "2",
            "DATABASE_URL": "mysql://jarvis:swordfish@localhost/jarvis",
            "MIGRATE_ON_START": "perhaps",
            "OLLAMA_URL": "http://localhost:port",
            "HOST": EVERYWHERE,
        },
        code=2,
    )
    for name in (
        "PORT",
        "OLLAMA_TEMPERATURE",
        "LOG_LEVEL",
        "DATABASE_URL",
        "MIGRATE_ON_START",
        "WORKERS",
        "OLLAMA_URL",
        "HOST",
    ):
        assert f"\n  {name} holds " in told
    assert "allowed: DEBUG, ERROR, INFO, WARNING" in told
    assert "'99999'" in told
    assert "run more replicas" in told
    assert "swordfish" not in told


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        pytest.param({}, ["HOST", "AUTH_MODE", "JWT_SECRET_KEY", "TRUST_NETWORK"], id="nothing else is said"),
        pytest.param({"AUTH_MODE": "jwt"}, ["HOST", "JWT_SECRET_KEY"], id="users sign in, without a key"),
        pytest.param({"AUTH_MODE": "local"}, ["HOST", "AUTH_MODE", "TRUST_NETWORK"], id="nobody signs in"),
        pytest.param({"JWT_SECRET_KEY": SAMPLE}, ["JWT_SECRET_KEY"], id="a sample for a key"),
        pytest.param({"JWT_SECRET_KEY": SAMPLE[:31]}, ["JWT_SECRET_KEY"], id="too short a key"),
        pytest.param({"TRUST_NETWORK": "1", "ALLOWED_ORIGINS": "*"}, ["ALLOWED_ORIGINS"], id="any page"),
    ],
)
async def test_a_bind_that_others_reach_is_refused_at_once(
    environment: dict[str, str], names: list[str]
) -> None:
    started = time.monotonic()
    told = await _refusal({"HOST": EVERYWHERE} | environment, code=2)
    print(f"refused after {time.monotonic() - started:.1f} s")  # noqa: T201  wanted within 3 s
    assert [name for name in names if name not in told] == []
    assert f"\n  {names[0]} holds " in told
    assert SAMPLE[:31] not in told


async def test_the_commands_that_a_refusal_suggests_work_as_they_are(
    empty_database: str, model: ScriptedModel, postgres: PostgresServer
) -> None:
    told = await _refusal({"HOST": EVERYWHERE}, code=2)
    commands = [line.strip().replace("NAME", "anna") for line in told.splitlines() if line[:4] == "    "]
    assert [words[-1] for words in map(str.split, commands[1:])] == ["anna", "serve"]
    url = postgres.url(empty_database)
    environment = _environment(url, model.url, HOST=EVERYWHERE, VOICE="off", PORT=str(_free_port()))
    async with _typed("\n".join(commands), environment) as jarvis:
        await jarvis.wait_ready()
        assert (await jarvis.http.get("/api/chat/conversations")).status_code == 401
        (password,) = re.findall(r"^The password, shown this once: (\S+)$", jarvis.log, re.MULTILINE)
        credentials = {"username": "anna", "password": password}
        signed_in = await jarvis.http.post("/api/auth/login", json=credentials)
        assert (signed_in.status_code, signed_in.json()["user"]["role"]) == (200, "owner")
        bearer = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        assert (await jarvis.http.get("/api/chat/conversations", headers=bearer)).status_code == 200
        answered = await jarvis.http.post("/api/chat", json={"message": "hello"}, headers=bearer)
        assert answered.status_code == 200


@asynccontextmanager
async def _typed(commands: str, environment: Mapping[str, str]) -> AsyncGenerator[JarvisProcess]:
    """Run commands in a shell, the last of which is `jarvis serve`."""
    before, _, last = commands.rpartition("\n")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "jarvis.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                # exec: or a signal would end the shell alone
                *("sh", "-ec", f"{before}\nexec {last}"),
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}
                | {"HOME": folder, "JARVIS_DATA_DIR": f"{folder}/data"}
                | dict(environment),
                cwd=folder,
                stdout=file,
                stderr=file,
            )
        jarvis = JarvisProcess(process, int(environment["PORT"]), log)
        try:
            yield jarvis
            jarvis.signal(signal.SIGINT)
            assert await jarvis.exit_code(10) == 0
        finally:
            await jarvis.http.aclose()
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert not jarvis.complaints, jarvis.log


async def test_the_key_of_signing_in_may_be_missing_on_this_machine(
    database_url: str, model: ScriptedModel
) -> None:
    async with jarvis_process(_environment(database_url, model.url, AUTH_MODE="jwt")) as jarvis:
        assert (await jarvis.http.get("/api/chat/conversations")).status_code == 401
        assert "network.trusted" not in jarvis.log


async def test_the_word_is_taken_and_its_price_is_told(database_url: str, model: ScriptedModel) -> None:
    opened = {"HOST": EVERYWHERE, "TRUST_NETWORK": "true"}
    environment = opened | {"DATABASE_URL": database_url, "LLM_BACKEND": "ollama", "OLLAMA_URL": model.url}
    async with jarvis_process(environment) as jarvis:
        assert (await jarvis.http.get("/ready", headers={"Host": "anything.example"})).status_code == 200
        assert "network.trusted" in jarvis.log


async def test_a_taken_port_is_told_in_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = await _refusal({"PORT": str(port), "DATABASE_URL": NOWHERE}, code=1)
    assert str(port) in told
    assert "in use" in told


LEGACY_PYTHON = (
    "CREATE TABLE conversations (id serial PRIMARY KEY, message text, response text);"
    "INSERT INTO conversations (message, response) VALUES ('hello', 'hi')"
)


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        pytest.param(LEGACY_PYTHON, "createdb", id="of the Python server"),
        pytest.param(
            "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
            "INSERT INTO alembic_version VALUES ('9999')",
            "newer than this code",
            id="of a newer Jarvis",
        ),
    ],
)
async def test_a_database_that_is_not_ours_is_left_alone(
    empty_database: str, model: ScriptedModel, postgres: PostgresServer, prepare: str, says: str
) -> None:
    await postgres.run(prepare, database=empty_database)
    connection = await postgres.connect(empty_database)
    before = await connection.fetch(TABLES)
    told = await _refusal(_environment(postgres.url(empty_database), model.url), code=1)
    assert says in told
    assert "DATABASE_URL" in told
    assert await connection.fetch(TABLES) == before
    await connection.close()


TABLES = (
    "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
    " WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 2"
)


async def test_sigterm_while_postgres_keeps_it_waiting(model: ScriptedModel) -> None:
    asked = asyncio.Event()

    async def never_answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await stopped.wait()
        writer.close()

    stopped = asyncio.Event()
    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        url = f"postgresql://jarvis@127.0.0.1:{port}/jarvis"
        async with jarvis_process(_environment(url, model.url), wait=False) as jarvis:
            await asked.wait()
            jarvis.signal(signal.SIGTERM)
            assert await jarvis.exit_code(1.5) == 0
        stopped.set()


async def test_sigterm_while_another_migrates(
    empty_database: str, model: ScriptedModel, postgres: PostgresServer
) -> None:
    """It waits for a lock that another process holds: nobody waits for that with it."""
    holder = await postgres.connect(empty_database)
    await holder.execute("SELECT pg_advisory_lock($1)", 0x4A61_7276_6973)

    async def waits() -> bool:
        return await holder.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")

    async with jarvis_process(_environment(postgres.url(empty_database), model.url), wait=False) as jarvis:
        await poll(waits, within_s=10)
        jarvis.signal(signal.SIGTERM)
        assert await jarvis.exit_code(5) == 0
    await holder.close()


async def test_dotenv_is_read_and_the_environment_wins(database_url: str, model: ScriptedModel) -> None:
    said = _environment(database_url, model.url, LOG_FORMAT="json", SCHEMA="off")
    dotenv = "".join(f"{name}='{value}'\n" for name, value in said.items())
    async with jarvis_process({"SCHEMA": "on"}, dotenv=dotenv) as jarvis:
        assert (await jarvis.http.get("/schema/openapi.json")).status_code == 200
        assert (await jarvis.http.post("/api/chat", json={"message": "hello"})).status_code == 200
        lines = [msgspec.json.decode(line) for line in jarvis.log.splitlines()]
        assert "listening" in [line["event"] for line in lines]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
