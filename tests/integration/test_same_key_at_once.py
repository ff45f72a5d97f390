"""The same wish many times at once: one of them begins, the others wait for it and take no place."""

import asyncio
from typing import Any, cast

import asyncpg
import httpx

from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.fingerprints import once
from jarvis.core.types import ChatCommand
from jarvis.services.granting import Granted
from tests.clients import a_word, query, streamed
from tests.running import Running, running
from tests.scripted_model import Script, ScriptedModel

SENDS = 20


async def send(server: Running, text: str, key: str) -> list[httpx.Response]:
    return await asyncio.gather(
        *(
            server.http.post("/api/chat", json={"message": text}, headers={"Idempotency-Key": key})
            for _ in range(SENDS)
        )
    )


async def messages_saying(server: Running, text: str) -> int:
    return (await query(server, "SELECT count(*) FROM messages WHERE content = $1", text))[0][0]


async def test_they_need_one_place_in_all(database_url: str, model: ScriptedModel) -> None:
    async with running(database_url, model.url, llm_max_concurrency="1", llm_max_queue="0") as server:
        for _ in range(5):
            text = a_word()
            answers = await send(server, text, a_word())
            assert [answer.status_code for answer in answers] == [200] * SENDS
            assert len({answer.content for answer in answers}) == 1
            assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
            assert await messages_saying(server, text) == 1


async def test_they_are_refused_together_and_taken_together_later(
    database_url: str, model: ScriptedModel
) -> None:
    gate, text, key = a_word(), a_word(), a_word()
    model.script(Script(gate=gate), match="first")
    async with running(database_url, model.url, llm_max_concurrency="1", llm_max_queue="0") as server:
        async with streamed(server, "first") as first:
            await first.next()
            refused = await send(server, text, key)
            assert {answer.json()["code"] for answer in refused} == {"overloaded"}
            model.release(gate)
            await first.rest()
        assert await messages_saying(server, text) == 0
        answers = await send(server, text, key)
        assert {answer.status_code for answer in answers} == {200}
        assert await messages_saying(server, text) == 1


async def test_where_the_first_gives_up_another_begins(server: Running) -> None:
    granting = server.assembly.services.granting
    user = await PostgresUsers(server.assembly.database).profile("default")
    command = ChatCommand(text=a_word())
    wish = once(a_word(), command)
    holder = await cast("Any", asyncpg).connect(server.settings.database_url, timeout=5)
    async with asyncio.timeout(10):
        async with holder.transaction():
            await holder.execute("LOCK TABLE turns")
            sends: list[asyncio.Task[Granted]] = [
                asyncio.create_task(granting.begin(user, command, wish)) for _ in range(4)
            ]
            await asyncio.sleep(0)  # each comes to wait, the first for the database
            sends[0].cancel()
            sends[3].cancel()  # one that waits for another does not take it along
            await asyncio.wait([sends[0], sends[3]])
        await holder.close()
        granted = await asyncio.gather(*sends[1:3])
    assert [one.is_new for one in granted] == [True, False]
    assert len({one.turn_id for one in granted}) == 1
    assert [send.cancelled() for send in sends] == [True, False, False, True]
    assert await messages_saying(server, command.text) == 1
