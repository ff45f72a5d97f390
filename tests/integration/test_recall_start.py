"""When a turn recalls: beside its own beginning, and where it has to wait, when its place has come."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, cast

import asyncpg

from tests.clients import a_word, asked_of, chat, query, streamed
from tests.running import Running
from tests.scripted_model import Script, ScriptedModel

WITHIN_S = 10
BOTH_WAIT = """
SELECT bool_or(query LIKE '%jarvis_recall_seeds%') AND bool_or(query LIKE '%INSERT INTO messages%')
  FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


async def test_a_turn_begins_to_recall_while_its_message_is_being_stored(server: Running) -> None:
    conversation_id = (await chat(server, "first"))["conversation_id"]
    holder = await cast("Any", asyncpg).connect(server.settings.database_url, timeout=5)
    async with asyncio.timeout(WITHIN_S):
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", conversation_id)
            await holder.execute("LOCK TABLE memories")
            answering = asyncio.create_task(chat(server, "second", conversation_id=conversation_id))
            while [row[0] for row in await query(server, BOTH_WAIT)] != [True]:
                pass
        assert (await answering)["content"] == "You said: second"
        await holder.close()


async def test_a_turn_that_waited_is_told_what_became_known_meanwhile(
    server: Running, llm: ScriptedModel
) -> None:
    gate, name = a_word(), a_word()
    llm.script(Script(gate=gate))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(streamed(server, "first"))
        conversation_id = (await first.next())["conversation_id"]
        await asked_of(llm, "first", waiting=True)
        second = await stack.enter_async_context(
            streamed(server, "What is my tortoise called?", conversation_id=conversation_id)
        )
        await second.until("notice")
        told = {"content": f"My tortoise is called {name}."}
        (await server.http.post("/api/memory/add", json=told)).raise_for_status()
        llm.release(gate)
        context = await second.until("context")
        assert [memory["content"] for memory in context["memories"]] == [told["content"]]
        await second.rest()
        await first.rest()
