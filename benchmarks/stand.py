"""What is measured, set up once: Postgres, the scripted model, and every server side by side."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from benchmarks.servers import (
    FASTAPI,
    FLOOR,
    INSTANT,
    JARVIS,
    Cpus,
    Server,
    scripted_model,
    serving,
    share_cpus,
)
from benchmarks.wire import ANSWER_TEXT
from jarvis.adapters.postgres.driver import connect
from jarvis.adapters.postgres.migrations import migrate
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.postgres import start_postgres
from jarvis.embedded.supervisor import Supervisor
from tests.scripted_model import Rule, Script

TURNS_AT_ONCE = 32
DB_CONNECTIONS = 14  # for each server: the embedded Postgres has 50, and three servers run side by side
NOWHERE = "http://127.0.0.1:9"  # the discard port: refused at once

FIRST_TOKEN_S = 0.05
PACED_TOKENS, PACED_PER_S = 200, 50.0
FAST_TOKENS = 2000

# What a message asks for, by a word in it.
SCRIPTS = {
    "short": Script(text=ANSWER_TEXT),
    "first": Script(tokens=8, tokens_per_s=PACED_PER_S, first_token_delay_s=FIRST_TOKEN_S),
    "paced": Script(tokens=PACED_TOKENS, tokens_per_s=PACED_PER_S),
    "fast": Script(tokens=FAST_TOKENS),
}


class Contenders(msgspec.Struct, frozen=True, kw_only=True):
    """Three servers side by side, on the same database and the same model."""

    jarvis: Server
    floor: Server
    fastapi: Server


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    cpus: Cpus
    folder: Path
    database_url: str
    model_url: str

    @property
    def model_port(self) -> int:
        return int(self.model_url.rpartition(":")[2])

    @property
    def settings(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            "LLM_BACKEND": "ollama",
            "OLLAMA_URL": self.model_url,
            "LLM_MAX_CONCURRENCY": str(TURNS_AT_ONCE),
            "DB_MAX_CONNECTIONS": str(DB_CONNECTIONS),
        }

    async def spare_the_disk(self) -> None:
        """Let later connections commit without waiting for the disk, which would be what is measured."""
        connection = await connect(self.database_url)
        await connection.execute("ALTER DATABASE jarvis SET synchronous_commit = off")
        await connection.close()

    @asynccontextmanager
    async def contenders(self, *, instant: bool) -> AsyncGenerator[Contenders]:
        """Start all three; `instant`: each has the model in its own process, where it answers at once."""
        settings = self.settings
        if instant:
            settings |= {"OLLAMA_URL": NOWHERE, "LOG_LEVEL": "WARNING"}
        else:
            settings["MODEL_URL"] = self.model_url
        async with AsyncExitStack() as stack:

            async def opened(program: tuple[str, ...]) -> Server:
                server = await stack.enter_async_context(serving(program, settings))
                server.pin(self.cpus.servers)
                return server

            jarvis = await opened(INSTANT if instant else JARVIS)
            await _first_turn(jarvis)  # makes the profile that the others use
            yield Contenders(jarvis=jarvis, floor=await opened(FLOOR), fastapi=await opened(FASTAPI))


@asynccontextmanager
async def stand() -> AsyncGenerator[Stand]:
    """Start Postgres, as Jarvis itself would, and the scripted model."""
    cpus = share_cpus()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jarvis-bench-")))
        os.chmod(folder, 0o711)  # noqa: PTH101, S103 - as root, Postgres is another user and passes through
        data_dir = stack.enter_context(DataDir(folder / "database"))
        supervisor = await stack.enter_async_context(
            Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir)
        )
        database_url = await start_postgres(supervisor, data_dir)
        await migrate(database_url)
        model_url = await stack.enter_async_context(scripted_model())
        async with httpx.AsyncClient(base_url=model_url, trust_env=False) as model:
            for word, script in SCRIPTS.items():
                rule = msgspec.json.encode(Rule(match=word, script=script))
                (await model.post("/__script__", content=rule)).raise_for_status()
        yield Stand(cpus=cpus, folder=folder, database_url=database_url, model_url=model_url)


async def _first_turn(jarvis: Server) -> None:
    """Have one answer, which the model may not be there for yet."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{jarvis.port}", trust_env=False) as http:
        async with asyncio.timeout(30):
            while (await http.post("/api/chat", json={"message": "short"})).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # another process gets ready: there is no event of ours to wait for
