"""Which engines a server with given settings asks, and how they come up."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest

from jarvis.app.voice import SPEAKING, VoiceStart, away_since, may_run_engines_here
from jarvis.core.errors import TimedOut, Unavailable, Unreachable
from jarvis.core.speech import HEARD_HZ, Pcm, Synthesizer, Transcriber
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.supervisor import Supervisor
from jarvis.services.engines import EngineState
from jarvis.settings import load
from tests.scripted_speech.http_server import ScriptedSpeechHttp
from tests.scripted_speech.wyoming_server import ScriptedWyoming

CLOSED = "http://127.0.0.1:1"


async def at_once() -> None: ...


def planned(**environment: str) -> VoiceStart:
    return VoiceStart(load(environment), supervisor=None, data_dir=None, model_is_up=at_once)


@asynccontextmanager
async def running(voice: VoiceStart) -> AsyncGenerator[VoiceStart]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(voice.run)
        yield voice
        tasks.cancel_scope.cancel()


async def arrival(engine: Transcriber | Synthesizer) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await engine.ping()
            except Unreachable:
                await asyncio.sleep(0.01)
            else:
                return


async def silence() -> AsyncIterator[bytes]:
    yield bytes(4 * HEARD_HZ)


@asynccontextmanager
async def complete(folder: Path, **environment: str) -> AsyncGenerator[VoiceStart]:
    """Yield one that can start engines of our own."""
    with DataDir(folder) as data_dir:
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            yield VoiceStart(load(environment), supervisor=supervisor, data_dir=data_dir, model_is_up=at_once)


@pytest.mark.parametrize(
    ("environment", "hearing", "speaking"),
    [
        ({}, ["whisper"], ["piper", "espeak"]),
        ({"STT_URL": "tcp://a:1"}, ["wyoming"], ["piper", "espeak"]),
        ({"TTS_URL": "https://a/v1"}, ["whisper"], ["openai"]),
        ({"PYTHON_BRIDGES_URL": "http://a:8005"}, ["python-bridges"], ["python-bridges"]),
        (
            {"PYTHON_BRIDGES_URL": "http://a:8005", "STT_URL": "tcp://a:1"},
            ["wyoming", "python-bridges"],
            ["python-bridges"],
        ),
    ],
    ids=["nothing set", "STT_URL", "TTS_URL", "bridges", "both"],
)
async def test_ours_are_asked_where_no_other_is_named(
    tmp_path: Path, environment: dict[str, str], hearing: list[str], speaking: list[str]
) -> None:
    async with complete(tmp_path / "data", **environment) as voice:
        assert [engine.name for engine in voice.transcribers] == hearing
        assert [engine.name for engine in voice.synthesizers] == speaking
    without = planned(**environment)
    ours = {"whisper", "piper", "espeak"}
    assert [engine.name for engine in without.transcribers] == [one for one in hearing if one not in ours]
    assert [engine.name for engine in without.synthesizers] == [one for one in speaking if one not in ours]
    assert may_run_engines_here(load(environment))


async def test_voice_off_has_no_engines(tmp_path: Path) -> None:
    off = {"VOICE": "off", "STT_URL": "tcp://a:1"}
    async with complete(tmp_path / "data", **off) as voice:
        assert voice.transcribers == voice.synthesizers == []
    assert not may_run_engines_here(load(off))


async def test_ours_stand_in_for_a_named_one_that_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jarvis.app.voice.STAND_IN_S", 0.2)
    monkeypatch.setattr("jarvis.app.voice.LOOK_S", 0.1)
    monkeypatch.setattr("jarvis.app.voice.SPEAKING", [own for own in SPEAKING if own.weights is None])
    async with complete(tmp_path / "data", TTS_URL="tcp://127.0.0.1:1") as voice, running(voice):
        await voice.speaking.check()
        assert voice.speaking.serving is None
        spoken: list[Pcm] = []
        async with asyncio.timeout(20):
            while not spoken:
                with suppress(Unavailable):
                    spoken = [piece async for piece in voice.speaking.synthesize("Good morning.")]
                await voice.speaking.check()
        assert voice.speaking.serving == "espeak"


def test_a_named_one_that_works_now_and_then_is_not_stood_in_for() -> None:
    def state(name: str, *, works: bool) -> EngineState:
        return EngineState(name=name, works=works, serving=works, silent=False)

    away = [state("wyoming", works=False), state("python-bridges", works=False), state("piper", works=True)]
    back = [state("wyoming", works=False), state("python-bridges", works=True), state("piper", works=True)]
    assert away_since(25.0, away) == 30.0
    assert away_since(25.0, back) == 0.0


async def test_a_wyoming_server_is_asked_at_its_address() -> None:
    async with ScriptedWyoming() as server:
        server.said = "Good morning."
        async with running(planned(STT_URL=server.uri, TTS_URL=server.uri)) as voice:
            (hears,), (speaks,) = voice.transcribers, voice.synthesizers
            await arrival(hears)
            await arrival(speaks)
            assert [said.text async for said in hears.transcribe(silence())] == ["Good morning."]
            assert [piece async for piece in speaks.synthesize("Good morning.")]


async def test_one_that_begins_to_speak_too_late_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.app.voice.FIRST_S", 0.2)
    async with ScriptedWyoming() as server:
        server.fault = "hang"
        async with running(planned(TTS_URL=server.uri)) as voice:
            await arrival(voice.synthesizers[0])
            await voice.speaking.check()
            async with asyncio.timeout(5):
                with pytest.raises(TimedOut):
                    await anext(voice.speaking.synthesize("Good morning."))


@pytest.mark.parametrize("dialect", ["openai", "bridges"])
async def test_a_server_over_http_is_asked_at_its_address(dialect: str) -> None:
    async with ScriptedSpeechHttp() as server:
        settings = (
            {"STT_URL": server.openai_url, "TTS_URL": server.openai_url}
            if dialect == "openai"
            else {"PYTHON_BRIDGES_URL": server.url}
        )
        async with running(planned(**settings)) as voice:
            await arrival(voice.transcribers[0])
            await arrival(voice.synthesizers[0])
            assert [piece async for piece in voice.synthesizers[0].synthesize("Good morning.")]


async def test_until_the_model_is_up_ours_say_what_they_wait_for(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await anyio.sleep_forever()

    with DataDir(tmp_path / "data") as data_dir:
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            voice = VoiceStart(load({}), supervisor=supervisor, data_dir=data_dir, model_is_up=never)
            async with running(voice):
                await asked.wait()
                with pytest.raises(Unreachable, match="is started after the language model") as raised:
                    await anext(voice.transcribers[0].transcribe(silence()))
                assert raised.value.code == "stt_unavailable"
                with pytest.raises(Unreachable) as raised:
                    await anext(voice.synthesizers[0].synthesize("Good morning."))
                assert raised.value.code == "tts_unavailable"
                assert raised.value.retry_after_s
            assert supervisor.states == {}


async def test_what_cannot_be_fetched_says_so_and_holds_up_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{CLOSED}/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with DataDir(tmp_path / "data") as data_dir:
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            voice = VoiceStart(load({}), supervisor=supervisor, data_dir=data_dir, model_is_up=at_once)
            async with running(voice):
                whisper, (piper, espeak) = voice.transcribers[0], voice.synthesizers
                await arrival(espeak)
                assert [piece async for piece in espeak.synthesize("Good morning.")]
                for engine, title in ((whisper, "The speech recognizer"), (piper, "The English voice")):
                    reason = await settled(engine)
                    assert reason == f"{title} could not be started; the server's log says why."


async def settled(engine: Transcriber | Synthesizer) -> str:
    """What an engine says for good."""
    async with asyncio.timeout(60):
        while True:
            with pytest.raises(Unreachable) as raised:
                await engine.ping()
            if "could not" in raised.value.detail:
                return raised.value.detail
            await asyncio.sleep(0.05)
