"""The commands of the README and of the pages in docs, run as they stand there against a running server."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from jarvis.core.speech import HEARD_HZ
from tests import sounds
from tests.documents import API, MEMORY, README, VOICE, blocks
from tests.running import Running
from tests.scripted_speech import ScriptedWyoming

PLACEHOLDERS = {"PUT THE ID HERE": "conversation_id"}
PYTHON = ".venv/bin/python - "
PATIENCE_S = 30.0
SETTINGS = {"voice": "auto"}

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def examples(document: Path) -> list[str]:
    return [text for text in blocks(document.read_text(), "sh") if text.startswith(("curl", PYTHON))]


@pytest.mark.parametrize(
    "commands",
    [examples(README), examples(API), examples(MEMORY), examples(VOICE)],
    ids=["README", "api", "memory", "voice"],
)
async def test_every_example_works_as_it_is_pasted(
    server: Running, engines: ScriptedWyoming, commands: list[str], tmp_path: Path
) -> None:
    engines.said = "What do you remember about my cat?"
    engines.speaks, engines.rate_hz = spoken, HEARD_HZ
    # A user's curl says nothing of a refusal by its exit code; this one does.
    (tmp_path / ".curlrc").write_text(
        'fail-with-body\nsilent\nshow-error\nwrite-out = "%{stderr}%{http_code}\\n"'
    )
    ids: dict[str, str] = {}
    for example in commands:
        command = example.replace("localhost:8100", server.url.removeprefix("http://"))
        command = command.replace(PYTHON, f"{sys.executable} - ")
        for placeholder, name in PLACEHOLDERS.items():
            command = command.replace(placeholder, ids.get(name, ""))
        code, out, err = await run(command, ids, home=tmp_path)
        assert code == 0, f"{example}\n{out}\n{err}"
        assert all(status.startswith("2") for status in err.split()), f"{example}\n{out}\n{err}"
        assert out.strip(), example
        if not ids and "/api/chat " in example:
            answer = json.loads(out)
            ids = {"conversation_id": answer["conversation_id"], "turn_id": answer["turn_id"]}


def spoken(text: str, _rate_hz: int) -> sounds.Samples:
    return sounds.speech(text)


async def run(command: str, ids: dict[str, str], *, home: Path) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-c", command),
        cwd=home,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", **ids},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, out.decode(), err.decode()
