"""What handlers need: the services and the bounds of what a client may send, kept in the app's state."""

from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

import msgspec
from litestar.connection import ASGIConnection, Request

from jarvis.core.errors import RateLimited
from jarvis.core.ports import LLM
from jarvis.core.stores import ConversationReader
from jarvis.core.types import User
from jarvis.services.conversations import Conversations
from jarvis.services.feed import ConversationFeed
from jarvis.services.granting import Granting
from jarvis.services.health import HealthCheck
from jarvis.services.identity import Accounts, Budget, Caller
from jarvis.services.interruptions import Interruptions
from jarvis.services.memory import Memories
from jarvis.services.turns import Turns
from jarvis.services.voice import SpeechService
from jarvis.web.asgi import Receive, Scope
from jarvis.web.body import read_json
from jarvis.web.sockets import Sockets

T = TypeVar("T")
Connection = ASGIConnection[Any, Any, Any, Any]


class Services(msgspec.Struct, frozen=True, kw_only=True):
    turns: Turns
    granting: Granting
    conversations: Conversations
    conversation_reader: ConversationReader
    llm: LLM
    memories: Memories
    voice: SpeechService
    interruptions: Interruptions
    feed: ConversationFeed
    accounts: Accounts
    health: HealthCheck
    sockets: Sockets
    render_metrics: Callable[[], bytes]


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    max_body_bytes: int
    max_message_chars: int
    max_answer_bytes: int
    max_ws_frame_bytes: int
    max_audio_bytes: int
    body_deadline_s: float


def services_of(connection: Connection) -> Services:
    return cast("Services", connection.app.state["services"])


def bounds_of(connection: Connection) -> Bounds:
    return cast("Bounds", connection.app.state["bounds"])


def caller_of(connection: Connection) -> Caller:
    """Return who asks, as `Edge` found it; on a public path there is nobody."""
    return cast("Caller", connection.scope["state"]["caller"])


def address_of(connection: Connection) -> str:
    """Return the client's address, as far as it is known."""
    return cast("str", connection.scope["state"]["address"])


async def spend(caller: Caller, budget: Budget) -> None:
    """Count what comes on a socket as a request of its own. Raises RateLimited."""
    allowance = await caller.take(budget)
    if not allowance.granted:
        raise RateLimited(allowance.retry_after_s)


async def read_body(request: Request[Any, Any, Any], shape: type[T], *, optional: bool = False) -> T:
    """Read and decode a JSON body within the bounds; where it is `optional`, none at all counts as `{}`.

    Raises Invalid, Refused, ClientGone.
    """
    if optional and not _has_body(request):
        return shape()
    bounds = bounds_of(request)
    return await read_json(
        cast("Scope", request.scope),
        cast("Receive", request.receive),
        shape,
        max_bytes=bounds.max_body_bytes,
        deadline_s=bounds.body_deadline_s,
    )


def _has_body(request: Request[Any, Any, Any]) -> bool:
    """Tell by the headers, as RFC 9112 section 6.3 has it; who names a type means to send something."""
    headers = request.headers
    return (
        headers.get("content-length", "0") != "0"
        or "transfer-encoding" in headers
        or "content-type" in headers
    )


async def user_of(caller: Caller, name: str | None, conversation_id: UUID | None) -> User:
    """Return on whose behalf to act: a conversation's owner, else the profile that is named.

    Raises NotFound("conversation").
    """
    if conversation_id is not None:
        return await caller.owner_of_conversation(conversation_id)
    return await caller.profile(name)
