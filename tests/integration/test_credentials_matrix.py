"""Every operation of the live schema, with and without `/api`, and every frame, for whoever is nobody."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.services.credentials import STANDING_S
from tests.clients import PATIENCE_S, Json, a_word, query, side_by_side, socket
from tests.credentials import Attempt, attempts, tokens_of_nobody
from tests.forged_tokens import forged, opened, signed
from tests.people import GUARDED, Person, bearer, join, sign_in
from tests.running import Running
from tests.scripted_model import ScriptedModel

SETTINGS = GUARDED

PUBLIC = {
    *("/health", "/ready", "/metrics"),
    *("/api/auth/login", "/api/auth/refresh", "/auth/login", "/auth/refresh"),
}
UNDESCRIBED = ("/schema", "/schema/openapi.json")
UNKNOWN = (
    "/",
    "/api",
    "/api/admin",
    "/v1/models",
    "/static/app.js",
    "/.env",
    "/api/auth",
    "/ws/x",
    "/schema/x",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
PREFIXED = ("/api/chat", "/api/voice", "/api/auth")

BODIES: dict[str, Json] = {
    "POST /api/chat": {"message": "let me in"},
    "POST /api/chat/conversation": {"title": "let me in"},
    "PATCH /api/chat/conversation/{conversation_id}": {"title": "let me in"},
    "POST /api/memory/add": {"content": "let me in"},
    "POST /api/memory/search": {"query": "let me in"},
    "PATCH /api/memory/{memory_id}": {"content": "let me in"},
    "POST /api/voice/transcribe": {"audio_data": "A" * 8000, "format": "pcm_s16le", "sample_rate": 16_000},
    "POST /api/voice/synthesize": {"text": "let me in"},
    "POST /voice/synthesize": {"text": "let me in"},
    "POST /api/auth/register": {"username": "intruder", "password": "let me in"},
    "POST /api/auth/keys": {"name": "let me in"},
}
"""What is asked for where that takes more than an address."""


NOT_DONE = {
    "POST /api/voice/transcribe": 503,
    "POST /api/voice/synthesize": 503,
    "POST /voice/synthesize": 503,
    "GET /api/voice/voices": 503,
    "GET /api/voice/languages": 503,
    "POST /api/auth/register": 403,
    "GET /ws": 400,
}
"""How somebody is answered where this server cannot do it: it has no voice, and ALLOW_SIGNUP is not set."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    method: str
    path: str
    params: dict[str, str] = {}
    body: Json | None = None


class World(msgspec.Struct, frozen=True, kw_only=True):
    """A server with something on it, who may ask for it, and who may not any more."""

    operations: list[Operation]
    frames: dict[str, Json]
    anna: Person
    ended: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(module_server: Running) -> World:
    server = module_server
    anna = await join(server, a_word())
    document, ids = await described(server, anna), await things_of(server, anna)
    return World(
        operations=operations(document, ids),
        frames=frames(document, ids),
        anna=anna,
        ended=await ended_tokens(server),
    )


async def described(server: Running, person: Person) -> Json:
    return (await server.http.get("/schema/openapi.json", headers=person.headers)).json()


async def things_of(server: Running, person: Person) -> dict[str, Any]:
    """Make one of everything that has an id; return the ids, and the conversation as it is exported."""
    http, headers = server.http, person.headers
    conversation = (await http.post("/api/chat/conversation", json={"title": "Mine"}, headers=headers)).json()
    said = {"message": "Hello", "conversation_id": conversation["id"], "save_memory": False}
    answer = (await http.post("/api/chat", json=said, headers=headers)).json()
    memory = (await http.post("/api/memory/add", json={"content": "I like tea"}, headers=headers)).json()
    async with asyncio.timeout(PATIENCE_S):
        while "jarvis_memory_unindexed 0.0" not in (await http.get("/metrics")).text:
            pass
    key = (await http.post("/api/auth/keys", json={"name": "another"}, headers=headers)).json()
    export = await http.get(f"/api/chat/conversation/{conversation['id']}/export", headers=headers)
    return {
        "conversation_id": conversation["id"],
        "turn_id": answer["turn_id"],
        "memory_id": memory["id"],
        "key_id": key["id"],
        "export": export.json(),
    }


async def ended_tokens(server: Running) -> dict[str, str]:
    """Return tokens of each kind that counted, and were used, before what they are called happened."""
    suspended, deleted = await join(server, a_word()), await join(server, a_word())
    others = await join(server, a_word())
    signed_out, reused = await sign_in(server, others.name), await sign_in(server, others.name)
    tokens = {
        "suspended user": suspended.access_token,
        "suspended user's key": suspended.key,
        "deleted user": deleted.access_token,
        "deleted user's key": deleted.key,
        "signed out": signed_out["token"],
        "refresh token reused": reused["token"],
        "session expired": others.access_token,
        "key expired": others.key,
        "key deleted": (
            await server.http.post("/api/auth/keys", json={"name": "x"}, headers=others.headers)
        ).json()["key"],
    }
    for name, token in tokens.items():
        who = await server.http.get("/api/auth/whoami", headers=bearer(token))
        assert who.status_code == 200, name
    register = PostgresAccounts(server.assembly.database)
    await register.set_status(suspended.name, "suspended")
    await query(server, "DELETE FROM users WHERE username = $1", deleted.name)
    await server.http.post("/api/auth/logout", headers=bearer(signed_out["token"]))
    for _ in range(2):
        await server.http.post("/api/auth/refresh", json={"refresh_token": reused["refresh_token"]})
    await query(server, "DELETE FROM api_keys WHERE prefix = $1", tokens["key deleted"][:12])
    await query(server, "UPDATE api_keys SET expires_at = now() WHERE prefix = $1", others.key[:12])
    digest = sha256(others.refresh_token.encode()).digest()
    await query(server, "UPDATE refresh_tokens SET expires_at = now() WHERE digest = $1", digest)
    await asyncio.sleep(STANDING_S)  # so long what was read of them may be relied on
    return tokens


def operations(document: Json, ids: dict[str, Any]) -> list[Operation]:
    """Return every operation of the document that is not public, on each path that it answers on."""
    found: list[Operation] = []
    for template, by_method in document["paths"].items():
        path = template.format(**ids)
        paths = {path, path.removeprefix("/api")} if path.startswith(PREFIXED) else {path}
        for method in by_method:
            name = f"{method.upper()} {template}"
            body = ids["export"] if name == "POST /api/chat/import" else BODIES.get(name)
            required = {
                parameter["name"]: "tea"
                for parameter in by_method[method]["parameters"]
                if parameter["in"] == "query" and parameter["required"]
            }
            found += [
                Operation(name=name, method=method.upper(), path=path, params=required, body=body)
                for path in paths - PUBLIC
            ]
    return found


def frames(document: Json, ids: dict[str, Any]) -> dict[str, Json]:
    """Return a frame of each type that the document names, and of those without one."""
    turn, said = {"turn_id": ids["turn_id"]}, {"conversation_id": ids["conversation_id"]}
    samples: list[Json] = [
        {"type": "chat_message", "content": "let me in", **said},
        {"type": "cancel", **turn},
        {"type": "resume", **turn},
        {"type": "subscribe", "channels": ["status", "conversations"]},
        {"type": "audio_data", "data": "AAAA", **said},
        {"type": "audio_start", "format": "wav", **said},
        {"type": "audio_end"},
        {"type": "playback", **turn, "played_ms": 0},
        {"type": "barge_in", **turn},
        {"message": "let me in", **said},
    ]
    by_type = {sample.get("type", "old"): sample for sample in samples}
    sends = document["paths"]["/ws"]["get"]["x-websocket"]["sends"]["anyOf"]
    shapes = [document["components"]["schemas"][one["$ref"].rpartition("/")[2]] for one in sends]
    named = {shape["properties"].get("type", {"enum": ["old"]})["enum"][0] for shape in shapes}
    assert named - {"auth"} == by_type.keys()
    return by_type | {"ping": {"type": "ping"}, "unknown": {"type": "sudo"}}


async def state(server: Running) -> dict[str, list[str]]:
    """Return all that is in each table, but for those in which the server writes by itself."""
    tables = await query(server, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    names = sorted({row["tablename"] for row in tables} - {"audit_log", "erasure_wanted"})
    return {name: await rows_of(server, name) for name in names}


async def rows_of(server: Running, table: str) -> list[str]:
    rows = await query(server, f'SELECT t::text AS row FROM "{table}" t ORDER BY 1')  # noqa: S608 as Postgres names it
    return [row["row"] for row in rows]


async def asked(server: Running, operation: Operation, attempt: Attempt) -> httpx.Response:
    return await server.http.request(
        operation.method,
        operation.path,
        params=operation.params | attempt.params,
        json=operation.body,
        headers=attempt.headers,
    )


def complaint(response: httpx.Response) -> str:
    """Say what is wrong with a refusal; nothing, where it is one as the contract has it."""
    if response.status_code != 401:
        return f"is answered {response.status_code}"
    if response.headers.get("www-authenticate") != "Bearer":
        return "does not say how to sign in"
    if response.headers["content-type"] != "application/problem+json":
        return "is no problem document"
    if response.request.method == "HEAD":
        return ""
    problem = response.json()
    if problem.keys() != {"type", "title", "status", "detail", "code", "request_id"}:
        return f"tells {sorted(problem)}"
    is_right = (problem["status"], problem["code"]) == (401, "unauthenticated")
    return "" if is_right and problem["request_id"] == response.headers["x-request-id"] else f"says {problem}"


async def test_no_operation_is_done_for_nobody(server: Running, llm: ScriptedModel, world: World) -> None:
    before = await state(server)
    tried = attempts(world.anna, world.ended)
    cases = [(operation, name) for operation in world.operations for name in tried]
    failures: list[str] = []

    async def try_it(number: int) -> None:
        operation, name = cases[number]
        if wrong := complaint(await asked(server, operation, tried[name])):
            failures.append(f"{operation.method} {operation.path} with {name} {wrong}")

    await side_by_side(try_it, times=len(cases))
    assert failures == []
    assert await state(server) == before
    assert llm.log.generating == []


@pytest.mark.parametrize("with_key", [False, True])
@pytest.mark.parametrize("with_prefix", [False, True])
async def test_whoever_is_somebody_is_let_in_to_each(
    server: Running, *, with_key: bool, with_prefix: bool
) -> None:
    ben = await join(server, a_word())
    document, ids = await described(server, ben), await things_of(server, ben)
    sent = {"X-API-Key": ben.key} if with_key else ben.headers
    attempt = Attempt(headers=list(sent.items()))
    chosen = [
        operation
        for operation in operations(document, ids)
        if operation.path.startswith("/api/") == with_prefix
    ]
    # What deletes comes last, and first what deletes less; logout only works by a token, once.
    chosen.sort(key=lambda one: (one.path.endswith("/logout"), one.method == "DELETE", -len(one.path)))
    failures: list[str] = []
    for operation in chosen:
        answer = await asked(server, operation, attempt)
        allowed = NOT_DONE.get(operation.name, 200)
        if with_key and operation.path.endswith("/logout"):
            allowed = 409
        if answer.status_code >= 300 and answer.status_code != allowed:
            failures.append(f"{operation.method} {operation.path}: {answer.status_code} {answer.text}")
    assert failures == []


async def test_only_these_paths_are_public(server: Running, world: World) -> None:
    document = await described(server, world.anna)
    described_paths = {operation.path for operation in world.operations} | set(document["paths"])
    paths = sorted(described_paths | PUBLIC | set(UNDESCRIBED) | set(UNKNOWN))
    answered: set[str] = set()
    failures: list[str] = []
    for path in paths:
        for method in METHODS:
            for spelled in (path, f"{path}/"):
                response = await server.http.request(method, spelled)
                if response.status_code != 401:
                    answered.add(path)
                elif wrong := complaint(response):
                    failures.append(f"{method} {spelled} {wrong}")
    assert failures == []
    assert answered == PUBLIC


async def test_no_socket_is_opened_for_nobody(server: Running, world: World) -> None:
    tried = attempts(world.anna, world.ended)
    for name, attempt in tried.items():
        if attempt.opens:
            continue
        with pytest.raises(InvalidStatus) as refused:
            async with socket(server, additional_headers=attempt.headers):
                pytest.fail(f"opened with {name}")
        answer = refused.value.response
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), name
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.loads(answer.body or b"")["code"] == "unauthenticated"


async def test_no_frame_is_obeyed_before_somebody_signs_in(
    server: Running, llm: ScriptedModel, world: World
) -> None:
    before = await state(server)
    tried = {name: attempt for name, attempt in attempts(world.anna, world.ended).items() if attempt.opens}
    cases = [
        (attempt, frame) for attempt in tried.values() for frame in [*world.frames.values(), b"\0", "{", "[]"]
    ]
    await side_by_side(
        lambda number: closed_by(server, cases[number][0], [cases[number][1]]), times=len(cases)
    )
    assert await state(server) == before
    assert llm.log.generating == []


async def test_no_frame_is_obeyed_after_a_token_of_nobodys(
    server: Running, llm: ScriptedModel, world: World
) -> None:
    before = await state(server)
    tokens = tokens_of_nobody(world.anna, world.ended) | forged(world.anna.access_token)
    signing_in: list[Json] = [{"type": "auth", "token": token} for token in ("", *tokens.values())]
    signing_in += [{"type": "auth"}, {"type": "auth", "token": None}, {"type": "auth", "token": 7}]
    signing_in += [{"type": "AUTH", "token": world.anna.key}, {"token": world.anna.key}]
    say = world.frames["chat_message"]
    await side_by_side(
        lambda number: closed_by(server, Attempt(), [signing_in[number], say]), times=len(signing_in)
    )
    assert await state(server) == before
    assert llm.log.generating == []


async def closed_by(server: Running, attempt: Attempt, sent: Sequence[Json | str | bytes]) -> None:
    """See the socket closed, and nothing said on it."""
    url = f"{server.ws_url}?{urlencode(attempt.params)}"
    async with connect(url, proxy=None, additional_headers=attempt.headers) as connection:
        with suppress(ConnectionClosed):
            for frame in sent:
                await connection.send(json.dumps(frame) if isinstance(frame, dict) else frame)
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(PATIENCE_S):
                pytest.fail(f"{sent} is answered {await connection.recv()!r}")
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1008


async def test_every_frame_is_taken_from_somebody(server: Running) -> None:
    ben = await join(server, a_word())
    sent = frames(await described(server, ben), await things_of(server, ben))
    async with socket(server) as ws:
        await ws.send({"type": "auth", "token": ben.access_token})
        assert await ws.next() == {"type": "authenticated", "user_id": ben.name}
        for frame in sent.values():
            await ws.send(frame)
        assert (await ws.until("pong"))[-1] == {"type": "pong"}


async def test_a_forged_token_is_refused_and_a_good_one_is_not(server: Running, world: World) -> None:
    token = world.anna.access_token
    control = await server.http.get("/api/auth/whoami", headers=bearer(signed(*opened(token))))
    assert control.status_code == 200
    tokens = forged(token)
    assert len(tokens) >= 30
    for name, one in tokens.items():
        for headers in (bearer(one), {"X-API-Key": one}):
            assert not complaint(await server.http.get("/api/auth/whoami", headers=headers)), name
