"""What `jarvis doctor` says about the voice."""

import sys
from pathlib import Path

import msgspec
import pytest

from jarvis.app.examination.voice import examine_voice
from jarvis.embedded.catalogue import PIPER_JOE, WHISPER_BASE
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.espeak import start_espeak
from jarvis.embedded.supervisor import Supervisor
from jarvis.settings import Settings, load
from tests.scripted_speech.wyoming_server import ScriptedWyoming


def settings_in(folder: Path, **environment: str) -> Settings:
    return load({"JARVIS_DATA_DIR": str(folder / "data"), **environment})


async def test_off(tmp_path: Path) -> None:
    found = await examine_voice(settings_in(tmp_path, VOICE="off", STT_URL="tcp://127.0.0.1:1"))
    assert (found.state, found.facts) == ("ok", {"hears": [], "speaks": []})


async def test_what_is_to_be_fetched_is_told_and_not_fetched(tmp_path: Path) -> None:
    found = await examine_voice(settings_in(tmp_path))
    assert found.state == "not_started"
    assert "150 MB to fetch" in found.found
    assert [facts["to_fetch_bytes"] for facts in facts_of(found.facts, "hears")] == [WHISPER_BASE.wheel_bytes]
    assert [facts["to_fetch_bytes"] for facts in facts_of(found.facts, "speaks")] == [
        PIPER_JOE.wheel_bytes,
        0,
    ]
    assert not (tmp_path / "data").exists()


async def test_what_has_come_is_not_to_be_fetched_again(tmp_path: Path) -> None:
    models = tmp_path / "data" / "models"
    for file in PIPER_JOE.files:
        (models / file).parent.mkdir(parents=True, exist_ok=True)
        with (models / file).open("wb") as whole:
            whole.truncate(max(PIPER_JOE.ends_of(file).values()))  # a hole: takes no room
    found = await examine_voice(settings_in(tmp_path))
    assert [facts["to_fetch_bytes"] for facts in facts_of(found.facts, "speaks")] == [0, 0]


async def test_a_named_server_that_answers_and_one_that_does_not(tmp_path: Path) -> None:
    async with ScriptedWyoming() as server:
        found = await examine_voice(settings_in(tmp_path, STT_URL=server.uri, TTS_URL=server.uri))
        assert found.state == "ok"
        assert found.advice == ""
        closed = "tcp://127.0.0.1:1"
        found = await examine_voice(settings_in(tmp_path, STT_URL=server.uri, TTS_URL=closed))
    assert found.state == "failed"
    assert found.advice == "Start it, or correct TTS_URL."
    assert f"Hears by the server at {server.uri}\n" in found.found


async def test_engines_of_a_running_jarvis_are_asked(tmp_path: Path) -> None:
    with DataDir(tmp_path / "data") as data_dir:
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            await start_espeak(supervisor, data_dir)
            found = await examine_voice(settings_in(tmp_path, STT_URL="tcp://127.0.0.1:1"))
    assert "Speaks by espeak, embedded" in found.found.splitlines()
    assert facts_of(found.facts, "speaks")[1]["answers"] is True


async def test_without_the_embedded_parts_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("wyoming_piper", "espeakng_loader"):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    found = await examine_voice(settings_in(tmp_path))
    assert found.state == "warning"
    assert "set TTS_URL; text needs neither" in found.advice


def facts_of(facts: object, role: str) -> list[dict[str, object]]:
    return msgspec.convert(facts, dict[str, list[dict[str, object]]])[role]
