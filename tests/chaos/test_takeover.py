"""Two `jarvis serve` on one Postgres: one goes on with what the other was at when it died, or was frozen."""

import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from tests.chaos.doors import Door, resume
from tests.chaos.listening import has_text, listening, poll
from tests.chaos.pairs import Pair, followed, pair
from tests.chaos.talking import Heard
from tests.postgres import PostgresServer
from tests.running import jarvis_process
from tests.scripted_model import Script, ScriptedModel
from tests.valkey import ValkeyServer

HALF = "w0 w1 w2 w3"
WHOLE = "w0 w1 w2 w3 w4 w5 w6 w7"
LATER = "w0 w1 w2 w3 w4 w5"


@asynccontextmanager
async def servers(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer | None
) -> AsyncGenerator[Pair]:
    if valkey is not None:
        async with pair(database_url, model, valkey) as both:
            yield both
        return
    environment = {"DATABASE_URL": database_url, "LLM_BACKEND": "ollama", "OLLAMA_URL": model.url}
    async with jarvis_process(environment) as one, jarvis_process(environment) as other:
        yield Pair(one, other, environment)


class Rows:
    """The turns as Postgres has them."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def have(self, turn_id: str, text: str) -> None:
        """Wait until a turn's checkpoint has this text."""

        async def is_kept() -> bool:
            kept = await self._connection.fetchval("SELECT partial_text FROM turns WHERE id = $1", turn_id)
            return kept == text

        await poll(is_kept, within_s=5)

    async def end_lease(self, turn_id: str) -> None:
        await self._connection.execute(
            "UPDATE turns SET lease_until = now() - interval '1 s' WHERE id = $1", turn_id
        )


@pytest.fixture
async def rows(postgres: PostgresServer, migrated_database: str) -> AsyncGenerator[Rows]:
    connection = await postgres.connect(migrated_database)
    yield Rows(connection)
    await connection.close()


@pytest.mark.parametrize("door", ["sse", "websocket"])
async def test_whoever_comes_back_gets_the_rest_from_the_other(
    rows: Rows,
    database_url: str,
    model: ScriptedModel,
    valkey: ValkeyServer,
    door: Door,
) -> None:
    model.script(Script(text=WHOLE, gate="never", gate_at_token=4), match="long")
    async with servers(database_url, model, valkey) as both:
        async with listening(both.one, "long", "sse") as stream:
            await stream.until(has_text(HALF))
            await rows.have(stream.ack["turn_id"], HALF)
            model.clear_scripts()
            model.script(Script(text=WHOLE), match="long")
            both.one.process.kill()
            await both.one.process.wait()
        await rows.end_lease(stream.ack["turn_id"])
        told = await followed(both.other, stream.ack["turn_id"], last_seq=stream.events[-1]["seq"], door=door)
        assert (told.text, told.wrong) == (WHOLE, [])
        assert told.end is not None
        assert told.end["status"] == "complete"
    asked = [one for one in model.log.generating if one.last_user_message == "long"]
    assert [one.messages[-1].content for one in asked] == ["long", HALF]


@pytest.mark.parametrize("with_valkey", [True, False], ids=["valkey", "alone"])
@pytest.mark.parametrize("wakes", ["while the other answers", "after the other's end"])
async def test_a_server_that_wakes_does_not_touch_what_was_taken_over(
    rows: Rows,
    database_url: str,
    model: ScriptedModel,
    valkey: ValkeyServer,
    wakes: str,
    *,
    with_valkey: bool,
) -> None:
    """It slept for longer than its lease, and its model has said everything meanwhile."""
    model.script_next(Script(text=f"{HALF} and another end", gate="asleep", gate_at_token=4))
    model.script_next(Script(text=WHOLE, gate="awake", gate_at_token=2))
    async with servers(database_url, model, valkey if with_valkey else None) as both:
        async with listening(both.one, "long", "sse") as stream:
            await stream.until(has_text(HALF))
            turn_id = stream.ack["turn_id"]
            await rows.have(stream.ack["turn_id"], HALF)
            both.one.signal(signal.SIGSTOP)
            model.release("asleep")
            await rows.end_lease(stream.ack["turn_id"])
            await model.wait_for(lambda log: [one for one in log.generating if one.waiting_at == "awake"])
            if wakes == "after the other's end":
                model.release("awake")
                await followed(both.other, turn_id)
            both.one.signal(signal.SIGCONT)
            if wakes == "while the other answers":
                # It stores the end that it knows, and that must not be the turn's, before there is another.
                await stream.until(lambda one: "resync" in [event["type"] for event in one.events])
                model.release("awake")
            await stream.until(lambda one: one.status != "")
            heard = Heard()
            for event in stream.events:
                heard.take(event)
            told = await followed(both.other, turn_id)
        for one in (heard, told):
            assert (one.text, one.wrong) == (WHOLE, [])
            assert one.end is not None
            assert (one.end["status"], one.end["content"]) == ("complete", WHOLE)
        for server in (both.one, both.other):
            messages = (await server.http.get(f"/api/chat/history/{stream.ack['conversation_id']}")).json()
            assert [message["content"] for message in messages] == ["long", WHOLE]
    asked = [one.messages[-1].content for one in model.log.generating if one.last_user_message == "long"]
    assert asked == ["long", HALF]


async def test_a_turn_that_brings_every_server_down_is_gone_on_with_once(
    rows: Rows, database_url: str, model: ScriptedModel
) -> None:
    model.script(Script(text=WHOLE, gate="first", gate_at_token=4), match="long")
    environment = {"DATABASE_URL": database_url, "LLM_BACKEND": "ollama", "OLLAMA_URL": model.url}
    async with jarvis_process(environment) as jarvis, listening(jarvis, "long", "sse") as stream:
        await stream.until(has_text(HALF))
        await rows.have(stream.ack["turn_id"], HALF)
        port = str(jarvis.port)
        jarvis.process.kill()
        await jarvis.process.wait()
    model.clear_scripts()
    model.script(Script(text=WHOLE, gate="second", gate_at_token=2), match="long")
    turn_id, last_seq = stream.ack["turn_id"], stream.events[-1]["seq"]
    async with jarvis_process(environment | {"PORT": port}) as jarvis:
        heard = Heard()
        heard.last_seq = last_seq
        async with aclosing(resume(jarvis.url, turn_id, "sse", last_seq=last_seq)) as events:
            async for event in events:
                heard.take(event)
                if heard.text == LATER:
                    break
        await rows.have(turn_id, LATER)
        jarvis.process.kill()
        await jarvis.process.wait()
    async with jarvis_process(environment | {"PORT": port}) as jarvis:
        told = await followed(jarvis, turn_id, last_seq=heard.last_seq)
        assert told.end is not None
        assert told.end["status"] == "interrupted"
        assert LATER.startswith(told.text)
        assert told.text.startswith(HALF)
        assert told.wrong == []
    assert len([one for one in model.log.generating if one.last_user_message == "long"]) == 2
