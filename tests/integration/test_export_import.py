"""Exports and imports: what comes back is what was there, and what is no export is refused whole."""

import asyncio
import json
from typing import Any

import pytest

from jarvis.adapters.postgres.conversations import PostgresConversations
from jarvis.core.errors import Overloaded
from jarvis.services.conversations import EXPORTED_POSITIONS, Conversations
from tests.clients import (
    PATIENCE_S,
    Json,
    a_word,
    bare_connection,
    chat,
    messages_of,
    query,
    streamed,
)
from tests.running import Running
from tests.scripted_model import Script, ScriptedModel

IMPORT = "/api/chat/import"
TIME = "2024-02-29T23:59:59.123456Z"
NEW_IDS = {"id", "conversation_id", "turn_id", "alternative_of"}


def path_of(conversation_id: str) -> str:
    return f"/api/chat/conversation/{conversation_id}/export"


async def exported(server: Running, conversation_id: str) -> Json:
    response = await server.http.get(path_of(conversation_id))
    assert response.status_code == 200, response.text
    return response.json()


async def imported(server: Running, document: Any, **params: str) -> str:
    response = await server.http.post(IMPORT, json=document, params=params)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert (answer["conversations"], answer["messages"]) == (1, len(document["messages"]))
    return answer["conversation_id"]


def essence(document: Json) -> Json:
    """What has to be the same after a way out and in: all but ids, and alternatives by what they say."""
    said = {message["id"]: message["content"] for message in document["messages"]}
    return {
        "conversation": {
            name: value for name, value in document["conversation"].items() if name not in {"id", "user_id"}
        },
        "messages": [
            {name: value for name, value in message.items() if name not in NEW_IDS}
            | {"alternative_of": said.get(message["alternative_of"])}
            for message in document["messages"]
        ],
    }


def message(number: int, content: str | None = None, **fields: Any) -> Json:
    """One of an export; the ids are only good within it."""
    return {
        "id": f"00000000-0000-4000-8000-{number:012x}",
        "role": ("user", "assistant")[number % 2],
        "content": f"m{number}" if content is None else content,
        "status": "complete",
        "alternative_of": None,
        "created_at": TIME,
        "updated_at": TIME,
        "metadata": None,
    } | fields


def document(messages: list[Json], **fields: Any) -> Json:
    conversation = {
        "title": "A title",
        "status": "active",
        "model": None,
        "system_prompt": None,
        "created_at": TIME,
        "updated_at": TIME,
        "last_message_at": TIME,
    }
    return {"conversation": conversation | fields, "messages": messages}


DOCUMENTS = {
    "no messages": document([], last_message_at=None, title=None),
    "emoji": document([message(0, "👩‍👩‍👧 é \u2028 ' \" \\ \x7f <b>"), message(1, "\n \t")], title="✓ té"),
    "statuses": document(
        [
            message(number, "" if number % 2 else "x", status=status)
            for number, status in enumerate(
                [
                    "complete",
                    "complete",
                    "complete",
                    "cancelled",
                    "complete",
                    "interrupted",
                    "complete",
                    "failed",
                ]
            )
        ],
        status="archived",
    ),
    "unanswered": document([message(0), message(2), message(4), message(5)]),
    "roles": document([message(1), message(0, role="system"), message(2), message(3, role="tool")]),
    "alternatives": document(
        [
            message(0),
            message(1, alternative_of=message(5)["id"]),
            message(3, alternative_of=message(5)["id"]),
            message(5),
            message(2),
            message(7),
            message(9, alternative_of=message(7)["id"]),
        ]
    ),
    "metadata": document(
        [message(1, metadata={"tokens_used": 3, "temperature": 0.5, "audio": {"cut": True, "ms": 1.5}})],
        model="llama",
        system_prompt="Be\nbrief.",
    ),
    "other times": document(
        [
            message(0, created_at="0001-01-01T00:00:00.000001Z"),
            message(1, updated_at="9999-12-31T23:59:59.999998Z"),
        ],
        created_at="1965-01-01T00:00:00Z",
    ),
    "longest": document([message(0, "é" * 128 * 1024), message(1, "a" * 256 * 1024)]),
}


@pytest.mark.parametrize("given", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_what_was_imported_is_exported_again(server: Running, given: Json) -> None:
    first = await exported(server, await imported(server, given, user_id=a_word()))
    assert [one["content"] for one in first["messages"]] == [one["content"] for one in given["messages"]]
    assert essence(first)["messages"] == [
        one | {"timestamp": one["created_at"]} for one in essence(given | {"conversation": {}})["messages"]
    ]
    second = await exported(server, await imported(server, first, user_id=a_word()))
    assert essence(second) == essence(first)
    assert not {one["id"] for one in first["messages"]} & {one["id"] for one in second["messages"]}
    current = sum(one["alternative_of"] is None for one in given["messages"])
    assert first["conversation"]["message_count"] == current


async def test_many_messages_come_back_in_their_order(server: Running) -> None:
    given = document([message(number) for number in range(5_000)])
    first = await exported(server, await imported(server, given))
    assert [one["content"] for one in first["messages"]] == [f"m{number}" for number in range(5_000)]
    assert essence(await exported(server, await imported(server, first))) == essence(first)


async def test_a_real_conversation_goes_out_and_in_and_on(server: Running, llm: ScriptedModel) -> None:
    answer = await chat(server, "u0")
    await chat(server, "u1", conversation_id=answer["conversation_id"])
    again = await server.http.post(f"/api/chat/conversation/{answer['conversation_id']}/regenerate")
    assert again.status_code == 200
    first = await exported(server, answer["conversation_id"])
    assert [one["alternative_of"] is None for one in first["messages"]] == [True, True, True, False, True]
    copy = await imported(server, first, user_id="eve")
    assert essence(await exported(server, copy)) == essence(first)
    again = await server.http.post(f"/api/chat/conversation/{copy}/regenerate")
    assert again.status_code == 200
    await chat(server, "u2", conversation_id=copy)
    said = [one["content"] for one in await messages_of(server, copy)]
    assert said[::2] == ["u0", "u1", "u2"]
    assert len(said) == 6
    assert len((await exported(server, copy))["messages"]) == 8
    del llm


async def test_an_import_belongs_to_the_profile_that_is_named(server: Running) -> None:
    given = document([message(0)], user_id="somebody", id=message(9)["id"])
    copy = await imported(server, given, user_id="fay")
    assert (await exported(server, copy))["conversation"]["user_id"] == "fay"
    assert copy != given["conversation"]["id"]
    response = await server.http.get("/api/chat/search", params={"q": "m0", "user_id": "fay"})
    assert [hit["message"]["conversation_id"] for hit in response.json()["results"]] == [copy]


REFUSED: dict[str, tuple[Any, str]] = {
    "empty": (b"", ""),
    "not json": (b"{", ""),
    "no object": (b"[]", ""),
    "no conversation": ({"messages": []}, "conversation"),
    "no messages": ({"conversation": document([])["conversation"]}, "messages"),
    "messages null": (document([]) | {"messages": None}, "messages"),
    "no element": (document([]) | {"messages": [1]}, "messages[0]"),
    "role": (document([message(0, role="boss")]), "messages[0].role"),
    "status": (document([message(0), message(1, status="lost")]), "messages[1].status"),
    "content missing": (document([{"role": "user", "created_at": TIME}]), "messages[0].content"),
    "content number": (document([message(0) | {"content": 5}]), "messages[0].content"),
    "content too long": (document([message(0), message(1, "é" * 131_073)]), "messages[1].content"),
    "no time": (document([message(0, created_at="yesterday")]), "messages[0].created_at"),
    "time without offset": (
        document([message(0, created_at="2024-01-01T00:00:00")]),
        "messages[0].created_at",
    ),
    "time outside": (
        document([message(0, updated_at="0001-01-01T00:00:00+14:00")]),
        "messages[0].updated_at",
    ),
    "time at the end": (
        document([message(0, created_at="9999-12-31T23:59:59.999999Z")]),
        "messages[0].created_at",
    ),
    "conversation's time": (
        document([], last_message_at="9999-12-31T23:00:00-14:00"),
        "conversation.last_message_at",
    ),
    "title": (document([], title="x" * 201), "conversation.title"),
    "prompt": (document([], system_prompt="x" * 32_001), "conversation.system_prompt"),
    "conversation's status": (document([], status="lost"), "conversation.status"),
    "same id": (document([message(0), message(0)]), "messages[1].id"),
    "unknown alternative": (
        document([message(1, alternative_of=message(7)["id"])]),
        "messages[0].alternative_of",
    ),
    "own alternative": (
        document([message(1, alternative_of=message(1)["id"])]),
        "messages[0].alternative_of",
    ),
    "circle": (
        document([message(1, alternative_of=message(3)["id"]), message(3, alternative_of=message(1)["id"])]),
        "messages[0].alternative_of",
    ),
    "nul": (document([message(0), message(1, "a\0b")]), "messages[1].content"),
    "surrogate": (document([message(0, "a\ud800b")]), "messages[0].content"),
    "unknown nul": (document([message(0)]) | {"extra": {"deep": "\0"}}, "extra.deep"),
    "big integer": (document([message(0, extra=2**64)]), "messages[0].extra"),
    "too deep": (
        json.dumps(document([message(0)])).replace('"m0"', "[" * 31 + "]" * 31).encode(),
        "",
    ),
    "deeper": (b'{"x":' + b"[" * 100_000, ""),
    "not utf-8": (
        json.dumps(document([message(0, "xyz")])).replace("xyz", "\xff").encode("latin-1"),
        "messages[0]",
    ),
    "more after it": (json.dumps(document([])).encode() + b"{}", ""),
    "comma": (json.dumps(document([message(0)])).replace("}]", "},]").encode(), ""),
    "one value too large": (document([message(0, extra="x" * 2**22)]), "messages[0]"),
}


@pytest.mark.parametrize(("given", "field"), REFUSED.values(), ids=REFUSED)
async def test_what_is_no_export_is_refused_by_name_and_whole(
    server: Running, given: Any, field: str
) -> None:
    user = a_word()
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    response = await server.http.post(
        IMPORT, content=body, params={"user_id": user}, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request"), response.text
    assert [error["field"] for error in response.json()["errors"]] == [field], response.text
    listed = await server.http.get("/api/chat/conversations", params={"user_id": user})
    assert listed.json()["total"] == 0


async def test_an_import_is_json_of_a_certain_size(server: Running) -> None:
    response = await server.http.post(IMPORT, content=b"{}", headers={"Content-Type": "text/plain"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    too_large = str(64 * 2**20 + 1)
    async with bare_connection(server) as connection:
        connection.post(IMPORT, {}, extra_head=f"X-Unused: 1\r\nContent-Length: {too_large}\r\n")
        head = await connection.read_until(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


async def test_the_file_is_named_after_the_title(server: Running) -> None:
    copy = await imported(server, document([], title='Été "à/la" plage; ✓'))
    response = await server.http.get(path_of(copy))
    assert response.headers["content-disposition"] == (
        'attachment; filename="Ete a la plage.json"; '
        "filename*=UTF-8''%C3%89t%C3%A9%20%C3%A0%20la%20plage%3B%20%E2%9C%93.json"
    )
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


async def test_markdown_has_everything_that_was_said_as_it_was(server: Running) -> None:
    code = "```python\nprint('<b>')\n```"
    given = document(
        [
            message(0, "# Why?"),
            message(3, "old", alternative_of=message(1)["id"]),
            message(1, code, status="cancelled"),
        ],
        title="Some *title*",
    )
    copy = await imported(server, given)
    response = await server.http.get(path_of(copy), params={"format": "markdown"})
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert response.text == (
        "# Some *title*\n\n2024-02-29 23:59 UTC\n"
        "\n## You\n\n*2024-02-29 23:59 UTC*\n\n# Why?\n"
        "\n## Jarvis\n\n*2024-02-29 23:59 UTC, an earlier answer*\n\nold\n"
        f"\n## Jarvis\n\n*2024-02-29 23:59 UTC, cancelled*\n\n{code}\n"
    )
    response = await server.http.get(path_of(copy), params={"format": "pdf"})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "format")


async def test_an_export_has_what_was_asked_until_it_began(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    answer = await chat(server, "u0")
    llm.script(Script(gate=gate))
    async with streamed(server, "u1", conversation_id=answer["conversation_id"]) as events:
        await events.next()
        told = await exported(server, answer["conversation_id"])
        llm.release(gate)
        await events.rest()
    assert [one["content"] for one in told["messages"]] == ["u0", "You said: u0", "u1"]


async def test_an_export_that_fails_midway_is_cut_off(server: Running) -> None:
    long = [message(number, f"{number} " + "x" * 200_000) for number in range(2 * EXPORTED_POSITIONS)]
    copy = await imported(server, document(long))
    async with bare_connection(server) as connection:
        connection._writer.write(f"GET {path_of(copy)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())  # pyright: ignore[reportPrivateUsage]  # a GET
        await connection.read_until(b"\r\n\r\n")
        response = await server.http.delete(f"/api/chat/conversation/{copy}")
        assert response.status_code == 200, response.text
        received = bytearray()
        async with asyncio.timeout(PATIENCE_S):
            while data := await connection._reader.read(2**20):  # pyright: ignore[reportPrivateUsage]  # to the end
                received += data
    assert b"0 xxx" in received
    assert not received.endswith(b"0\r\n\r\n")


async def test_imports_wait_for_each_other_a_while(server: Running) -> None:
    services = server.assembly.services
    async with services.conversations.importing():
        waiting = asyncio.create_task(imported(server, document([message(0)])))
        assert await messages_of(server, (await chat(server, "Hi"))["conversation_id"])
        assert not waiting.done()
    await waiting
    impatient = Conversations(
        store=PostgresConversations(server.assembly.database),
        turns=services.turns,
        feed=services.feed,
        import_patience_s=0,
    )
    async with impatient.importing():
        with pytest.raises(Overloaded):
            async with impatient.importing():
                pass
    async with impatient.importing():
        pass


async def test_imports_are_stored_whole_or_not_at_all(server: Running) -> None:
    (before,) = await query(server, "SELECT count(*) FROM messages")
    given = document([message(number) for number in range(2_000)] + [message(2_000, role="nobody")])
    response = await server.http.post(IMPORT, json=given)
    assert response.status_code == 400
    (after,) = await query(server, "SELECT count(*) FROM messages")
    assert after == before
