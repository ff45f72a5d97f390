"""Turns by their id: look, resume, cancel."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.params import FromPath
from litestar.types import ASGIApp

from jarvis.core.errors import Invalid
from jarvis.core.types import User
from jarvis.web.context import caller_of, services_of
from jarvis.web.query import decode_query, parse_uuid
from jarvis.web.requests import EventsQuery
from jarvis.web.responses import Body, EventStream

_encoder = msgspec.json.Encoder()


@get("/api/chat/turns/{turn_id:str}")
async def turn(request: Request[Any, Any, Any], turn_id: FromPath[str]) -> ASGIApp:
    """Return how a turn stands, with its text so far."""
    user, wanted = await _owned(request, turn_id)
    return Body(_encoder.encode(await services_of(request).turns.reader.view(user, wanted)))


@get("/api/chat/turns/{turn_id:str}/events")
async def events(request: Request[Any, Any, Any], turn_id: FromPath[str]) -> ASGIApp:
    """Stream a turn's events after `Last-Event-ID` or `after`; 204 if that was the terminal one."""
    turns = services_of(request).turns
    user, wanted = await _owned(request, turn_id)
    after = _resume_point(request)
    view = await turns.reader.view(user, wanted)
    if view.status not in {"queued", "running"} and after >= view.last_seq:
        return Body(b"", status=204)
    return EventStream(turns.reader.follow(user, wanted, after=after), left=caller_of(request).left)


@post("/api/chat/turns/{turn_id:str}/cancel")
async def cancel(request: Request[Any, Any, Any], turn_id: FromPath[str]) -> ASGIApp:
    """End a turn `cancelled`; one that has ended stays as it is."""
    user, wanted = await _owned(request, turn_id)
    return Body(_encoder.encode(await services_of(request).turns.cancel(user, wanted)))


async def _owned(request: Request[Any, Any, Any], turn_id: str) -> tuple[User, UUID]:
    wanted = parse_uuid(turn_id, "turn_id")
    return await caller_of(request).owner_of_turn(wanted), wanted


def _resume_point(request: Request[Any, Any, Any]) -> int:
    query = decode_query(request.scope["query_string"], EventsQuery)
    # The header goes first: an EventSource that comes back repeats its address and adds what it has seen.
    last_event_id = request.headers.get("last-event-id", "")
    if not last_event_id:
        return -1 if query.after is None else query.after
    if not last_event_id.isdecimal() or len(last_event_id) > 18:
        raise Invalid("Last-Event-ID", "must be the id of an event")
    return int(last_event_id)
