"""Who may open the WebSocket at /ws: whoever has signed in, or does so with its first frame."""

from collections.abc import Hashable
from typing import Any

from litestar import WebSocket, websocket

from jarvis.core.errors import Invalid, JarvisError
from jarvis.services.identity import Caller
from jarvis.web.addresses import counted_as
from jarvis.web.closing import OVERLOADED
from jarvis.web.context import Services, address_of, bounds_of, caller_of, services_of
from jarvis.web.problems import answer_problem, request_id_of
from jarvis.web.query import decode_query
from jarvis.web.requests import UserQuery
from jarvis.web.signing_in import SigningIn
from jarvis.web.socket import Connection
from jarvis.web.sockets import TooManySockets

MAX_SIGNING_IN = 100
"""Sockets that nobody has signed in on yet."""
MAX_OF_ADDRESS = 20
"""Of them, those from one address."""


@websocket("/ws")
async def socket(socket: WebSocket[Any, Any, Any]) -> None:
    """Open a WebSocket: any number of turns on one connection."""
    services = services_of(socket)
    try:
        query = decode_query(socket.scope["query_string"], UserQuery)
    except Invalid as exc:
        await refuse_upgrade(socket, exc)
        return
    await socket.accept()
    try:
        caller = caller_of(socket) or await _signed_in(socket, services)
        if caller is not None:
            connection = Connection(socket, services, bounds_of(socket), caller=caller, profile=query.user_id)
            with services.sockets.kept(connection, most_of=caller.sockets):
                await connection.run()
    except TooManySockets:
        await socket.close(code=OVERLOADED)


async def _signed_in(socket: WebSocket[Any, Any, Any], services: Services) -> Caller | None:
    """Raises TooManySockets."""
    signing_in = SigningIn(socket, services.accounts)
    most_of: dict[Hashable, int] = {
        "signing in": MAX_SIGNING_IN,
        counted_as(address_of(socket)): MAX_OF_ADDRESS,
    }
    with services.sockets.kept(signing_in, most_of=most_of):
        return await signing_in.caller()


async def refuse_upgrade(socket: WebSocket[Any, Any, Any], error: JarvisError) -> None:
    """Answer in HTTP, instead of accepting."""
    problem = answer_problem(error, request_id_of(socket.scope))
    start = {"type": "websocket.http.response.start", "status": problem.status, "headers": problem.headers}
    await socket.send(start)  # pyright: ignore[reportArgumentType] an extension that Litestar does not know
    body = {"type": "websocket.http.response.body", "body": problem.body, "more_body": False}
    await socket.send(body)  # pyright: ignore[reportArgumentType] likewise
