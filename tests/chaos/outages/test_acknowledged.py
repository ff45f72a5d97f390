"""What is told and kept of a message while Postgres is away, and while the model is."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest

from tests.chaos.doors import DOORS, Door, Refused, Sent, send
from tests.chaos.journal import Event, script_of
from tests.chaos.listening import poll_ready
from tests.chaos.outages.faults import Part, suffering
from tests.chaos.outages.table import HEALED_WITHIN_S, TESTED, Fault
from tests.chaos.proxy import Cut, Proxy, Weather
from tests.postgres import PostgresServer
from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import ScriptedModel

FAILED_WITHIN_S = 3.0
MESSAGES = (
    "SELECT role::text, content, status::text FROM messages WHERE turn_id = coalesce($1, turn_id)"
    " ORDER BY position, alternative_of NULLS LAST"
)


@asynccontextmanager
async def _jarvis(database_url: str, model_url: str) -> AsyncGenerator[JarvisProcess]:
    environment = {"DATABASE_URL": database_url, "LLM_BACKEND": "ollama", "OLLAMA_URL": model_url}
    async with jarvis_process(environment | TESTED) as jarvis:
        await poll_ready(jarvis, "ready")
        yield jarvis


async def _heard(jarvis: JarvisProcess, sent: Sent, door: Door) -> list[Event]:
    """Return all events; raises Refused."""
    async with aclosing(send(jarvis.url, sent, door)) as events:
        return [event async for event in events]


async def _rows(
    postgres: PostgresServer, database: str, *, of: str | None = None
) -> list[tuple[str, str, str]]:
    connection = await postgres.connect(database)
    try:
        return [tuple(row) for row in await connection.fetch(MESSAGES, of)]
    finally:
        await connection.close()


@pytest.mark.parametrize("fault", ["refused", "stopped", "half_open"])
async def test_without_postgres_nothing_is_acknowledged_and_no_model_is_asked(
    postgres: PostgresServer, migrated_database: str, model: ScriptedModel, fault: Fault
) -> None:
    async with Proxy(postgres.data_dir.run_dir / ".s.PGSQL.5432") as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{migrated_database}"
        part = Part(proxy=proxy, freeze=postgres.freeze, thaw=postgres.thaw, cut_at=20)
        async with _jarvis(url, model.url) as jarvis:
            await asyncio.gather(*(_heard(jarvis, Sent(text="before"), door) for door in DOORS))

            async def refuse(door: Door, when: str) -> None:
                with pytest.raises(Refused, match=r"^database_unavailable$"):
                    await _heard(jarvis, Sent(text=f"{when} {door}", key=f"{when}-{door}"), door)

            async with suffering(part, fault):
                await asyncio.gather(*(refuse(door, "unknown") for door in DOORS))
                await poll_ready(jarvis, "not_ready", failed=["database"])
                await asyncio.gather(*(refuse(door, "known") for door in DOORS))
            await poll_ready(jarvis, "ready", within_s=HEALED_WITHIN_S)
            assert {row[1] for row in await _rows(postgres, migrated_database)} == {
                "before",
                script_of("before"),
            }
            asked = [record.last_user_message for record in model.log.generating]
            assert [text for text in asked if "known" in text] == []
            again = await _heard(jarvis, Sent(text="unknown json", key="unknown-json"), "json")
            assert again[-1]["content"] == script_of("unknown json")


async def test_no_model_is_asked_while_postgres_is_silent_about_the_message(
    postgres: PostgresServer, migrated_database: str, model: ScriptedModel
) -> None:
    sent = Sent(text="Will this ever be stored?")
    silent = Weather(cut=Cut(at_byte=0, how="blackhole", once_asked=(sent.text.encode(),)))
    async with Proxy(postgres.data_dir.run_dir / ".s.PGSQL.5432", weather=silent) as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{migrated_database}?sslmode=disable"
        async with _jarvis(url, model.url) as jarvis:
            with pytest.raises(Refused, match=r"^database_unavailable$"):
                await _heard(jarvis, sent, "sse")
            assert proxy.cuts == 2  # the message, and what is recalled for it
            assert [each for each in model.log.generating if each.last_user_message == sent.text] == []


async def test_without_a_model_a_message_is_kept_and_its_key_has_it_answered_later(
    postgres: PostgresServer, migrated_database: str, model: ScriptedModel
) -> None:
    async with (
        Proxy(("127.0.0.1", model.port)) as proxy,
        _jarvis(postgres.url(migrated_database), proxy.url) as jarvis,
    ):
        proxy.refuse()
        wishes: dict[Door, Sent] = {
            door: Sent(text=f"Is anybody there, {door}?", key=f"later-{door}") for door in DOORS
        }
        failures = {door: await _failed(jarvis, sent, door) for door, sent in wishes.items()}
        for door, sent in wishes.items():
            assert await _rows(postgres, migrated_database, of=failures[door]["turn_id"]) == [
                ("user", sent.text, "complete"),
                ("assistant", "", "failed"),
            ]
        await proxy.listen()
        for door, sent in wishes.items():
            answered = (await _heard(jarvis, sent, door))[-1]
            assert (answered["status"], answered["content"]) == ("complete", script_of(sent.text))
            assert answered["turn_id"] == failures[door]["turn_id"]
            assert await _rows(postgres, migrated_database, of=answered["turn_id"]) == [
                ("user", sent.text, "complete"),
                ("assistant", "", "failed"),
                ("assistant", script_of(sent.text), "complete"),
            ]
            assert [each.last_user_message for each in model.log.generating].count(sent.text) == 1


async def _failed(jarvis: JarvisProcess, sent: Sent, door: Door) -> Event:
    """Send it while there is no model; return how its turn ended."""
    begun_s = time.monotonic()
    events = await _heard(jarvis, sent, door)
    assert time.monotonic() - begun_s < FAILED_WITHIN_S
    assert door == "json" or events[0]["type"] == "ack"
    assert (events[-1]["status"], events[-1]["code"]) == ("failed", "llm_unavailable")
    turn = (await jarvis.http.get(f"/api/chat/turns/{events[-1]['turn_id']}")).json()
    assert (turn["status"], turn["error"]["code"]) == ("failed", "llm_unavailable")
    return events[-1]
