"""Engines of the voice go away, hang and break under a running server: text goes on, and they heal."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
import pytest_asyncio

from tests.clients import Json, Socket, a_word, received_text, socket, types
from tests.postgres import PostgresServer
from tests.running import Running, in_one_task, running
from tests.scripted_model import Script, ScriptedModel
from tests.scripted_speech import Fault, ScriptedWyoming
from tests.spoken import ask, assert_in_order, of_type, recording, send_clip

DEADLINE_S = 0.5
SOON_S = 10.0
POLL_S = 0.02
"""Between two looks at what tells nobody of a change."""


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """Jarvis with an engine for each role."""

    server: Running
    model: ScriptedModel
    ears: ScriptedWyoming
    mouth: ScriptedWyoming

    async def transcribe(self) -> httpx.Response:
        return await self.server.http.post("/api/voice/transcribe", files={"file": recording()})

    async def synthesize(self) -> httpx.Response:
        return await self.server.http.post("/api/voice/synthesize", json={"text": f"This is {a_word()}."})

    async def voice_health(self) -> Json:
        """Look anew, and return what /health says of the voice."""
        await self.server.assembly.services.health.check()
        return (await self.server.http.get("/health")).json()["services"]["voice"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_stand(postgres: PostgresServer, migrated_template: str) -> AsyncGenerator[Stand]:
    name = await postgres.new_database(template=migrated_template)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jarvis.core.breaker.FIRST_WAIT_S", 0.02)
        patch.setattr("jarvis.core.breaker.LONGEST_WAIT_S", 0.1)
        patch.setattr("jarvis.services.engine_watch.CHECK_PERIOD_S", 0.05)
        patch.setattr("jarvis.services.engine_watch.PING_S", 0.2)
        async with in_one_task(_standing(postgres.url(name))) as stand:
            voice = stand.server.assembly.services.voice
            patch.setattr(voice._transcribers, "_whole_s", DEADLINE_S)  # pyright: ignore[reportPrivateUsage]
            patch.setattr(voice._synthesizers, "_first_s", DEADLINE_S)  # pyright: ignore[reportPrivateUsage]
            yield stand
    await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def _standing(database_url: str) -> AsyncGenerator[Stand]:
    async with ScriptedModel() as model, ScriptedWyoming() as ears, ScriptedWyoming() as mouth:
        ears.said = "What is the weather like?"
        settings = {"voice": "auto", "stt_url": ears.uri, "tts_url": mouth.uri}
        async with running(database_url, model.url, **settings) as server:
            yield Stand(server=server, model=model, ears=ears, mouth=mouth)


@pytest_asyncio.fixture
async def stand(module_stand: Stand) -> Stand:
    """Return the module's stand with both engines working, as each test leaves it that passes."""
    for engine in (module_stand.ears, module_stand.mouth):
        engine.fault, engine.deaf = None, False
    await until_ok(module_stand.transcribe)
    await until_ok(module_stand.synthesize)
    return module_stand


@asynccontextmanager
async def away(engine: ScriptedWyoming) -> AsyncGenerator[None]:
    await engine.go_away()
    try:
        yield
    finally:
        await engine.come_back()


async def until_ok(request: Callable[[], Awaitable[httpx.Response]]) -> None:
    async with asyncio.timeout(SOON_S):
        while (await request()).status_code != 200:  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(POLL_S)


async def ask_for(ws: Socket, stand: Stand, script: Script) -> None:
    """Ask something that is answered so; titles, which the model is asked for too, are not."""
    question = f"What is {a_word()}?"
    stand.model.script_next(script, match=question)
    await ask(ws, stand.ears, question)


def assert_refused(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert "secret" not in response.text
    if status == 503:
        assert 1 <= int(response.headers["retry-after"]) <= 30


class TestNothingHears:
    @pytest.mark.parametrize(
        ("fault", "status", "code"),
        [
            ("hang", 504, "stt_timeout"),
            ("reset", 503, "stt_unavailable"),
            ("cut", 503, "stt_unavailable"),
            ("error", 503, "stt_unavailable"),
            ("rubbish", 503, "stt_unavailable"),
            ("huge", 503, "stt_unavailable"),
        ],
    )
    async def test_broken_and_mended(self, stand: Stand, fault: Fault, status: int, code: str) -> None:
        stand.ears.fault = fault
        begun_s = time.monotonic()
        assert_refused(await stand.transcribe(), status, code)
        assert time.monotonic() - begun_s < DEADLINE_S + SOON_S / 2
        async with socket(stand.server) as ws:
            await send_clip(ws, recording(), speak=True)
            frame = await ws.next()
            assert frame["type"] == "error"
            assert frame["code"] in {"stt_unavailable", "stt_timeout"}
            assert "turn_id" not in frame
            await ws.say("Then I write.")
            assert (await ws.to_end())[-1]["status"] == "complete"
            stand.ears.fault = None
            await until_ok(stand.transcribe)
            await send_clip(ws, recording())
            assert types(await ws.to_end())[:2] == ["transcript", "ack"]

    async def test_deaf_to_all(self, stand: Stand) -> None:
        """What answers nothing at all is away for the health check too."""
        stand.ears.deaf = True
        async with asyncio.timeout(SOON_S):
            while (await stand.voice_health())["status"] != "unhealthy":  # noqa: ASYNC110 it tells nobody
                await asyncio.sleep(POLL_S)
        assert (await stand.transcribe()).status_code in {503, 504}
        stand.ears.deaf = False
        await until_ok(stand.transcribe)
        assert (await stand.voice_health())["status"] == "healthy"

    async def test_a_slow_one_is_waited_for(self, stand: Stand) -> None:
        stand.ears.fault = "slow"
        await until_ok(stand.transcribe)


class TestNothingSpeaks:
    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            ("hang", "tts_timeout"),
            ("reset", "tts_unavailable"),
            ("error", "tts_unavailable"),
            ("rubbish", "tts_unavailable"),
            ("silent", "tts_unavailable"),
            ("wrong_format", "tts_unavailable"),
        ],
    )
    async def test_broken_and_mended(self, stand: Stand, fault: Fault, code: str) -> None:
        stand.mouth.fault = fault
        await self._assert_silent(stand, code)
        stand.mouth.fault = None
        await until_ok(stand.synthesize)
        await self._assert_spoken(stand)

    async def test_in_the_middle_of_an_answer(self, stand: Stand) -> None:
        gate, texts = a_word(), [f"This is {a_word()}.", f"That is {a_word()}."]
        script = Script(text=" ".join(texts), gate=gate, gate_at_token=4)
        async with socket(stand.server) as ws:
            await ask_for(ws, stand, script)
            frames = await ws.until("audio_response")
            async with away(stand.mouth):
                stand.model.release(gate)
                frames += await ws.to_end()
        assert [each["text"] for each in of_type(frames, "audio_response")] == texts[:1]
        assert [each["code"] for each in of_type(frames, "notice")] == ["tts_unavailable"]
        assert frames[-1]["content"] == received_text(frames) == " ".join(texts)

    async def test_a_slow_one_is_waited_for(self, stand: Stand) -> None:
        stand.mouth.fault = "slow"
        await self._assert_spoken(stand)

    async def _assert_silent(self, stand: Stand, code: str) -> None:
        """See that an answer comes whole, with one notice of why it is not heard."""
        text = f"Nobody says {a_word()}. Nor {a_word()}."
        async with socket(stand.server) as ws:
            await ask_for(ws, stand, Script(text=text))
            frames = await ws.to_end()
            assert await ws.silent()
        end = frames[-1]
        assert (end["type"], end["status"], end["content"]) == ("chat_response", "complete", text)
        assert received_text(frames) == text
        assert of_type(frames, "audio_response") == []
        assert [each["code"] for each in of_type(frames, "notice")] == [code]
        assert end["context"]["notices"] == [code]
        assert "secret" not in str(frames)

    async def _assert_spoken(self, stand: Stand) -> None:
        async with socket(stand.server) as ws:
            await ask_for(ws, stand, Script(text=f"This is {a_word()}. That is {a_word()}."))
            frames = await ws.to_end()
        assert_in_order(frames[1:])
        assert len(of_type(frames, "audio_response")) == 2
        assert of_type(frames, "notice") == []


async def test_with_the_voice_off_it_says_so(database_url: str, model: ScriptedModel) -> None:
    async with running(database_url, model.url, voice="off") as server:
        for answer, code, role in (
            (
                await server.http.post("/api/voice/transcribe", files={"file": recording()}),
                "stt_unavailable",
                "recognition",
            ),
            (
                await server.http.post("/api/voice/synthesize", json={"text": "Hello."}),
                "tts_unavailable",
                "synthesis",
            ),
            (await server.http.get("/api/voice/voices"), "tts_unavailable", "synthesis"),
            (await server.http.get("/api/voice/languages"), "stt_unavailable", "recognition"),
        ):
            assert_refused(answer, 503, code)
            assert f"No speech {role} is set up" in answer.json()["detail"]
        async with socket(server) as ws:
            await send_clip(ws, recording())
            assert (await ws.next())["code"] == "stt_unavailable"
            assert await ws.silent()
        health = (await server.http.get("/health")).json()
        assert health["services"]["voice"]["status"] == "not_configured"
        assert health["status"] == "healthy"
