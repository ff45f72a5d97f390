"""Search over HTTP: what is found, in which order, how it is shown, and in which pages."""

from typing import Any

import pytest

from tests.clients import Json, a_word, chat, query
from tests.running import Running

TIME = "2024-01-01T00:00:00Z"


async def found(server: Running, q: str, **params: Any) -> Json:
    response = await server.http.get("/api/chat/search", params={"q": q, **params})
    assert response.status_code == 200, response.text
    return response.json()


async def tell(server: Running, user: str, *texts: str, **fields: Any) -> str:
    """Make a conversation of these user messages, without a model."""
    document = {
        "conversation": {"title": "Told", "created_at": TIME} | fields,
        "messages": [{"role": "user", "content": text, "created_at": TIME} for text in texts],
    }
    response = await server.http.post("/api/chat/import", json=document, params={"user_id": user})
    assert response.status_code == 200, response.text
    return response.json()["conversation_id"]


def contents(page: Json) -> list[str]:
    return [hit["message"]["content"] for hit in page["results"]]


async def test_a_hit_tells_the_message_its_conversation_and_what_stands_there(server: Running) -> None:
    user = a_word()
    answer = await chat(server, "Où sont les crêpes au beurre ?", user_id=user)
    page = await found(server, "crepe", user_id=user)
    assert (page["total"], page["next_cursor"]) == (2, None)  # the scripted model repeats the question
    by_role = {hit["message"]["role"]: hit for hit in page["results"]}
    assert by_role["assistant"]["message"] == answer["message"]
    hit = by_role["user"]
    assert hit["conversation_title"] == "Où sont les crêpes au beurre ?"
    assert hit["snippet"] == "Où sont les crêpes au beurre ?"
    assert hit["score"] > 0
    assert hit.keys() == {"message", "conversation_title", "snippet", "score"}


@pytest.mark.parametrize(
    ("q", "said"),
    [("zebra", "<b>zebras</b> & vector<int> run"), ("château", "Deux châteaux anciens.")],
    ids=["english", "french"],
)
async def test_a_snippet_is_cut_around_the_match_and_stays_as_it_is(
    server: Running, q: str, said: str
) -> None:
    user = a_word()
    await tell(server, user, "before " * 100 + said + " after" * 100)
    (hit,) = (await found(server, q, user_id=user))["results"]
    assert said in hit["snippet"]
    assert hit["snippet"].startswith("…before")
    assert hit["snippet"].endswith("after…")
    assert len(hit["snippet"]) <= 300


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("cats", ["cats and dogs", "one cat"]),
        ("cat dog", ["cats and dogs"]),
        ("cat -dog", ["one cat"]),
        ('"dogs and cats"', []),
        ("hopital or dog", ["L'hôpital", "cats and dogs"]),
        ("unheard", []),
        ("the", []),
        ("' & | ! :* \\ %", []),
    ],
)
async def test_words_phrases_and_exclusions(server: Running, q: str, expected: list[str]) -> None:
    user = a_word()
    await tell(server, user, "cats and dogs", "one cat", "L'hôpital", "birds")
    page = await found(server, q, user_id=user)
    assert sorted(contents(page)) == sorted(expected)
    assert page["total"] == len(expected)


async def test_only_the_profile_and_only_what_is_current(server: Running) -> None:
    mine, theirs = a_word(), a_word()
    await tell(server, mine, "a walrus", status="archived")
    await tell(server, theirs, "another walrus")
    assert contents(await found(server, "walrus", user_id=mine)) == ["a walrus"]
    answer = await chat(server, "say narwhal", user_id=mine)
    again = await server.http.post(f"/api/chat/conversation/{answer['conversation_id']}/regenerate")
    assert again.status_code == 200
    page = await found(server, "narwhal", user_id=mine)
    assert {hit["message"]["id"] for hit in page["results"]} == {
        again.json()["id"],
        (await query(server, "SELECT id::text FROM messages WHERE content = 'say narwhal'"))[0]["id"],
    }


async def test_pages_miss_nothing_and_repeat_nothing_while_more_is_said(server: Running) -> None:
    user = a_word()
    await tell(server, user, *(f"otter {'otter ' * (n % 3)}number {n}" for n in range(20)))
    seen: list[Json] = []
    cursor: Json = {}
    while True:
        page = await found(server, "otter", user_id=user, limit=6, **cursor)
        assert page["total"] >= 20
        seen += page["results"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
        await tell(server, user, "a new otter", "otter otter otter otter otter")
    told = [hit["message"]["content"] for hit in seen if "number" in hit["message"]["content"]]
    assert len(told) == len(set(told)) == 20
    assert len({hit["message"]["id"] for hit in seen}) == len(seen)
    assert [hit["score"] for hit in seen] == sorted((hit["score"] for hit in seen), reverse=True)


async def test_of_very_common_words_the_newest_are_found_also_over_pages(server: Running) -> None:
    user = a_word()
    await tell(server, user, *(f"yak {n}" for n in range(400)))
    first = await found(server, "yak", user_id=user, limit=100)
    await chat(server, "yak", user_id=user)
    second = await found(server, "yak", user_id=user, limit=100, cursor=first["next_cursor"])
    assert (first["total"], second["total"], second["next_cursor"]) == (200, 200, None)
    ids = {hit["message"]["id"] for hit in first["results"] + second["results"]}
    assert len(ids) == 200


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": " \t"}, "q"),
        ({"q": "x" * 1001}, "q"),
        ({"q": "a\0b"}, "q"),
        ({"q": "x", "limit": "0"}, "limit"),
        ({"q": "x", "limit": "99999999999999999999"}, "limit"),
        ({"q": "x", "cursor": "nonsense"}, "cursor"),
        ({"q": "x", "user_id": "no/such"}, "user_id"),
    ],
    ids=str,
)
async def test_a_question_that_is_none_is_refused_by_name(
    server: Running, params: dict[str, str], field: str
) -> None:
    response = await server.http.get("/api/chat/search", params=params)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    assert response.json()["errors"][0]["field"] == field


async def test_the_longest_question_and_the_largest_page_are_answered(server: Running) -> None:
    user = a_word()
    await tell(server, user, "é" * 1000, "é " * 60_000)
    assert (await found(server, "é" * 1000, user_id=user))["total"] == 1
    assert (await found(server, "x " * 500, user_id=user, limit=10**6))["total"] == 0
