"""What is forgotten is gone from everywhere, down to the files; and nobody is given what is another's."""

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pytest

from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.driver import connect
from jarvis.adapters.postgres.erasure import LOCK_KEY, PostgresErasure
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.migrations import migrate
from jarvis.adapters.postgres.row_security import OWNED_TABLES
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.erasure_store import Erased
from jarvis.core.memories import NewMemory
from jarvis.core.types import ChatCommand, Turn, User, utc_now
from jarvis.services.erasure import Erasure
from tests.clients import Json
from tests.postgres import PostgresServer
from tests.running import JarvisProcess, Running, jarvis_process, running
from tests.scripted_model import Record, Script, ScriptedModel

GONE_WITHIN_S = 60.0
OPERATIONS_EACH = 500

Way = Literal["one", "all", "conversation"]


def a_token(chance: random.Random) -> str:
    """Return a word that is nowhere else, whose stems in English and in French begin with it."""
    return "".join(chance.choice("bdfgkvwz") for _ in range(16))


def filler(chance: random.Random, words: int) -> str:
    """Return text that cannot be compressed by much: long ones are kept as they are, out of their row."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(chance.choices(letters, k=chance.randint(4, 8))) for _ in range(words))


def files_with(folder: Path, token: bytes, *, but: str = "") -> list[str]:
    """Name the files below `folder`, without folders of the name `but`, that hold the token in any case."""
    found: list[str] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != but]
        for path in (Path(parent) / name for name in files):
            with suppress(FileNotFoundError):  # gone meanwhile
                if token in path.read_bytes().lower():
                    found.append(str(path.relative_to(folder)))
    return found


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
                f"SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM {table} t WHERE {owner} = $1",  # noqa: S608
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
    await stand.say("ben", f"My ferret is called {a_token(chance)}.")
    await stand.add("ben", f"The ferret of ben is {filler(chance, 30)}.")


@pytest.mark.parametrize("way", ["one", "all", "conversation"])
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

    assert token not in await stand.dump()
    assert await stand.sql("SELECT FROM erasure_wanted")
    assert await stand.postgres_files_with(raw), "nothing would have to be erased"
    async with asyncio.timeout(GONE_WITHIN_S):
        while vector_ids_in(stand, ids):  # noqa: ASYNC110 as in `until`
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


async def test_what_the_planner_sampled_is_erased_too(
    postgres: PostgresServer, migrated_database: str, database: Database
) -> None:
    user = await PostgresUsers(database).profile("anna")
    added = await PostgresMemories(database).add(
        user, [NewMemory(content=f"{word} is a word") for word in ("zzkwgvbd", "gvbdkwzz")]
    )
    await postgres.run("ANALYZE", "CHECKPOINT", database=migrated_database)
    connection = await postgres.connect(migrated_database)
    samples = postgres.cluster.path / await connection.fetchval("SELECT pg_relation_filepath('pg_statistic')")
    assert b"zzkwgvbd" in samples.read_bytes()
    await PostgresMemories(database).delete(user, added[0].id)
    while await PostgresErasure(database).rewrite() != Erased(is_done=True, left=[]):  # noqa: ASYNC110 as above
        await asyncio.sleep(0.05)
    assert await wishes(database) == set()
    await connection.execute("CHECKPOINT")
    folder = samples.parent
    await connection.close()
    assert files_with(folder, b"zzkwgvbd") == []
    assert files_with(folder, b"gvbdkwzz")


@pytest.mark.usefixtures("migrated_template")  # by which the roles are there
async def test_a_role_that_may_not_is_told_of_what_is_left(
    postgres: PostgresServer, empty_database: str
) -> None:
    role = f"owner_{empty_database}"
    await postgres.run(
        f"CREATE ROLE {role} LOGIN CREATEROLE",
        f"ALTER DATABASE {empty_database} OWNER TO {role}",
        f"GRANT jarvis_app, jarvis_system TO {role} WITH ADMIN OPTION",
    )
    url = postgres.url(empty_database, role=role)
    await migrate(url)
    async with Database(DatabaseSettings(url=url)) as database:
        await a_wish(database)
        assert await PostgresErasure(database).rewrite() == Erased(is_done=True, left=["pg_statistic"])
        assert await wishes(database) == set()
    await postgres.run(f"REASSIGN OWNED BY {role} TO postgres", database=empty_database)
    await postgres.run(f"DROP OWNED BY {role}", database=empty_database)
    await postgres.run(f"DROP ROLE {role}")


async def a_wish(database: Database, rows: int = 1) -> None:
    """Store memories and delete one of them."""
    user = await PostgresUsers(database).profile("anna")
    store = PostgresMemories(database)
    added = await store.add(user, [NewMemory(content=f"memory {number}") for number in range(rows)])
    await store.delete(user, added[0].id)


async def wishes(database: Database) -> set[str]:
    async with database.transaction(None) as transaction:
        return {row[0] for row in await transaction.raw("SELECT table_name FROM erasure_wanted")}


async def test_nothing_is_rewritten_as_long_as_somebody_may_still_see_it(
    database: Database, database_url: str
) -> None:
    seeing: Any = await connect(database_url)
    async with seeing.transaction(isolation="repeatable_read"):
        await seeing.fetch("SELECT 1")
        await a_wish(database)
        assert await PostgresErasure(database).rewrite() == Erased(is_done=False, left=[])
        assert await wishes(database) == {"memories", "turns"}
    await seeing.close()
    assert await PostgresErasure(database).rewrite() == Erased(is_done=True, left=[])
    assert await wishes(database) == set()


async def test_a_table_in_use_is_left_for_later(database: Database, database_url: str) -> None:
    await a_wish(database)
    reading: Any = await connect(database_url)
    async with reading.transaction():
        await reading.execute("LOCK TABLE memories IN ACCESS SHARE MODE")
        assert (await PostgresErasure(database).rewrite()).is_done is False
        assert "memories" in await wishes(database)
    await reading.close()
    assert await PostgresErasure(database).rewrite() == Erased(is_done=True, left=[])


async def test_two_processes_erase_once(database: Database, database_url: str) -> None:
    await a_wish(database)
    held: Any = await connect(database_url)
    async with held.transaction():
        await held.execute(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        assert (await PostgresErasure(database).rewrite()).is_done is False
    await held.close()


async def test_a_table_that_is_too_large_is_left_to_the_administrator(database: Database) -> None:
    await a_wish(database)
    erased = await PostgresErasure(database, max_bytes=1).rewrite()
    assert erased == Erased(is_done=True, left=["turns", "memories"])
    assert await wishes(database) == set()


async def test_a_deletion_that_is_rolled_back_wishes_for_nothing(
    database: Database, database_url: str
) -> None:
    user = await PostgresUsers(database).profile("anna")
    await PostgresMemories(database).add(user, [NewMemory(content="kept")])
    connection: Any = await connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("DELETE FROM memories")
    await transaction.rollback()
    await connection.close()
    assert await wishes(database) == set()


A_TURN = Turn(
    id=UUID(int=1),
    user=User(id=UUID(int=2), name="anna"),
    conversation_id=UUID(int=3),
    user_message_id=UUID(int=4),
    user_position=0,
    command=ChatCommand(text="Hello"),
    conversation_model=None,
    conversation_system_prompt=None,
    title_is_settled=False,
    created_at=utc_now(),
)


class Told:
    """An ErasureStore that says when it is asked, and a reporter that keeps what it is told."""

    def __init__(self, erased: Erased) -> None:
        self.rewriting = asyncio.Event()
        self.ended = asyncio.Event()
        self.go_on = asyncio.Event()
        self.asked = 0
        self.warnings: list[object] = []
        self._erased = erased

    async def rewrite(self) -> Erased:
        self.asked += 1
        self.rewriting.set()
        try:
            await self.go_on.wait()
        finally:
            self.ended.set()
        return self._erased

    def warning(self, event: str, **facts: object) -> None:
        del event
        self.warnings.append(facts["table"])

    def exception(self, event: str) -> None:
        raise AssertionError(event)


async def test_a_turn_that_begins_ends_the_rewriting_and_its_end_lets_it_go_on() -> None:
    told = Told(Erased(is_done=True, left=["messages"]))
    erasure = Erasure(store=told, reporter=told, quiet_s=0, period_s=0, retry_s=0)
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(5):
        running_ = tasks.create_task(erasure.run())
        await told.rewriting.wait()
        erasure.turn_began(A_TURN)
        await told.ended.wait()
        told.go_on.set()
        for _ in range(20):
            await asyncio.sleep(0)
        assert told.asked == 1
        erasure.all_ended()
        while told.asked < 4:  # noqa: ASYNC110 its periods have no length here
            await asyncio.sleep(0)
        running_.cancel()
    assert told.warnings == ["messages"]


class Visitor:
    """A user who does anything at random; each answer is looked through for the other's words."""

    def __init__(self, server: Running, name: str, other: str, chance: random.Random) -> None:
        self.name = name
        self.conversations: list[str] = []
        self.seen = 0
        self._http = server.http
        self._other = f"canary{other}"
        self._chance = chance
        self._said = 0

    async def do_something(self) -> None:
        todo: list[Callable[[], Awaitable[None]]] = [
            *[self.add] * 5,
            *[self.say] * 4,
            *[self.search] * 6,
            *[self.look] * 4,
            *[self.export] * 2,
            *[self.forget_one] * 2,
            self.forget_conversation,
        ]
        if self._chance.random() < 1 / 100:
            todo = [self.forget_all]
        await self._chance.choice(todo)()

    def sentence(self) -> str:
        """Say nearly the same as the other says, but for one word."""
        self._said += 1
        thing = self._chance.choice(("boiler", "ferret", "piano", "garden", "bicycle"))
        return f"My {thing} is called canary{self.name} and was number {self._said % 40} in March."

    async def add(self) -> None:
        await self.ask("POST", "/api/memory/add", {"content": self.sentence(), "user_id": self.name})

    async def say(self) -> None:
        message = {"message": self.sentence(), "user_id": self.name}
        if self.conversations and self._chance.random() < 1 / 2:
            message["conversation_id"] = self._chance.choice(self.conversations)
        answer = await self.ask("POST", "/api/chat", message)
        if answer["conversation_id"] not in self.conversations:
            self.conversations.append(answer["conversation_id"])

    async def search(self) -> None:
        query = self._chance.choice(("What is my boiler called?", "canaryanna canaryben", "ferret March"))
        found = await self.ask(
            "POST", "/api/memory/search", {"query": query, "user_id": self.name, "limit": 50}
        )
        self.seen += len(found["results"])

    async def look(self) -> None:
        path = self._chance.choice(
            ("/api/memory/list", "/api/chat/conversations", "/api/chat/search?q=canaryanna+or+canaryben")
        )
        await self.ask("GET", f"{path}{'&' if '?' in path else '?'}user_id={self.name}")

    async def export(self) -> None:
        if self.conversations:
            await self.ask("GET", f"/api/chat/conversation/{self._chance.choice(self.conversations)}/export")

    async def forget_one(self) -> None:
        memories = await self.ask("GET", f"/api/memory/list?user_id={self.name}")
        if memories:
            await self.ask("DELETE", f"/api/memory/{self._chance.choice(memories)['id']}")

    async def forget_conversation(self) -> None:
        if self.conversations:
            gone = self.conversations.pop(self._chance.randrange(len(self.conversations)))
            await self.ask("DELETE", f"/api/chat/conversation/{gone}")

    async def forget_all(self) -> None:
        await self.ask("DELETE", f"/api/memory?user_id={self.name}")

    async def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        response = await self._http.request(method, path, json=body)
        assert response.status_code == 200, response.text
        # What one asks for oneself comes back in no answer of these.
        assert self._other not in response.text.lower(), f"{self.name} was given: {response.text}"
        return response.json()


def is_of_both(record: Record) -> bool:
    prompt = str(record.messages).lower()
    return "canaryanna" in prompt and "canaryben" in prompt


async def test_nobody_is_given_what_is_anothers_whatever_both_do(
    database_url: str, model: ScriptedModel
) -> None:
    seed = random.randrange(2**32)  # noqa: S311 to be printed
    print(f"seed {seed}")  # noqa: T201 what a failure is repeated with
    chance = random.Random(seed)  # noqa: S311 likewise
    async with running(database_url, model.url) as server:
        anna = Visitor(server, "anna", "ben", chance)
        ben = Visitor(server, "ben", "anna", chance)
        for _ in range(OPERATIONS_EACH):
            await asyncio.gather(anna.do_something(), ben.do_something())
        assert anna.seen, "nothing was ever found"
        assert ben.seen, "nothing was ever found"
    prompts = model.log.generating
    assert any("canaryanna" in str(record.messages).lower() for record in prompts)
    assert [record.id for record in prompts if is_of_both(record)] == []
