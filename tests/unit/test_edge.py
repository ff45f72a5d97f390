"""The edge round a small Litestar app and round plain ASGI apps, driven in process, event by event."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from litestar import Litestar, Request, Response, WebSocket, get, post, websocket
from litestar.datastructures import State
from litestar.params import FromPath
from structlog.testing import capture_logs

from jarvis.core.errors import Invalid, NotFound
from jarvis.web.access import Admitted
from jarvis.web.asgi import ASGIApp, Event, Header, Receive, Scope, Send
from jarvis.web.body import read_json
from jarvis.web.edge import Edge, EdgeConfig, RequestLine
from jarvis.web.head import Head
from jarvis.web.problems import log_websocket_bug, respond

PAGE = b"http://localhost:3000"
HOST: Header = (b"host", b"localhost:8100")
JSON: Header = (b"content-type", b"application/json")
HEALTH = b'{"status":"healthy"}'


class Answer(msgspec.Struct, kw_only=True):
    events: list[Event]

    @property
    def status(self) -> int:
        return self.events[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        raw: list[Header] = self.events[0]["headers"]
        names = [name for name, _ in raw]
        assert len(set(names)) == len(names), f"a header is sent twice: {names}"
        return {name.decode(): value.decode() for name, value in raw}

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.events[1:])

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        document = json.loads(self.body)
        assert document["status"] == self.status
        assert document["request_id"] == self.headers["x-request-id"]
        return document


class Counted:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int]] = []

    def observe(self, method: str, route: str, status: int, duration_s: float) -> None:
        assert duration_s >= 0
        self.seen.append((method, route, status))


class Everybody:
    """Lets everybody in, and nobody in particular."""

    async def admit(self, scope: Scope, head: Head) -> Admitted:
        del scope, head
        return Admitted(caller=None)


class Client:
    """Speaks ASGI to an edge, one request at a time."""

    def __init__(self, app: ASGIApp, **config: Any) -> None:
        self.metrics = Counted()
        self.logged: list[RequestLine] = []
        defaults: dict[str, Any] = {"port": 8100, "loopback": True, "allowed_origins": (PAGE.decode(),)}
        self.edge = Edge(
            app,
            EdgeConfig(**(defaults | config)),
            access=Everybody(),
            metrics=self.metrics,
            log=self,
            health_body=lambda: HEALTH,
        )

    def write(self, line: RequestLine) -> None:
        """Be the log of requests."""
        self.logged.append(line)

    async def ask(
        self,
        method: str,
        target: str,
        *headers: Header,
        host: Header | None = HOST,
        body: bytes = b"",
        kind: str = "http",
        received: list[Event] | None = None,
    ) -> Answer:
        path, _, query = target.partition("?")
        scope: Scope = {
            "type": kind,
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [*([host] if host else []), *headers],
            "state": {},
        }
        if kind == "websocket":
            del scope["method"]
        incoming = (
            [{"type": "http.request", "body": body, "more_body": False}] if received is None else received
        )
        sent: list[Event] = []

        async def receive() -> Event:
            if not incoming:
                await asyncio.Event().wait()
            return incoming.pop(0)

        async def send(event: Event) -> None:
            sent.append(event)

        await self.edge(scope, receive, send)
        return Answer(events=sent)

    async def upgrade(self, target: str, *headers: Header, received: tuple[Event, ...] = ()) -> Answer:
        events: list[Event] = [{"type": "websocket.connect"}, *received]
        return await self.ask("GET", target, *headers, kind="websocket", received=events)


class Say(msgspec.Struct):
    message: str


@get("/")
async def index() -> Response[bytes]:
    return Response(
        b"page", media_type="text/html", headers={"server": "litestar", "cache-control": "max-age=60"}
    )


@get("/api/chat/history/{conversation_id:str}")
async def history(conversation_id: FromPath[str], request: Request[Any, Any, State]) -> Response[bytes]:
    return Response(
        f"{conversation_id} {request.state.request_id}".encode(),
        media_type="text/plain",
        headers={"cache-control": "public", "x-request-id": "of the handler"},
    )


@post("/api/chat", status_code=200)
async def chat(request: Request[Any, Any, State]) -> Response[bytes]:
    say = await read_json(request.scope, request.receive, Say, max_bytes=64, deadline_s=1)  # pyright: ignore[reportArgumentType] - a TypedDict is a mapping
    if say.message == "bug":
        raise RuntimeError(say.message)
    if say.message == "gone":
        raise NotFound("conversation")
    return Response(say.message.encode(), media_type="text/plain")


@get("/ready")
async def ready() -> Response[bytes]:
    raise Invalid("field", "is wrong")


@websocket("/ws")
async def socket(socket: WebSocket[Any, Any, State]) -> None:
    await socket.accept()
    if await socket.receive_text() == "bug":
        raise RuntimeError
    await socket.send_text("hello")
    await socket.close(1000)


@websocket("/broken")
async def broken_socket(socket: WebSocket[Any, Any, State]) -> None:
    raise RuntimeError(socket.url.path)


ROUTES: list[Any] = [index, history, chat, ready, socket, broken_socket]


@pytest.fixture(scope="module")
def litestar() -> ASGIApp:
    app: Any = Litestar(
        ROUTES,
        openapi_config=None,
        logging_config=None,
        exception_handlers={Exception: respond},
        after_exception=[log_websocket_bug],
    )
    return app


@pytest.fixture
def client(litestar: ASGIApp) -> Client:
    return Client(litestar)


async def test_every_answer_has_our_headers_once_and_only_ours(client: Client) -> None:
    answer = await client.ask("GET", "/")
    assert answer.status == 200
    headers = answer.headers
    assert (headers["server"], headers["x-content-type-options"], headers["vary"]) == (
        "jarvis",
        "nosniff",
        "Origin",
    )
    assert headers["cache-control"] == "max-age=60"
    assert (await client.ask("GET", "/api/chat/history/7")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/x", "/v1/x", "/auth/login", "/chat/history", "/voice/voices", "/api"])
async def test_private_paths_are_never_stored_also_when_there_is_no_route(client: Client, path: str) -> None:
    answer = await client.ask("GET", path)
    assert (answer.status, answer.problem["code"]) == (404, "not_found")
    assert answer.headers["cache-control"] == "no-store"


async def test_paths_that_only_look_private_are_not(client: Client) -> None:
    assert "cache-control" not in (await client.ask("GET", "/apis")).headers


@pytest.mark.parametrize("given", [b"a", b"A.b_c-9", b"x" * 128])
async def test_a_good_request_id_is_kept(client: Client, given: bytes) -> None:
    answer = await client.ask("GET", "/api/chat/history/7", (b"x-request-id", given))
    assert answer.headers["x-request-id"] == given.decode()
    assert answer.body == b"7 " + given


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a\n", b"\xe9", b"a/b"])
@pytest.mark.parametrize("path", ["/", "/health"])
async def test_a_bad_request_id_is_replaced_and_new_ones_differ(
    client: Client, path: str, given: bytes
) -> None:
    ids = {
        (await client.ask("GET", path, (b"x-request-id", given))).headers["x-request-id"] for _ in range(3)
    }
    assert len(ids) == 3
    assert given.decode("latin-1") not in ids


@pytest.mark.parametrize("path", ["/api/chat/history/7", "/api/chat/history/7/", "/api/chat/history/7//"])
async def test_a_trailing_slash_never_matters(client: Client, path: str) -> None:
    assert (await client.ask("GET", path)).body.startswith(b"7 ")
    assert client.metrics.seen == [("GET", "/api/chat/history/{conversation_id}", 200)]


@pytest.mark.parametrize("path", ["*", "", "//", "/"])
async def test_odd_paths_are_answered(client: Client, path: str) -> None:
    assert (await client.ask("OPTIONS", path)).status in {204, 404}


async def test_a_wrong_method_keeps_allow(client: Client) -> None:
    answer = await client.ask("PUT", "/api/chat")
    assert (answer.status, answer.problem["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"POST", "OPTIONS"}


async def test_an_unknown_method_is_counted_as_other(client: Client) -> None:
    await client.ask("BREW", "/api/chat")
    assert client.metrics.seen == [("OTHER", "unmatched", 405)]


async def test_bodies_reach_the_handler_and_errors_come_back_as_problems(client: Client) -> None:
    assert (await client.ask("POST", "/api/chat", JSON, body=b'{"message": "hi"}')).body == b"hi"
    wrong = await client.ask("POST", "/api/chat", JSON, body=b'{"message": 1}')
    assert (wrong.status, wrong.problem["errors"][0]["field"]) == (400, "message")
    text = await client.ask("POST", "/api/chat", (b"content-type", b"text/plain"), body=b'{"message": "hi"}')
    assert (text.status, text.problem["code"]) == (415, "unsupported_media_type")
    large = await client.ask("POST", "/api/chat", JSON, body=b" " * 65)
    assert (large.status, large.headers["connection"]) == (413, "close")
    missing = await client.ask("POST", "/api/chat", JSON, body=b'{"message": "gone"}')
    assert (missing.status, missing.problem["code"]) == (404, "not_found")


async def test_a_body_where_none_is_expected_breaks_nothing(client: Client) -> None:
    answer = await client.ask("GET", "/api/chat/history/7", JSON, body=b"\xff\x00 no JSON")
    assert answer.status == 200


async def test_a_bug_is_500_and_logged_once_with_its_request_id(client: Client) -> None:
    with capture_logs() as lines:
        answer = await client.ask("POST", "/api/chat", JSON, body=b'{"message": "bug"}')
    assert (answer.status, answer.problem["code"]) == (500, "internal")
    (bug,) = [line for line in lines if line["event"] == "bug"]
    assert bug["request_id"] == answer.problem["request_id"]
    assert "RuntimeError" in bug["traceback"]


@pytest.mark.parametrize(("target", "status"), [("/?" + "q" * 8190, 200), ("/?" + "q" * 8191, 414)])
async def test_an_address_has_at_most_8_kib(client: Client, target: str, status: int) -> None:
    answer = await client.ask("GET", target)
    assert answer.status == status
    if status == 414:
        assert answer.problem["code"] == "uri_too_long"


@pytest.mark.parametrize(("size", "status"), [(16_000, 200), (16_400, 431)])
async def test_headers_have_at_most_16_kib(client: Client, size: int, status: int) -> None:
    answer = await client.ask("GET", "/", (b"x-filler", b"x" * size))
    assert answer.status == status
    if status == 431:
        assert answer.problem["code"] == "headers_too_large"


async def test_host_and_origin_are_checked_before_routing(client: Client) -> None:
    other = await client.ask("GET", "/no/such/route", host=(b"host", b"evil.example"))
    assert (other.status, other.problem["code"]) == (403, "host_not_allowed")
    none = await client.ask("GET", "/", host=None)
    assert (none.status, none.problem["errors"][0]["field"]) == (400, "Host")
    twice = await client.ask("GET", "/", HOST)
    assert (twice.status, twice.problem["code"]) == (400, "invalid_request")
    foreign = await client.ask("GET", "/no/such/route", (b"origin", b"https://evil.example"))
    assert (foreign.status, foreign.problem["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in foreign.headers
    assert client.metrics.seen == [("GET", "unmatched", status) for status in (403, 400, 400, 403)]


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_open_paths_take_any_host_and_origin(client: Client, path: str, method: str) -> None:
    answer = await client.ask(method, path, (b"origin", b"null"), host=(b"host", b"10.0.0.7:8100"))
    assert answer.status in {200, 204, 400, 404}  # whatever the route says
    assert "access-control-allow-origin" not in answer.headers


async def test_a_known_page_may_read_answers_and_errors(client: Client) -> None:
    for method, path in (("GET", "/"), ("GET", "/nowhere"), ("GET", "/health"), ("POST", "/")):
        headers = (await client.ask(method, path, (b"origin", PAGE))).headers
        assert headers["access-control-allow-origin"] == PAGE.decode()
        assert headers["vary"] == "Origin"
        assert headers["access-control-expose-headers"] == (
            "X-Request-ID, Retry-After, Idempotency-Replayed, X-Next-Cursor"
        )


async def test_a_preflight_is_answered_for_a_known_page_and_refused_for_others(client: Client) -> None:
    asks: Header = (b"access-control-request-method", b"PATCH")
    answer = await client.ask("OPTIONS", "/api/chat/conversation/7", (b"origin", PAGE), asks)
    assert (answer.status, answer.body) == (204, b"")
    headers = answer.headers
    assert headers["access-control-allow-origin"] == PAGE.decode()
    assert headers["access-control-allow-methods"] == "GET, POST, PATCH, DELETE"
    assert headers["access-control-max-age"] == "600"
    assert headers["access-control-allow-headers"] == (
        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-API-Key, X-Request-ID"
    )
    for foreign in (b"https://evil.example", b"null"):
        refused = await client.ask("OPTIONS", "/api/chat", (b"origin", foreign), asks)
        assert (refused.status, refused.problem["code"]) == (403, "origin_not_allowed")
    plain = await client.ask("OPTIONS", "/api/chat", (b"origin", PAGE))
    assert set(plain.headers["allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.parametrize("path", ["/health", "/health/"])
async def test_health_is_answered_from_ready_bytes(path: str) -> None:
    client = Client(_never)
    answer = await client.ask("GET", path, (b"x-request-id", b"mine"), host=None)
    assert (answer.status, answer.body) == (200, HEALTH)
    assert answer.headers == {
        "content-type": "application/json",
        "content-length": str(len(HEALTH)),
        "server": "jarvis",
        "x-content-type-options": "nosniff",
        "x-request-id": "mine",
        "vary": "Origin",
    }
    head = await client.ask("HEAD", path)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(HEALTH)))
    assert client.metrics.seen == [("GET", "/health", 200), ("HEAD", "/health", 200)]


async def _never(_scope: Scope, _receive: Receive, _send: Send) -> None:
    pytest.fail("the app was asked")


async def test_one_log_line_for_each_request_and_no_query_in_it(client: Client) -> None:
    answer = await client.ask("GET", "/api/chat/history/7?user_id=secret", (b"x-request-id", b"r-1"))
    await client.ask("GET", "/ready")
    await client.ask("GET", "/health")
    assert [(line.is_probe, line.route, line.status) for line in client.logged] == [
        (False, "/api/chat/history/{conversation_id}", 200),
        (True, "/ready", 400),
        (True, "/health", 200),
    ]
    line = client.logged[0]
    assert (line.method, line.request_id, line.body_bytes) == ("GET", "r-1", len(answer.body))
    assert line.duration_s >= 0
    assert "secret" not in repr(client.logged)


async def test_a_client_that_leaves_is_not_answered(client: Client) -> None:
    answer = await client.ask("POST", "/api/chat", JSON, received=[{"type": "http.disconnect"}])
    assert answer.events == []
    assert client.metrics.seen == [("POST", "/api/chat", 499)]


def _app(handle: Callable[[Send], Awaitable[None]]) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await handle(send)

    return app


async def test_a_failure_after_the_first_byte_ends_the_answer_unfinished_and_is_logged() -> None:
    async def fail_late(send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        raise RuntimeError

    client = Client(_app(fail_late))
    with capture_logs() as lines:
        answer = await client.ask("GET", "/x")
    assert answer.events[-1] == {"type": "http.response.body", "body": b"some", "more_body": True}
    assert [line["event"] for line in lines] == ["bug"]
    assert len(client.logged) == 1


async def test_a_failure_outside_litestar_is_a_problem_too() -> None:
    async def fail(_send: Send) -> None:
        raise RuntimeError

    answer = await Client(_app(fail)).ask("GET", "/api/x")
    assert (answer.status, answer.problem["code"]) == (500, "internal")


async def test_the_events_of_the_app_are_not_changed_in_place() -> None:
    start: Event = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1")]}

    async def shared(send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    client = Client(_app(shared))
    for _ in range(2):
        assert (await client.ask("GET", "/")).headers["x-a"] == "1"
    assert start["headers"] == [(b"x-a", b"1")]


async def test_cancellation_passes_and_is_still_recorded() -> None:
    async def cancelled(_send: Send) -> None:
        raise asyncio.CancelledError

    client = Client(_app(cancelled))
    with pytest.raises(asyncio.CancelledError):
        await client.ask("GET", "/x")
    assert client.metrics.seen == [("GET", "unmatched", 499)]


async def test_a_socket_is_upgraded_with_our_headers_and_counted_at_its_end(client: Client) -> None:
    answer = await client.upgrade("/ws/", received=({"type": "websocket.receive", "text": "hi"},))
    assert [event["type"] for event in answer.events] == [
        "websocket.accept",
        "websocket.send",
        "websocket.close",
    ]
    assert answer.headers["server"] == "jarvis"
    assert answer.headers["x-request-id"]
    assert client.metrics.seen == [("GET", "/ws", 101)]


@pytest.mark.parametrize(
    ("headers", "code", "status"),
    [
        pytest.param(
            [HOST, (b"origin", b"https://evil.example")], "origin_not_allowed", 403, id="foreign page"
        ),
        pytest.param([HOST, (b"origin", b"null")], "origin_not_allowed", 403, id="null"),
        pytest.param([(b"host", b"evil.example")], "host_not_allowed", 403, id="foreign host"),
        pytest.param([], "invalid_request", 400, id="no host"),
    ],
)
@pytest.mark.parametrize("path", ["/ws", "/health"])
async def test_a_socket_is_refused_in_http_before_the_upgrade(
    client: Client, path: str, headers: list[Header], code: str, status: int
) -> None:
    answer = await client.ask("GET", path, *headers, host=None, kind="websocket", received=[])
    assert [event["type"] for event in answer.events] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert (answer.status, answer.problem["code"]) == (status, code)


async def test_a_socket_on_no_route_is_404(client: Client) -> None:
    for path in ("/nowhere", "/api/chat"):
        answer = await client.upgrade(path)
        assert answer.events[0]["type"] == "websocket.http.response.start"
        assert (answer.status, answer.problem["code"]) == (404, "not_found")


async def test_a_bug_on_a_socket_is_logged_and_told_as_the_protocol_says(client: Client) -> None:
    with capture_logs() as lines:
        answer = await client.upgrade("/ws", received=({"type": "websocket.receive", "text": "bug"},))
        early = await client.upgrade("/broken")
    assert answer.events[-1] == {"type": "websocket.close", "code": 1011, "reason": ""}
    assert (early.status, early.problem["code"]) == (500, "internal")
    assert [line["event"] for line in lines] == ["bug", "bug"]
    assert len(client.logged) == 2


async def test_lifespan_passes_through() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["type"], receive, send))

    edge = Client(app).edge
    await edge({"type": "lifespan"}, "receive", "send")  # pyright: ignore[reportArgumentType] - only passed on
    assert seen == [("lifespan", "receive", "send")]
