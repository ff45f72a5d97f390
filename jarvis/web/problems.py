"""The one place where a failure becomes a problem document (RFC 9457): our errors, Litestar's, and bugs.

Bodies hold what the error says for people and nothing else: no trace, SQL, path or host.
"""

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

import msgspec
import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from msgspec import UNSET, UnsetType

from jarvis.core.errors import FieldError, Invalid, JarvisError, NotFound, Refused
from jarvis.core.types import Message
from jarvis.web.asgi import Header
from jarvis.web.body import BodyUnread

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = range(1, 31)

# Litestar's scopes are typed dicts, ours is a mapping; both are this.
Facts = Mapping[str, Any]

log = structlog.stdlib.get_logger("jarvis.web")


class StoredTurn(msgspec.Struct, frozen=True, kw_only=True):
    """What a client needs to know when the turn failed after its message was stored."""

    turn_id: UUID
    conversation_id: UUID
    message_id: UUID
    partial: Message | None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error (RFC 9457). The ids and `partial` are there once the message is stored."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] | UnsetType = UNSET
    turn_id: UUID | UnsetType = UNSET
    conversation_id: UUID | UnsetType = UNSET
    message_id: UUID | UnsetType = UNSET
    partial: Message | UnsetType | None = UNSET


class ProblemAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A complete answer; `headers` are those of the problem alone, Content-Length included."""

    status: int
    headers: list[Header]
    body: bytes


def answer_problem(error: JarvisError, request_id: str, *, stored: StoredTurn | None = None) -> ProblemAnswer:
    problem = Problem(
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=request_id,
        errors=error.errors if isinstance(error, Invalid) else UNSET,
        turn_id=stored.turn_id if stored else UNSET,
        conversation_id=stored.conversation_id if stored else UNSET,
        message_id=stored.message_id if stored else UNSET,
        partial=stored.partial if stored else UNSET,
    )
    body = msgspec.json.encode(problem)
    headers: list[Header] = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    match error.status:
        case 401:
            headers.append((b"www-authenticate", b"Bearer"))
        case 429:
            headers.append((b"retry-after", b"%d" % max(error.retry_after_s or 0, 1)))
        case 503:
            wanted_s = error.retry_after_s or RETRY_AFTER_S.start
            headers.append((b"retry-after", b"%d" % min(max(wanted_s, RETRY_AFTER_S[0]), RETRY_AFTER_S[-1])))
        case _:
            pass
    if isinstance(error, BodyUnread):
        headers.append((b"connection", b"close"))
    return ProblemAnswer(status=error.status, headers=headers, body=body)


def error_of(exc: Exception) -> JarvisError:
    """Return the failure a client is told of; what nobody foresaw is `internal` and tells nothing."""
    if isinstance(exc, JarvisError):
        return exc
    if isinstance(exc, HTTPException):
        match exc.status_code:
            case HTTPStatus.NOT_FOUND:
                return NotFound("route")
            case HTTPStatus.METHOD_NOT_ALLOWED:
                return Refused("method_not_allowed", "This route has other methods; see Allow.")
            case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return BodyUnread("too_large", "The body is too large.")
            case status if 400 <= status < 500:
                return Invalid("", "The request is not valid.")
            case _:
                pass
    return JarvisError("Something went wrong here; the request_id finds it in the server's log.")


def respond(request: Request[object, object, State], exc: Exception) -> Response[bytes]:
    """Litestar's exception handler: `exception_handlers={Exception: respond}`."""
    allowed = _allowed(exc)
    # The route is there and GET is its method, but only to open a socket.
    error = Invalid("Upgrade", "must be websocket") if request.method in allowed else error_of(exc)
    if error.code == "internal":
        log_bug(exc, request.scope)
    problem = answer_problem(error, request_id_of(request.scope), stored=_stored(exc))
    _drop_tracebacks(exc)
    headers = {name.decode(): value.decode() for name, value in problem.headers if name != b"content-type"}
    if error.code == "method_not_allowed":
        headers["allow"] = ", ".join(allowed)
    return Response(problem.body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def _drop_tracebacks(exc: BaseException) -> None:
    """Let go of what the frames hold, 10 MB of a body for one.

    A future that is a variable in one of them closes a circle, which only a collection would end.
    """
    left: BaseException | None = exc
    while left is not None and left.__traceback__ is not None:
        left.__traceback__ = None
        left = left.__cause__ or left.__context__


def _stored(exc: Exception) -> StoredTurn | None:
    stored = getattr(exc, "stored", None)
    return stored if isinstance(stored, StoredTurn) else None


def _allowed(exc: Exception) -> list[str]:
    """Return the methods that a 405 of Litestar's names; it calls a socket's opening, a GET, `websocket`."""
    named = exc.headers.get("allow", "") if isinstance(exc, HTTPException) and exc.headers else ""
    return sorted(named.replace("websocket", "GET").split(", ")) if named else []


async def log_websocket_bug(exc: Exception, scope: Facts) -> None:
    """Litestar's hook, `after_exception=[log_websocket_bug]`: it gives a socket's failure to no handler."""
    if scope["type"] == "websocket" and not isinstance(exc, HTTPException):
        log_bug(exc, scope)


def log_bug(exc: BaseException, scope: Facts) -> None:
    """Log where it happened and of which types the errors are, never what they say: that may quote a user."""
    log.error(
        "bug",
        request_id=request_id_of(scope),
        method=scope.get("method", "WEBSOCKET"),
        route=scope.get("path_template", "unmatched"),
        traceback=frames_of(exc),
    )


def frames_of(exc: BaseException) -> str:
    """Tell where it happened and of which types the errors are, in lines; never what they say."""
    name = type(exc).__qualname__
    cause = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    earlier = f"{frames_of(cause)}\nthen\n" if cause is not None else ""
    group = cast("BaseExceptionGroup[BaseException]", exc) if isinstance(exc, BaseExceptionGroup) else None
    inner = group.exceptions if group else ()
    frames = "".join(traceback.format_tb(exc.__traceback__))
    return f"{earlier}{frames}{name}" + "".join(f"\n| {frames_of(one)}" for one in inner)


def request_id_of(scope: Facts) -> str:
    """Return the id that `Edge` gave this request."""
    return scope["state"]["request_id"]
