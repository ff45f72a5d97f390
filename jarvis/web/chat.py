"""One turn, on a new message or again on the last one: as JSON or as server-sent events."""

import asyncio
import re
from typing import Any

import msgspec
from litestar import Request, post
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive

from jarvis.core.errors import Invalid, JarvisError
from jarvis.core.events import TurnError
from jarvis.core.fingerprints import once
from jarvis.core.types import AgainCommand, ChatCommand, Once
from jarvis.services.granting import Granted
from jarvis.web.body import ClientGone
from jarvis.web.context import Services, bounds_of, caller_of, read_body, services_of, user_of
from jarvis.web.problems import StoredTurn
from jarvis.web.query import decode_query, parse_uuid
from jarvis.web.requests import ChatRequest, RegenerateRequest, UserQuery
from jarvis.web.responses import Body, EventStream, client_gone

KEY = re.compile(r"[\x21-\x7e]{1,255}")
REPLAYED = ((b"idempotency-replayed", b"true"),)

_encoder = msgspec.json.Encoder()


class TurnFailed(JarvisError):
    """The turn failed after its message was stored; `stored` tells what there is."""

    def __init__(self, event: TurnError, granted: Granted) -> None:
        super().__init__(event.message)
        self.code = event.code
        self.stored = StoredTurn(
            turn_id=granted.turn_id,
            conversation_id=granted.conversation_id,
            message_id=granted.user_message_id,
            partial=event.partial,
        )


@post("/api/chat")
async def chat(request: Request[Any, Any, Any]) -> ASGIApp:
    """Send a message; with `stream: true` or `Accept: text/event-stream` the answer comes as it is made."""
    services, bounds = services_of(request), bounds_of(request)
    query = decode_query(request.scope["query_string"], UserQuery)
    body = await read_body(request, ChatRequest)
    streamed = _wants_events(request, body.stream)
    command = body.to_command(max_chars=bounds.max_message_chars, source=_source(streamed))
    user = await user_of(caller_of(request), body.user_id or query.user_id, command.conversation_id)
    granted = await services.granting.begin(user, command, _once(request, command))
    return await _told(request, services, granted, streamed)


@post("/api/chat/conversation/{conversation_id:str}/regenerate")
async def regenerate(request: Request[Any, Any, Any], conversation_id: FromPath[str]) -> ASGIApp:
    """Answer the last user message again; the earlier answer becomes an alternative of the new one.

    A new answer that failed, or that was ended before its first word, becomes an alternative of the earlier
    one instead.
    """
    services = services_of(request)
    wanted = parse_uuid(conversation_id, "conversation_id")
    body = await read_body(request, RegenerateRequest, optional=True)
    streamed = _wants_events(request, body.stream)
    command = AgainCommand(
        conversation_id=wanted,
        model=body.model or None,
        temperature=body.temperature,
        source=_source(streamed),
    )
    user = await caller_of(request).owner_of_conversation(wanted)
    granted = await services.granting.begin_again(user, command, _once(request, command))
    return await _told(request, services, granted, streamed)


def _wants_events(request: Request[Any, Any, Any], asked: bool) -> bool:  # noqa: FBT001 a field of the body
    return asked or "text/event-stream" in request.headers.get("accept", "")


def _source(streamed: bool) -> str:  # noqa: FBT001 likewise
    return "sse" if streamed else "rest"


def _once(request: Request[Any, Any, Any], command: ChatCommand | AgainCommand) -> Once | None:
    """Raises Invalid("Idempotency-Key")."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not KEY.fullmatch(key):
        raise Invalid("Idempotency-Key", "must have 1 to 255 visible ASCII characters")
    return once(key, command)


async def _told(
    request: Request[Any, Any, Any],
    services: Services,
    granted: Granted,
    streamed: bool,  # noqa: FBT001 likewise
) -> ASGIApp:
    caller_of(request).remember(granted.turn_id, granted.user)
    caller_of(request).remember(granted.conversation_id, granted.user)
    headers = () if granted.is_new else REPLAYED
    if streamed:
        return EventStream(services.granting.follow(granted), left=caller_of(request).left, headers=headers)
    if granted.answer is not None:
        return Body(granted.answer, headers=headers)
    return Body(await _whole_answer(services, granted, request.receive), headers=headers)


async def _whole_answer(services: Services, granted: Granted, receive: Receive) -> bytes:
    """Wait for the turn's end; a client that leaves cancels it, unless it has a key to come back by."""
    ending = asyncio.ensure_future(services.turns.reader.terminal(granted.user, granted.turn_id))
    gone = asyncio.ensure_future(client_gone(receive))
    try:
        await asyncio.wait({ending, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            if granted.key is None:
                await services.turns.cancel(granted.user, granted.turn_id)
            raise ClientGone
    finally:
        ending.cancel()
        gone.cancel()
    event = ending.result()
    if isinstance(event, TurnError):
        raise TurnFailed(event, granted)
    return _encoder.encode(event.answer())
