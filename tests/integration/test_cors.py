"""What pages of other origins may do, through the real server: preflights, errors, streams, sockets."""

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.clients import NOBODY, Json, chat, resumed, socket, streamed
from tests.running import Running
from tests.scripted_model import Refuse, Script, ScriptedModel

PAGE = "http://127.0.0.1:3000"
DEFAULT_ORIGINS = [PAGE, "http://localhost:3000", "http://127.0.0.1:3001", "http://localhost:3001"]
FOREIGN = [
    "http://evil.example",
    "https://127.0.0.1:3000",
    "http://127.0.0.1:3002",
    "http://127.0.0.1",
    "null",
]
MEBIBYTE = 2**20


def cors(response: httpx.Response) -> dict[str, str]:
    """Return the headers of CORS; each must be there once."""
    names = [name.lower() for name in response.headers if name.lower().startswith("access-control-")]
    assert len(response.headers.get_list("vary")) == 1
    assert all(len(response.headers.get_list(name)) == 1 for name in names)
    return {name.removeprefix("access-control-"): response.headers[name] for name in names}


def readable_by(origin: str) -> dict[str, str]:
    return {
        "allow-origin": origin,
        "expose-headers": "X-Request-ID, Retry-After, Idempotency-Replayed, X-Next-Cursor",
    }


def assert_refused(response: httpx.Response) -> None:
    problem = response.json()
    assert (response.status_code, response.headers["content-type"]) == (403, "application/problem+json")
    assert problem.keys() == {"type", "title", "status", "detail", "code", "request_id"}
    assert (problem["status"], problem["code"]) == (403, "origin_not_allowed")
    assert problem["request_id"] == response.headers["x-request-id"]
    assert cors(response) == {}
    assert response.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", DEFAULT_ORIGINS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/chat"),
        ("POST", "/chat/"),
        ("PATCH", f"/api/chat/conversation/{NOBODY}"),
        ("DELETE", f"/api/chat/conversation/{NOBODY}"),
        ("GET", f"/api/chat/turns/{NOBODY}/events"),
    ],
)
async def test_a_preflight_of_a_known_page_passes(
    server: Running, origin: str, method: str, path: str
) -> None:
    asks = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"}
    response = await server.http.options(path, headers={"Origin": origin} | asks)
    assert (response.status_code, response.content) == (204, b"")
    assert cors(response) == readable_by(origin) | {
        "allow-methods": "GET, POST, PATCH, DELETE",
        "allow-headers": (
            "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-API-Key, X-Request-ID"
        ),
        "max-age": "600",
    }


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_foreign_page_is_refused_and_reaches_nothing(
    server: Running, llm: ScriptedModel, origin: str
) -> None:
    headers = {"Origin": origin}
    assert_refused(
        await server.http.options("/api/chat", headers=headers | {"Access-Control-Request-Method": "POST"})
    )
    assert_refused(await server.http.get("/api/chat/conversations", headers=headers))
    # What a browser sends without asking first.
    simple = headers | {"Content-Type": "text/plain"}
    assert_refused(await server.http.post("/api/chat", content=b'{"message": "x"}', headers=simple))
    with pytest.raises(InvalidStatus) as refused:
        async with socket(server, origin=origin):
            pass
    upgrade = refused.value.response
    assert (upgrade.status_code, upgrade.headers["content-type"]) == (403, "application/problem+json")
    assert b'"origin_not_allowed"' in (upgrade.body or b"")
    assert [record for record in llm.log.generating if record.last_user_message == "x"] == []


async def test_a_known_page_opens_a_socket(server: Running) -> None:
    async with socket(server, origin=PAGE) as ws:
        await ws.say("Hello")
        assert (await ws.to_end())[-1]["content"] == "You said: Hello"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/chat", {}, 400),
        ("GET", f"/api/chat/history/{NOBODY}", None, 404),
        ("GET", "/no/such/route", None, 404),
        ("DELETE", "/api/chat", None, 405),
        ("POST", "/api/chat", {"message": "x", "y": "x" * MEBIBYTE}, 413),
        ("GET", f"/api/chat/history?cursor={'x' * 9000}", None, 414),
        ("POST", "/api/chat", "text", 415),
        ("POST", "/api/chat", {"message": "refuse"}, 503),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_a_known_page_reads_errors(
    server: Running, llm: ScriptedModel, method: str, path: str, body: Json | str | None, status: int
) -> None:
    llm.script(Script(fault=Refuse()), match="refuse")
    sent = {"content": body} if isinstance(body, str) else {"json": body}
    response = await server.http.request(method, path, headers={"Origin": PAGE}, **sent)  # pyright: ignore[reportArgumentType]  one of two keywords
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert cors(response) == readable_by(PAGE)
    assert ("retry-after" in response.headers) == (status == 503)


async def test_a_known_page_reads_streams(server: Running) -> None:
    server.http.headers["Origin"] = PAGE
    try:
        async with streamed(server, "Hello") as events:
            assert cors(events.response) == readable_by(PAGE)
            end = (await events.rest())[-1]
        async with resumed(server, end["turn_id"], after=0) as events:
            assert cors(events.response) == readable_by(PAGE)
        over = await server.http.get(f"/api/chat/turns/{end['turn_id']}/events?after={end['seq']}")
        assert (over.status_code, cors(over)) == (204, readable_by(PAGE))
    finally:
        del server.http.headers["Origin"]


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_probes_answer_any_page_but_only_a_known_one_may_read(server: Running, path: str) -> None:
    known = await server.http.get(path, headers={"Origin": PAGE})
    foreign = await server.http.get(path, headers={"Origin": "http://evil.example"})
    assert (known.status_code, cors(known)) == (200, readable_by(PAGE))
    assert (foreign.status_code, cors(foreign)) == (200, {})


async def test_the_servers_own_page_and_a_client_without_an_origin_pass(server: Running) -> None:
    own = await server.http.get("/api/chat/conversations", headers={"Origin": server.url})
    assert (own.status_code, cors(own)) == (200, readable_by(server.url))
    none = await server.http.get("/api/chat/conversations")
    assert (none.status_code, cors(none)) == (200, {})
    assert (await chat(server, "Hello"))["status"] == "complete"
