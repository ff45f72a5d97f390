"""One request's answer on its way out: stamps our headers on it, and remembers what the log line needs.

It knows ASGI events, no routes and no policy.
"""

from collections.abc import Awaitable, Iterable
from time import perf_counter

from jarvis.core.errors import JarvisError, NotFound
from jarvis.web.asgi import Event, Header, Scope, Send
from jarvis.web.problems import answer_problem

SERVER: Header = (b"server", b"jarvis")
NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
NO_STORE: Header = (b"cache-control", b"no-store")

_OURS = frozenset({b"server", b"x-content-type-options", b"x-request-id"})
_OURS_PRIVATE = _OURS | {b"cache-control"}
# The first part of every path whose answers belong to one user; the last two are those of old proxies.
_PRIVATE = frozenset({"api", "v1", "auth", "chat", "voice"})

SWITCHING = 101
# What Litestar closes a socket with when its handler failed; RFC 6455 has 1011 for that.
_LITESTAR_FAILED = 4500
_INTERNAL_ERROR = 1011


class Exchange:
    """Wraps `send` for one request or WebSocket. `status` is 0 until an answer has begun, 101 on a socket."""

    __slots__ = ("_cors", "_scope", "_send", "body_bytes", "rates", "request_id", "status", "upgraded_at")

    def __init__(self, scope: Scope, send: Send, request_id: bytes, cors: tuple[Header, ...]) -> None:
        self._scope = scope
        self._send = send
        self._cors = cors
        self.request_id = request_id
        self.rates: tuple[Header, ...] = ()
        """What tells the caller how much more he may ask."""
        self.status = 0
        self.upgraded_at = 0.0
        self.body_bytes = 0

    def send(self, event: Event) -> Awaitable[None]:
        match event["type"]:
            case "http.response.body" | "websocket.http.response.body":
                self.body_bytes += len(event.get("body", b""))
            case "http.response.start" | "websocket.http.response.start":
                self.status = event["status"]
                event = {**event, "headers": self._stamped(event.get("headers", ()))}
            case "websocket.accept":
                self.status = SWITCHING
                self.upgraded_at = perf_counter()
                event = {**event, "headers": self._stamped(event.get("headers", ()))}
            case "websocket.close":
                return self._close(event)
            case _:
                pass
        return self._send(event)

    async def answer(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """Send a whole answer; on a socket instead of the upgrade (extension `websocket.http.response`)."""
        kind = "websocket.http.response" if self._scope["type"] == "websocket" else "http.response"
        await self.send({"type": f"{kind}.start", "status": status, "headers": list(headers)})
        await self.send({"type": f"{kind}.body", "body": body, "more_body": False})

    async def refuse(self, error: JarvisError) -> None:
        problem = answer_problem(error, self.request_id.decode())
        await self.answer(problem.status, problem.headers, problem.body)

    async def _close(self, event: Event) -> None:
        """End a socket; one that Litestar never accepted is told in HTTP why, as any other request."""
        failed = event.get("code") == _LITESTAR_FAILED
        if self.status == 0 and "path_template" not in self._scope:
            await self.refuse(NotFound("route"))
        elif self.status == 0 and failed:
            await self.refuse(JarvisError("Something went wrong here."))
        else:
            await self._send({**event, "code": _INTERNAL_ERROR, "reason": ""} if failed else event)

    def _stamped(self, headers: Iterable[Header]) -> list[Header]:
        request_id = (b"x-request-id", self.request_id)
        if self._scope["path"].split("/", 2)[1] in _PRIVATE:
            stamped = [header for header in headers if header[0] not in _OURS_PRIVATE]
            stamped += (SERVER, NOSNIFF, request_id, NO_STORE, *self.rates, *self._cors)
        else:
            stamped = [header for header in headers if header[0] not in _OURS]
            stamped += (SERVER, NOSNIFF, request_id, *self.rates, *self._cors)
        return stamped
