"""Two `jarvis serve` at once: on one data folder, which is refused, and on one database, which is fine."""

import tempfile

from tests.chaos.listening import has_text, listening, poll
from tests.postgres import PostgresServer
from tests.running import jarvis_process
from tests.scripted_model import Script, ScriptedModel

HALF = "w0 w1 w2 w3"


def _environment(model: ScriptedModel, **settings: str) -> dict[str, str]:
    return {"LLM_BACKEND": "ollama", "OLLAMA_URL": model.url, **settings}


async def test_a_second_server_on_the_data_folder_says_so(model: ScriptedModel) -> None:
    with tempfile.TemporaryDirectory(prefix="jarvis-two-", ignore_cleanup_errors=True) as folder:
        environment = _environment(model, JARVIS_DATA_DIR=folder)
        async with jarvis_process(environment) as first:
            async with jarvis_process(environment, wait=False) as second:
                assert await second.exit_code(30) == 1
                assert "Another Jarvis" in second.log
                assert folder in second.log
            answer = await first.http.post("/api/chat", json={"message": "Still there?"})
            assert answer.json()["content"] == "You said: Still there?"


async def test_two_servers_share_a_database(
    database_url: str, model: ScriptedModel, postgres: PostgresServer, migrated_database: str
) -> None:
    model.script(Script(tokens=8, gate="go on", gate_at_token=4), match="long")
    environment = _environment(model, DATABASE_URL=database_url)
    connection = await postgres.connect(migrated_database)
    async with jarvis_process(environment) as one, listening(one, "long first", "sse") as stream:
        await stream.until(has_text(HALF))
        async with jarvis_process(environment) as other, listening(other, "long second", "sse") as doomed:
            await doomed.until(has_text(HALF))
            # The turn of a server that lives is nobody else's, also while another one starts.
            view = (await other.http.get(f"/api/chat/turns/{stream.ack['turn_id']}")).json()
            assert view["status"] == "running"

            # Another server's turn can be cancelled here: its model's connection closes there.
            async with listening(one, "long third", "websocket") as third:
                await third.until(has_text(HALF))
                await other.http.post(f"/api/chat/turns/{third.ack['turn_id']}/cancel")
                await third.until(lambda listener: listener.status == "cancelled")
                assert third.text == HALF

            other.process.kill()
            await other.process.wait()

        # Nobody starts in the dead one's place: its turn is gone on with when its lease has run out.
        async def ended() -> bool:
            status = await connection.fetchval(
                "SELECT status::text FROM turns WHERE id = $1", doomed.ack["turn_id"]
            )
            return status == "complete"

        assert not await ended()
        await connection.execute(
            "UPDATE turns SET lease_until = now() - interval '1 s' WHERE id = $1", doomed.ack["turn_id"]
        )
        model.release("go on")
        await poll(ended, within_s=8)
        await stream.until(lambda listener: listener.status == "complete")
        assert stream.text == "w0 w1 w2 w3 w4 w5 w6 w7"
    await connection.close()


async def test_two_servers_that_start_together_migrate_once(
    empty_database: str, model: ScriptedModel, postgres: PostgresServer
) -> None:
    environment = _environment(model, DATABASE_URL=postgres.url(empty_database))
    async with (
        jarvis_process(environment, wait=False) as one,
        jarvis_process(environment, wait=False) as other,
    ):
        for server in (one, other):
            await server.wait_ready()
        asked = await one.http.post("/api/chat", json={"message": "Hello"})
        seen = await other.http.get(f"/api/chat/history/{asked.json()['conversation_id']}")
        assert [message["content"] for message in seen.json()] == ["Hello", "You said: Hello"]
