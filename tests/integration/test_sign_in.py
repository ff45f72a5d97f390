"""Signing in and out over HTTP: sessions, the tokens that carry them on, and what ends them."""

import asyncio

import pytest

from jarvis.services.credentials import STANDING_S
from tests.clients import NOBODY, Json, a_word, query, socket
from tests.people import GUARDED, PASSWORD, add_account, bearer, guarded, join, sign_in
from tests.running import Running, running
from tests.scripted_model import ScriptedModel

SETTINGS = GUARDED

PREFIXES = pytest.mark.parametrize("prefix", ["/api/auth", "/auth"])


async def status_of(server: Running, token: str) -> int:
    return (await server.http.get("/api/auth/whoami", headers=bearer(token))).status_code


async def exchanged(server: Running, refresh_token: str) -> tuple[int, Json]:
    response = await server.http.post("/api/auth/refresh", json={"refresh_token": refresh_token})
    return response.status_code, response.json()


def assert_session(answer: Json, name: str, role: str) -> None:
    assert answer.keys() == {
        *("access_token", "token", "token_type", "expires_in"),
        *("refresh_token", "user_id", "username", "user"),
    }
    assert answer["token"] == answer["access_token"]
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)
    assert (answer["user_id"], answer["username"]) == (name, name)
    assert answer["user"] == {"id": name, "username": name, "role": role}


@PREFIXES
async def test_a_password_is_exchanged_for_a_session(server: Running, prefix: str) -> None:
    await join(server, a_word())  # whoever is first is the owner
    name = a_word()
    await add_account(server, name)
    response = await server.http.post(f"{prefix}/login", json={"username": name, "password": PASSWORD})
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    session = response.json()
    assert_session(session, name, "member")
    known = {"valid": True, "user_id": name, "username": name, "role": "member"}
    headers = bearer(session["token"])
    for answer in (
        await server.http.get(f"{prefix}/whoami", headers=headers),
        await server.http.post(f"{prefix}/verify", headers=headers),
    ):
        assert (answer.status_code, answer.json()) == (200, known)
    renewed = await server.http.post(f"{prefix}/refresh", json={"refresh_token": session["refresh_token"]})
    assert renewed.status_code == 200
    assert_session(renewed.json(), name, "member")
    out = await server.http.post(f"{prefix}/logout", headers=headers)
    assert (out.status_code, out.json()) == (200, {"signed_out": True})


async def test_whoever_fails_to_sign_in_is_not_told_why(server: Running) -> None:
    anna, profile = await join(server, a_word()), a_word()
    await query(server, "INSERT INTO users (id, username) VALUES (gen_random_uuid(), $1)", profile)
    tried = [
        (anna.name, PASSWORD + "r"),
        (anna.name, ""),
        (anna.name, PASSWORD.upper()),
        (anna.name.upper(), PASSWORD),
        (a_word(), PASSWORD),
        (profile, PASSWORD),
        (profile, ""),
        ("", ""),
    ]
    answers: list[Json] = []
    for name, password in tried:
        response = await server.http.post("/api/auth/login", json={"username": name, "password": password})
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
        answers.append(response.json() | {"request_id": ""})
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["detail"] == "The user name or the password is wrong."


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": PASSWORD}, "username"),
        ({"username": "anna"}, "password"),
        ({"username": 7, "password": PASSWORD}, "username"),
        ({"username": "anna", "password": None}, "password"),
        ({"username": "x" * 257, "password": PASSWORD}, "username"),
        ({"username": "an\x00na", "password": PASSWORD}, "username"),
    ],
    ids=str,
)
async def test_a_body_that_is_none_is_named(server: Running, body: Json, field: str) -> None:
    response = await server.http.post("/api/auth/login", json=body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    assert response.json()["errors"][0]["field"] == field


async def test_a_suspended_user_is_told_so_by_the_right_password_only(server: Running) -> None:
    anna = await join(server, a_word())
    await query(server, "UPDATE users SET status = 'suspended' WHERE username = $1", anna.name)
    told = {
        password: (
            await server.http.post("/api/auth/login", json={"username": anna.name, "password": password})
        ).json()
        for password in (PASSWORD, "guessed at random")
    }
    assert (told[PASSWORD]["status"], told[PASSWORD]["code"]) == (403, "forbidden")
    assert told["guessed at random"]["status"] == 401


async def test_a_refresh_token_is_exchanged_once(server: Running) -> None:
    anna = await join(server, a_word())
    status, first = await exchanged(server, anna.refresh_token)
    assert status == 200
    status, second = await exchanged(server, first["refresh_token"])
    assert status == 200
    given = [anna.refresh_token, first["refresh_token"], second["refresh_token"]]
    assert len(set(given)) == 3
    for token in (anna.access_token, first["token"], second["token"]):
        assert await status_of(server, token) == 200


async def test_a_refresh_token_shown_again_ends_its_session(server: Running) -> None:
    anna = await join(server, a_word())
    other = await sign_in(server, anna.name)
    _, renewed = await exchanged(server, anna.refresh_token)
    async with (
        socket(server, additional_headers=bearer(renewed["token"])) as ws,
        socket(server, additional_headers=bearer(other["token"])) as untouched,
    ):
        assert await ws.silent()
        status, problem = await exchanged(server, anna.refresh_token)
        assert (status, problem["code"]) == (401, "unauthenticated")
        assert await ws.closed_with() == 1008
        assert await untouched.silent()
    await asyncio.sleep(STANDING_S)  # so long what was read of a session may be relied on
    assert [await status_of(server, token) for token in (anna.access_token, renewed["token"])] == [401] * 2
    assert (await exchanged(server, renewed["refresh_token"]))[0] == 401
    assert await status_of(server, other["token"]) == 200
    assert await status_of(server, anna.key) == 200
    assert (await exchanged(server, other["refresh_token"]))[0] == 200


async def test_of_two_at_the_same_time_one_gets_the_next_token(server: Running) -> None:
    anna = await join(server, a_word())
    answers = await asyncio.gather(*(exchanged(server, anna.refresh_token) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [200] + [401] * 4


async def test_what_is_no_refresh_token_is_not_exchanged(server: Running) -> None:
    anna = await join(server, a_word())
    for token in ("", "jrt_", "null", anna.access_token, anna.key, anna.refresh_token + "x", "jrt_é"):
        status, problem = await exchanged(server, token)
        assert (status, problem["code"]) == (401, "unauthenticated")
    assert (await exchanged(server, anna.refresh_token))[0] == 200


async def test_a_session_ends_at_once_with_all_its_tokens(server: Running) -> None:
    anna = await join(server, a_word())
    other = await sign_in(server, anna.name)
    assert (await server.http.post("/api/auth/logout", headers=anna.headers)).status_code == 200
    assert await status_of(server, anna.access_token) == 401
    assert (await exchanged(server, anna.refresh_token))[0] == 401
    assert (await server.http.post("/api/auth/logout", headers=anna.headers)).status_code == 401
    assert await status_of(server, other["token"]) == 200
    assert await status_of(server, anna.key) == 200


async def test_signing_out_ends_the_session_of_a_refresh_token_of_ones_own_too(server: Running) -> None:
    anna, ben = await join(server, a_word()), await join(server, a_word())
    other = await sign_in(server, anna.name)
    for refresh_token in (ben.refresh_token, other["refresh_token"]):
        mine = await sign_in(server, anna.name)
        out = await server.http.post(
            "/api/auth/logout", json={"refresh_token": refresh_token}, headers=bearer(mine["token"])
        )
        assert out.status_code == 200
        assert await status_of(server, mine["token"]) == 401
    assert await status_of(server, other["token"]) == 401
    assert (await exchanged(server, other["refresh_token"]))[0] == 401
    assert await status_of(server, ben.access_token) == 200
    assert (await exchanged(server, ben.refresh_token))[0] == 200


async def test_a_key_signs_out_only_a_session(server: Running) -> None:
    anna = await join(server, a_word())
    by_key = {"X-API-Key": anna.key}
    refused = await server.http.post("/api/auth/logout", headers=by_key)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    out = await server.http.post(
        "/api/auth/logout", json={"refresh_token": anna.refresh_token}, headers=by_key
    )
    assert out.status_code == 200
    assert await status_of(server, anna.access_token) == 401
    assert await status_of(server, anna.key) == 200


@PREFIXES
async def test_nobody_signs_up_unless_that_is_allowed(server: Running, prefix: str) -> None:
    anna, name = await join(server, a_word()), a_word()
    body = {"username": name, "password": PASSWORD}
    assert (await server.http.post(f"{prefix}/register", json=body)).status_code == 401
    refused = await server.http.post(f"{prefix}/register", json=body, headers=anna.headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert await query(server, "SELECT FROM users WHERE username = $1", name) == []


async def test_whoever_signs_up_is_signed_in(database_url: str, model: ScriptedModel) -> None:
    async with guarded(database_url, model.url, allow_signup="true") as server:

        async def register(name: object, password: str, prefix: str = "/api/auth") -> tuple[int, Json]:
            response = await server.http.post(
                f"{prefix}/register", json={"username": name, "password": password}
            )
            return response.status_code, response.json()

        status, session = await register("anna", PASSWORD)
        assert status == 200
        assert_session(session, "anna", "owner")
        assert await status_of(server, session["token"]) == 200
        status, session = await register("ben", PASSWORD, "/auth")
        assert status == 200
        assert_session(session, "ben", "member")
        assert_session(await sign_in(server, "ben"), "ben", "member")
        for taken in ("anna", "Anna"):
            status, problem = await register(taken, PASSWORD)
            assert (status, problem["code"]) == (409, "conflict")
        wrong: list[tuple[object, str, str]] = [
            ("carl", "7 chars", "password"),
            ("carl", "é" * 513, "password"),
            *((name, PASSWORD, "username") for name in ("", "a b", "a/b", "x" * 65, "carl\n", "кarl", None)),
        ]
        for name, password, field in wrong:
            status, problem = await register(name, password)
            assert (status, problem["errors"][0]["field"]) == (400, field)
        names = await query(server, "SELECT username FROM users ORDER BY username")
        assert [row["username"] for row in names] == ["anna", "ben"]


async def test_where_nobody_signs_in_everybody_is_the_owner(
    database_url: str, model: ScriptedModel, server: Running
) -> None:
    async with running(database_url, model.url) as local:
        owner = {"valid": True, "user_id": "default", "username": "default", "role": "owner"}
        for prefix in ("/api/auth", "/auth"):
            post, get = local.http.post, local.http.get
            credentials = {"username": "whoever", "password": "whatever"}
            session = (await post(f"{prefix}/login", json=credentials)).json()
            assert_session(session, "default", "owner")
            assert (
                await status_of(server, session["token"]) == 401
            )  # where somebody does, it is worth nothing
            renewed = await post(f"{prefix}/refresh", json={"refresh_token": session["refresh_token"]})
            assert_session(renewed.json(), "default", "owner")
            for headers in ({}, bearer(session["token"]), bearer("null")):
                assert (await get(f"{prefix}/whoami", headers=headers)).json() == owner
                assert (await post(f"{prefix}/verify", headers=headers)).json() == owner
                assert (await post(f"{prefix}/logout", headers=headers)).status_code == 200
            assert (await get(f"{prefix}/keys")).json() == {"keys": []}
            assert (await post(f"{prefix}/keys", json={"name": "x"})).status_code == 409
            assert (await local.http.delete(f"{prefix}/keys/{NOBODY}")).status_code == 404
            assert (await post(f"{prefix}/register", json=credentials)).status_code == 403
        async with socket(local) as ws:
            await ws.send({"type": "auth", "token": "whatever"})
            assert await ws.next() == {"type": "authenticated", "user_id": "default"}


async def test_sessions_and_keys_outlast_the_server(database_url: str, model: ScriptedModel) -> None:
    async with guarded(database_url, model.url) as server:
        anna = await join(server, "anna")
    async with guarded(database_url, model.url) as server:
        assert await status_of(server, anna.access_token) == 200
        assert await status_of(server, anna.key) == 200
        _, renewed = await exchanged(server, anna.refresh_token)
    async with guarded(database_url, model.url, jwt_secret_key="") as server:  # it makes a key of its own
        assert await status_of(server, renewed["token"]) == 401
        assert await status_of(server, anna.key) == 200
        status, again = await exchanged(server, renewed["refresh_token"])
        assert status == 200
        assert await status_of(server, again["token"]) == 200
