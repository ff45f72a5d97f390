"""Jarvis with one dependency behind a proxy, in a process of its own, and the others as they should be."""

import signal
import sys
from asyncio import create_subprocess_exec, subprocess
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from jarvis.adapters.postgres.migrations import migrate
from tests.chaos.listening import poll, poll_ready
from tests.chaos.outages.faults import Part
from tests.chaos.outages.parts import speech
from tests.chaos.outages.table import AS_USUAL, TESTED, USES, Dependency
from tests.chaos.outages.uses import Client, settle
from tests.chaos.proxy import Proxy
from tests.postgres import PostgresServer, postgres_server
from tests.qdrant import QdrantServer
from tests.running import REPOSITORY, jarvis_process
from tests.scripted_model import EMBEDDING_MODEL, ScriptedModel
from tests.valkey import valkey_server

SETTLED_WITHIN_S = 30.0
CUT_AT: dict[Dependency, int] = {"postgres": 20, "model": 20, "stt": 20, "tts": 20, "qdrant": 20, "redis": 2}
PORT = 5432


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    dependency: Dependency
    client: Client
    part: Part


class Others(msgspec.Struct, frozen=True, kw_only=True):
    """What several Jarvises share, each with a database of its own."""

    postgres: PostgresServer
    template: str
    environment: dict[str, str]


@asynccontextmanager
async def others(postgres: PostgresServer, template: str) -> AsyncGenerator[Others]:
    async with ScriptedModel() as model, speech() as engines, QdrantServer() as vectors:
        environment = {
            "LLM_BACKEND": "ollama",
            "OLLAMA_URL": model.url,
            "EMBED_BACKEND": "ollama",
            "OLLAMA_EMBED_MODEL": EMBEDDING_MODEL.name,
            "VOICE": "auto",
            "STT_URL": engines.uri,
            "TTS_URL": engines.uri,
            "QDRANT_URL": vectors.url,
        }
        yield Others(postgres=postgres, template=template, environment=environment | TESTED)


@asynccontextmanager
async def standing(dependency: Dependency, others: Others) -> AsyncGenerator[Stand]:
    async with AsyncExitStack() as stack:
        if dependency == "postgres":
            part, environment = await _postgres(stack)
        else:
            part, environment = await (
                _redis(stack) if dependency == "redis" else _process(dependency, stack)
            )
            database = await others.postgres.new_database(template=others.template)
            environment["DATABASE_URL"] = others.postgres.url(database)
            stack.push_async_callback(others.postgres.run, f"DROP DATABASE {database} WITH (FORCE)")
        environment["QDRANT_COLLECTION"] = f"jarvis_{dependency}"
        jarvis = await stack.enter_async_context(jarvis_process(others.environment | environment))
        await poll_ready(jarvis, "ready", within_s=SETTLED_WITHIN_S)
        client = await settle(jarvis, minds_memory=dependency in {"model", "qdrant"})

        async def is_as_usual() -> bool:
            return all([await client.use(use) == AS_USUAL[use] for use in USES])

        await poll(is_as_usual, within_s=SETTLED_WITHIN_S)
        yield Stand(dependency=dependency, client=client, part=part)


async def _postgres(stack: AsyncExitStack) -> tuple[Part, dict[str, str]]:
    postgres = await stack.enter_async_context(postgres_server())
    database = await postgres.new_database()
    await migrate(postgres.url(database))
    socket = postgres.data_dir.run_dir / f".s.PGSQL.{PORT}"
    proxy = await stack.enter_async_context(Proxy(socket))
    part = Part(proxy=proxy, freeze=postgres.freeze, thaw=postgres.thaw, cut_at=CUT_AT["postgres"])
    return part, {"DATABASE_URL": f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}"}


async def _redis(stack: AsyncExitStack) -> tuple[Part, dict[str, str]]:
    valkey = await stack.enter_async_context(valkey_server())
    proxy = await stack.enter_async_context(Proxy(("127.0.0.1", valkey.port)))
    part = Part(proxy=proxy, freeze=valkey.freeze, thaw=valkey.thaw, cut_at=CUT_AT["redis"])
    return part, {"REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0"}


async def _process(
    dependency: Literal["model", "stt", "tts", "qdrant"], stack: AsyncExitStack
) -> tuple[Part, dict[str, str]]:
    module, *arguments = {
        "model": ("tests.scripted_model",),
        "stt": ("tests.chaos.outages.parts", "speech"),
        "tts": ("tests.chaos.outages.parts", "speech"),
        "qdrant": ("tests.chaos.outages.parts", "vectors"),
    }[dependency]
    process = await create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments), cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    stack.push_async_callback(process.wait)
    stack.callback(process.kill)
    assert process.stdout is not None
    address = urlsplit((await process.stdout.readline()).decode().strip())
    assert address.hostname is not None
    assert address.port is not None
    proxy = await stack.enter_async_context(Proxy((address.hostname, address.port)))
    part = Part(
        proxy=proxy,
        freeze=partial(process.send_signal, signal.SIGSTOP),
        thaw=partial(process.send_signal, signal.SIGCONT),
        cut_at=CUT_AT[dependency],
    )
    here = proxy.url if address.scheme == "http" else f"tcp://127.0.0.1:{proxy.port}"
    match dependency:
        case "model":
            return part, {"OLLAMA_URL": here}
        case "stt":
            return part, {"STT_URL": here}
        case "tts":
            return part, {"TTS_URL": here}
        case "qdrant":
            return part, {"QDRANT_URL": here}
