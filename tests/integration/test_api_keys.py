"""Keys for programs: made, listed, ended; the secret is told once."""

from datetime import UTC, datetime, timedelta

import pytest

from jarvis.services.accounts import MAX_KEYS
from tests.clients import NOBODY, Json, a_word, query
from tests.people import GUARDED, Person, bearer, join
from tests.running import Running

SETTINGS = GUARDED


async def made(server: Running, person: Person, **fields: object) -> Json:
    body = {"name": "laptop", **fields}
    response = await server.http.post("/api/auth/keys", json=body, headers=person.headers)
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    return response.json()


async def listed(server: Running, person: Person) -> list[Json]:
    response = await server.http.get("/api/auth/keys", headers=person.headers)
    assert response.status_code == 200
    return response.json()["keys"]


async def test_a_key_is_as_good_as_its_maker(server: Running) -> None:
    anna = await join(server, a_word())
    key = await made(server, anna)
    assert key.keys() == {"id", "name", "key", "prefix", "created_at", "expires_at"}
    assert (key["name"], key["expires_at"]) == ("laptop", None)
    assert key["key"].startswith(f"{key['prefix']}_")
    assert len(key["prefix"]) == len("jvk_") + 8
    for headers in ({"X-API-Key": key["key"]}, bearer(key["key"])):
        who = await server.http.get("/api/auth/whoami", headers=headers)
        assert (who.status_code, who.json()["user_id"]) == (200, anna.name)


async def test_keys_are_listed_without_their_secrets(server: Running) -> None:
    anna, ben = await join(server, a_word()), await join(server, a_word())
    keys = [await made(server, anna, name=name) for name in ("first", "second")]
    shown = [{field: value for field, value in key.items() if field != "key"} for key in keys]
    assert (await listed(server, anna))[1:] == shown
    assert [key["name"] for key in await listed(server, ben)] == ["a program"]
    stored = await query(server, "SELECT to_jsonb(k)::text AS row FROM api_keys k")
    assert not any(key["key"].removeprefix(key["prefix"]) in row["row"] for key in keys for row in stored)


async def test_a_key_that_expires_says_when(server: Running) -> None:
    anna = await join(server, a_word())
    before = datetime.now(UTC)
    key = await made(server, anna, expires_in_days=3)
    expires_at = datetime.fromisoformat(key["expires_at"])
    assert before + timedelta(days=3) <= expires_at <= datetime.now(UTC) + timedelta(days=3)
    await query(server, "UPDATE api_keys SET expires_at = now() WHERE prefix = $1", key["prefix"])
    assert [one["name"] for one in await listed(server, anna)] == ["a program"]
    refused = await server.http.get("/api/auth/whoami", headers={"X-API-Key": key["key"]})
    assert refused.status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x", "expires_in_days": 0}, "expires_in_days"),
        ({"name": "x", "expires_in_days": 3651}, "expires_in_days"),
        ({"name": "x", "expires_in_days": "3"}, "expires_in_days"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_body_that_is_none_is_named(server: Running, body: Json, field: str) -> None:
    anna = await join(server, a_word())
    response = await server.http.post("/api/auth/keys", json=body, headers=anna.headers)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
    assert len(await listed(server, anna)) == 1


async def test_a_key_that_is_deleted_counts_no_more(server: Running) -> None:
    anna = await join(server, a_word())
    key = await made(server, anna)
    by_key = {"X-API-Key": key["key"]}
    assert (await server.http.get("/api/auth/whoami", headers=by_key)).status_code == 200
    path = f"/auth/keys/{key['id']}"
    deleted = await server.http.delete(path, headers=anna.headers)
    assert (deleted.status_code, deleted.json()) == (200, {"deleted": 1})
    assert (await server.http.get("/api/auth/whoami", headers=by_key)).status_code == 401
    assert (await server.http.delete(path, headers=anna.headers)).status_code == 404
    assert [one["name"] for one in await listed(server, anna)] == ["a program"]


async def test_anothers_key_is_as_one_that_never_was(server: Running) -> None:
    anna, ben = await join(server, a_word()), await join(server, a_word())
    (key,) = await listed(server, ben)
    answers: list[Json] = []
    for key_id in (key["id"], NOBODY):
        response = await server.http.delete(f"/api/auth/keys/{key_id}", headers=anna.headers)
        kept = {name: value for name, value in response.headers.items() if name not in {"date", "ratelimit"}}
        answers.append(response.json() | kept | {"request_id": "", "x-request-id": ""})
    assert answers[0] == answers[1]
    assert (answers[0]["status"], answers[0]["code"]) == (404, "not_found")
    assert await listed(server, ben) == [key]
    malformed = await server.http.delete("/api/auth/keys/x", headers=anna.headers)
    assert (malformed.status_code, malformed.json()["errors"][0]["field"]) == (400, "key_id")


async def test_nobody_has_more_keys_than_there_may_be(server: Running) -> None:
    anna = await join(server, a_word())
    await query(
        server,
        "INSERT INTO api_keys (id, user_id, name, prefix, digest) SELECT gen_random_uuid(), u.id, 'x', '', "
        "gen_random_uuid()::text::bytea FROM users u, generate_series(2, $2::int) WHERE username = $1",
        *(anna.name, MAX_KEYS),
    )
    refused = await server.http.post("/api/auth/keys", json={"name": "x"}, headers=anna.headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    first = (await listed(server, anna))[0]
    assert (
        await server.http.delete(f"/api/auth/keys/{first['id']}", headers=anna.headers)
    ).status_code == 200
    await made(server, anna)
    assert len(await listed(server, anna)) == MAX_KEYS
