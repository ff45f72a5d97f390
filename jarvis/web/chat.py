"""One turn, on a new message or again on the last one: as JSON or as server-sent events."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, post
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive

from jarvis.core.errors import JarvisError
from jarvis.core.events import TurnError
from jarvis.core.types import AgainCommand, Turn
from jarvis.web.body import ClientGone
from jarvis.web.context import Services, bounds_of, caller_of, read_body, services_of, user_of
from jarvis.web.problems import StoredTurn
from jarvis.web.query import decode_query, parse_uuid
from jarvis.web.requests import ChatRequest, RegenerateRequest, UserQuery
from jarvis.web.responses import Body, EventStream, client_gone

_encoder = msgspec.json.Encoder()


class TurnFailed(JarvisError):
    """The turn failed after its message was stored; `stored` tells what there is."""

    def __init__(self, event: TurnError, turn: Turn) -> None:
        super().__init__(event.message)
        self.code = event.code
        self.stored = StoredTurn(
            turn_id=turn.id,
            conversation_id=turn.conversation_id,
            message_id=turn.user_message_id,
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
    turn = await services.turns.begin(user, command)
    return await _told(request, services, turn, streamed)


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
    turn = await services.turns.begin_again(user, command)
    return await _told(request, services, turn, streamed)


def _wants_events(request: Request[Any, Any, Any], asked: bool) -> bool:  # noqa: FBT001 a field of the body
    return asked or "text/event-stream" in request.headers.get("accept", "")


def _source(streamed: bool) -> str:  # noqa: FBT001 likewise
    return "sse" if streamed else "rest"


async def _told(
    request: Request[Any, Any, Any],
    services: Services,
    turn: Turn,
    streamed: bool,  # noqa: FBT001 likewise
) -> ASGIApp:
    caller_of(request).remember(turn.id, turn.user)
    caller_of(request).remember(turn.conversation_id, turn.user)
    if streamed:
        return EventStream(services.turns.follow(turn.user, turn.id), left=caller_of(request).left)
    runs_on = "idempotency-key" in request.headers
    return await _whole_answer(services, turn, request.receive, runs_on=runs_on)


async def _whole_answer(services: Services, turn: Turn, receive: Receive, *, runs_on: bool) -> ASGIApp:
    """Wait for the turn's end; a client that leaves meanwhile cancels it, unless it `runs_on`."""
    ending = asyncio.ensure_future(services.turns.terminal(turn.user, turn.id))
    gone = asyncio.ensure_future(client_gone(receive))
    try:
        await asyncio.wait({ending, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            if not runs_on:
                await services.turns.cancel(turn.user, turn.id)
            raise ClientGone
    finally:
        ending.cancel()
        gone.cancel()
    event = ending.result()
    if isinstance(event, TurnError):
        raise TurnFailed(event, turn)
    return Body(_encoder.encode(event.answer()))
