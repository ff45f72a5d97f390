"""One server, one database and one scripted model for all tests of a module; each test leaves them idle.

A module says which settings it wants in `SETTINGS`; with `voice` on, it has scripted engines too.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from tests.postgres import PostgresServer
from tests.running import Running, in_one_task, running
from tests.scripted_model import ScriptedModel
from tests.scripted_speech import ScriptedWyoming

SETTLED_WITHIN_S = 5.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_model() -> AsyncGenerator[ScriptedModel]:
    async with in_one_task(ScriptedModel()) as model:
        yield model


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_speech() -> AsyncGenerator[ScriptedWyoming]:
    async with in_one_task(ScriptedWyoming()) as engines:
        yield engines


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_server(
    request: pytest.FixtureRequest,
    postgres: PostgresServer,
    migrated_template: str,
    module_model: ScriptedModel,
    module_speech: ScriptedWyoming,
) -> AsyncGenerator[Running]:
    name = await postgres.new_database(template=migrated_template)
    module: Any = request.module  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  untyped
    settings: dict[str, str] = getattr(cast("object", module), "SETTINGS", {})
    if settings.get("voice", "off") != "off":
        settings = {"stt_url": module_speech.uri, "tts_url": module_speech.uri} | settings
    with pytest.MonkeyPatch.context() as patch:
        # The model's log and scripts are the tests' own: nobody asks it for titles between two of them.
        patch.setattr("jarvis.services.titles.QUIET_S", 3600.0)
        async with in_one_task(running(postgres.url(name), module_model.url, **settings)) as server:
            if server.settings.voice != "off":
                await _until_spoken_to(server)
            yield server
    await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


async def _until_spoken_to(server: Running) -> None:
    health = server.assembly.services.health
    async with asyncio.timeout(SETTLED_WITHIN_S):
        while not health.is_up("voice"):
            await asyncio.sleep(0.01)  # it tells only the health check
            await health.check()


@pytest_asyncio.fixture
async def llm(module_model: ScriptedModel) -> ScriptedModel:
    """The module's model, with nothing scripted or logged."""
    module_model.clear_scripts()
    module_model.log.clear()
    return module_model


@pytest_asyncio.fixture
async def engines(module_speech: ScriptedWyoming) -> ScriptedWyoming:
    """What the module's server hears and speaks with, with nothing scripted or logged."""
    module_speech.fault = module_speech.said = module_speech.early = None
    module_speech.deaf = module_speech.streams = False
    module_speech.log.records.clear()
    return module_speech


@pytest_asyncio.fixture
async def server(module_server: Running, llm: ScriptedModel) -> AsyncGenerator[Running]:
    """The module's server; the test fails if a defect is in its log or a connection stays in use."""
    del llm  # cleared before the test, whether or not it asks for the model itself
    with capture_logs() as logged:
        yield module_server
        services = module_server.assembly.services
        for live in list(services.turns._live.values()):  # pyright: ignore[reportPrivateUsage]  # what a failed test left
            live.end("interrupted")
        async with asyncio.timeout(SETTLED_WITHIN_S):
            await services.turns._all_ended.wait()  # pyright: ignore[reportPrivateUsage]
            while module_server.assembly.database.in_use:  # noqa: ASYNC110 - a pool tells nobody
                await asyncio.sleep(0)
    assert [entry for entry in logged if entry["log_level"] in {"error", "critical"}] == []
