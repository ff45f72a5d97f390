"""What the model is really given, by its own log, and what is told of it; running summaries."""

import asyncio
import random
import re
from typing import Any
from uuid import UUID

import pytest

from jarvis.adapters.postgres.summaries import PostgresSummaries
from jarvis.core.summaries import REQUESTS
from jarvis.core.types import User
from jarvis.services.summaries import Summaries
from tests.clients import Json, a_word, asked_of, chat, query
from tests.integration.test_export_import import document, imported, message
from tests.running import Running, running
from tests.scripted_model import Hang, Record, Refuse, Script, ScriptedModel
from tests.scripted_model.call import Call, estimate_prompt_tokens
from tests.unit.test_prompt import SAMPLES

WINDOW = 1024
SETTINGS = {"OLLAMA_NUM_CTX": str(WINDOW), "SYSTEM_PROMPT": "Be brief."}
REQUEST = REQUESTS["en"].partition("} words")[2]


def counted(record: Record) -> int:
    """Count a prompt as the model does, without the end of its window."""
    return estimate_prompt_tokens(Call(kind="chat", path="", messages=record.messages), 4.0)


async def summary_of(server: Running, conversation_id: str) -> tuple[str | None, int | None]:
    ((summary, upto),) = await query(
        server, "SELECT summary, summary_upto FROM conversations WHERE id = $1::text::uuid", conversation_id
    )
    return summary, upto


async def summarise(server: Running, conversation_id: str, summary: str, *, upto: int) -> None:
    await query(
        server,
        "UPDATE conversations SET summary = $2, summary_upto = $3 WHERE id = $1::text::uuid",
        *(conversation_id, summary, upto),
    )


async def kept_summary(server: Running, conversation_id: str) -> tuple[str, int]:
    """Wait until nothing is left to be summarised; return the summary and the last place it covers."""
    watchers = server.assembly.services.turns._watchers  # pyright: ignore[reportPrivateUsage]  # tells nobody
    summaries = next(watcher for watcher in watchers if isinstance(watcher, Summaries))
    async with asyncio.timeout(20):
        while summaries._wishes:  # noqa: ASYNC110  # pyright: ignore[reportPrivateUsage]  # likewise
            await asyncio.sleep(0.02)
    summary, upto = await summary_of(server, conversation_id)
    assert summary is not None
    assert upto is not None
    return summary, upto


def summaries_asked(model: ScriptedModel) -> list[Record]:
    return [record for record in model.log.generating if REQUEST in record.last_user_message]


async def asked_for_summary(model: ScriptedModel) -> Record:
    return (await model.wait_for(lambda _: summaries_asked(model)))[-1]


def memories_in(block: str) -> list[str]:
    """Return the memories that stand before the user's text."""
    return re.findall(r"^- \d{4}-\d\d-\d\d: (.*)$", block, re.MULTILINE)


async def plain_chat(server: Running, message: str, **fields: object) -> Json:
    """Send a message that is neither remembered nor answered with the help of memories."""
    return await chat(server, message, use_memory=False, save_memory=False, **fields)


async def long_talk(server: Running, *, turns: int = 12, text: str = "My cat is called Mistral. ") -> Json:
    """Say so much that the first of it does not fit any more."""
    answer = await plain_chat(server, f"0 {text}" + "word " * 40)
    for number in range(1, turns):
        answer = await plain_chat(
            server, f"{number} {text}" + "word " * 40, conversation_id=answer["conversation_id"]
        )
    return answer


@pytest.mark.parametrize("seed", range(8))
async def test_the_report_is_what_the_models_log_has(server: Running, llm: ScriptedModel, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 no secret
    conversation_id: str | None = None
    said: list[str] = []
    covered = recalled = 0
    for turn in range(25):
        text = f"{turn} {chance.choice(SAMPLES) * chance.randint(1, 6)}"
        if conversation_id and chance.random() < 0.3:
            covered = chance.randint(1, len(said))
            await summarise(server, conversation_id, "They met.", upto=covered - 1)
        answer = await chat(
            server, text, conversation_id=conversation_id, max_tokens=chance.choice([1, 20, 400])
        )
        conversation_id = answer["conversation_id"]
        record, report = llm.log.generating[-1], answer["context"]
        contents = [message.content for message in record.messages]
        past = report["history"]
        assert contents[0].startswith("Be brief.")
        assert contents[-1].endswith(text)
        assert memories_in(contents[-1].removesuffix(text)) == [one["content"] for one in report["memories"]]
        assert contents[1:-1] == said[len(said) - past["sent"] :]
        assert sum(past.values()) == len(said)
        assert past["summarised"] == (covered if "They met." in contents[0] else 0)
        assert counted(record) <= WINDOW
        recalled += len(report["memories"])
        if turn >= 3:
            assert report["prompt_tokens"] == pytest.approx(answer["usage"]["prompt_tokens"], rel=0.1)
        said += [text, answer["content"]]
    assert recalled > 0


async def test_what_fell_out_is_summarised_by_the_model_and_the_summary_sent(
    server: Running, llm: ScriptedModel
) -> None:
    llm.script(Script(text="They spoke of a cat."), match=REQUEST)
    answer = await long_talk(server)
    assert answer["context"]["history"]["dropped"] > 0
    summary, upto = await kept_summary(server, answer["conversation_id"])
    assert summary == "They spoke of a cat."
    told = "user: 0 My cat is called Mistral."
    asked = next(record for record in summaries_asked(llm) if told in record.last_user_message)
    assert asked.model == answer["model"]

    later = await plain_chat(server, "And now?", conversation_id=answer["conversation_id"])
    contents = [message.content for message in llm.log.generating[-1].messages]
    assert contents[0].startswith("Be brief.\n\n<summary>\n")
    assert "\nThey spoke of a cat.\n</summary>" in contents[0]
    assert later["context"]["history"] == {"sent": 24 - upto - 1, "summarised": upto + 1, "dropped": 0}
    assert contents[1].startswith(f"{(upto + 1) // 2} My cat")


async def test_the_summary_goes_on_from_itself_and_survives_a_restart(
    database_url: str, model: ScriptedModel
) -> None:
    model.script(Script(text="They spoke of a cat."), match=REQUEST)
    async with running(database_url, model.url, **SETTINGS) as server:
        answer = await long_talk(server)
        _, upto = await kept_summary(server, answer["conversation_id"])
    model.clear_scripts()
    model.script(Script(text="Of a cat and a dog."), match=REQUEST)
    async with running(database_url, model.url, **SETTINGS) as server:
        await plain_chat(server, "And now?", conversation_id=answer["conversation_id"])
        assert "They spoke of a cat." in model.log.generating[-1].messages[0].content
        model.log.clear()
        for _ in range(6):
            await plain_chat(server, "My dog is Rex. " * 10, conversation_id=answer["conversation_id"])
        summary, later = await kept_summary(server, answer["conversation_id"])
        asked = summaries_asked(model)[0].last_user_message
    assert "<notes>\nThey spoke of a cat.\n</notes>" in asked
    assert f"user: {(upto + 1) // 2} My cat" in asked
    assert f"user: {upto // 2} My cat" not in asked
    assert (summary, later > upto) == ("Of a cat and a dog.", True)


async def test_a_turn_ends_the_asking_at_once_and_it_is_asked_again_later(
    server: Running, llm: ScriptedModel
) -> None:
    llm.script_next(Script(fault=Hang()), match=REQUEST)
    llm.script(Script(text="They spoke of a cat."), match=REQUEST)
    answer = await long_talk(server)
    asking = await asked_for_summary(llm)
    await plain_chat(server, "And now?", conversation_id=answer["conversation_id"])
    await llm.wait_for(lambda _: asking.ended_s)
    assert asking.outcome == "client_disconnected"
    answering = (await asked_of(llm, "And now?")).started_s
    assert asking.ended_s is not None
    assert asking.ended_s - answering < 1.0
    assert (await kept_summary(server, answer["conversation_id"]))[0] == "They spoke of a cat."


@pytest.mark.parametrize(
    "script", [Script(fault=Refuse(status=503)), Script(text=" \n ")], ids=["refused", "nothing said"]
)
async def test_where_the_model_fails_it_is_made_of_what_the_user_said(
    server: Running, llm: ScriptedModel, script: Script
) -> None:
    llm.script(script, match=REQUEST)
    answer = await long_talk(server)
    summary, _ = await kept_summary(server, answer["conversation_id"])
    assert summary.startswith("0 My cat is called Mistral.")


async def test_a_long_import_is_summarised_without_the_model_but_for_the_newest(
    server: Running, llm: ScriptedModel
) -> None:
    llm.script(Script(text="They spoke of a cat."), match=REQUEST)
    messages = [message(n, f"{n} I like tea. " + "word " * 20) for n in range(450)]
    conversation_id = await imported(server, document(messages))
    answer = await plain_chat(server, "And now?", conversation_id=conversation_id)
    assert answer["context"]["history"]["dropped"] > 400
    summary, upto = await kept_summary(server, conversation_id)
    assert summary == "They spoke of a cat."
    asked = summaries_asked(llm)
    assert len(asked) < 20
    assert "I like tea." in asked[0].last_user_message.partition("</notes>")[0]
    later = await plain_chat(server, "And now?", conversation_id=conversation_id)
    sent = later["context"]["history"]["sent"]
    assert later["context"]["history"] == {"sent": sent, "summarised": upto + 1, "dropped": 0}
    assert sent + upto + 1 == 452


async def test_a_summary_begun_before_a_reset_is_not_kept(server: Running, llm: ScriptedModel) -> None:
    word = a_word()
    llm.script_next(Script(text="They spoke of a cat.", gate=word), match=REQUEST)
    llm.script(Script(text="Of something else."), match=REQUEST)
    answer = await long_talk(server)
    await asked_for_summary(llm)
    store = PostgresSummaries(server.assembly.database)
    user = User(id=await user_id(server, answer["conversation_id"]), name="default")
    await store.reset(user, [UUID(answer["conversation_id"])])
    llm.release(word)
    assert (await kept_summary(server, answer["conversation_id"]))[0] == "Of something else."


async def user_id(server: Running, conversation_id: str) -> UUID:
    ((found,),) = await query(
        server, "SELECT user_id FROM conversations WHERE id = $1::text::uuid", conversation_id
    )
    return UUID(str(found))


async def test_resetting_leaves_no_summary_of_the_user_and_others_alone(server: Running) -> None:
    mine = [(await plain_chat(server, "Hello"))["conversation_id"] for _ in range(3)]
    others = (await plain_chat(server, "Hello", user_id="stranger"))["conversation_id"]
    for conversation_id in (*mine, others):
        await summarise(server, conversation_id, "canary", upto=1)
    store = PostgresSummaries(server.assembly.database)
    user = User(id=await user_id(server, mine[0]), name="default")
    await store.reset(user, [UUID(mine[0]), UUID(others)])
    states = [await summary_of(server, conversation_id) for conversation_id in (*mine, others)]
    assert states == [(None, -1), ("canary", 1), ("canary", 1), ("canary", 1)]
    await store.reset(user)
    states = [await summary_of(server, conversation_id) for conversation_id in (*mine, others)]
    assert states == [(None, -2), (None, -1), (None, -1), ("canary", 1)]


async def test_a_summary_goes_when_an_answer_that_it_covers_changes(
    server: Running, llm: ScriptedModel
) -> None:
    answer = await plain_chat(server, "Hello")
    conversation_id = answer["conversation_id"]
    await plain_chat(server, "More", conversation_id=conversation_id)
    for upto, summary in ((1, ("They met.", 1)), (3, (None, -1))):
        await summarise(server, conversation_id, "They met.", upto=upto)
        again = await server.http.post(f"/api/chat/conversation/{conversation_id}/regenerate", json={})
        assert again.status_code == 200, again.text
        assert await summary_of(server, conversation_id) == summary
        assert "They met." not in llm.log.generating[-1].messages[0].content


async def test_a_conversation_deleted_meanwhile_is_no_error(server: Running, llm: ScriptedModel) -> None:
    word = a_word()
    llm.script(Script(text="They spoke of a cat.", gate=word), match=REQUEST)
    answer = await long_talk(server)
    asking = await asked_for_summary(llm)
    deleted = await server.http.delete(f"/api/chat/conversation/{answer['conversation_id']}")
    assert deleted.status_code == 200
    llm.release(word)
    await llm.wait_for(lambda _: asking.outcome)
    other = await long_talk(server)
    assert (await kept_summary(server, other["conversation_id"]))[0] == "They spoke of a cat."


async def test_a_french_conversation_is_summarised_in_french(server: Running, llm: ScriptedModel) -> None:
    request = REQUESTS["fr"].partition("{")[0]
    llm.script(Script(text="Il a un chat."), match=request)
    answer = await long_talk(server, text="Mon chat s'appelle Mistral et il dort dans le salon. ")
    assert (await kept_summary(server, answer["conversation_id"]))[0] == "Il a un chat."


async def test_digits_that_the_model_counts_one_by_one_are_learnt(
    server: Running, llm: ScriptedModel
) -> None:
    text = "0612345678 " * 30
    estimates: list[int] = []
    for _ in range(2):
        llm.script_next(Script(prompt_tokens=350))
        answer: dict[str, Any] = await plain_chat(server, text)
        estimates.append(answer["context"]["prompt_tokens"])
        assert answer["context"]["notices"] == []
    assert estimates[0] < 300 < estimates[1]
