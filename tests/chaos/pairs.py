"""Two `jarvis serve` on one Postgres and one Valkey, and who follows a turn at one of them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import msgspec

from tests.chaos.doors import Door, resume
from tests.chaos.talking import Heard
from tests.running import JarvisProcess, jarvis_process
from tests.scripted_model import ScriptedModel
from tests.valkey import ValkeyServer


class Pair(msgspec.Struct, frozen=True):
    one: JarvisProcess
    other: JarvisProcess
    environment: dict[str, str]
    """Theirs, for a third one."""


@asynccontextmanager
async def pair(
    database_url: str, model: ScriptedModel, valkey: ValkeyServer, **settings: str
) -> AsyncGenerator[Pair]:
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": valkey.url,
        "LLM_BACKEND": "ollama",
        "OLLAMA_URL": model.url,
        "LLM_MAX_CONCURRENCY": "8",
    } | {name.upper(): value for name, value in settings.items()}
    async with jarvis_process(environment) as one, jarvis_process(environment) as other:
        yield Pair(one, other, environment)


async def followed(jarvis: JarvisProcess, turn_id: str, *, last_seq: int = -1, door: Door = "sse") -> Heard:
    """Follow a turn to its end."""
    heard = Heard()
    heard.last_seq = last_seq
    async with aclosing(resume(jarvis.url, turn_id, door, last_seq=last_seq)) as events:
        async for event in events:
            heard.take(event)
    return heard
