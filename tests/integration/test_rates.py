"""How often somebody may ask: by user, address and kind; in a window so long that nothing comes back."""

import asyncio
from itertools import count

import httpx
import pytest

from tests.clients import NOBODY, Json, a_word, socket
from tests.people import GUARDED, PASSWORD, Person, add_account, bearer, guarded, join
from tests.running import Running, running
from tests.scripted_model import ScriptedModel

LIMIT, WINDOW_S = 5, 3600
RATES = {"rate_limit_requests": str(LIMIT), "rate_limit_window_secs": str(WINDOW_S)}
SETTINGS = GUARDED | RATES | {"trusted_proxies": "127.0.0.1"}
PREFLIGHT = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}

_addresses = (f"203.0.113.{number}" for number in count(1))
READS = ("GET", "/api/chat/conversations")
CHATS = ("POST", f"/api/chat/conversation/{NOBODY}/regenerate")
SPEAKS = ("GET", "/api/voice/voices")
SIGNS_IN = ("POST", "/api/auth/refresh")


def behind_a_proxy(address: str | None = None) -> dict[str, str]:
    """Return what a proxy says of a client that nobody has heard of, or of that one."""
    return {"X-Forwarded-For": address or next(_addresses)}


async def joined(server: Running) -> Person:
    """Let somebody join from an address of his own; he has then asked once, for a key."""
    server.http.headers.update(behind_a_proxy())
    try:
        return await join(server, a_word())
    finally:
        del server.http.headers["X-Forwarded-For"]


async def statuses(
    server: Running, what: tuple[str, str], headers: dict[str, str], times: int = LIMIT + 1
) -> list[int]:
    method, path = what
    return [(await server.http.request(method, path, headers=headers)).status_code for _ in range(times)]


def assert_limited(response: httpx.Response, budget: str) -> None:
    assert (response.status_code, response.json()["code"]) == (429, "rate_limited")
    assert response.headers["content-type"] == "application/problem+json"
    assert 0 < int(response.headers["retry-after"]) <= WINDOW_S / LIMIT
    assert response.headers["ratelimit-policy"] == f'"{budget}";q={LIMIT};w={WINDOW_S}'
    assert response.headers["ratelimit"].startswith(f'"{budget}";r=0;t=')


async def test_each_answer_says_how_much_is_left(server: Running) -> None:
    headers = (await joined(server)).headers | behind_a_proxy()
    for left in range(LIMIT - 2, -1, -1):
        response = await server.http.get("/api/auth/whoami", headers=headers)
        assert response.status_code == 200
        assert response.headers["ratelimit-policy"] == f'"reads";q={LIMIT};w={WINDOW_S}'
        name, remaining, seconds = response.headers["ratelimit"].split(";")
        assert (name, remaining) == ('"reads"', f"r={left}")
        assert 0 < int(seconds.removeprefix("t=")) <= WINDOW_S
    assert_limited(await server.http.get("/api/auth/whoami", headers=headers), "reads")


async def test_a_user_is_limited_wherever_he_asks_from_and_nobody_else(server: Running) -> None:
    anna, ben = await joined(server), await joined(server)
    credentials = (anna.headers, {"X-API-Key": anna.key})
    asked = [
        (await statuses(server, READS, credentials[number % 2] | behind_a_proxy(), 1))[0]
        for number in range(LIMIT)
    ]
    assert asked == [200] * (LIMIT - 1) + [429]
    assert await statuses(server, READS, ben.headers | behind_a_proxy(), 1) == [200]


@pytest.mark.parametrize(
    ("what", "budget"),
    [(READS, "reads"), (CHATS, "chat"), (SPEAKS, "voice"), (("GET", "/no/such/path"), "reads")],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_address_is_limited_until_somebody_signs_in(
    server: Running, what: tuple[str, str], budget: str
) -> None:
    here = behind_a_proxy()
    assert await statuses(server, what, here) == [401] * LIMIT + [429]
    assert_limited(await server.http.request(*what, headers=here), budget)
    assert await statuses(server, what, behind_a_proxy(), 1) == [401]
    anna = await joined(server)
    await server.http.get(
        "/api/auth/whoami", headers=anna.headers | behind_a_proxy()
    )  # it is known from here on
    assert (await statuses(server, what, anna.headers | here, 1))[0] not in {401, 429}


async def test_a_token_that_was_never_seen_counts_for_its_address(server: Running) -> None:
    here = behind_a_proxy()
    guesses = [
        (await server.http.get("/api/auth/whoami", headers=here | bearer(f"jvk_{number}"))).status_code
        for number in range(LIMIT + 1)
    ]
    assert guesses == [401] * LIMIT + [429]
    anna = await joined(server)
    body = {"username": anna.name, "password": PASSWORD}
    unseen = (await server.http.post("/api/auth/login", json=body, headers=here)).json()["token"]
    assert await statuses(server, READS, bearer(unseen) | here, 1) == [429]
    assert await statuses(server, READS, bearer(unseen) | behind_a_proxy(), 1) == [200]
    assert await statuses(server, READS, bearer(unseen) | here, 1) == [200]


async def test_every_kind_has_a_budget_of_its_own(server: Running) -> None:
    headers = (await joined(server)).headers | behind_a_proxy()
    assert await statuses(server, READS, headers, LIMIT) == [200] * (LIMIT - 1) + [429]
    for what in (CHATS, SPEAKS):
        asked = await statuses(server, what, headers)
        assert 429 not in asked[:LIMIT]
        assert asked[LIMIT] == 429
    assert await statuses(server, SIGNS_IN, headers) == [415] * LIMIT + [429]


async def test_messages_on_a_socket_count_as_requests_do(server: Running, llm: ScriptedModel) -> None:
    anna = await joined(server)
    headers = anna.headers | behind_a_proxy()
    assert await statuses(server, CHATS, headers, LIMIT - 2) == [404] * (LIMIT - 2)
    async with socket(server, additional_headers=headers) as ws:
        await ws.say("first")
        assert (await ws.to_end())[-1]["type"] == "chat_response"
        await ws.send({"message": "second"})
        assert (await ws.next())["response"] == "You said: second"
        await ws.say("third", request_id="mine")
        refused = await ws.next()
        assert (refused["type"], refused["code"], refused["request_id"]) == ("error", "rate_limited", "mine")
        await ws.send({"message": "fourth"})
        assert (await ws.next())["code"] == "rate_limited"
        assert await ws.silent()
        for _ in range(LIMIT):  # asking for a key and the upgrade counted as reads
            await ws.send({"type": "resume", "turn_id": NOBODY})
        codes = [(await ws.next())["code"] for _ in range(LIMIT)]
        assert sorted(codes) == ["not_found"] * (LIMIT - 2) + ["rate_limited"] * 2
        assert await ws.silent()
    assert {record.last_user_message for record in llm.log.generating} == {"first", "second"}


async def sign_ins(server: Running, name: str, times: int) -> list[int]:
    """Try to sign in with a wrong password at the same time, each from an address of its own."""

    async def try_it() -> int:
        body = {"username": name, "password": "guessed at random"}
        response = await server.http.post("/api/auth/login", json=body, headers=behind_a_proxy())
        if response.status_code == 429:
            assert 0 < int(response.headers["retry-after"]) <= 12
        return response.status_code

    return sorted(await asyncio.gather(*(try_it() for _ in range(times))))


async def test_an_account_is_tried_five_times_a_minute(server: Running) -> None:
    known = a_word()
    await add_account(server, known)
    for name in (known, a_word()):
        assert await sign_ins(server, name, 7) == [401] * 5 + [429] * 2
    assert await sign_ins(server, a_word(), 1) == [401]


async def test_the_right_password_has_to_wait_too(server: Running) -> None:
    anna = await joined(server)
    await sign_ins(server, anna.name, 5)
    body = {"username": anna.name, "password": PASSWORD}
    refused = await server.http.post("/api/auth/login", json=body, headers=behind_a_proxy())
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")


async def test_an_address_signs_in_so_often_whoever_it_is(server: Running) -> None:
    here = behind_a_proxy()
    asked: list[httpx.Response] = []
    for _ in range(LIMIT + 1):
        body: Json = {"username": a_word(), "password": "guessed at random"}
        asked.append(await server.http.post("/auth/login", json=body, headers=here))
    assert [response.status_code for response in asked] == [401] * LIMIT + [429]
    assert_limited(asked[-1], "login")


async def test_probes_and_preflights_are_free(server: Running) -> None:
    here = behind_a_proxy()
    await statuses(server, READS, here)
    for path in ("/health", "/ready", "/metrics"):
        answers = [await server.http.get(path, headers=here) for _ in range(2 * LIMIT)]
        assert {answer.status_code for answer in answers} == {200}
        assert not any("ratelimit" in answer.headers for answer in answers)
    assert await statuses(server, ("OPTIONS", "/api/chat"), here | PREFLIGHT, 2 * LIMIT) == [204] * 2 * LIMIT
    assert await statuses(server, READS, here, 1) == [429]


async def test_what_anybody_wrote_left_of_our_proxies_is_not_believed(server: Running) -> None:
    mine = next(_addresses)
    asked = [
        (await statuses(server, READS, behind_a_proxy(f"{forged}, {mine}, 127.0.0.1"), 1))[0]
        for forged in (f"198.51.100.{number}" for number in range(LIMIT + 1))
    ]
    assert asked == [401] * LIMIT + [429]


async def test_without_proxies_of_ours_nobody_is_believed(database_url: str, model: ScriptedModel) -> None:
    async with guarded(database_url, model.url, **RATES) as server:
        asked = [(await statuses(server, READS, behind_a_proxy(), 1))[0] for _ in range(LIMIT + 1)]
        assert asked == [401] * LIMIT + [429]


async def test_where_nobody_signs_in_nothing_is_limited(database_url: str, model: ScriptedModel) -> None:
    async with running(database_url, model.url, **RATES) as server:
        answers = [await server.http.get(READS[1]) for _ in range(3 * LIMIT)]
        assert {answer.status_code for answer in answers} == {200}
        assert not any("ratelimit" in answer.headers for answer in answers)
        assert 429 not in await statuses(server, SIGNS_IN, {})


async def test_metrics_may_be_for_the_owner_alone(database_url: str, model: ScriptedModel) -> None:
    async with guarded(database_url, model.url, metrics_public="false") as server:
        owner, member = await join(server, "anna"), await join(server, "ben")
        for path in ("/metrics", "/metrics/"):
            assert (await server.http.get(path)).status_code == 401
            refused = await server.http.get(path, headers=member.headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            for headers in (owner.headers, {"X-API-Key": owner.key}):
                told = await server.http.get(path, headers=headers)
                assert (told.status_code, "jarvis_build_info" in told.text) == (200, True)
        assert (await server.http.get("/health")).status_code == 200
        assert (await server.http.get("/ready")).status_code == 200
