"""Postgres, a model and Jarvis: three that can be killed, each started again in its own place."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal, TypeAlias, assert_never

import msgspec

from tests.chaos.journal import Row
from tests.chaos.listening import poll, poll_ready
from tests.postgres import PostgresServer
from tests.running import REPOSITORY, JarvisProcess, jarvis_process
from tests.scripted_model import EMBEDDING_MODEL, Record

Victim: TypeAlias = Literal["server", "postgres", "model"]
VICTIMS: tuple[Victim, ...] = ("server", "postgres", "model")
HEALED_WITHIN_S = 15.0

ROWS = (
    "SELECT m.id::text, m.conversation_id::text, m.turn_id::text, m.position, m.role::text, m.content,"
    " m.status::text, m.alternative_of IS NOT NULL AS is_alternative, t.status::text AS turn_status"
    " FROM messages m JOIN turns t ON t.id = m.turn_id WHERE m.conversation_id IN"
    " (SELECT conversation_id FROM messages WHERE role = 'user' AND content = ANY ($1))"
    " ORDER BY m.conversation_id, m.position, m.alternative_of IS NOT NULL"
)
RUNNING = "SELECT count(*) FROM turns WHERE status IN ('queued', 'running')"


class Stand:
    """Made by `standing`."""

    def __init__(
        self,
        postgres: PostgresServer,
        database: str,
        folder: Path,
        tokens_per_s: float,
        settings: dict[str, str],
    ) -> None:
        self.postgres = postgres
        self.database = database
        self._model_log = folder / "model.log"
        self._model_port, self._port = _free_port(), _free_port()
        self.proxy_port = _free_port()
        """Where a proxy may listen: the one port besides its own by which Jarvis lets itself be named."""
        self._tokens_per_s = tokens_per_s
        self._environment = {
            "PORT": str(self._port),
            "ALLOWED_HOSTS": f"127.0.0.1:{self.proxy_port}",
            "DATABASE_URL": postgres.url(database),
            "LLM_BACKEND": "ollama",
            "OLLAMA_URL": f"http://127.0.0.1:{self._model_port}",
            "EMBED_BACKEND": "ollama",
            "OLLAMA_EMBED_MODEL": EMBEDDING_MODEL.name,
        } | settings
        self._model: asyncio.subprocess.Process | None = None
        self._server = AsyncExitStack()
        self.jarvis: JarvisProcess

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    async def start(self, victim: Victim) -> None:
        """Start what was killed; return when it listens."""
        match victim:
            case "server":
                self.jarvis = await self._server.enter_async_context(jarvis_process(self._environment))
            case "postgres":
                await self.postgres.start()
            case "model":
                await self._start_model()
            case _:
                assert_never(victim)

    async def kill(self, victim: Victim) -> None:
        match victim:
            case "server":
                self.jarvis.process.kill()
                await self._server.aclose()  # where its log is judged
            case "postgres":
                await self.postgres.kill()
            case "model":
                await self._end_model()
            case _:
                assert_never(victim)

    async def stop(self, *, within_s: float) -> int:
        """Ask Jarvis to end; return its exit code. Raises TimeoutError."""
        self.jarvis.signal(signal.SIGTERM)
        code = await self.jarvis.exit_code(within_s)
        await self._server.aclose()  # where its log is judged
        return code

    async def healed(self) -> None:
        """Return when Jarvis says that nothing is away; raises AssertionError where that takes too long."""
        await poll_ready(self.jarvis, "ready", within_s=HEALED_WITHIN_S)

    async def count_running(self) -> int:
        """Return how many turns wait or run, by their rows."""
        connection = await self.postgres.connect(self.database)
        try:
            return await connection.fetchval(RUNNING)
        finally:
            await connection.close()

    async def none_runs(self, *, within_s: float) -> bool:
        """Wait until no turn waits or runs; tell whether it came to that."""

        async def idle() -> bool:
            return not await self.count_running()

        try:
            await poll(idle, within_s=within_s)
        except TimeoutError:
            return False
        return True

    async def rows(self, *texts: str) -> list[Row]:
        """Return all messages, in their order, of every conversation that one of these was stored in."""
        connection = await self.postgres.connect(self.database)
        try:
            records = await connection.fetch(ROWS, list(texts))
        finally:
            await connection.close()
        return [msgspec.convert(dict(record), Row) for record in records]

    def asked(self, text: str) -> int:
        """Return how often any model that ever ran here was asked to answer this message."""
        lines = self._model_log.read_bytes().splitlines()
        told = [msgspec.json.decode(line, type=_Line) for line in lines if line.endswith(b"}")]
        return sum(one.event == "started" and one.record.last_user_message == text for one in told)

    async def end(self) -> None:
        await self._server.aclose()
        await self._end_model()

    async def _start_model(self) -> None:
        self._model = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.scripted_model", "--port", str(self._model_port), "--keep", "100"),
            *("--tokens-per-s", str(self._tokens_per_s), "--log", str(self._model_log)),
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._model.stdout is not None
        await self._model.stdout.readline()  # it says its address when it listens

    async def _end_model(self) -> None:
        if self._model is not None and self._model.returncode is None:
            self._model.kill()
            await self._model.wait()


class _Line(msgspec.Struct, frozen=True):
    event: str
    record: Record


@asynccontextmanager
async def standing(
    postgres: PostgresServer, database: str, folder: Path, *, tokens_per_s: float, **settings: str
) -> AsyncGenerator[Stand]:
    """Have all three run, and no turn; `settings` are environment variables in lower case."""
    # A Postgres that is killed must have kept what it said it had committed; tests do without otherwise.
    await postgres.run(f"ALTER DATABASE {database} SET synchronous_commit = on")
    upper = {name.upper(): value for name, value in settings.items()}
    stand = Stand(postgres, database, folder, tokens_per_s, upper)
    try:
        await stand.start("model")
        await stand.start("server")
        yield stand
    finally:
        await stand.end()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
