"""A server with several people on it, one of whom has something of every kind and in every state."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec

from jarvis.adapters.passwords import Argon2Passwords
from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.row_security import OWNED_TABLES
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.identity import UserRole
from jarvis.core.turn_store import TurnOutcome
from jarvis.core.types import ChatCommand, Turn, User, new_id
from tests.clients import Json, socket
from tests.people import PASSWORD, SECRET, Person, bearer
from tests.postgres import PostgresServer
from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import EMBEDDING_MODEL, Script, ScriptedModel
from tests.scripted_speech import ScriptedWyoming
from tests.spoken import recording, send_clip

BUILDS = {"as it is": "jarvis", "without its own filters": "tests.mutated"}
"""What is started as `python -m`."""
CANARY = "canaryanna"
"""In all that anna and those who are gone say."""
HELD = "HELD"
"""What the model is held at when it has begun to answer."""
GATE = "anna"
SPOKEN = "Seven green birds of canaryanna found their small brown house. Eight black sheep drank fresh water."
SETTLED_WITHIN_S = 15.0
CHANGES_BY_ITSELF = ("lease_until",)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where sockets are opened."""

    ws_url: str


class Stand:
    """The server, its database, and the people on it by name."""

    def __init__(
        self, server: JarvisProcess, database: Database, model: ScriptedModel, engines: ScriptedWyoming
    ) -> None:
        self.server = server
        self.http = server.http
        self.database = database
        self.model = model
        self.engines = engines
        self.people: dict[str, Person] = {}
        self.theirs: dict[str, str] = {}
        """Ids of what ben has no part in, by what it is."""
        self.mine: dict[str, str] = {}
        """The conversation of each of the others."""
        self.held: list[str] = []
        """Anna's turns that wait for the model to be let go."""
        self.cursors: dict[str, str] = {}
        """Where anna's lists go on."""

    async def join(self, name: str, *, role: UserRole | None = None) -> Person:
        """Make an account, sign in and make a key."""
        hashed = await Argon2Passwords().hash(PASSWORD)
        await PostgresAccounts(self.database).add(name, hashed, role=role, user_id=new_id())
        login = {"username": name, "password": PASSWORD}
        session = (await self.ask("POST", "/api/auth/login", json=login)).json()
        headers = bearer(session["access_token"])
        made = (
            await self.ask("POST", "/api/auth/keys", headers=headers, json={"name": f"key {name}"})
        ).json()
        person = self.people[name] = Person(
            name=name,
            access_token=session["access_token"],
            refresh_token=session["refresh_token"],
            key=made["key"],
        )
        return person

    async def ask(self, method: str, path: str, *, who: str | None = None, **options: Any) -> httpx.Response:
        """Ask as somebody; what is answered must be a 200."""
        headers = options.pop("headers", {}) | (self.people[who].headers if who else {})
        response = await self.http.request(method, path, headers=headers, **options)
        assert response.status_code == 200, f"{method} {path}: {response.text}"
        return response

    async def chat(self, who: str, message: str, **fields: object) -> Json:
        body = {"message": message, "use_memory": False, **fields}
        return (await self.ask("POST", "/api/chat", who=who, json=body)).json()

    async def begin(self, who: str, message: str, **fields: object) -> Json:
        """Begin a turn and leave once its message is stored; return the `ack`."""
        body = {"message": message, "stream": True, "use_memory": False, **fields}
        async with self.http.stream(
            "POST", "/api/chat", headers=self.people[who].headers, json=body
        ) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    return msgspec.json.decode(line.removeprefix("data: "))
        raise AssertionError("no event came")

    async def sql(self, sql: str, *arguments: object) -> list[Any]:
        async with self.database.apart() as connection:
            return await connection.fetch(sql, *arguments)

    def at(self, query: str) -> "Address":
        """Return where sockets are opened, with a query."""
        return Address(ws_url=f"{self.server.ws_url}{query}")

    async def rows(self, *, of: Sequence[str]) -> dict[str, set[str]]:
        """Return what these have in every table, without what changes by itself."""
        found: dict[str, set[str]] = {}
        for table in OWNED_TABLES:
            owner = "id" if table == "users" else "user_id"
            # S608: names of our own tables.
            rows = await self.sql(
                f"SELECT (to_jsonb(t) - $2::text[])::text FROM {table} t "  # noqa: S608
                f"WHERE {owner} IN (SELECT id FROM users WHERE username = ANY ($1))",
                *(list(of), list(CHANGES_BY_ITSELF)),
            )
            found[table] = {row[0] for row in rows}
        return found

    async def until_none(self, sql: str) -> None:
        """Poll until nothing is found: work in the background tells nobody when it is done."""
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while await self.sql(sql):  # noqa: ASYNC110 see above
                await asyncio.sleep(0.05)


@asynccontextmanager
async def standing(
    postgres: PostgresServer,
    template: str,
    *,
    module: str = "jarvis",
    settings: Mapping[str, str] | None = None,
) -> AsyncGenerator[Stand]:
    """Run the server that `python -m module serve` starts, with nobody on it."""
    name = await postgres.new_database(template=template)
    async with (
        ScriptedModel() as model,
        ScriptedWyoming() as engines,
        Database(DatabaseSettings(url=postgres.url(name))) as database,
    ):
        environment = {
            "DATABASE_URL": postgres.url(name),
            "AUTH_MODE": "jwt",
            "JWT_SECRET_KEY": SECRET,
            "RATE_LIMIT_REQUESTS": "1000000",
            "LLM_BACKEND": "ollama",
            "OLLAMA_URL": model.url,
            "EMBED_BACKEND": "ollama",
            "OLLAMA_EMBED_MODEL": EMBEDDING_MODEL.name,
            "LLM_MAX_CONCURRENCY": "50",
            "LLM_MAX_QUEUE": "100",
            "LLM_INTER_TOKEN_SECS": "3600",
            "DETACHED_TURN_SECS": "3600",
            "TURN_SECS": "3600",
            "LOG_LEVEL": "DEBUG",
            "LOG_FORMAT": "json",
        }
        async with jarvis_process(environment | dict(settings or {}), module=module) as server:
            yield Stand(server, database, model, engines)
    await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def populated(
    postgres: PostgresServer, template: str, *, module: str = "jarvis"
) -> AsyncGenerator[Stand]:
    """Have anna own something of everything; ben, cleo and olga (the owner) look for it."""
    async with AsyncExitStack() as stack:
        voice = await stack.enter_async_context(ScriptedWyoming())
        settings = {"VOICE": "auto", "STT_URL": voice.uri, "TTS_URL": voice.uri}
        stand = await stack.enter_async_context(
            standing(postgres, template, module=module, settings=settings)
        )
        stand.engines = voice
        await stand.join("olga", role="owner")
        for name in ("anna", "ben", "cleo", "sam", "gus"):
            await stand.join(name)
        stand.model.script(Script(text=f"{SPOKEN} And more.", gate=GATE, gate_at_token=12), match=HELD)
        await _of_other_processes(stand)
        for name in ("ben", "cleo", "olga", "sam", "gus"):
            said = await stand.chat(name, f"{name} says canary{name}.", save_memory=False)
            stand.mine[name] = said["conversation_id"]
        await _of_anna(stand)
        await _of_those_who_are_gone(stand)
        await _held(stand, stack)
        await _settled(stand)
        yield stand


async def _of_other_processes(stand: Stand) -> None:
    """Turns of which this process has rows only: one that ended, and one that another one runs."""
    ((id_,),) = await stand.sql("SELECT id FROM users WHERE username = 'anna'")
    anna, store = User(id=id_, name="anna"), PostgresTurns(stand.database)
    for state in ("ended elsewhere", "running elsewhere"):
        turn = await store.begin(
            anna,
            ChatCommand(text=f"{CANARY} {state}", save_memory=False),
            turn_id=new_id(),
            owner="another",
            lease_s=3600,
            waiting=False,
        )
        assert isinstance(turn, Turn)
        if state == "ended elsewhere":
            outcome = TurnOutcome(status="complete", text=CANARY, last_seq=3, metadata=None)
            await store.finish(anna, turn.id, outcome, owner=turn.owner)
        stand.theirs |= {f"turn {state}": str(turn.id), f"conversation {state}": str(turn.conversation_id)}
    stand.theirs["user"] = str(id_)


async def _of_anna(stand: Stand) -> None:
    theirs = stand.theirs
    for state in ("quiet", "archived", "deleted"):
        new = {"title": f"{CANARY} {state}", "system_prompt": f"{CANARY} is your name."}
        made = (await stand.ask("POST", "/api/chat/conversation", who="anna", json=new)).json()
        said = await stand.chat("anna", f"{CANARY} {state}", conversation_id=made["id"], save_memory=False)
        theirs |= {f"conversation {state}": made["id"], f"turn of {state}": said["turn_id"]}
    theirs["message"] = said["id"]
    address = f"/api/chat/conversation/{theirs['conversation archived']}"
    await stand.ask("PATCH", address, who="anna", json={"status": "archived"})
    await stand.ask("DELETE", f"/api/chat/conversation/{theirs['conversation deleted']}", who="anna")
    for number in range(2):
        again = f"/api/chat/conversation/{theirs['conversation quiet']}/regenerate"
        said = (await stand.ask("POST", again, who="anna", json={})).json()
        theirs[f"message {number}"] = said["id"]
    await _memories(stand)
    sessions = await stand.sql(
        "SELECT session_id FROM refresh_tokens JOIN users u ON u.id = user_id WHERE username = 'anna'"
    )
    theirs["session"] = str(sessions[0][0])
    made = (await stand.ask("POST", "/api/auth/keys", who="anna", json={"name": f"{CANARY} old"})).json()
    await stand.ask("DELETE", f"/api/auth/keys/{made['id']}", who="anna")
    keys = (await stand.ask("GET", "/api/auth/keys", who="anna")).json()["keys"]
    theirs |= {"key": keys[0]["id"], "key deleted": made["id"]}
    for path in (
        "conversations?",
        "search?q=canaryanna&",
        f"history?conversation_id={theirs['conversation quiet']}&",
    ):
        page = (await stand.ask("GET", f"/api/chat/{path}limit=1", who="anna")).json()
        stand.cursors[path.partition("?")[0]] = page["next_cursor"]
    page = await stand.ask("GET", "/api/memory/list?limit=1", who="anna")
    stand.cursors["list"] = page.headers["x-next-cursor"]
    assert None not in stand.cursors.values()


async def _memories(stand: Stand) -> None:
    for city in ("Lyon", "Paris"):
        told = {"content": f"I live in {city}."}
        await stand.ask("POST", "/api/memory/add", who="anna", json=told)
    for name in ("kept", "forgotten"):
        content = f"The ferret {name} is called {CANARY}{name}."
        made = (await stand.ask("POST", "/api/memory/add", who="anna", json={"content": content})).json()
        stand.theirs[f"memory {name}"] = made["id"]
    await stand.ask("DELETE", f"/api/memory/{stand.theirs['memory forgotten']}", who="anna")
    listed = (await stand.ask("GET", "/api/memory/list", who="anna")).json()
    (old,) = [one for one in listed if "valid_to" in one]
    stand.theirs["memory superseded"] = old["id"]


async def _of_those_who_are_gone(stand: Stand) -> None:
    """Sam is suspended, and gus is deleted with all he had."""
    await PostgresAccounts(stand.database).set_status("sam", "suspended")
    told = {"content": f"The piano of gus is called {CANARY}gus."}
    memory = (await stand.ask("POST", "/api/memory/add", who="gus", json=told)).json()
    said = await stand.chat("gus", f"{CANARY} of gus", conversation_id=stand.mine["gus"], save_memory=False)
    stand.theirs |= {
        "conversation of sam": stand.mine["sam"],
        "conversation of gus": stand.mine["gus"],
        "turn of gus": said["turn_id"],
        "memory of gus": memory["id"],
    }
    await stand.sql("DELETE FROM users WHERE username = 'gus'")


async def _held(stand: Stand, stack: AsyncExitStack) -> None:
    """Begin turns that run and that wait, one of them spoken; the socket that hears it stays open."""
    begun = await stand.begin("anna", f"{HELD} {CANARY} busy")
    stand.theirs |= {"conversation busy": begun["conversation_id"], "turn running": begun["turn_id"]}
    first = await stand.begin("anna", f"{HELD} {CANARY} first of nine")
    stand.theirs["conversation full"] = first["conversation_id"]
    stand.held += [begun["turn_id"], first["turn_id"]]
    for number in range(8):
        waiting = await stand.begin(
            "anna", f"{CANARY} waits {number}", conversation_id=first["conversation_id"], save_memory=False
        )
        stand.held.append(waiting["turn_id"])
    stand.theirs["turn waiting"] = stand.held[-1]
    stand.engines.said = f"{HELD} {CANARY} aloud"
    anna = stand.people["anna"]
    ws = await stack.enter_async_context(socket(stand.server, additional_headers=anna.headers))
    await send_clip(ws, recording(), speak=True)
    frames = await ws.until("audio_response")
    acknowledged = next(frame for frame in frames if frame["type"] == "ack")
    stand.theirs |= {
        "turn spoken": acknowledged["turn_id"],
        "conversation spoken": acknowledged["conversation_id"],
    }
    stand.held.append(acknowledged["turn_id"])
    stand.engines.said = "What is mine?"


async def _settled(stand: Stand) -> None:
    """Wait until what works in the background has nothing left to do with anna's rows."""
    await stand.until_none(
        "SELECT FROM messages m JOIN turns t ON t.id = m.turn_id WHERE m.role = 'user' "
        "AND m.indexed_at IS NULL AND t.status NOT IN ('queued', 'running')"
    )
    await stand.until_none("SELECT FROM memories WHERE indexed_at IS NULL")
    await stand.until_none(
        "SELECT FROM turns WHERE status = 'running' AND lease_owner <> 'another' "
        f"AND length(partial_text) < {len(' '.join(SPOKEN.split()[:12]))}"
    )


def a_random_id() -> str:
    return str(UUID(int=uuid4().int))
