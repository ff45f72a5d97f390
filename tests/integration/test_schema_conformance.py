"""schemathesis against a running server: all its checks, all its phases, nothing but what the document tells.

`make test` takes the same cases each time. With FUZZ_SECS set it goes on for so long, from a new seed.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.running import REPOSITORY, jarvis_process
from tests.scripted_model import Script, ScriptedModel
from tests.scripted_speech import ScriptedWyoming

CONFIG = REPOSITORY / "tests" / "fuzz" / "schemathesis.toml"
MAX_EXAMPLES = 40
"""For each operation; the coverage of its parameters' bounds comes on top."""
FUZZ_S = int(os.environ.get("FUZZ_SECS", "0"))
PATIENCE_S = 240


@pytest.mark.timeout(PATIENCE_S + FUZZ_S + 60)
async def test_the_server_is_as_its_document_says(
    database_url: str, model: ScriptedModel, engines: ScriptedWyoming, tmp_path: Path
) -> None:
    model.script(Script(text="Yes."))
    settings = {
        "DATABASE_URL": database_url,
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model.url,
        "LLM_MAX_CONCURRENCY": "20",
        "VOICE": "auto",
        "STT_URL": engines.uri,
        "TTS_URL": engines.uri,
        "LOG_LEVEL": "WARNING",
    }
    how_long = (
        ("--max-time", str(FUZZ_S))
        if FUZZ_S
        else ("--max-examples", str(MAX_EXAMPLES), "--generation-deterministic")
    )
    async with jarvis_process(settings) as jarvis:
        schemathesis = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("schemathesis"),
            *("--config-file", CONFIG, "--no-color", "run", f"{jarvis.url}/schema/openapi.json"),
            *("--checks", "all", *how_long),
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )
        try:
            async with asyncio.timeout(PATIENCE_S + FUZZ_S):
                assert await schemathesis.wait() == 0
        finally:
            if schemathesis.returncode is None:
                schemathesis.kill()
                await schemathesis.wait()
        assert (await jarvis.http.get("/ready")).json()["status"] == "ready"
        assert "[error" not in jarvis.log, jarvis.log
