"""A turn is its process' for as long as that renews the lease, and another's from then on, to the end."""

import signal

from tests.chaos.listening import Listener, has_text, listening, poll
from tests.chaos.pairs import followed, pair
from tests.chaos.talking import Heard
from tests.postgres import PostgresServer
from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import Script, ScriptedModel
from tests.valkey import ValkeyServer

HALF = "w0 w1 w2 w3"
WHOLE = "w0 w1 w2 w3 w4 w5 w6 w7"
ANSWERS = "SELECT content, status::text FROM messages WHERE role = 'assistant' AND turn_id = $1"
OWNER = "SELECT lease_owner FROM turns WHERE id = $1"
HELD = "SELECT lease_until > now() FROM turns WHERE id = $1"


async def test_a_frozen_server_s_turn_is_taken_over_and_a_living_one_s_is_not(
    database_url: str,
    model: ScriptedModel,
    valkey: ValkeyServer,
    postgres: PostgresServer,
    migrated_database: str,
) -> None:
    model.script(Script(text=WHOLE, gate="go on", gate_at_token=4), match="long")
    connection = await postgres.connect(migrated_database)
    async with (
        pair(database_url, model, valkey) as servers,
        jarvis_process(servers.environment) as third,
        listening(servers.one, "long, at a living one", "sse") as kept,
    ):
        await kept.until(has_text(HALF))
        async with listening(servers.other, "long, at a frozen one", "sse") as taken:
            await taken.until(has_text(HALF))
            await _until_checkpointed(third, taken)
            frozen = await connection.fetchval(OWNER, taken.ack["turn_id"])

            async def is_taken_over() -> bool:
                return await connection.fetchval(OWNER, taken.ack["turn_id"]) != frozen

            servers.other.signal(signal.SIGSTOP)
            try:
                await poll(is_taken_over, within_s=40)
                # That one began before: not renewed, its lease would have run out by now.
                assert await connection.fetchval(HELD, kept.ack["turn_id"])
                model.release("go on")
                told = await followed(third, taken.ack["turn_id"])
                assert (told.text, told.wrong) == (WHOLE, [])
                await kept.until(lambda listener: listener.status == "complete")
            finally:
                servers.other.signal(signal.SIGCONT)
            # It has the rest of its model's words by now, and learns that they are nobody's.
            await taken.until(lambda listener: listener.status == "complete")
        heard = Heard()
        for event in taken.events:
            heard.take(event)
        assert (heard.text, heard.wrong) == (WHOLE, [])
        answers = await connection.fetch(ANSWERS, taken.ack["turn_id"])
        assert [tuple(answer) for answer in answers] == [(WHOLE, "complete")]
    await connection.close()


async def _until_checkpointed(server: JarvisProcess, listener: Listener) -> None:
    async def checkpointed() -> bool:
        view = (await server.http.get(f"/api/chat/turns/{listener.ack['turn_id']}")).json()
        return view["text"] == HALF

    await poll(checkpointed, within_s=10)
