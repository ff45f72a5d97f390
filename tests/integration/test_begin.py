"""Beginning a turn: what is committed is known to the process, whoever is cancelled meanwhile."""

import asyncio
from typing import Any, cast
from uuid import UUID

import anyio
import asyncpg

from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.types import ChatCommand
from tests.clients import a_word, chat, query
from tests.running import Running

WAITS_FOR_A_LOCK = """
SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
ANSWERED = """
SELECT t.status::text, a.content FROM turns t
  JOIN messages u ON u.id = t.user_message_id JOIN messages a ON a.id = t.assistant_message_id
 WHERE u.content = $1
"""


async def test_a_begin_whose_caller_is_cancelled_runs_on(server: Running) -> None:
    answer = await chat(server, "first")
    conversation_id = UUID(answer["conversation_id"])
    services = server.assembly.services
    user = await PostgresUsers(server.assembly.database).owner_of_conversation(conversation_id)
    assert user is not None
    message = a_word()
    scope = anyio.CancelScope()

    async def begin() -> None:
        with scope:
            await services.turns.begin(user, ChatCommand(text=message, conversation_id=conversation_id))
            await anyio.sleep_forever()

    holder = await cast("Any", asyncpg).connect(server.settings.database_url, timeout=5)
    async with asyncio.timeout(10):
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", conversation_id)
            beginning = asyncio.create_task(begin())
            while not await query(server, WAITS_FOR_A_LOCK):
                pass
            scope.cancel()
        await beginning
        await holder.close()
        while not (rows := await query(server, ANSWERED, message)):
            pass
    assert [tuple(row) for row in rows] == [("complete", f"You said: {message}")]
