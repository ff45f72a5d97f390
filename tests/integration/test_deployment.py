"""The image's HEALTHCHECK, run as Docker would, against a server that is told what compose tells it."""

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import ScriptedModel

PROBE = re.compile(r"^HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", re.MULTILINE)
NO_PROXY_THERE = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
"""Docker hands the proxies of its own configuration to every container."""


async def probe(server: JarvisProcess) -> int:
    [command] = PROBE.findall((Path(__file__).parents[2] / "Dockerfile").read_text())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *json.loads(command)[1:]),
        env={"PORT": str(server.port), **NO_PROXY_THERE},
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(10):
        return await process.wait()


async def test_the_healthcheck_passes_while_the_server_lives_and_fails_without_it(
    database_url: str, model: ScriptedModel
) -> None:
    told = {"HOST": "0.0.0.0", "TRUST_NETWORK": "true", "ALLOWED_HOSTS": "jarvis", "DRAIN_DELAY_SECS": "0"}  # noqa: S104 the image's
    environment = {"DATABASE_URL": database_url, "LLM_BACKEND": "ollama", "OLLAMA_URL": model.url, **told}
    async with jarvis_process(environment) as server:
        assert await probe(server) == 0
        server.signal(signal.SIGTERM)
        assert await server.exit_code(within_s=10) == 0
        assert await probe(server) == 1
