"""POST /api/chat: one turn, as JSON or as server-sent events."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, post
from litestar.types import ASGIApp, Receive

from jarvis.core.errors import JarvisError
from jarvis.core.events import TurnError
from jarvis.core.types import Turn
from jarvis.web.body import ClientGone
from jarvis.web.context import Services, bounds_of, read_body, services_of, user_of
from jarvis.web.problems import StoredTurn
from jarvis.web.query import decode_query
from jarvis.web.requests import ChatRequest, UserQuery
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
    streamed = body.stream or "text/event-stream" in request.headers.get("accept", "")
    command = body.to_command(max_chars=bounds.max_message_chars, source="sse" if streamed else "rest")
    user = await user_of(services, body.user_id or query.user_id, command.conversation_id)
    turn = await services.turns.begin(user, command)
    services.identity.remember(turn.id, user)
    services.identity.remember(turn.conversation_id, user)
    if streamed:
        return EventStream(services.turns.follow(user, turn.id))
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
