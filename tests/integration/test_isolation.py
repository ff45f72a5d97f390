"""What is another's does not exist: whatever names it is answered as if it named nothing.

All of it holds without the filters on the user in Jarvis's own statements too (tests/mutated.py): then by row
security alone.
"""

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from tests.clients import Json, socket
from tests.isolation import frames, probes
from tests.isolation.frames import as_text, told
from tests.isolation.inputs import id_inputs
from tests.isolation.probes import Answer, ask, differences, forged, renamed, scrubbed
from tests.isolation.stand import BUILDS, CANARY, GATE, SPOKEN, Stand, populated
from tests.people import bearer
from tests.postgres import PostgresServer
from tests.running import in_one_task

EXEMPT = {
    "ChatMessageFrame: request_id": "the sender's own mark, which comes back to him alone",
    **dict.fromkeys(
        (
            "ChatMessageFrame: idempotency_key",
            "POST /api/chat: Idempotency-Key",
            "POST /api/chat/conversation/{conversation_id}/regenerate: Idempotency-Key",
        ),
        "one key space for each user; a foreign key is a new one",
    ),
    "POST /api/auth/refresh: refresh_token": "a secret: whoever has it is who it was given to",
}
ELSEWHERE = {
    *("GET /api/chat/conversations: cursor", "GET /api/chat/search: cursor", "GET /api/memory/list: cursor"),
    *("GET /api/chat/history: cursor", "GET /api/chat/history/{conversation_id}: cursor"),
    *("POST /api/chat/import: id", "POST /api/chat/import: alternative_of"),
    *("POST /api/auth/logout: refresh_token", "SubscribeFrame: user_id", "GET /ws: user_id"),
}
"""Looked at by a test of its own, below."""


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=BUILDS.values(), ids=BUILDS.keys())
async def populated_stand(
    request: pytest.FixtureRequest, postgres: PostgresServer, migrated_template: str
) -> AsyncGenerator[Stand]:
    module: Any = request.param  # pyright: ignore[reportUnknownMemberType]  untyped
    async with in_one_task(populated(postgres, migrated_template, module=module)) as stand:
        yield stand


@pytest_asyncio.fixture
async def stand(populated_stand: Stand) -> AsyncGenerator[Stand]:
    """The stand; the test fails if a row of anna's or sam's changes, or her turns are not held any more."""
    before = await populated_stand.rows(of=("anna", "sam"))
    yield populated_stand
    assert await populated_stand.rows(of=("anna", "sam")) == before
    assert populated_stand.model.log.running == len(populated_stand.held) - 8


async def schema_of(stand: Stand) -> Json:
    return (await stand.ask("GET", "/schema/openapi.json", who="ben")).json()


def some_of(stand: Stand) -> dict[str, str]:
    """Return an id of each kind."""
    names = ("conversation busy", "turn running", "memory kept", "key")
    return {name: stand.theirs[name] for name in names}


async def test_every_input_that_names_something_is_looked_at(stand: Stand) -> None:
    schema = await schema_of(stand)
    http = (*probes.by_path(schema), *probes.in_chat())
    http += tuple(probes.by_name(schema, probes.valid_requests(stand, "cleo")))
    sockets = (*frames.of_turn(), *frames.of_conversation(), *frames.spoken(), *frames.by_name())
    looked_at = {name for probe in (*http, *sockets) for name in probe.covers} | ELSEWHERE
    assert id_inputs(schema) == looked_at | set(EXEMPT)
    assert not looked_at & set(EXEMPT)


@pytest.mark.parametrize("who", ["ben", "olga", "a key"])
async def test_anothers_id_in_a_path_is_a_random_one(stand: Stand, who: str) -> None:
    headers = {"X-API-Key": stand.people["ben"].key} if who == "a key" else stand.people[who].headers
    by_path = list(probes.by_path(await schema_of(stand)))
    assert await differences(stand, headers, [probe for probe in by_path if probe.covers]) == []
    wrong_verbs = [probe for probe in by_path if not probe.covers]
    assert await differences(stand, headers, wrong_verbs, some_of(stand)) == []


@pytest.mark.parametrize("who", ["ben", "olga"])
async def test_anothers_conversation_cannot_be_spoken_in_or_looked_into(stand: Stand, who: str) -> None:
    assert await differences(stand, stand.people[who].headers, probes.in_chat()) == []


@pytest.mark.parametrize("who", ["sam", "gus"])
async def test_who_is_gone_learns_nothing_not_even_of_his_own(stand: Stand, who: str) -> None:
    ids = some_of(stand) | {"himself": stand.mine[who]}
    every = (*probes.by_path(await schema_of(stand)), *probes.in_chat())
    refused = [probe for probe in every if probe.covers]
    for headers in (stand.people[who].headers, {"X-API-Key": stand.people[who].key}):
        assert await differences(stand, headers, refused, ids) == []
        answer = await ask(stand, headers, refused[0].request(stand.mine[who]))
        assert answer.status == 401


async def test_anothers_name_is_ignored(stand: Stand) -> None:
    headers = stand.people["cleo"].headers
    for probe in probes.by_name(await schema_of(stand), probes.valid_requests(stand, "cleo")):
        answers = [
            scrubbed(await ask(stand, headers, probe.request(name)))
            for name in ("nobody1", "nobody2", "anna", "olga", "cleo")
        ]
        # The first may do something that the others only find done.
        assert answers[2:] == [answers[1]] * 3, probe.name
        assert answers[0].status == answers[1].status in {200, 404}, answers[0]
        assert CANARY not in str(answers), probe.name


async def test_anothers_cursor_leads_nowhere_else_than_a_random_one(stand: Stand) -> None:
    headers, own = stand.people["ben"].headers, stand.mine["ben"]
    at: list[tuple[str, str, Json]] = [
        ("conversations", "/api/chat/conversations", {}),
        ("search", "/api/chat/search", {"q": f"{CANARY} says"}),
        ("history", "/api/chat/history", {"conversation_id": own}),
        ("history", f"/api/chat/history/{own}", {}),
        ("list", "/api/memory/list", {}),
    ]
    for name, url, params in at:
        answers = [
            await ask(stand, headers, {"method": "GET", "url": url, "params": params | {"cursor": cursor}})
            for cursor in (forged(stand.cursors[name]), forged(stand.cursors[name]), stand.cursors[name])
        ]
        assert answers[1:] == [answers[0]] * 2
        assert answers[0].status == 200
        assert CANARY not in answers[0].body


async def test_an_import_with_anothers_ids_is_as_one_with_random_ones(stand: Stand) -> None:
    address = f"/api/chat/conversation/{stand.theirs['conversation quiet']}/export"
    document = (await stand.ask("GET", address, who="anna")).json()
    assert document["messages"][1]["alternative_of"], "nothing refers to another message"
    dangling = dict(document, messages=document["messages"][:2])
    for sent in (document, dangling):
        seen: list[tuple[Answer, str]] = []
        for each in (renamed(sent), sent):
            headers = stand.people["ben"].headers
            answer = await ask(stand, headers, {"method": "POST", "url": "/api/chat/import", "json": each})
            exported = ""
            if answer.status == 200:
                made = json.loads(answer.body)["conversation_id"]
                url = f"/api/chat/conversation/{made}/export"
                exported = scrubbed(await ask(stand, headers, {"method": "GET", "url": url})).body
                assert not probes.ids_in(sent) & probes.ids_in(exported)
            seen.append((scrubbed(answer), exported))
        assert seen[0] == seen[1]


async def test_anothers_refresh_token_ends_no_session_and_says_nothing(stand: Stand) -> None:
    answers: list[Answer] = []
    for shown in ("jrt_" + "x" * 43, stand.people["anna"].refresh_token):
        login = {"username": "cleo", "password": "correct horse battery staple"}
        session = (await stand.ask("POST", "/api/auth/login", json=login)).json()
        for headers in (bearer(session["access_token"]), {"X-API-Key": stand.people["cleo"].key}):
            request = {"method": "POST", "url": "/api/auth/logout", "json": {"refresh_token": shown}}
            answers.append(await ask(stand, headers, request))
    assert answers[:2] == answers[2:]
    await stand.ask("GET", "/api/auth/whoami", who="anna")


@pytest.mark.parametrize("who", ["ben", "olga"])
async def test_anothers_turn_on_a_socket_is_a_random_one(stand: Stand, who: str) -> None:
    assert await frames.differences(stand, who, frames.of_turn(), "turn") == []


@pytest.mark.parametrize("who", ["ben", "olga"])
async def test_anothers_conversation_on_a_socket_is_a_random_one(stand: Stand, who: str) -> None:
    assert await frames.differences(stand, who, frames.of_conversation(), "conversation") == []


async def test_anothers_conversation_cannot_be_spoken_in_aloud(stand: Stand) -> None:
    assert await frames.differences(stand, "ben", frames.spoken(), "conversation") == []


async def test_anothers_name_on_a_socket_is_ignored(stand: Stand) -> None:
    headers = stand.people["cleo"].headers
    for probe in frames.by_name():
        answers = [
            as_text(await told(stand, headers, probe.frames(name), to_end=True))
            for name in ("nobody", "anna")
        ]
        assert answers[0] == answers[1]
        assert CANARY not in answers[1]
        assert '"user_id":"cleo"' in answers[1]


async def test_what_the_server_calls_a_request_does_not_tell_how_many_there_were(stand: Stand) -> None:
    first, second = [
        (await stand.ask("GET", "/api/auth/whoami", who="ben")).headers["x-request-id"] for _ in range(2)
    ]
    assert len(first) == len(second)
    assert first[:8] != second[:8]
    assert first[-8:] != second[-8:]


@pytest.mark.parametrize("way", ["frame", "address"])
async def test_who_subscribes_to_another_hears_of_himself(stand: Stand, way: str) -> None:
    subscribe = {"type": "subscribe", "channels": ["conversations"]}
    named = subscribe | {"user_id": "olga"} if way == "frame" else subscribe
    server = stand.server if way == "frame" else stand.at("?user_id=olga")
    async with (
        socket(stand.server, additional_headers=stand.people["olga"].headers) as olga,
        socket(server, additional_headers=stand.people["ben"].headers) as ben,
    ):
        await olga.send(subscribe)
        await ben.send(named)
        assert await olga.silent()
        assert await ben.silent()
        await stand.ask("POST", "/api/chat/conversation", who="olga", json={"title": "canaryolga"})
        assert (await olga.next())["conversation"]["title"] == "canaryolga"
        await stand.ask("POST", "/api/chat/conversation", who="ben", json={"title": "canaryben"})
        assert (await ben.next())["conversation"]["title"] == "canaryben"
        assert await ben.silent()
        assert await olga.silent()


async def test_hers_have_gone_on_and_end_whole(populated_stand: Stand) -> None:
    stand = populated_stand
    stand.model.release(GATE)
    for turn_id in stand.held:
        events = await stand.ask("GET", f"/api/chat/turns/{turn_id}/events", who="anna")
        assert '"status":"complete"' in events.text
    spoken = await stand.ask("GET", f"/api/chat/turns/{stand.theirs['turn spoken']}", who="anna")
    assert spoken.json()["text"] == f"{SPOKEN} And more."
    found = (await stand.ask("GET", "/api/memory/search?q=ferret", who="anna")).json()["results"]
    assert stand.theirs["memory kept"] in {memory["id"] for memory in found}
