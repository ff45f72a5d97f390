"""What is forgotten is gone from everywhere, down to the files."""

import asyncio
import random
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pytest

from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.erasure import PostgresErasure
from jarvis.adapters.postgres.row_security import OWNED_TABLES
from jarvis.core.erasure_store import Erased
from tests.clients import Json
from tests.postgres import PostgresServer
from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import Script, ScriptedModel
from tests.traces import a_token, files_with, filler

GONE_WITHIN_S = 60.0

Way = Literal["one", "all", "conversation", "edit"]


class Stand:
    """Jarvis as a process, with all its files in reach."""

    def __init__(self, jarvis: JarvisProcess, postgres: PostgresServer, database: str, folder: Path) -> None:
        self.jarvis = jarvis
        self.data_dir = folder
        self._postgres = postgres
        self._database = database

    async def sql(self, sql: str, *arguments: object) -> list[Any]:
        connection = await self._postgres.connect(self._database)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        response = await self.jarvis.http.request(method, path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    async def say(self, user: str, message: str) -> Json:
        return await self.ask("POST", "/api/chat", json={"message": message, "user_id": user})

    async def add(self, user: str, content: str) -> Json:
        return await self.ask("POST", "/api/memory/add", json={"content": content, "user_id": user})

    async def until(self, sql: str) -> None:
        """Poll until a count is 0: work in the background tells nobody when it is done."""
        async with asyncio.timeout(GONE_WITHIN_S):
            while (await self.sql(sql))[0][0]:  # noqa: ASYNC110 see above
                await asyncio.sleep(0.05)

    async def settled(self) -> None:
        """Wait until all is remembered, indexed and noted as used."""
        await self.until(
            "SELECT (SELECT count(*) FROM messages WHERE indexed_at IS NULL AND role = 'user')"
            " + (SELECT count(*) FROM memories WHERE indexed_at IS NULL)"
        )

    async def dump(self) -> str:
        """Return every row of every table as text."""
        tables = await self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        # S608: names of our own tables.
        rows = [await self.sql(f"SELECT t::text FROM {name} t") for (name,) in tables]  # noqa: S608
        return "\n".join(row[0] for table in rows for row in table).lower()

    async def rows_hash(self, user: str) -> list[str]:
        ((id_,),) = await self.sql("SELECT id FROM users WHERE username = $1", user)
        hashes: list[str] = []
        for table in OWNED_TABLES:
            owner = "id" if table == "users" else "user_id"
            ((one,),) = await self.sql(
                f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t WHERE {owner} = $1",  # noqa: S608
                id_,
            )
            hashes.append(one)
        return hashes

    async def postgres_files_with(self, token: bytes) -> list[str]:
        """Name the files of Postgres that hold it, as they are on the disk after a checkpoint."""
        await self.sql("CHECKPOINT")
        return await asyncio.to_thread(files_with, self._postgres.cluster.path, token, but="pg_wal")

    async def erase(self) -> None:
        """Erase what is wished for, in a process that has not seen the forgetting: ours."""
        async with (
            asyncio.timeout(GONE_WITHIN_S),
            Database(DatabaseSettings(url=self._postgres.url(self._database))) as database,
        ):
            # Another transaction may still see it: it ends by itself.
            while await PostgresErasure(database).rewrite() != Erased(is_done=True, left=[]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await self.sql("SELECT table_name FROM erasure_wanted") == []


@pytest.fixture
async def stand(
    postgres: PostgresServer, migrated_database: str, model: ScriptedModel, tmp_path: Path
) -> AsyncGenerator[Stand]:
    environment = {
        "DATABASE_URL": postgres.url(migrated_database),
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model.url,
        "JARVIS_DATA_DIR": str(tmp_path),
        "LOG_LEVEL": "DEBUG",
    }
    model.script(
        Script(text="Noted.")
    )  # an answer that repeats a memory is chat history, which is another thing
    async with jarvis_process(environment) as jarvis:
        yield Stand(jarvis, postgres, migrated_database, tmp_path)


async def plant(stand: Stand, way: Way, token: str, text: str) -> str | None:
    """Have anna tell the token, in a chat or as memories, and ask for it without naming it in another.

    Return the conversation that it was told in. What is said in one stays when only memories are forgotten.
    """
    conversation: str | None = None
    if way == "conversation":
        said = await stand.say("anna", f"My ferret is called {token}. {text}")
        conversation = said["conversation_id"]
    else:
        await stand.add("anna", f"My ferret is called {token}.")
        await stand.add("anna", f"The ferret of the cellar: {token} {text}")
    await stand.settled()
    told = await stand.say("anna", "What is my ferret called?")
    assert token in str(told["context"]["memories"])
    await stand.settled()
    await stand.sql("ANALYZE")  # has samples taken
    return conversation


async def bystander(stand: Stand, chance: random.Random) -> None:
    said = await stand.say("ben", f"My ferret is called {a_token(chance)}.")
    # Or the model may give it a title at any moment.
    await stand.ask(
        "PATCH", f"/api/chat/conversation/{said['conversation_id']}", json={"title": "The ferret"}
    )
    await stand.add("ben", f"The ferret of ben is {filler(chance, 30)}.")


@pytest.mark.parametrize("way", ["one", "all", "conversation", "edit"])
async def test_what_is_forgotten_is_gone_from_rows_logs_vectors_and_files(stand: Stand, way: Way) -> None:
    chance = random.Random(way)  # noqa: S311 canaries, no secrets
    token = a_token(chance)
    raw = token.encode()
    await bystander(stand, chance)
    conversation = await plant(stand, way, token, filler(chance, 2_000))
    found = await stand.ask("GET", "/api/memory/list", params={"user_id": "anna"})
    ids = [UUID(one["id"]) for one in found if token in one["content"]]
    before = await stand.rows_hash("ben")
    assert ids
    assert token in await stand.dump()
    assert await stand.postgres_files_with(raw)
    assert vector_ids_in(stand, ids)

    match way:
        case "one":
            for id_ in ids:
                await stand.ask("DELETE", f"/api/memory/{id_}")
        case "all":
            await stand.ask("DELETE", "/api/memory", params={"user_id": "anna"})
        case "conversation":
            await stand.ask("DELETE", f"/api/chat/conversation/{conversation}")
        case "edit":
            for number, id_ in enumerate(ids):
                edit = {"content": f"My ferret has name number {number}."}
                await stand.ask("PATCH", f"/api/memory/{id_}", json=edit)

    assert token not in await stand.dump()
    assert await stand.sql("SELECT FROM erasure_wanted")
    assert await stand.postgres_files_with(raw), "nothing would have to be erased"
    async with asyncio.timeout(GONE_WITHIN_S):
        while way != "edit" and vector_ids_in(stand, ids):  # noqa: ASYNC110 as in `until`
            await asyncio.sleep(0.2)
    assert files_with(stand.data_dir, raw) == []
    assert token not in stand.jarvis.log.lower()

    await stand.erase()
    assert await stand.postgres_files_with(raw) == []
    assert await stand.rows_hash("ben") == before
    assert await stand.ask("GET", "/api/memory/search", params={"q": "ferret", "user_id": "ben"})


def vector_ids_in(stand: Stand, ids: list[UUID]) -> list[UUID]:
    """Return those that the vector files name, in any of the forms of a UUID."""
    folder = stand.data_dir / "vectors"
    return [
        id_
        for id_ in ids
        if any(
            files_with(folder, form)
            for form in (str(id_).encode(), id_.hex.encode(), id_.bytes.lower(), id_.bytes_le.lower())
        )
    ]


async def test_what_is_forgotten_while_a_turn_is_told_of_it_is_not_kept_by_its_end(
    stand: Stand, model: ScriptedModel
) -> None:
    token = a_token(random.Random("live"))  # noqa: S311 as above
    memory = await stand.add("anna", f"My ferret is called {token}.")
    await stand.settled()
    model.script(Script(text="Noted.", gate="forgotten"))
    asking = asyncio.create_task(stand.say("anna", "What is my ferret called?"))
    (record,) = await model.log.wait_for(lambda log: log.generating)
    assert token in str(record.messages)
    await stand.ask("DELETE", f"/api/memory/{memory['id']}")
    model.release("forgotten")
    told = await asking
    assert told["context"]["memories"] == []
    assert token not in await stand.dump()
    events = await stand.jarvis.http.get(f"/api/chat/turns/{told['turn_id']}/events")
    assert events.status_code == 200
    assert "Noted." in events.text
    assert token not in events.text
