"""Postgres commits, and the word of it is lost on the way to Jarvis."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress

import msgspec
import pytest

from tests.chaos.doors import DOORS, Door, Refused, Sent, send
from tests.chaos.journal import Event, script_of
from tests.chaos.proxy import Cut, Proxy, Weather
from tests.postgres import PostgresServer
from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import Refuse, Script, ScriptedModel

WITHIN_S = 12.0


@asynccontextmanager
async def _jarvis_behind(proxy: Proxy, database: str, model: ScriptedModel) -> AsyncGenerator[JarvisProcess]:
    url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}?sslmode=disable"
    environment = {"DATABASE_URL": url, "LLM_BACKEND": "ollama", "OLLAMA_URL": model.url}
    proxy.most_cuts = 1
    async with jarvis_process(environment) as jarvis:
        yield jarvis


async def _heard(jarvis: JarvisProcess, sent: Sent, door: Door) -> Event:
    """Return the last event; raises Refused."""
    async with aclosing(send(jarvis.url, sent, door)) as events:
        return [event async for event in events][-1]


async def _answered(jarvis: JarvisProcess, sent: Sent, door: Door) -> Event:
    """Send it until it is answered, or for WITHIN_S; return the last event."""
    due = time.monotonic() + WITHIN_S
    answer: Event = {"type": "error"}
    while answer["type"] == "error" and time.monotonic() < due:
        with suppress(Refused):
            answer = await _heard(jarvis, sent, door)
    return answer


@pytest.mark.parametrize("door", DOORS)
async def test_a_message_refused_after_its_commit_keeps_its_key_good(
    postgres: PostgresServer, migrated_database: str, model: ScriptedModel, door: Door
) -> None:
    sent = Sent(text="in doubt", key="doubt")
    in_json = msgspec.json.encode(sent.text)  # what is recalled meanwhile asks for the text as it is
    lost = Weather(cut=Cut(at_byte=0, how="reset", once_asked=(in_json, b"COMMIT")))
    async with (
        Proxy(postgres.data_dir.run_dir / ".s.PGSQL.5432", weather=lost) as proxy,
        _jarvis_behind(proxy, migrated_database, model) as jarvis,
    ):
        with pytest.raises(Refused, match="database_unavailable"):
            await _heard(jarvis, sent, door)
        assert proxy.cuts == 1
        answer = await _answered(jarvis, sent, door)
        assert (answer["status"], answer["content"]) == ("complete", script_of(sent.text))
    connection = await postgres.connect(migrated_database)
    stored = await connection.fetch(
        "SELECT role::text, content, status::text FROM messages ORDER BY position"
    )
    await connection.close()
    assert [tuple(row) for row in stored if row["status"] != "failed"] == [
        ("user", sent.text, "complete"),
        ("assistant", script_of(sent.text), "complete"),
    ]


async def test_an_attempt_refused_after_its_commit_keeps_its_key_good(
    postgres: PostgresServer, migrated_database: str, model: ScriptedModel
) -> None:
    sent = Sent(text="in doubt", key="doubt")
    lost = Weather(cut=Cut(at_byte=0, how="reset", once_asked=(b"attempt", b"COMMIT")))
    model.script_next(Script(fault=Refuse(status=503)))
    async with (
        Proxy(postgres.data_dir.run_dir / ".s.PGSQL.5432", weather=lost) as proxy,
        _jarvis_behind(proxy, migrated_database, model) as jarvis,
    ):
        assert (await _heard(jarvis, sent, "sse"))["code"] == "llm_unavailable"
        assert proxy.cuts == 0
        with pytest.raises(Refused, match="database_unavailable"):
            await _heard(jarvis, sent, "sse")
        assert proxy.cuts == 1
        answer = await _answered(jarvis, sent, "sse")
        assert (answer["status"], answer["content"]) == ("complete", script_of(sent.text))


async def test_an_answer_whose_commit_is_lost_is_stored_once(
    postgres: PostgresServer, migrated_database: str, model: ScriptedModel
) -> None:
    sent = Sent(text="once", key="once")
    said = script_of(sent.text).encode()
    lost = Weather(cut=Cut(at_byte=0, how="reset", once_asked=(said, b"COMMIT")))
    async with (
        Proxy(postgres.data_dir.run_dir / ".s.PGSQL.5432", weather=lost) as proxy,
        _jarvis_behind(proxy, migrated_database, model) as jarvis,
    ):
        answer = await _heard(jarvis, sent, "sse")
        assert proxy.cuts == 1
        assert (answer["status"], answer["content"]) == ("complete", script_of(sent.text))
        history = (await jarvis.http.get(f"/api/chat/history/{answer['conversation_id']}")).json()
        assert [(one["role"], one["content"]) for one in history] == [
            ("user", sent.text),
            ("assistant", script_of(sent.text)),
        ]
        assert history[1]["id"] == answer["message"]["id"]
