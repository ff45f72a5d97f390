"""Two Jarvis on one Postgres and one Valkey, and a model: each can be killed and started in its own place."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias, assert_never

import msgspec

from tests.chaos.journal import Row
from tests.chaos.listening import poll
from tests.chaos.proxy import FAIR, Proxy, Weather
from tests.postgres import PostgresServer, postgres_server
from tests.running import REPOSITORY, JarvisProcess, jarvis_process
from tests.scripted_model import EMBEDDING_MODEL, Record
from tests.valkey import ValkeyServer, valkey_server

Victim: TypeAlias = Literal["one", "other", "postgres", "valkey", "model"]
VICTIMS: tuple[Victim, ...] = ("one", "other", "postgres", "valkey", "model")
HEALED_WITHIN_S = 15.0
BY_THE_OTHER = 0.2
"""How often who comes back does so through the other server."""
PROXIES = 16
"""How many there may be at once."""

ROWS = (
    "SELECT m.id::text, m.conversation_id::text, m.turn_id::text, m.position, m.role::text, m.content,"
    " m.status::text, m.alternative_of IS NOT NULL AS is_alternative, t.status::text AS turn_status"
    " FROM messages m JOIN turns t ON t.id = m.turn_id WHERE m.conversation_id IN"
    " (SELECT conversation_id FROM messages WHERE role = 'user' AND content = ANY ($1))"
    " ORDER BY m.conversation_id, m.position, m.alternative_of IS NOT NULL"
)
RUNNING = "SELECT count(*) FROM turns WHERE status IN ('queued', 'running')"
OWNER = (
    "SELECT t.lease_owner FROM turns t JOIN messages m ON m.turn_id = t.id"
    " WHERE m.role = 'user' AND m.content = $1"
)


class Server:
    """One of the two; `lives` is false from when it is killed until it listens again."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.lives = False
        self.process: JarvisProcess
        self._environment = environment | {"PORT": str(self.port)}
        self._running = AsyncExitStack()

    async def start(self) -> None:
        self.process = await self._running.enter_async_context(jarvis_process(self._environment))
        self.lives = True

    async def kill(self) -> None:
        self.lives = False
        self.process.process.kill()
        await self.end()

    async def stop(self, *, within_s: float) -> int:
        """Ask it to end; return its exit code. Raises TimeoutError."""
        self.lives = False
        self.process.signal(signal.SIGTERM)
        code = await self.process.exit_code(within_s)
        await self.end()
        return code

    async def end(self) -> None:
        """End it, and judge its log."""
        await self._running.aclose()


class Stand:
    """Made by `standing`."""

    def __init__(
        self,
        postgres: PostgresServer,
        database: str,
        valkey: ValkeyServer,
        folder: Path,
        tokens_per_s: float,
        settings: dict[str, str],
    ) -> None:
        self.postgres = postgres
        self.database = database
        self.valkey = valkey
        self._model_log = folder / "model.log"
        self._model_port = _free_port()
        self._tokens_per_s = tokens_per_s
        # By these ports, besides its own, Jarvis lets itself be named.
        self._proxy_ports = [_free_port() for _ in range(PROXIES)]
        environment = {
            "ALLOWED_HOSTS": ",".join(f"127.0.0.1:{port}" for port in self._proxy_ports),
            "DATABASE_URL": postgres.url(database),
            "REDIS_URL": valkey.url,
            "LLM_BACKEND": "ollama",
            "OLLAMA_URL": f"http://127.0.0.1:{self._model_port}",
            "EMBED_BACKEND": "ollama",
            "OLLAMA_EMBED_MODEL": EMBEDDING_MODEL.name,
        } | settings
        self.one, self.other = Server(environment), Server(environment)
        self._model: asyncio.subprocess.Process | None = None

    @property
    def servers(self) -> tuple[Server, Server]:
        return self.one, self.other

    def visits(self, random: Random) -> Callable[[], Server]:
        """Return what a client goes by: to one of the servers as a rule, and always to one that lives."""
        home, other = random.sample(self.servers, 2)

        def choose() -> Server:
            first, second = (other, home) if random.random() < BY_THE_OTHER else (home, other)
            return first if first.lives or not second.lives else second

        return choose

    def come_by(self, random: Random) -> Callable[[], str]:
        """Return as `visits`, in URLs."""
        choose = self.visits(random)
        return lambda: choose().url

    @asynccontextmanager
    async def proxied(self, server: Server, weather: Weather = FAIR) -> AsyncGenerator[Proxy]:
        """Have a proxy before a server."""
        port = self._proxy_ports.pop()
        try:
            async with Proxy(("127.0.0.1", server.port), port=port, weather=weather) as proxy:
                yield proxy
        finally:
            self._proxy_ports.append(port)

    async def start(self, victim: Victim) -> None:
        """Start what was killed; return when it listens. Valkey is empty then."""
        match victim:
            case "one":
                await self.one.start()
            case "other":
                await self.other.start()
            case "postgres":
                await self.postgres.start()
            case "valkey":
                await self.valkey.start()
            case "model":
                await self._start_model()
            case _:
                assert_never(victim)

    async def kill(self, victim: Victim) -> None:
        match victim:
            case "one":
                await self.one.kill()
            case "other":
                await self.other.kill()
            case "postgres":
                await self.postgres.kill()
            case "valkey":
                await self.valkey.kill()
            case "model":
                await self._end_model()
            case _:
                assert_never(victim)

    async def healed(self) -> None:
        """Return when both say that they are ready, if degraded; raises TimeoutError when it takes long."""

        async def ready() -> bool:
            answers = [await server.process.http.get("/ready") for server in self.servers]
            return all(answer.status_code == 200 for answer in answers)

        await poll(ready, within_s=HEALED_WITHIN_S)

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
        """Return all messages of every conversation that one of these was stored in."""
        connection = await self.postgres.connect(self.database)
        try:
            return await rows_of(connection, *texts)
        finally:
            await connection.close()

    async def owner(self, text: str) -> Literal["one", "other"] | None:
        """Tell who runs the turn of this message; None: it is not stored, or has ended."""
        connection = await self.postgres.connect(self.database)
        try:
            owner: str | None = await connection.fetchval(OWNER, text)
        finally:
            await connection.close()
        if owner is None:
            return None
        return "one" if owner.partition("/")[0].endswith(f":{self.one.port}") else "other"

    def asked(self, text: str) -> list[Record]:
        """Return the requests to answer this message, of any model that ever ran here, as they stand now."""
        lines = self._model_log.read_bytes().splitlines()
        told = [msgspec.json.decode(line, type=_Line) for line in lines if line.endswith(b"}")]
        # A model that is started again counts from 1 again.
        standing = {(one.record.id, one.record.started_s): one.record for one in told}
        return [record for record in standing.values() if record.last_user_message == text]

    async def end(self) -> None:
        for server in self.servers:
            await server.end()
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
async def standing(folder: Path, *, tokens_per_s: float, **settings: str) -> AsyncGenerator[Stand]:
    """Have all of them run, and no turn; `settings` are environment variables in lower case."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    upper = {name.upper(): value for name, value in settings.items()}
    async with postgres_server() as postgres, valkey_server() as valkey:
        database = await postgres.new_database()
        # A Postgres that is killed must have kept what it said it had committed; tests do without otherwise.
        await postgres.run(f"ALTER DATABASE {database} SET synchronous_commit = on")
        stand = Stand(postgres, database, valkey, folder, tokens_per_s, upper)
        try:
            await stand.start("model")
            await asyncio.gather(*(server.start() for server in stand.servers))
            yield stand
        finally:
            await stand.end()


async def rows_of(connection: Any, *texts: str) -> list[Row]:
    """Return all messages, in their order, of every conversation that one of these was stored in."""
    return [msgspec.convert(dict(record), Row) for record in await connection.fetch(ROWS, list(texts))]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
