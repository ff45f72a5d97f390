"""What a server makes of the turns that one before it left when it died: it goes on with them or not."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.fingerprints import once
from jarvis.core.turn_store import SEQ_GAP
from jarvis.core.types import ChatCommand, Once, Turn, new_id
from tests.chaos.doors import resume
from tests.chaos.talking import Heard
from tests.running import Running, running
from tests.scripted_model import CHAT_MODEL, EMBEDDING_MODEL, Log, Model, Refuse, Script, ScriptedModel

TEXT = "w0 w1\n\n  w2 w3 w4 w5"
CUTS = {
    "behind a word": "w0 w1",
    "behind white space": "w0 w1\n\n  ",
    "in a word": "w0 w1\n\n  w",
    "at the end": TEXT,
    "before all": "",
    "white space alone": " \n",
}
CHECKPOINT_SEQ = 5


async def left_by_the_dead(
    database: Database,
    said: str,
    *,
    waiting: bool = False,
    attempts: int = 1,
    after: Turn | None = None,
    key: Once | None = None,
    **command: Any,
) -> Turn:
    """Store a turn whose process has died, with what it had checkpointed."""
    store, user = PostgresTurns(database), await PostgresUsers(database).profile("default")
    conversation_id = after.conversation_id if after else None
    turn = await store.begin(
        user,
        ChatCommand(text="Hello", conversation_id=conversation_id, **command),
        turn_id=new_id(),
        owner="gone/1",
        lease_s=0,
        waiting=waiting,
        once=key,
    )
    assert isinstance(turn, Turn)
    if not waiting:
        await store.checkpoint(user, turn.id, text=said, seq=CHECKPOINT_SEQ, owner=turn.owner)
    async with database.transaction(user) as transaction:
        await transaction.raw("UPDATE turns SET attempt = $2 WHERE id = $1", turn.id, attempts)
    return turn


async def heard(server: Running, turn: Turn, *, last_seq: int = CHECKPOINT_SEQ + 2) -> Heard:
    """Come back to a turn of which a little more was heard than was checkpointed; hear it to its end."""
    told = Heard()
    told.last_seq = last_seq
    async with aclosing(resume(server.url, str(turn.id), "sse", last_seq=last_seq)) as events:
        async for event in events:
            told.take(event)
    assert told.wrong == []
    return told


def ending(told: Heard) -> tuple[str, str]:
    assert told.end is not None
    return told.end["status"], told.end["content"]


def prompts(log: Log) -> list[Sequence[tuple[str, str]]]:
    return [
        [(message.role, message.content) for message in record.messages if message.role != "system"]
        for record in log.generating
    ]


@pytest.mark.parametrize("said", CUTS.values(), ids=CUTS)
async def test_the_client_gets_the_rest(
    database: Database, database_url: str, model: ScriptedModel, said: str
) -> None:
    model.script_next(Script(text=TEXT))
    turn = await left_by_the_dead(database, said)
    async with running(database_url, model.url) as server:
        told = await heard(server, turn)
        assert ending(told) == ("complete", TEXT)
        assert told.resyncs == 1
        assert told.last_seq > CHECKPOINT_SEQ + SEQ_GAP
        view = (await server.http.get(f"/api/chat/history/{turn.conversation_id}")).json()
        assert [(one["role"], one["content"]) for one in view] == [("user", "Hello"), ("assistant", TEXT)]
    begun = said.rstrip()
    assert prompts(model.log)[0] == [("user", "Hello"), *([("assistant", begun)] if begun else [])]


async def test_what_was_said_counts_towards_the_longest_answer(
    database: Database, database_url: str, model: ScriptedModel
) -> None:
    said = "so many words " * 40
    model.script_next(Script(text=f"{said}and more"))
    turn = await left_by_the_dead(database, said, max_tokens=200)
    async with running(database_url, model.url) as server:
        assert ending(await heard(server, turn)) == ("complete", f"{said}and more")
    asked = model.log.generating[0].options["num_predict"]
    assert isinstance(asked, int)
    assert 1 <= asked <= 100


async def test_what_waited_is_answered_after_what_ran(
    database: Database, database_url: str, model: ScriptedModel
) -> None:
    model.script_next(Script(text=TEXT))
    first = await left_by_the_dead(database, "w0 w1")
    second = await left_by_the_dead(database, "", waiting=True, after=first)
    async with running(database_url, model.url) as server:
        assert ending(await heard(server, second, last_seq=0)) == ("complete", "You said: Hello")
    turns = [prompt for prompt in prompts(model.log) if "title" not in prompt[-1][1]]
    assert turns == [
        [("user", "Hello"), ("assistant", "w0 w1")],
        [("user", "Hello"), ("assistant", TEXT), ("user", "Hello")],
    ]


LEFT_ALONE: dict[str, dict[str, Any]] = {
    "gone on with before": {"attempts": 2},
    "spoken": {"speak_in": "en"},
}


@pytest.mark.parametrize("left", LEFT_ALONE.values(), ids=LEFT_ALONE)
async def test_what_is_not_gone_on_with_ends_interrupted(
    database: Database, database_url: str, model: ScriptedModel, left: dict[str, Any]
) -> None:
    turn = await left_by_the_dead(database, "w0 w1 ", **left)
    async with running(database_url, model.url) as server:
        assert ending(await heard(server, turn)) == ("interrupted", "w0 w1 ")
    assert prompts(model.log) == []


async def test_a_model_that_does_not_continue_answers_only_what_has_no_word_yet(
    database: Database, database_url: str
) -> None:
    thinking = Model(name=CHAT_MODEL.name, capabilities=("completion", "thinking"))
    begun = await left_by_the_dead(database, "w0 w1")
    silent = await left_by_the_dead(database, "")
    async with ScriptedModel(models=[thinking, EMBEDDING_MODEL]) as model:
        async with running(database_url, model.url) as server:
            assert ending(await heard(server, begun)) == ("interrupted", "w0 w1")
            assert ending(await heard(server, silent)) == ("complete", "You said: Hello")
        assert prompts(model.log)[0] == [("user", "Hello")]


async def test_a_model_that_refuses_to_go_on_leaves_what_was_said(
    database: Database, database_url: str, model: ScriptedModel
) -> None:
    model.script(Script(fault=Refuse(status=400)))
    turn = await left_by_the_dead(database, "w0 w1")
    async with running(database_url, model.url) as server:
        assert ending(await heard(server, turn)) == ("interrupted", "w0 w1")


async def test_it_waits_for_a_model_that_comes_back(
    database: Database, database_url: str, model: ScriptedModel
) -> None:
    model.script(Script(fault=Refuse(status=503)), kind="show")
    turn = await left_by_the_dead(database, "w0 w1")
    async with running(database_url, model.url) as server:
        await model.wait_for(lambda log: [one for one in log.records if one.kind == "show"])
        model.clear_scripts()
        model.script_next(Script(text=TEXT))
        assert ending(await heard(server, turn)) == ("complete", TEXT)


async def test_a_key_gets_the_one_answer(database: Database, database_url: str, model: ScriptedModel) -> None:
    model.script_next(Script(text=TEXT))
    turn = await left_by_the_dead(database, "w0 w1", key=once("k", ChatCommand(text="Hello")))
    async with running(database_url, model.url) as server:
        keyed: dict[str, Any] = {"json": {"message": "Hello"}, "headers": {"Idempotency-Key": "k"}}
        answers = [await server.http.post("/api/chat", **keyed) for _ in range(3)]
        assert len({answer.content for answer in answers}) == 1
        assert (answers[0].json()["turn_id"], answers[0].json()["content"]) == (str(turn.id), TEXT)
        assert answers[0].headers["Idempotency-Replayed"] == "true"


async def test_no_more_run_or_wait_than_of_any_others(
    database: Database, database_url: str, model: ScriptedModel
) -> None:
    model.script(Script(text=TEXT, gate="go on"))
    left = [await left_by_the_dead(database, "w0 w1") for _ in range(3)]
    async with running(database_url, model.url, llm_max_concurrency="1", llm_max_queue="1") as server:
        assert ending(await heard(server, left[2])) == ("interrupted", "w0 w1")
        model.release("go on")
        for turn in left[:2]:
            assert ending(await heard(server, turn)) == ("complete", TEXT)
    assert max(record.concurrency for record in model.log.generating) == 1


async def test_a_turn_to_which_nobody_comes_back_ends(
    database: Database, database_url: str, model: ScriptedModel
) -> None:
    model.script(Script(text=TEXT, gate="never"))
    turn = await left_by_the_dead(database, "w0 w1")
    async with running(database_url, model.url, detached_turn_secs="1") as server:
        await model.wait_for(lambda log: [one for one in log.records if one.outcome == "client_disconnected"])
        assert ending(await heard(server, turn)) == ("interrupted", "w0 w1")
