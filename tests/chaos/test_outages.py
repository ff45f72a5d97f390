"""Postgres and the model fall silent under turns that run. What else outages do: outages/."""

import time

import httpx

from tests.chaos.listening import has_text, listening, poll_ready
from tests.postgres import PostgresServer
from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import Hang, Script, ScriptedModel

POOL_WAIT_S = 1.0
STATEMENT_S = 5.0
HALF = "w0 w1 w2 w3"
WHOLE = "w0 w1 w2 w3 w4 w5 w6 w7"


def _environment(database_url: str, model: ScriptedModel) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model.url,
        "DB_ACQUIRE_TIMEOUT_SECS": str(POOL_WAIT_S),
    }


async def _assert_refused(jarvis: JarvisProcess, *, within_s: float) -> None:
    begun_at = time.monotonic()
    answer = await jarvis.http.post("/api/chat", json={"message": "Is anybody there?"})
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert "turn_id" not in answer.json()
    assert time.monotonic() - begun_at < within_s


async def test_a_frozen_postgres_and_a_silent_model_hold_up_no_probe(
    database_url: str, model: ScriptedModel, postgres: PostgresServer
) -> None:
    model.script(Script(tokens=8, fault=Hang(at_token=4)), match="hang")
    model.script(Script(tokens=8, gate="go on", gate_at_token=4), match="talk")
    async with (
        jarvis_process(_environment(database_url, model)) as jarvis,
        listening(jarvis, "hang", "sse") as stream,
        listening(jarvis, "talk", "websocket") as talk,
    ):
        await stream.until(has_text(HALF))
        await talk.until(has_text(HALF))
        postgres.freeze()
        try:
            # Nobody has found out yet: what is asked now waits for its deadlines, and no longer.
            await _assert_refused(jarvis, within_s=POOL_WAIT_S + STATEMENT_S + 1)
            await poll_ready(jarvis, "not_ready", failed=["database"])
            await _assert_refused(jarvis, within_s=1)
            for _ in range(20):
                async with httpx.AsyncClient(base_url=jarvis.url, trust_env=False, timeout=1) as http:
                    health = await http.get("/health")
                    assert (health.status_code, health.json()["status"]) == (200, "unhealthy")
                    assert health.json()["services"]["database"]["status"] == "unhealthy"
                    assert (await http.get("/ready")).status_code == 503
            # What a model says meanwhile is heard; that it ended is said when it is stored.
            model.release("go on")
            await talk.until(has_text(WHOLE))
            assert talk.events[-1]["type"] == "delta"
        finally:
            postgres.thaw()
        await poll_ready(jarvis, "ready")
        model.release()
        for listener in (talk, stream):
            await listener.until(lambda listener: listener.status == "complete")
            assert listener.text == WHOLE
            history = await jarvis.http.get(f"/api/chat/history/{listener.ack['conversation_id']}")
            assert history.json()[-1]["content"] == WHOLE
        assert (await jarvis.http.post("/api/chat", json={"message": "hello"})).status_code == 200


async def test_a_restarted_postgres_costs_no_second_error(
    database_url: str, model: ScriptedModel, postgres: PostgresServer
) -> None:
    async with jarvis_process(_environment(database_url, model)) as jarvis:
        assert (await jarvis.http.post("/api/chat", json={"message": "before"})).status_code == 200
        await postgres.restart()
        await poll_ready(jarvis, "ready")
        for _ in range(3):
            assert (await jarvis.http.post("/api/chat", json={"message": "after"})).status_code == 200
