"""Waiting for a socket's first frame, in memory: in time, too late, and when nobody can be found out."""

import asyncio
import json
from typing import Any, cast

import pytest
from litestar import WebSocket

from jarvis.core.errors import Overloaded, Unauthenticated, Unavailable
from jarvis.core.types import User, new_id
from jarvis.services.identity import Accounts, Caller
from jarvis.web.signing_in import WITHIN_S, SigningIn

Event = dict[str, Any]
GOOD: Event = {"type": "websocket.receive", "text": json.dumps({"type": "auth", "token": "t"})}


class Anna:
    """A caller, as far as he is asked."""

    async def profile(self, name: str | None) -> User:
        del name
        return User(id=new_id(), name="anna")


class Doorkeeper:
    """Lets in whoever has a token, or says why not."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def caller(self, token: str) -> Caller:
        assert token == "t"
        if self._error:
            raise self._error
        return cast("Caller", Anna())


class Peer:
    """The other end of a socket: sends `events`, then nothing more."""

    def __init__(self, *events: Event) -> None:
        self._events = list(events)
        self.heard: list[Event] = []

    async def receive(self) -> Event:
        if not self._events:
            await asyncio.get_running_loop().create_future()
        return self._events.pop(0)

    async def send(self, event: Event) -> None:
        self.heard.append(event)

    def signing_in(self, doorkeeper: Doorkeeper, **options: float) -> SigningIn:
        scope: Any = {"type": "websocket", "path": "/ws", "headers": []}
        receive, send = cast("Any", self.receive), cast("Any", self.send)
        socket: WebSocket[Any, Any, Any] = WebSocket(scope, receive, send)
        return SigningIn(socket, cast("Accounts", doorkeeper), **options)


def closed(code: int) -> list[Event]:
    return [{"type": "websocket.close", "code": code, "reason": ""}]


async def test_whoever_has_a_token_is_let_in_and_told() -> None:
    peer = Peer(GOOD)
    assert await peer.signing_in(Doorkeeper()).caller() is not None
    (told,) = peer.heard
    assert json.loads(told["text"]) == {"type": "authenticated", "user_id": "anna"}


async def test_a_socket_that_says_nothing_in_time_is_closed() -> None:
    peer = Peer()
    assert await peer.signing_in(Doorkeeper(), within_s=0.01).caller() is None
    assert peer.heard == closed(1008)


def test_the_time_is_what_the_contract_says() -> None:
    assert WITHIN_S == 10
    assert SigningIn.__init__.__kwdefaults__ == {"within_s": WITHIN_S}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unauthenticated(), 1008),
        (Unavailable("database", "It is away."), 1013),
        (Overloaded("Too much."), 1013),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_token_that_does_not_let_in_closes_the_socket(error: Exception, code: int) -> None:
    peer = Peer(GOOD)
    assert await peer.signing_in(Doorkeeper(error)).caller() is None
    assert peer.heard == closed(code)


async def test_a_socket_that_left_is_told_nothing() -> None:
    peer = Peer({"type": "websocket.disconnect"})
    assert await peer.signing_in(Doorkeeper()).caller() is None
    assert peer.heard == []


async def test_waiting_ends_when_the_server_does() -> None:
    peer = Peer()
    signing_in = peer.signing_in(Doorkeeper())
    waiting = asyncio.ensure_future(signing_in.caller())
    await asyncio.sleep(0)
    await signing_in.close(1012)
    assert await waiting is None
    assert peer.heard == closed(1012)
