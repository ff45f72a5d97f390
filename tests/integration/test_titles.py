"""What a conversation is called: after its first message, then as the model says, and at no turn's cost."""

import asyncio

from jarvis.core.titles import REQUESTS
from tests.clients import Json, a_word, asked_of, chat, query, socket
from tests.running import Running
from tests.scripted_model import Hang, Record, Refuse, Script, ScriptedModel

SUBSCRIBE = {"type": "subscribe", "channels": ["conversations"]}


async def title_of(server: Running, conversation_id: str) -> tuple[str, bool]:
    ((title, settled),) = await query(
        server,
        "SELECT title, title_is_settled FROM conversations WHERE id = $1::text::uuid",
        conversation_id,
    )
    return title, settled


async def settled_title(server: Running, conversation_id: str) -> str:
    async with asyncio.timeout(10):
        while True:
            title, settled = await title_of(server, conversation_id)
            if settled:
                return title
            await asyncio.sleep(0.02)  # the making of titles tells only who subscribes


async def test_first_the_messages_start_then_what_the_model_says(
    jarvis: Running, model: ScriptedModel
) -> None:
    word = a_word()
    model.script(Script(text='**Title:** "A Cat Called Mistral."', gate=word), match=REQUESTS["en"])
    async with socket(jarvis) as connection:
        await connection.send(SUBSCRIBE)
        assert await connection.silent()
        first = await chat(jarvis, "Hello Jarvis,\nmy cat is called Mistral")
        assert await title_of(jarvis, first["conversation_id"]) == ("Hello Jarvis,", False)
        await asked_of(model, REQUESTS["en"], waiting=True)
        model.release(word)
        while (told := await connection.next())["conversation"]["title"] != "A Cat Called Mistral":
            assert told["event"] in {"created", "updated"}
    assert told["event"] == "updated"
    assert await title_of(jarvis, first["conversation_id"]) == ("A Cat Called Mistral", True)


async def test_it_is_asked_in_the_language_of_the_conversation_after_the_exchange(
    jarvis: Running, model: ScriptedModel
) -> None:
    model.script(Script(text="Là-bas."), match="gare")
    first = await chat(jarvis, "Où est la gare ?")
    record = await asked_of(model, REQUESTS["fr"])
    assert [(said.role, said.content) for said in record.messages[1:-1]] == [
        ("user", "Où est la gare ?"),
        ("assistant", "Là-bas."),
    ]
    assert record.model == first["model"]
    await settled_title(jarvis, first["conversation_id"])


async def test_a_turn_ends_the_asking_at_once_and_it_is_asked_again_later(
    jarvis: Running, model: ScriptedModel
) -> None:
    model.script_next(Script(fault=Hang()), match=REQUESTS["en"])
    model.script(Script(text="A title"), match=REQUESTS["en"])
    first = await chat(jarvis, "one")
    asking = await asked_of(model, REQUESTS["en"])
    second = await chat(jarvis, "two")
    await model.wait_for(lambda _: asking.ended_s)
    assert asking.outcome == "client_disconnected"
    answering = (await asked_of(model, "two")).started_s
    assert asking.ended_s is not None
    assert asking.ended_s - answering < 1.0
    for answer in (first, second):
        assert await settled_title(jarvis, answer["conversation_id"]) == "A title"


async def test_no_title_is_asked_for_while_a_turn_runs(jarvis: Running, model: ScriptedModel) -> None:
    word = a_word()
    model.script(Script(tokens=3, gate=word), match=word)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(chat(jarvis, word))
        await asked_of(model, word, waiting=True)
        other = await chat(jarvis, "another conversation")
        assert _titles(model) == []
        model.release(word)
    for answer in (running.result(), other):
        await settled_title(jarvis, answer["conversation_id"])
    assert max(record.concurrency for record in _titles(model)) == 1


def _titles(model: ScriptedModel) -> list[Record]:
    return [record for record in model.log.generating if record.last_user_message in REQUESTS.values()]


async def test_a_model_that_gives_no_title_leaves_the_messages_start_for_good(
    jarvis: Running, model: ScriptedModel
) -> None:
    model.script(Script(text="word " * 40), match=REQUESTS["en"])
    first = await chat(jarvis, "Hello")
    assert await settled_title(jarvis, first["conversation_id"]) == "Hello"
    await chat(jarvis, "more", conversation_id=first["conversation_id"])
    other = await chat(jarvis, "Bye")
    await settled_title(jarvis, other["conversation_id"])
    assert len(_titles(model)) == 2


async def test_with_the_model_away_the_next_turn_wishes_again(jarvis: Running, model: ScriptedModel) -> None:
    model.script_next(Script(fault=Refuse(status=503)), match=REQUESTS["en"])
    model.script(Script(text="A title"), match=REQUESTS["en"])
    first = await chat(jarvis, "Hello")
    await model.wait_for(lambda _: [record for record in _titles(model) if record.outcome])
    assert await title_of(jarvis, first["conversation_id"]) == ("Hello", False)
    await chat(jarvis, "more", conversation_id=first["conversation_id"])
    assert await settled_title(jarvis, first["conversation_id"]) == "A title"


async def test_a_title_that_somebody_gave_meanwhile_stays(jarvis: Running, model: ScriptedModel) -> None:
    word = a_word()
    model.script(Script(text="The models title", gate=word), match=REQUESTS["en"])
    first = await chat(jarvis, "Hello")
    await asked_of(model, REQUESTS["en"], waiting=True)
    renamed = await jarvis.http.patch(
        f"/api/chat/conversation/{first['conversation_id']}", json={"title": "Mine"}
    )
    assert renamed.status_code == 200, renamed.text
    model.release(word)
    await model.wait_for(lambda _: [record for record in _titles(model) if record.outcome])
    other = await chat(jarvis, "Bye")
    await settled_title(jarvis, other["conversation_id"])
    assert await title_of(jarvis, first["conversation_id"]) == ("Mine", True)


async def test_a_conversation_made_with_a_title_keeps_it(jarvis: Running, model: ScriptedModel) -> None:
    made: Json = (await jarvis.http.post("/api/chat/conversation", json={"title": "Mine"})).json()
    await chat(jarvis, "Hello", conversation_id=made["id"])
    other = await chat(jarvis, "Bye")
    await settled_title(jarvis, other["conversation_id"])
    assert await title_of(jarvis, made["id"]) == ("Mine", True)
    assert len(_titles(model)) == 1


async def test_a_conversation_made_without_one_is_called_after_its_first_message(jarvis: Running) -> None:
    made: Json = (await jarvis.http.post("/api/chat/conversation", json={})).json()
    assert made["title"] is None
    await chat(jarvis, "Hello", conversation_id=made["id"])
    assert (await title_of(jarvis, made["id"]))[0] == "Hello"
