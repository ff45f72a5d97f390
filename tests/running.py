"""Jarvis running for a test: the real application on the real server, in this process or in its own.

Registered as a plugin by conftest.py.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import pytest_asyncio

from jarvis.app.assembly import Assembly, open_assembly
from jarvis.app.serving import build_app
from jarvis.settings import Settings, load
from jarvis.web.server import bind, serve
from tests.scripted_model import EMBEDDING_MODEL, ScriptedModel

START_WITHIN_S = 30.0
SETTLED_WITHIN_S = 3.0
REPOSITORY = Path(__file__).parents[1]
UNHANDLED = (
    "Traceback",
    "never retrieved",
    "never awaited",
    "_defect",
    "exception was ignored",
    "Exception ignored",
)

T = TypeVar("T")


class Running(msgspec.Struct, kw_only=True):
    """Jarvis in this process: `assembly` is there to be looked into."""

    url: str
    ws_url: str
    settings: Settings
    assembly: Assembly
    http: httpx.AsyncClient


@asynccontextmanager
async def running(database_url: str, model_url: str, **settings: str) -> AsyncGenerator[Running]:
    """Run Jarvis in this event loop; `settings` are environment variables in lower case."""
    environment = {
        "DATABASE_URL": database_url,
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model_url,
        "EMBED_BACKEND": "ollama",
        "OLLAMA_EMBED_MODEL": EMBEDDING_MODEL.name,
        "VOICE": "off",
        "LOG_LEVEL": "WARNING",
    } | {name.upper(): value for name, value in settings.items()}
    with tempfile.TemporaryDirectory(prefix="jarvis-test-") as data_dir:
        loaded = load({"JARVIS_DATA_DIR": data_dir} | environment)
        async with _running(loaded) as server:
            yield server


@asynccontextmanager
async def _running(loaded: Settings) -> AsyncGenerator[Running]:
    listener = await bind(loaded.host, 0)
    port: int = listener.getsockname()[1]
    stop = asyncio.Event()
    async with open_assembly(loaded, place=f"test:{port}") as assembly:
        serving = asyncio.create_task(serve(build_app(loaded, assembly, port=port), listener, stop=stop))
        url = f"http://127.0.0.1:{port}"
        await _settled(assembly)
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
            yield Running(
                url=url, ws_url=f"ws://127.0.0.1:{port}/ws", settings=loaded, assembly=assembly, http=http
            )
        stop.set()
        await serving


async def _settled(assembly: Assembly) -> None:
    """Wait until meanings can be compared, and speech heard and spoken, or it is clear that they cannot.

    What is recalled and who answers meanwhile depends on it.
    """
    health = assembly.services.health
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while "starting" in {health.health().services[name].status for name in ("memory", "voice")}:
                await asyncio.sleep(0.01)  # it tells only the health check
                await health.check()


class JarvisProcess:
    """`jarvis serve` as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}/ws"
        self.http = httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False)
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def complaints(self) -> list[str]:
        """What a log must never hold: defects that nobody handled."""
        return [line for line in self.log.splitlines() if any(sign in line for sign in UNHANDLED)]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def exit_code(self, within_s: float) -> int:
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    async def wait_ready(self) -> None:
        """Poll /ready until it is 200; raises RuntimeError with the log when the process ends before."""
        async with asyncio.timeout(START_WITHIN_S):
            while self.process.returncode is None:
                try:
                    if (await self.http.get("/ready")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.02)  # another process starts: there is no event of ours to wait for
        raise RuntimeError(f"jarvis ended before it was ready:\n{self.log}")


@asynccontextmanager
async def jarvis_process(
    environment: Mapping[str, str], *, wait: bool = True, dotenv: str = "", module: str = "jarvis"
) -> AsyncGenerator[JarvisProcess]:
    """Start `python -m jarvis serve` with exactly these settings on a free port; killed at the end.

    It works in a folder of its own, which holds a `.env` with the text `dotenv`. A test that passed fails
    when the log tells of a defect that nobody handled.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(environment.get("PORT") or probe.getsockname()[1])
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    # Parts of a killed server end a moment after it, and may still write.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "jarvis.log"
        (Path(folder) / ".env").write_text(dotenv)
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, "serve"),
                env=kept
                | {
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONPATH": str(REPOSITORY),
                    "JARVIS_DATA_DIR": f"{folder}/data",
                    "VOICE": "off",
                }
                | dict(environment)
                | {"PORT": str(port)},
                cwd=folder,
                stdout=file,
                stderr=file,
            )
        jarvis = JarvisProcess(process, port, log)
        try:
            if wait:
                await jarvis.wait_ready()
            yield jarvis
        finally:
            await jarvis.http.aclose()
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert not jarvis.complaints, jarvis.log


@pytest_asyncio.fixture
async def model() -> AsyncGenerator[ScriptedModel]:
    async with ScriptedModel() as server:
        yield server


@pytest_asyncio.fixture
async def jarvis(database_url: str, model: ScriptedModel) -> AsyncGenerator[Running]:
    """Jarvis with default settings on a fresh database and a scripted model."""
    async with in_one_task(running(database_url, model.url)) as server:
        yield server


@asynccontextmanager
async def in_one_task(context: AbstractAsyncContextManager[T]) -> AsyncGenerator[T]:
    """Enter and leave `context` in one task: pytest-asyncio sets a fixture up and tears it down in two."""
    opened: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def host() -> None:
        async with context as value:
            opened.set_result(value)
            await leave.wait()

    hosting = asyncio.create_task(host())
    await asyncio.wait({hosting, opened}, return_when=asyncio.FIRST_COMPLETED)
    if hosting.done():
        await hosting
    yield opened.result()
    leave.set()
    await hosting
