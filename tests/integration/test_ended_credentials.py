"""What ends a session or a key ends it everywhere: for requests, sockets and streams, on every server.

A request is refused once what was read of the credential is too old to be relied on; who listens is told.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Self

import httpx
import pytest
import pytest_asyncio

from jarvis.adapters.passwords import Argon2Passwords
from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.services.credentials import STANDING_S
from tests.clients import PATIENCE_S, a_word, asked_of, query, socket
from tests.people import GUARDED, PASSWORD, Person, bearer, guarded, join, sign_in
from tests.running import Running, in_one_task
from tests.scripted_model import Script, ScriptedModel

SETTINGS = GUARDED | {"llm_max_concurrency": "20"}
NEW_PASSWORD = f"another {PASSWORD}"

End = Callable[[Running, Person], Awaitable[object]]


async def suspend(server: Running, person: Person) -> None:
    await PostgresAccounts(server.assembly.database).set_status(person.name, "suspended")


async def resume(server: Running, person: Person) -> None:
    await PostgresAccounts(server.assembly.database).set_status(person.name, "active")


async def change_password(server: Running, person: Person) -> None:
    password_hash = await Argon2Passwords().hash(NEW_PASSWORD)
    await PostgresAccounts(server.assembly.database).set_password(person.name, password_hash)


async def sign_out(server: Running, person: Person) -> None:
    assert (await server.http.post("/api/auth/logout", headers=person.headers)).status_code == 200


async def show_again(server: Running, person: Person) -> None:
    for status in (200, 401):
        answer = await server.http.post("/api/auth/refresh", json={"refresh_token": person.refresh_token})
        assert answer.status_code == status


async def delete_key(server: Running, person: Person) -> None:
    (key,) = (await server.http.get("/api/auth/keys", headers=bearer(person.key))).json()["keys"]
    deleted = await server.http.delete(f"/api/auth/keys/{key['id']}", headers=person.headers)
    assert (deleted.status_code, deleted.json()) == (200, {"deleted": 1})


async def delete_user(server: Running, person: Person) -> None:
    await query(server, "DELETE FROM users WHERE username = $1", person.name)


async def expire(server: Running, person: Person) -> None:
    await query(server, "UPDATE api_keys SET expires_at = now() WHERE prefix = $1", person.key[:12])
    digest = sha256(person.refresh_token.encode()).digest()
    await query(server, "UPDATE refresh_tokens SET expires_at = now() WHERE digest = $1", digest)


CASES: list[tuple[End, bool, bool]] = [
    (suspend, True, True),
    (delete_user, True, True),
    (expire, True, True),
    (change_password, True, False),
    (sign_out, True, False),
    (show_again, True, False),
    (delete_key, False, True),
]
"""What ends something, and whether that is the session and the key."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def other_server(module_server: Running, module_model: ScriptedModel) -> AsyncGenerator[Running]:
    """Another server on the same database."""
    url = module_server.settings.database_url
    async with in_one_task(guarded(url, module_model.url, **SETTINGS)) as server:
        yield server


class Listener:
    """Whoever listens at one server by one token: on two sockets, and to the events of a turn."""

    def __init__(self, server: Running, llm: ScriptedModel, token: str) -> None:
        self._server = server
        self._llm = llm
        self._token = token
        self._gate = a_word()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._by_header = await stack.enter_async_context(
                socket(self._server, additional_headers=bearer(self._token))
            )
            self._by_frame = await stack.enter_async_context(socket(self._server))
            await self._by_frame.send({"type": "auth", "token": self._token})
            assert (await self._by_frame.next())["type"] == "authenticated"
            stack.callback(self._llm.release, self._gate)
            self._llm.script(Script(gate=self._gate, gate_at_token=1), match=self._gate)
            request = self._server.http.build_request(
                "POST",
                "/api/chat",
                json={"message": f"Say {self._gate}", "stream": True},
                headers=bearer(self._token),
            )
            response = await self._server.http.send(request, stream=True)
            stack.push_async_callback(response.aclose)
            self._stream = asyncio.create_task(self._read(response))
            await asked_of(self._llm, f"Say {self._gate}", waiting=True)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stream.cancel()
        await self._stack.aclose()

    @staticmethod
    async def _read(response: httpx.Response) -> type[httpx.TransportError] | None:
        assert response.status_code == 200
        try:
            async for _ in response.aiter_bytes():
                pass
        except httpx.TransportError as exc:
            return type(exc)
        return None

    async def status(self) -> int:
        response = await self._server.http.get("/api/auth/whoami", headers=bearer(self._token))
        return response.status_code

    async def is_ended(self, *, turn_gone: bool) -> None:
        """See both sockets closed, the stream cut in the middle, and the next request refused.

        Where the turn is gone with its user, the stream may end with it instead.
        """
        assert await self._by_header.closed_with() == 1008
        assert await self._by_frame.closed_with() == 1008
        ends = {httpx.RemoteProtocolError, None} if turn_gone else {httpx.RemoteProtocolError}
        async with asyncio.timeout(PATIENCE_S):
            assert await self._stream in ends
        assert await self.status() == 401

    async def goes_on(self) -> None:
        assert await self._by_header.silent()
        assert await self._by_frame.silent()
        assert not self._stream.done()
        assert await self.status() == 200


@pytest.mark.parametrize(("end", "session", "key"), CASES, ids=lambda value: getattr(value, "__name__", None))
async def test_whoever_listens_anywhere_is_told(
    server: Running, other_server: Running, llm: ScriptedModel, end: End, *, session: bool, key: bool
) -> None:
    anna, ben = await join(server, a_word()), await join(server, a_word())
    ends = {anna.access_token: session, anna.key: key, ben.access_token: False, ben.key: False}
    async with AsyncExitStack() as stack:
        listeners = [
            (await stack.enter_async_context(Listener(at, llm, token)), is_ended)
            for token, is_ended in ends.items()
            for at in (server, other_server)
        ]
        assert [await listener.status() for listener, _ in listeners] == [200] * len(listeners)
        await end(server, anna)
        await asyncio.sleep(STANDING_S)  # so long what was read before may be relied on
        for listener, is_ended in listeners:
            await (listener.is_ended(turn_gone=end is delete_user) if is_ended else listener.goes_on())


@pytest.mark.parametrize(("end", "session", "key"), CASES, ids=lambda value: getattr(value, "__name__", None))
async def test_requests_are_refused_where_nobody_listens(
    server: Running, other_server: Running, end: End, *, session: bool, key: bool
) -> None:
    anna = await join(server, a_word())
    for at in (server, other_server):
        assert await statuses(at, anna.access_token, anna.key) == [200, 200]
    await end(server, anna)
    await asyncio.sleep(STANDING_S)  # as above
    for at in (server, other_server):
        expected = [401 if session else 200, 401 if key else 200]
        assert await statuses(at, anna.access_token, anna.key) == expected


async def test_what_a_suspension_ended_stays_ended(server: Running) -> None:
    anna = await join(server, a_word())
    await suspend(server, anna)
    await resume(server, anna)
    await asyncio.sleep(STANDING_S)
    assert await statuses(server, anna.access_token, anna.key) == [401, 401]
    refreshed = await server.http.post("/api/auth/refresh", json={"refresh_token": anna.refresh_token})
    assert refreshed.status_code == 401
    again = await sign_in(server, anna.name)
    assert await statuses(server, again["token"]) == [200]
    assert (await server.http.get("/api/auth/keys", headers=bearer(again["token"]))).json() == {"keys": []}


async def test_only_the_new_password_signs_in(server: Running) -> None:
    anna = await join(server, a_word())
    await change_password(server, anna)
    old = await server.http.post("/api/auth/login", json={"username": anna.name, "password": PASSWORD})
    assert old.status_code == 401
    assert await statuses(server, (await sign_in(server, anna.name, NEW_PASSWORD))["token"]) == [200]


async def test_a_turn_goes_on_without_whoever_asked(server: Running, llm: ScriptedModel) -> None:
    anna = await join(server, a_word())
    gate = a_word()
    llm.script(Script(gate=gate, gate_at_token=1, text="All of it."), match=gate)
    async with socket(server, additional_headers=anna.headers) as ws:
        await ws.say(f"Say {gate}")
        (ack,) = await ws.until("ack")
        await asked_of(llm, f"Say {gate}", waiting=True)
        await sign_out(server, anna)
        assert await ws.closed_with() == 1008
    llm.release(gate)
    turn = f"/api/chat/turns/{ack['turn_id']}"
    async with server.http.stream("GET", f"{turn}/events", headers=bearer(anna.key)) as events:
        async with asyncio.timeout(PATIENCE_S):
            await events.aread()
    told = (await server.http.get(turn, headers=bearer(anna.key))).json()
    assert (told["status"], told["text"]) == ("complete", "All of it.")


async def statuses(server: Running, *tokens: str) -> list[int]:
    return [
        (await server.http.get("/api/auth/whoami", headers=bearer(token))).status_code for token in tokens
    ]
