"""Each adapter with the server that it talks to, for suites that run on all of them."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Literal

import msgspec

from jarvis.adapters.speech.bridges import BridgeSynthesizer, BridgeTranscriber
from jarvis.adapters.speech.openai_audio import OpenAISynthesizer, OpenAITranscriber
from jarvis.adapters.speech.wyoming import WyomingSynthesizer, WyomingTranscriber
from jarvis.core.speech import Synthesizer, Transcriber
from tests.scripted_speech.http_server import ScriptedSpeechHttp
from tests.scripted_speech.wyoming_server import ScriptedWyoming

Dialect = Literal["wyoming", "openai", "bridges"]
DIALECTS: tuple[Dialect, ...] = ("wyoming", "openai", "bridges")


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    dialect: Dialect
    server: ScriptedWyoming | ScriptedSpeechHttp
    transcriber: Transcriber
    synthesizer: Synthesizer


@contextlib.asynccontextmanager
async def standing(dialect: Dialect, *, name: str | None = None) -> AsyncGenerator[Stand]:
    called = name or dialect
    if dialect == "wyoming":
        async with ScriptedWyoming() as wyoming:
            yield Stand(
                dialect=dialect,
                server=wyoming,
                transcriber=WyomingTranscriber(wyoming.uri, name=called),
                synthesizer=WyomingSynthesizer(wyoming.uri, name=called),
            )
        return
    async with ScriptedSpeechHttp() as server:
        if dialect == "openai":
            hears = OpenAITranscriber(server.openai_url, name=called)
            speaks = OpenAISynthesizer(server.openai_url, name=called)
        else:
            hears = BridgeTranscriber(server.url, name=called)
            speaks = BridgeSynthesizer(server.url, name=called)
        async with hears, speaks:
            yield Stand(dialect=dialect, server=server, transcriber=hears, synthesizer=speaks)
