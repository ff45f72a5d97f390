"""What is left when the server dies without a word, and what the next one makes of it."""

import asyncio
import signal
import tempfile
from contextlib import AsyncExitStack

import psutil

from tests.chaos.listening import Listener, Way, has_ack, has_text, listening, poll
from tests.postgres import PostgresServer
from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import Script, ScriptedModel

HALF = "w0 w1 w2 w3"
WHOLE = "w0 w1 w2 w3 w4 w5 w6 w7"
WAYS: tuple[Way, Way] = ("sse", "websocket")


def _environment(model: ScriptedModel, **settings: str) -> dict[str, str]:
    return {"LLM_BACKEND": "ollama", "OLLAMA_URL": model.url, "LLM_MAX_CONCURRENCY": "10", **settings}


async def _history(jarvis: JarvisProcess, conversation_id: str) -> list[tuple[str, str, str]]:
    messages = (await jarvis.http.get(f"/api/chat/history/{conversation_id}")).json()
    return [(message["role"], message["content"], message["status"]) for message in messages]


async def _kill(jarvis: JarvisProcess) -> None:
    jarvis.signal(signal.SIGKILL)
    assert await jarvis.exit_code(5) == -signal.SIGKILL


async def test_the_next_server_goes_on_with_a_killed_one_s_turns(
    database_url: str, model: ScriptedModel, postgres: PostgresServer, migrated_database: str
) -> None:
    model.script(Script(tokens=8, gate="for ever", gate_at_token=4), match="long")
    environment = _environment(model, DATABASE_URL=database_url)
    connection = await postgres.connect(migrated_database)

    async def checkpointed() -> bool:
        count = await connection.fetchval("SELECT count(*) FROM turns WHERE partial_text = $1", HALF)
        return count == 6

    async def none_runs() -> bool:
        return not await connection.fetchval(
            "SELECT count(*) FROM turns WHERE status IN ('queued', 'running')"
        )

    async with jarvis_process(environment) as jarvis, AsyncExitStack() as clients:
        first = (await jarvis.http.post("/api/chat", json={"message": "Hello"})).json()
        talk = first["conversation_id"]
        streams: list[Listener] = [
            await clients.enter_async_context(
                listening(jarvis, f"long {n}", WAYS[n % 2], conversation_id=None if n else talk)
            )
            for n in range(6)
        ]
        for listener in streams:
            await listener.until(has_text(HALF))
        queued = await clients.enter_async_context(listening(jarvis, "queued", "sse", conversation_id=talk))
        await queued.until(has_ack)
        await poll(checkpointed, within_s=5)
        assert not await none_runs()
        await _kill(jarvis)
        port = jarvis.port

    model.clear_scripts()
    model.script(Script(text=WHOLE), match="long")
    async with jarvis_process(environment | {"PORT": str(port)}) as jarvis:
        await poll(none_runs, within_s=10)
        assert await _history(jarvis, talk) == [
            ("user", "Hello", "complete"),
            ("assistant", "You said: Hello", "complete"),
            ("user", "long 0", "complete"),
            ("assistant", WHOLE, "complete"),
            ("user", "queued", "complete"),
            ("assistant", "You said: queued", "complete"),
        ]
        for n, listener in enumerate(streams[1:], start=1):
            assert await _history(jarvis, listener.ack["conversation_id"]) == [
                ("user", f"long {n}", "complete"),
                ("assistant", WHOLE, "complete"),
            ]
        begun = [one.messages[-1].content for one in model.log.generating if HALF in one.messages[-1].content]
        assert begun == 6 * [HALF]
        # Who listened gets the text as it was kept, and then the rest.
        resumed = await jarvis.http.get(
            f"/api/chat/turns/{streams[1].ack['turn_id']}/events",
            headers={"Last-Event-ID": str(streams[1].events[-1]["seq"])},
        )
        told = [line for line in resumed.text.splitlines() if line.startswith("event:")]
        assert (told[0], told[-1]) == ("event: resync", "event: chat_response")
        after = await jarvis.http.post("/api/chat", json={"message": "And now?", "conversation_id": talk})
        assert after.json()["content"] == "You said: And now?"
    await connection.close()


async def test_with_an_embedded_postgres_nothing_is_left_behind_or_lost(model: ScriptedModel) -> None:
    model.script(Script(tokens=8, gate="for ever", gate_at_token=4), match="long")
    with tempfile.TemporaryDirectory(prefix="jarvis-kill-", ignore_cleanup_errors=True) as folder:
        environment = _environment(model, JARVIS_DATA_DIR=folder)
        async with jarvis_process(environment) as jarvis, AsyncExitStack() as clients:
            answered = [
                (await jarvis.http.post("/api/chat", json={"message": f"short {n}"})).json() for n in range(3)
            ]
            streams = [
                await clients.enter_async_context(listening(jarvis, f"long {n}", WAYS[n % 2]))
                for n in range(4)
            ]
            for listener in streams:
                await listener.until(has_ack)
            children = psutil.Process(jarvis.process.pid).children(recursive=True)
            assert any("postgres" in child.name() for child in children)
            await _kill(jarvis)
            _, alive = await asyncio.to_thread(psutil.wait_procs, children, timeout=2)
            assert not alive
            port = jarvis.port

        model.clear_scripts()
        model.script(Script(text=WHOLE), match="long")
        async with jarvis_process(environment | {"PORT": str(port)}) as jarvis:
            for n, answer in enumerate(answered):
                assert await _history(jarvis, answer["conversation_id"]) == [
                    ("user", f"short {n}", "complete"),
                    ("assistant", f"You said: short {n}", "complete"),
                ]
            for n, listener in enumerate(streams):

                async def has_ended(turn_id: str = listener.ack["turn_id"]) -> bool:
                    view = (await jarvis.http.get(f"/api/chat/turns/{turn_id}")).json()
                    return view["status"] not in {"queued", "running"}

                await poll(has_ended, within_s=10)
                assert await _history(jarvis, listener.ack["conversation_id"]) == [
                    ("user", f"long {n}", "complete"),
                    ("assistant", WHOLE, "complete"),
                ]
            children = psutil.Process(jarvis.process.pid).children(recursive=True)
            jarvis.signal(signal.SIGTERM)
            assert await jarvis.exit_code(5) == 0
            assert not [child for child in children if child.is_running()]
