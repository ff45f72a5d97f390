"""While the model is silent, nobody holds a connection to Postgres."""

import asyncio
from contextlib import AsyncExitStack

from tests.clients import Events, query, streamed
from tests.running import Running
from tests.scripted_model import Hang, Script, ScriptedModel

SETTINGS = {"db_max_connections": "3", "llm_max_concurrency": "30", "llm_max_queue": "30"}
TURNS = 30
PATIENCE_S = 5.0

OPEN_SINCE = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < $1
"""


async def test_thirty_turns_on_a_silent_model_leave_three_connections_free(
    server: Running, llm: ScriptedModel
) -> None:
    llm.script(Script(fault=Hang()))
    async with AsyncExitStack() as stack:
        streams: list[Events] = [
            await stack.enter_async_context(streamed(server, f"turn {number}")) for number in range(TURNS)
        ]
        for stream in streams:
            await stream.until("context")
        await llm.wait_for(lambda log: log.counts["waiting"] == TURNS)
        now = (await query(server, "SELECT clock_timestamp()"))[0][0]

        # What was open then, such as the renewal of the leases, ends by itself: only turns would hold on.
        async with asyncio.timeout(PATIENCE_S):
            while server.assembly.database.in_use:  # noqa: ASYNC110 - a pool tells nobody
                await asyncio.sleep(0)
            while (await query(server, OPEN_SINCE, now))[0][0]:
                pass

        async with streamed(server, "another conversation") as other:
            ack = await other.next()
            rows = await query(server, "SELECT content FROM messages WHERE id = $1", ack["message_id"])
            assert [row["content"] for row in rows] == ["another conversation"]
            shown = await server.http.get("/api/chat/conversations")
            assert shown.json()["total"] == TURNS + 1
            llm.release()
            for stream in streams:
                assert (await stream.rest())[-1]["status"] == "complete"
            await other.until("context")
            await llm.wait_for(lambda log: log.running == 1)
            llm.release()
            assert (await other.rest())[-1]["status"] == "complete"
