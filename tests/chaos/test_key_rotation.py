"""JWT_SECRET_KEY is changed under load: two servers restarted in turn, three times; nobody is signed out."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from signal import SIGTERM
from typing import Any

import httpx
import jwt

from jarvis.adapters.passwords import Argon2Passwords
from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.database import Database
from jarvis.core.types import new_id
from tests.chaos.listening import POLL_S, poll
from tests.people import PASSWORD, bearer
from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import ScriptedModel

OLD, NEW = "o" * 48, "n" * 48
STEPS = (f"{OLD},{NEW}", f"{NEW},{OLD}", NEW)
"""Every server knows the new key before one signs with it; the old one goes when nothing of it is left."""

CLIENTS = 5
PERIOD_S = 0.25
"""Of each client: 20 requests a second in all."""
RENEWS_EACH = 4
SETTLED_S = 10.0
DRAIN_DELAY_S = 1.0


class Rotation:
    """The servers that are up, as a load balancer knows them: those whose /ready says so."""

    def __init__(self) -> None:
        self.servers: list[JarvisProcess] = []
        self._asked = 0

    def next(self) -> JarvisProcess | None:
        self._asked += 1
        return self.servers[self._asked % len(self.servers)] if self.servers else None

    async def watch(self, server: JarvisProcess) -> None:
        """Send nobody there any more once it is not ready; to be cancelled."""
        async with httpx.AsyncClient(base_url=server.url, timeout=5, trust_env=False) as http:
            while (await http.get("/ready")).status_code == 200:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)  # another process: there is no event of ours to wait for
        self.servers.remove(server)


class Client:
    """Somebody signed in, who asks every PERIOD_S and renews his tokens now and then."""

    def __init__(self, name: str, rotation: Rotation, http: httpx.AsyncClient) -> None:
        self._name = name
        self._rotation = rotation
        self._http = http
        self._tokens: dict[str, str] = {}
        self.answered: dict[JarvisProcess, int] = {}
        self.failures: list[tuple[str, int, str]] = []

    @property
    def is_new(self) -> bool:
        """Whether his access token is signed with the new key."""
        try:
            jwt.decode(self._tokens["access_token"], NEW, algorithms=["HS256"], audience="jarvis")  # pyright: ignore[reportUnknownMemberType]  public keys need cryptography
        except jwt.InvalidSignatureError:
            return False
        return True

    async def sign_in(self) -> None:
        await self._new_tokens("login", {"username": self._name, "password": PASSWORD})

    async def run(self) -> None:
        """Ask for ever; to be cancelled."""
        while True:
            for _ in range(RENEWS_EACH):
                await asyncio.sleep(PERIOD_S)
                await self._ask("GET", "/api/auth/whoami", headers=bearer(self._tokens["access_token"]))
            await self._new_tokens("refresh", {"refresh_token": self._tokens["refresh_token"]})

    async def _new_tokens(self, how: str, body: Mapping[str, str]) -> None:
        answer = await self._ask("POST", f"/api/auth/{how}", json=body)
        if answer.status_code == 200:
            self._tokens = answer.json()

    async def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Ask whichever server is up, another one where that is going away."""
        async with asyncio.timeout(SETTLED_S):
            while True:
                server = self._rotation.next()
                if server is not None:
                    try:
                        answer = await self._http.request(method, server.url + path, **request)
                    except httpx.ConnectError:
                        server = None
                    else:
                        if answer.status_code != 503 or answer.json()["code"] != "draining":
                            break
                await asyncio.sleep(POLL_S)
        self.answered[server] = self.answered.get(server, 0) + 1
        if answer.status_code != 200:
            self.failures.append((path, answer.status_code, answer.text))
        return answer


class Fleet:
    """Two servers on one database, each restarted on its port with other keys."""

    def __init__(self, environment: Mapping[str, str], rotation: Rotation, stack: AsyncExitStack) -> None:
        self._environment = environment
        self._rotation = rotation
        self._stack = stack
        self._ports = [_free_port(), _free_port()]
        self._servers: dict[int, JarvisProcess] = {}
        self._watching: dict[int, asyncio.Task[None]] = {}

    async def restart(self, keys: str, clients: list[Client]) -> None:
        """Restart one after the other, each once all clients have been answered by the one before."""
        for port in self._ports:
            if port in self._servers:
                self._servers[port].signal(SIGTERM)
                assert await self._servers[port].exit_code(SETTLED_S) == 0
                await self._watching[port]
            settings = {**self._environment, "PORT": str(port), "JWT_SECRET_KEY": keys}
            server = await self._stack.enter_async_context(jarvis_process(settings))
            self._servers[port] = server
            self._rotation.servers.append(server)
            self._watching[port] = asyncio.create_task(self._rotation.watch(server))

            async def answered(server: JarvisProcess = server) -> bool:
                return all(client.answered.get(server, 0) >= RENEWS_EACH for client in clients)

            await poll(answered, within_s=SETTLED_S)

    async def stop(self) -> None:
        for task in self._watching.values():
            task.cancel()
        await asyncio.gather(*self._watching.values(), return_exceptions=True)


@asynccontextmanager
async def _fleet(environment: Mapping[str, str], rotation: Rotation) -> AsyncGenerator[Fleet]:
    async with AsyncExitStack() as stack:
        fleet = Fleet(environment, rotation, stack)
        try:
            yield fleet
        finally:
            await fleet.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def _asking(clients: list[Client]) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.run()) for client in clients]
        yield
        for task in tasks:
            task.cancel()


async def test_nobody_is_refused_while_keys_are_rotated(
    database_url: str, database: Database, model: ScriptedModel
) -> None:
    names = [f"person{number}" for number in range(CLIENTS)]
    password_hash = await Argon2Passwords().hash(PASSWORD)
    for name in names:
        await PostgresAccounts(database).add(name, password_hash, role=None, user_id=new_id())
    environment = {
        "DATABASE_URL": database_url,
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model.url,
        "AUTH_MODE": "jwt",
        "RATE_LIMIT_REQUESTS": "100000",
        "HOST": "0.0.0.0",  # noqa: S104 only there a server waits until no balancer sends anybody any more
        "DRAIN_DELAY_SECS": str(DRAIN_DELAY_S),
        "DRAIN_SECS": "0.2",
    }
    rotation = Rotation()
    unkept = httpx.Limits(max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(timeout=10, trust_env=False, limits=unkept) as http,
        _fleet(environment, rotation) as fleet,
    ):
        await fleet.restart(OLD, [])
        clients = [Client(name, rotation, http) for name in names]
        for client in clients:
            await client.sign_in()
        assert not any(client.is_new for client in clients)

        async def all_renewed() -> bool:
            return all(client.is_new for client in clients)

        async with _asking(clients):
            for keys in STEPS:
                if keys == NEW:
                    await poll(all_renewed, within_s=SETTLED_S)
                await fleet.restart(keys, clients)
    assert [failure for client in clients for failure in client.failures] == []
