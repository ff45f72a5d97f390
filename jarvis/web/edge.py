"""The outermost layer, between the socket and Litestar: all that holds for every request, whatever its route.

Request ids, headers, bounds of the request's head, Host and Origin, CORS, who asks, the log line, the request
metrics, and `/health` from ready bytes. It reads no body and passes `receive` on as it is.
"""

import re
import secrets
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple, Protocol

import msgspec

from jarvis.core.errors import JarvisError, Refused
from jarvis.web.access import Access
from jarvis.web.asgi import ASGIApp, Header, Receive, Scope, Send
from jarvis.web.body import ClientGone
from jarvis.web.exchange import NOSNIFF, SERVER, Exchange
from jarvis.web.head import Head
from jarvis.web.origins import PREFLIGHT, VARY, OriginPolicy
from jarvis.web.problems import log_bug

OPEN_PATHS = frozenset({"/health", "/ready", "/metrics"})
"""Exempt from the Host and Origin checks and from limits; logged at debug level."""

METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "OPTIONS", "HEAD", "PUT"})
CLIENT_GONE = 499
"""Stands in the log and the metrics, as in nginx, where nobody was left to be answered."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_HEALTH_HEADERS: tuple[Header, ...] = ((b"content-type", b"application/json"), SERVER, NOSNIFF)


class RequestMetrics(Protocol):
    def observe(self, method: str, route: str, status: int, duration_s: float) -> None: ...


class RequestLine(NamedTuple):
    """What the log says of a request: `method` and `route` are of closed sets, no query and no body."""

    method: str
    route: str
    status: int
    duration_s: float
    request_id: str
    body_bytes: int
    is_probe: bool


class RequestLog(Protocol):
    def write(self, line: RequestLine) -> None: ...


class EdgeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`loopback`: the server is bound to a loopback address."""

    loopback: bool
    port: int
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    max_url_bytes: int = 8 * 1024
    max_header_bytes: int = 16 * 1024


class Edge:
    """Wraps the application; see the module.

    `health_body` must return the whole JSON body of /health without waiting for anything. An error that
    nothing below caught is logged and answered as `internal`; once an answer has begun it is cut instead.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: EdgeConfig,
        *,
        access: Access,
        metrics: RequestMetrics,
        log: RequestLog,
        health_body: Callable[[], bytes],
    ) -> None:
        self._app = app
        self._config = config
        self._access = access
        self._metrics = metrics
        self._log = log
        self._health_body = health_body
        self._policy = OriginPolicy(
            port=config.port,
            loopback=config.loopback,
            allowed_origins=config.allowed_origins,
            allowed_hosts=config.allowed_hosts,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        path: str = scope["path"]
        if kind == "http" and path in {"/health", "/health/"} and scope["method"] in {"GET", "HEAD"}:
            await self._answer_health(scope, send, started)
            return
        head = Head(scope["headers"])
        request_id = self._request_id(head.request_id)
        scope["path"] = "/" + path.strip("/")
        scope["state"] = {"request_id": request_id.decode()}
        exchange = Exchange(scope, send, request_id, self._policy.cors(head.hosts, head.origins))
        try:
            await self._handle(scope, receive, head, exchange)
        finally:
            self._record(scope, exchange, started)

    async def _handle(self, scope: Scope, receive: Receive, head: Head, exchange: Exchange) -> None:
        if refusal := self._refusal(scope, head):
            await exchange.refuse(refusal)
            return
        if head.asks_method and head.origins and scope.get("method") == "OPTIONS":
            await exchange.answer(204, PREFLIGHT, b"")
            return
        try:
            admitted = await self._access.admit(scope, head)
            exchange.rates = admitted.headers
            if admitted.refusal:
                await exchange.refuse(admitted.refusal)
                return
            scope["state"]["caller"] = admitted.caller
            scope["state"]["address"] = admitted.address
            await self._app(scope, receive, exchange.send)
        except ClientGone:
            exchange.status = exchange.status or CLIENT_GONE
        except Exception as exc:  # noqa: BLE001 - the last line of defence; the cause is logged
            log_bug(exc, scope)
            if exchange.status == 0:
                await exchange.refuse(JarvisError("Something went wrong here."))

    def _refusal(self, scope: Scope, head: Head) -> JarvisError | None:
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        if len(path) + 1 + len(scope["query_string"]) > self._config.max_url_bytes:
            return Refused("uri_too_long", "Shorten the address, or send its parameters in a body.")
        if head.size > self._config.max_header_bytes:
            return Refused("headers_too_large", "Send fewer or shorter headers.")
        return None if _is_open(scope) else self._policy.refusal(head.hosts, head.origins)

    async def _answer_health(self, scope: Scope, send: Send, started: float) -> None:
        request_id: bytes | None = None
        origin: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value
            elif name == b"origin":
                origin = value
        request_id = self._request_id(request_id)
        body = self._health_body()
        headers = [
            *_HEALTH_HEADERS,
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id),
            *((VARY,) if origin is None else self._policy.cors((), (origin,))),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        method: str = scope["method"]
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
        duration_s = perf_counter() - started
        self._metrics.observe(method, "/health", 200, duration_s)
        self._log.write(
            RequestLine(method, "/health", 200, duration_s, request_id.decode(), len(body), is_probe=True)
        )

    def _request_id(self, given: bytes | None) -> bytes:
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        return secrets.token_hex(12).encode()  # a count would tell how much others ask

    def _record(self, scope: Scope, exchange: Exchange, started: float) -> None:
        duration_s = perf_counter() - started
        method = scope.get("method", "GET")
        if method not in METHODS:
            method = "OTHER"
        route = scope.get("path_template") or "unmatched"
        status = exchange.status or CLIENT_GONE
        # A socket's request ends with the upgrade, however long the socket then lives.
        answered_s = exchange.upgraded_at - started if exchange.upgraded_at else duration_s
        self._metrics.observe(method, route, status, answered_s)
        request_id, body_bytes = exchange.request_id.decode(), exchange.body_bytes
        self._log.write(
            RequestLine(method, route, status, duration_s, request_id, body_bytes, _is_open(scope))
        )


def _is_open(scope: Scope) -> bool:
    return scope["path"] in OPEN_PATHS and scope["type"] == "http"
