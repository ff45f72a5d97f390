"""How a server ends that was asked to: `jarvis serve` as a process, real signals, streams in flight."""

import signal
import time
from contextlib import AsyncExitStack

from websockets.asyncio.client import connect

from tests.chaos.listening import Listener, Way, has_ack, has_text, listening, poll_ready
from tests.postgres import PostgresServer
from tests.running import jarvis_process
from tests.scripted_model import Script, ScriptedModel

WAYS: tuple[Way, ...] = ("sse", "websocket", "sse", "websocket", "sse")
DELAY_S = 1.0
DRAIN_S = 1.5
HALF = "w0 w1 w2 w3"
WHOLE = "w0 w1 w2 w3 w4 w5 w6 w7"


def _environment(database_url: str, model: ScriptedModel, **settings: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model.url,
        "LLM_MAX_CONCURRENCY": "10",
        **settings,
    }


def _stop_halfway(model: ScriptedModel) -> None:
    """Let answers wait after HALF, each at the gate that its question names."""
    for gate in ("quick", "slow"):
        model.script(Script(text=WHOLE, gate=gate, gate_at_token=4), match=gate)


async def test_sigterm_gives_every_stream_its_end(
    database_url: str, model: ScriptedModel, postgres: PostgresServer, migrated_database: str
) -> None:
    _stop_halfway(model)
    settings = {"DRAIN_DELAY_SECS": str(DELAY_S), "DRAIN_SECS": str(DRAIN_S)}
    async with (
        jarvis_process(_environment(database_url, model, **settings)) as jarvis,
        AsyncExitStack() as clients,
    ):
        streams: list[tuple[str, Way, Listener]] = []
        for gate in ("quick", "slow"):
            for way in WAYS:
                stream = await clients.enter_async_context(listening(jarvis, gate, way))
                streams.append((gate, way, stream))
        for _, _, listener in streams:
            await listener.until(has_text(HALF))
        waiting: Listener = await clients.enter_async_context(listening(jarvis, "one too many", "sse"))
        await waiting.until(has_ack)

        jarvis.signal(signal.SIGTERM)
        begun_at = time.monotonic()
        await poll_ready(jarvis, "not_ready", failed=["draining"], within_s=DELAY_S)
        assert (await jarvis.http.get("/api/chat/conversations")).status_code == 200
        # A waiting turn is ended when the delay is over: from then on new ones are refused.
        await waiting.until(lambda listener: listener.status == "interrupted")
        assert time.monotonic() - begun_at >= DELAY_S
        refused = await jarvis.http.post("/api/chat", json={"message": "hello"})
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        assert 1 <= int(refused.headers["retry-after"]) <= 30
        conversation = waiting.ack["conversation_id"]
        assert (await jarvis.http.get(f"/api/chat/history/{conversation}")).status_code == 200

        model.release("quick")
        assert await jarvis.exit_code(DELAY_S + DRAIN_S + 5) == 0
        for gate, way, listener in streams:
            await listener.until_over()
            assert (gate, listener.status) in {("quick", "complete"), ("slow", "interrupted")}
            assert listener.text == (WHOLE if gate == "quick" else HALF)
            assert listener.close_code == (1012 if way == "websocket" else None)
    connection = await postgres.connect(migrated_database)
    stored = await connection.fetch(
        "SELECT m.status::text, m.content, t.status::text AS turn, count(*) FROM turns t"
        " JOIN messages m ON m.id = t.assistant_message_id GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1"
    )
    await connection.close()
    assert {tuple(row)[:3]: row["count"] for row in stored} == {
        ("complete", WHOLE, "complete"): 5,
        ("interrupted", HALF, "interrupted"): 5,
        ("interrupted", "", "interrupted"): 1,
    }


async def test_a_second_sigterm_ends_at_once(database_url: str, model: ScriptedModel) -> None:
    _stop_halfway(model)
    async with (
        jarvis_process(_environment(database_url, model)) as jarvis,
        listening(jarvis, "slow", "sse") as stream,
    ):
        await stream.until(has_text(HALF))
        jarvis.signal(signal.SIGTERM)
        await poll_ready(jarvis, "not_ready", failed=["draining"], within_s=2)
        jarvis.signal(signal.SIGTERM)
        assert await jarvis.exit_code(2) == 1


async def test_sigint_waits_for_no_load_balancer(database_url: str, model: ScriptedModel) -> None:
    _stop_halfway(model)
    settings = {"DRAIN_DELAY_SECS": "60", "DRAIN_SECS": "0.2"}
    async with (
        jarvis_process(_environment(database_url, model, **settings)) as jarvis,
        listening(jarvis, "slow", "sse") as stream,
    ):
        await stream.until(has_text(HALF))
        jarvis.signal(signal.SIGINT)
        assert await jarvis.exit_code(0.2 + 5) == 0
        await stream.until_over()
        assert (stream.status, stream.text) == ("interrupted", HALF)


async def test_an_idle_server_on_loopback_ends_at_once(database_url: str, model: ScriptedModel) -> None:
    settings = {"DRAIN_DELAY_SECS": "60"}
    async with (
        jarvis_process(_environment(database_url, model, **settings)) as jarvis,
        connect(jarvis.ws_url, proxy=None) as idle,
    ):
        await jarvis.http.get("/health")  # a kept-alive connection holds nothing up
        jarvis.signal(signal.SIGTERM)
        assert await jarvis.exit_code(5) == 0
        await idle.wait_closed()
        assert idle.close_code == 1012


async def test_the_end_does_not_wait_for_a_database_that_is_away(
    database_url: str, model: ScriptedModel, postgres: PostgresServer
) -> None:
    _stop_halfway(model)
    settings = {"DRAIN_DELAY_SECS": "0", "DRAIN_SECS": "0.2"}
    async with (
        jarvis_process(_environment(database_url, model, **settings)) as jarvis,
        listening(jarvis, "slow", "sse") as stream,
    ):
        await stream.until(has_text(HALF))
        postgres.freeze()
        try:
            jarvis.signal(signal.SIGTERM)
            assert await jarvis.exit_code(0.2 + 5) == 0
        finally:
            postgres.thaw()
        await stream.until_over()
        assert stream.events[-1]["type"] == "error"
        assert stream.events[-1]["code"] == "database_unavailable"
