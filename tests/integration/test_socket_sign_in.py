"""Signing in on a WebSocket with its first frame, and again later."""

import json
from contextlib import AsyncExitStack
from itertools import count

import pytest

from jarvis.web.signing_in import MAX_FRAME_BYTES
from jarvis.web.upgrading import MAX_OF_ADDRESS
from tests.clients import Json, a_word, socket
from tests.people import GUARDED, PASSWORD, join, sign_in
from tests.running import Running

SETTINGS = GUARDED | {"trusted_proxies": "127.0.0.1"}

_addresses = (f"203.0.113.{number}" for number in count(1))


def from_an_address() -> dict[str, str]:
    return {"X-Forwarded-For": next(_addresses)}


@pytest.mark.parametrize("with_key", [False, True], ids=["token", "key"])
async def test_the_first_frame_tells_who_is_there(server: Running, *, with_key: bool) -> None:
    anna = await join(server, a_word())
    async with socket(server) as ws:
        await ws.send({"type": "auth", "token": anna.key if with_key else anna.access_token})
        assert await ws.next() == {"type": "authenticated", "user_id": anna.name}
        await ws.say("Hello", user_id="somebody-else")
        assert (await ws.to_end())[-1]["user_id"] == anna.name


async def test_the_server_never_speaks_first(server: Running) -> None:
    anna = await join(server, a_word())
    async with socket(server, additional_headers=anna.headers) as ws:
        assert await ws.silent()


FIRST: dict[str, Json | str | bytes] = {
    "ping": {"type": "ping"},
    "message": {"type": "chat_message", "content": "Hello"},
    "old message": {"message": "Hello"},
    "name and password": {"type": "auth", "username": "anna", "password": PASSWORD},
    "no token": {"type": "auth"},
    "token of another kind": {"type": "auth", "token": ["x"]},
    "no JSON": "auth",
    "nothing": "",
    "a list": "[]",
    "bytes": b"\x00",
    "lone surrogate": '{"type": "auth", "token": "\\ud800"}',
}


@pytest.mark.parametrize("frame", FIRST.values(), ids=FIRST.keys())
async def test_another_first_frame_closes_the_socket(server: Running, frame: Json | str | bytes) -> None:
    async with socket(server) as ws:
        await ws.send(frame)
        assert await ws.closed_with() == 1008


def padded(token: str, *, to_bytes: int, by: str = "x") -> str:
    """Return an auth frame of exactly that size."""
    bare = json.dumps({"type": "auth", "token": token, "more": ""}, ensure_ascii=False)
    more, rest = divmod(to_bytes - len(bare), len(by.encode()))
    frame = json.dumps({"type": "auth", "token": token, "more": by * more + "x" * rest}, ensure_ascii=False)
    assert len(frame.encode()) == to_bytes
    return frame


@pytest.mark.parametrize("by", ["x", "\U0001f9ea"], ids=["ASCII", "four bytes each"])
async def test_an_auth_frame_may_have_so_many_bytes(server: Running, by: str) -> None:
    anna = await join(server, a_word())
    for size, is_taken in ((MAX_FRAME_BYTES, True), (MAX_FRAME_BYTES + 1, False)):
        async with socket(server) as ws:
            await ws.send(padded(anna.access_token, to_bytes=size, by=by))
            if is_taken:
                assert (await ws.next())["type"] == "authenticated"
            else:
                assert await ws.closed_with() == 1008


async def test_a_socket_stays_its_users(server: Running) -> None:
    anna, ben = await join(server, a_word()), await join(server, a_word())
    again = await sign_in(server, anna.name)
    for token, is_taken in (
        (anna.key, True),
        (again["token"], True),
        (ben.access_token, False),
        (ben.key, False),
        ("x.y.z", False),
        ("", False),
    ):
        async with socket(server, additional_headers=anna.headers) as ws:
            await ws.send({"type": "auth", "token": token})
            if is_taken:
                assert await ws.next() == {"type": "authenticated", "user_id": anna.name}
                assert await ws.silent()
            else:
                assert await ws.closed_with() == 1008


async def test_an_address_has_so_many_sockets_that_nobody_signed_in_on(server: Running) -> None:
    anna = await join(server, a_word())
    here = from_an_address()
    async with AsyncExitStack() as stack:
        waiting = [
            await stack.enter_async_context(socket(server, additional_headers=here))
            for _ in range(MAX_OF_ADDRESS)
        ]
        async with socket(server, additional_headers=here) as ws:
            assert await ws.closed_with() == 1013
        async with socket(server, additional_headers=from_an_address()) as elsewhere:
            await elsewhere.send({"type": "auth", "token": anna.key})
            assert (await elsewhere.next())["type"] == "authenticated"
        async with socket(server, additional_headers=here | anna.headers) as ws:
            assert await ws.silent()
        await waiting[0].send({"type": "auth", "token": anna.key})  # that makes room for one
        assert (await waiting[0].next())["type"] == "authenticated"
        async with socket(server, additional_headers=here) as ws:
            await ws.send({"type": "auth", "token": anna.key})
            assert (await ws.next())["type"] == "authenticated"
