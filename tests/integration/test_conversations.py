"""Conversations made, changed, deleted; the models; and pages that hold still while things are added."""

from typing import Any
from uuid import uuid4

import pytest

from tests.clients import NOBODY, Json, a_word, asked_of, chat, messages_of, query, streamed, turn_of
from tests.running import Running, in_one_task, running
from tests.scripted_model import Script, ScriptedModel

PATH = "/api/chat/conversation"
SETTINGS = {"max_message_chars": "1000"}


async def create(server: Running, **fields: Any) -> Json:
    response = await server.http.post(PATH, json=fields)
    assert response.status_code == 200, response.text
    return response.json()


async def read(server: Running, conversation_id: str) -> Json:
    response = await server.http.get(f"{PATH}/{conversation_id}")
    assert response.status_code == 200, response.text
    return response.json()


async def change(server: Running, conversation_id: str, **fields: Any) -> Json:
    response = await server.http.patch(f"{PATH}/{conversation_id}", json=fields)
    assert response.status_code == 200, response.text
    return response.json()


async def settled(server: Running, conversation_id: str) -> bool:
    (row,) = await query(
        server, "SELECT title_is_settled FROM conversations WHERE id = $1::text::uuid", conversation_id
    )
    return row["title_is_settled"]


async def test_a_new_conversation_is_empty_and_has_what_it_was_given(server: Running) -> None:
    made = await create(server, title="Plans", system_prompt="Be brief.", user_id="anna")
    assert (made["title"], made["system_prompt"], made["model"]) == ("Plans", "Be brief.", None)
    assert (made["user_id"], made["status"], made["message_count"]) == ("anna", "active", 0)
    assert made["last_message_at"] is None
    assert made["created_at"] == made["updated_at"]
    assert await read(server, made["id"]) == made
    assert await settled(server, made["id"])
    assert await messages_of(server, made["id"]) == []


async def test_blank_is_absent_and_no_body_is_an_empty_one(server: Running) -> None:
    blank = await create(server, title=" \n", system_prompt="", model="  ")
    assert (blank["title"], blank["system_prompt"], blank["model"]) == (None, None, None)
    assert not await settled(server, blank["id"])
    response = await server.http.post(PATH, params={"user_id": "ben"})
    assert (response.status_code, response.json()["user_id"]) == (200, "ben")


async def test_what_is_said_in_it_follows_its_prompt_and_gives_it_a_title(
    server: Running, llm: ScriptedModel
) -> None:
    made = await create(server, system_prompt="Speak like a pirate.")
    await chat(server, "Hello there", conversation_id=made["id"])
    record = await asked_of(llm, "Hello there")
    assert "Speak like a pirate." in record.messages[0].content
    told = await read(server, made["id"])
    assert (told["title"], told["message_count"]) == ("Hello there", 2)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": "x" * 201}, "title"),
        ({"model": "x" * 201}, "model"),
        ({"system_prompt": "x" * 1001}, "system_prompt"),
        ({"title": 5}, "title"),
        ({"model": "no-such-model"}, "model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_does_not_fit_is_refused_by_name(server: Running, fields: Json, field: str) -> None:
    made = await create(server)
    for response in (
        await server.http.post(PATH, json=fields),
        await server.http.patch(f"{PATH}/{made['id']}", json=fields),
    ):
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
        assert [error["field"] for error in response.json()["errors"]] == [field]
    assert await read(server, made["id"]) == made


async def test_only_what_is_named_changes(server: Running) -> None:
    made = await create(server, title="Old", system_prompt="Be brief.")
    renamed = await change(server, made["id"], title="New")
    assert renamed["updated_at"] > made["updated_at"]
    assert renamed == made | {"title": "New", "updated_at": renamed["updated_at"]}
    archived = await change(server, made["id"], status="archived", unknown=1)
    assert archived == renamed | {"status": "archived", "updated_at": archived["updated_at"]}
    assert await change(server, made["id"], status="archived", title="New") == archived
    assert await change(server, made["id"]) == archived
    back = await change(server, made["id"], title=None, system_prompt=None)
    assert (back["title"], back["system_prompt"]) == (None, None)
    assert not await settled(server, made["id"])


async def test_an_archived_conversation_is_in_the_other_list(server: Running) -> None:
    name = a_word()
    made = await create(server, user_id=name)
    await change(server, made["id"], status="archived")

    async def listed(status: str) -> list[str]:
        response = await server.http.get(
            "/api/chat/conversations", params={"user_id": name, "status": status}
        )
        return [conversation["id"] for conversation in response.json()["conversations"]]

    assert (await listed("active"), await listed("archived")) == ([], [made["id"]])


async def test_the_time_of_the_last_message_is_for_messages_only(server: Running) -> None:
    answer = await chat(server, "Hi")
    before = await read(server, answer["conversation_id"])
    after = await change(server, answer["conversation_id"], title="Greeting")
    assert after["last_message_at"] == before["last_message_at"]


@pytest.mark.parametrize("body", [{"status": None}, {"status": "lost"}, []], ids=str)
async def test_a_change_that_is_none_is_refused(server: Running, body: Any) -> None:
    made = await create(server)
    response = await server.http.patch(f"{PATH}/{made['id']}", json=body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


async def test_deleting_takes_everything_with_it(server: Running) -> None:
    answer = await chat(server, "Forget me", user_id="carla")
    kept = await chat(server, "Keep me", user_id="carla")
    id_ = answer["conversation_id"]
    for conversation_id in (id_, kept["conversation_id"]):
        await query(
            server,
            "INSERT INTO memories (id, user_id, content, source) SELECT $1, user_id, 'of ' || id, "
            "jsonb_build_object('conversation_id', id, 'message_ids', '[]'::jsonb) "
            "FROM conversations WHERE id = $2::text::uuid",
            *(uuid4(), conversation_id),
        )
    response = await server.http.delete(f"{PATH}/{id_}")
    assert (response.status_code, response.json()) == (200, {"conversation_id": id_, "deleted_messages": 2})
    paths = {
        "GET": [
            *(f"{PATH}/{id_}", f"{PATH}/{id_}/export", f"/api/chat/history/{id_}"),
            *(f"/api/chat/history?conversation_id={id_}", f"/api/chat/turns/{answer['turn_id']}"),
            f"/api/chat/turns/{answer['turn_id']}/events",
        ],
        "DELETE": [f"{PATH}/{id_}"],
        "PATCH": [f"{PATH}/{id_}"],
    }
    for method, gone in paths.items():
        for path in gone:
            body = {"title": "x"} if method == "PATCH" else None
            told = await server.http.request(method, path, json=body)
            never = await server.http.request(
                method, path.replace(id_, NOBODY).replace(answer["turn_id"], NOBODY), json=body
            )
            assert told.status_code == never.status_code == 404, path
            assert told.json() | {"request_id": ""} == never.json() | {"request_id": ""}
    said = await server.http.post("/api/chat", json={"message": "Hi", "conversation_id": id_})
    assert said.status_code == 404
    left = await query(
        server,
        "SELECT (SELECT count(*) FROM messages WHERE conversation_id = $1::text::uuid) AS messages, "
        "(SELECT count(*) FROM turns WHERE conversation_id = $1::text::uuid) AS turns, "
        "(SELECT array_agg(source ->> 'conversation_id') FROM memories) AS memories",
        id_,
    )
    assert tuple(left[0]) == (0, 0, [kept["conversation_id"]])


async def test_deleting_ends_what_runs_in_it(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(gate=gate))
    async with streamed(server, "Wait") as events:
        ack = await events.next()
        record = await asked_of(llm, "Wait", waiting=True)
        response = await server.http.delete(f"{PATH}/{ack['conversation_id']}")
        assert response.status_code == 200
        last = (await events.rest())[-1]
    assert (last["type"], last["status"]) == ("chat_response", "cancelled")
    await llm.wait_for(lambda _: record.ended_s)
    assert record.outcome == "client_disconnected"


async def test_a_conversation_is_found_in_any_profile_and_others_do_not_exist(server: Running) -> None:
    made = await create(server, user_id="dora")
    assert (await read(server, made["id"]))["user_id"] == "dora"
    for method in ("GET", "DELETE"):
        assert (await server.http.request(method, f"{PATH}/{NOBODY}")).status_code == 404
        assert (await server.http.request(method, f"{PATH}/nonsense")).json()["code"] == "invalid_request"


async def test_pages_of_conversations_miss_nothing_that_was_there(server: Running) -> None:
    name = a_word()
    made = [(await create(server, user_id=name))["id"] for _ in range(6)]
    seen: list[str] = []
    cursor: Json = {}
    while True:
        response = await server.http.get(
            "/api/chat/conversations", params={"user_id": name, "limit": 2, **cursor}
        )
        page = response.json()
        seen += [conversation["id"] for conversation in page["conversations"]]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
        await create(server, user_id=name)
        await chat(server, "I move to the front", conversation_id=seen[0])
    assert seen == made[::-1]


async def test_pages_of_messages_hold_still_while_more_is_said(server: Running) -> None:
    answer = await chat(server, "u0")
    id_ = answer["conversation_id"]
    for number in range(1, 4):
        await chat(server, f"u{number}", conversation_id=id_)
    expected = await messages_of(server, id_)
    seen: list[Json] = []
    cursor: Json = {}
    while True:
        response = await server.http.get(f"/api/chat/history/{id_}", params={"limit": 3, **cursor})
        seen = response.json() + seen
        if "x-next-cursor" not in response.headers:
            break
        cursor = {"cursor": response.headers["x-next-cursor"]}
        await chat(server, "later", conversation_id=id_)
    assert seen == expected


async def test_the_models_are_listed_and_one_is_the_default(server: Running) -> None:
    for path in ("/api/chat/models", "/chat/models"):
        response = await server.http.get(path)
        assert response.status_code == 200
        models = response.json()["models"]
        assert [model["name"] for model in models if model["default"]] == [server.settings.ollama_model]
        assert all({"name", "size", "modified_at", "default"} <= model.keys() for model in models)


async def test_models_of_a_server_that_is_away_are_unavailable(database_url: str) -> None:
    async with in_one_task(running(database_url, "http://127.0.0.1:9")) as lonely:
        response = await lonely.http.get("/api/chat/models")
        assert (response.status_code, response.json()["code"]) == (503, "llm_unavailable")
        made = await create(lonely, model="whatever-it-has")
    assert made["model"] == "whatever-it-has"


async def test_a_turn_of_a_deleted_conversation_is_gone(server: Running) -> None:
    answer = await chat(server, "Hi")
    assert (await turn_of(server, answer["turn_id"]))["status"] == "complete"
    await server.http.delete(f"{PATH}/{answer['conversation_id']}")
    assert (await server.http.get(f"/api/chat/turns/{answer['turn_id']}")).status_code == 404
