"""Which engines hear and speak, and bringing them up in the background: named servers first, then our own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from functools import partial
from typing import TypeVar

import anyio
import msgspec
import structlog

from jarvis.adapters.closable import Closable
from jarvis.adapters.speech.late import LateSynthesizer, LateTranscriber
from jarvis.core.errors import JarvisError
from jarvis.core.speech import Synthesizer, Transcriber
from jarvis.embedded.catalogue import PIPER_JOE, WHISPER_BASE, Weights
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import EmbeddedError
from jarvis.embedded.espeak import ESPEAK, start_espeak
from jarvis.embedded.fetching import fetch
from jarvis.embedded.piper import PIPER, start_piper
from jarvis.embedded.progress import Progress, shown
from jarvis.embedded.speech import Engine, RunningEngine
from jarvis.embedded.supervisor import Supervisor
from jarvis.embedded.whisper import WHISPER, start_whisper
from jarvis.services.engines import EngineState
from jarvis.services.synthesizers import FIRST_S, Synthesizers
from jarvis.services.transcribers import Transcribers
from jarvis.settings import Settings

E = TypeVar("E", Transcriber, Synthesizer)

log = structlog.stdlib.get_logger("jarvis.voice")


class OwnEngine(msgspec.Struct, frozen=True, kw_only=True):
    """An engine of our own, and what it takes to have it."""

    engine: Engine
    weights: Weights | None
    start: Callable[[Supervisor, DataDir], Awaitable[RunningEngine]]


HEARING: Sequence[OwnEngine] = (OwnEngine(engine=WHISPER, weights=WHISPER_BASE, start=start_whisper),)
SPEAKING: Sequence[OwnEngine] = (
    OwnEngine(engine=PIPER, weights=PIPER_JOE, start=start_piper),
    OwnEngine(engine=ESPEAK, weights=None, start=start_espeak),
)
OURS = frozenset(own.engine.name for own in (*HEARING, *SPEAKING))
STAND_IN_S, LOOK_S = 30.0, 5.0
"""How long engines that are named have to be away before ours are started, and how often one looks."""


def own_hearing(settings: Settings) -> Sequence[OwnEngine]:
    """Our own engines that hear, where no other is named."""
    return () if settings.stt_url or settings.python_bridges_url else _installed(settings, HEARING)


def own_speaking(settings: Settings) -> Sequence[OwnEngine]:
    """Our own engines that speak, where no other is named."""
    return () if settings.tts_url or settings.python_bridges_url else _installed(settings, SPEAKING)


def may_run_engines_here(settings: Settings) -> bool:
    """Tell whether a supervisor and the data folder are of use for the voice."""
    return bool(_installed(settings, (*HEARING, *SPEAKING)))


def _installed(settings: Settings, engines: Sequence[OwnEngine]) -> Sequence[OwnEngine]:
    return () if settings.voice == "off" else [own for own in engines if own.engine.is_installed]


class VoiceStart:
    """Brings the engines up one by one; until then `transcribers` and `synthesizers` say what is awaited.

    They are in the order in which to ask. Our own engines wait until `model_is_up` returns: the language
    model is fetched and loaded first. Where others are named, ours stand in once those have been away for
    STAND_IN_S. Without a supervisor and a data folder there are none of ours.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        supervisor: Supervisor | None,
        data_dir: DataDir | None,
        model_is_up: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._data_dir = data_dir
        self._model_is_up = model_is_up
        self._one_fetch = asyncio.Lock()
        self._coming: list[LateTranscriber | LateSynthesizer] = []
        self._brings: list[Callable[[AsyncExitStack], Coroutine[None, None, None]]] = []
        self.transcribers: list[Transcriber] = []
        self.synthesizers: list[Synthesizer] = []
        if settings.voice != "off":
            self._plan(settings)
        self.hearing = Transcribers(self.transcribers)
        self.speaking = Synthesizers(self.synthesizers, first_s=FIRST_S)

    def _plan(self, settings: Settings) -> None:
        if settings.stt_url:
            self._hear(_kind(settings.stt_url), partial(transcriber_at, settings.stt_url))
        if settings.tts_url:
            self._speak(_kind(settings.tts_url), partial(synthesizer_at, settings.tts_url))
        if settings.python_bridges_url:
            self._hear("python-bridges", bridge_transcriber)
            self._speak("python-bridges", bridge_synthesizer)
        if self._supervisor is None:
            return
        for own in _installed(settings, HEARING):
            self._hear_here(own, stands_in=own not in own_hearing(settings))
        for own in _installed(settings, SPEAKING):
            self._speak_here(own, stands_in=own not in own_speaking(settings))

    def starting(self) -> str | None:
        """Return what an engine of our own still waits for."""
        return self._coming[0].progress if self._coming else None

    async def run(self) -> None:
        """Bring all up and keep them open; to be cancelled. A failure is told to who asks, and to the log."""
        async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
            for bring in self._brings:
                tasks.start_soon(bring, stack)
            await anyio.sleep_forever()

    def _hear(self, name: str, make: Callable[[Settings], Transcriber]) -> None:
        late = LateTranscriber(name, progress="The speech recognition is being started.")
        self.transcribers.append(late)

        async def arrive(engine: Transcriber) -> None:
            late.arrive(engine)
            await self.hearing.check()

        self._brings.append(partial(self._bring_named, arrive, make))

    def _speak(self, name: str, make: Callable[[Settings], Synthesizer]) -> None:
        late = LateSynthesizer(name, progress="The speech synthesis is being started.")
        self.synthesizers.append(late)

        async def arrive(engine: Synthesizer) -> None:
            late.arrive(engine)
            await self.speaking.check()

        self._brings.append(partial(self._bring_named, arrive, make))

    def _hear_here(self, own: OwnEngine, *, stands_in: bool) -> None:
        late = LateTranscriber(own.engine.name, progress=_waiting(own))
        if not stands_in:
            self.transcribers.append(late)
            self._coming.append(late)

        async def arrive(uri: str) -> None:
            late.arrive(transcriber_at(uri, self._settings, name=own.engine.name))
            await self.hearing.check()

        self._brings.append(partial(self._bring_own, own, late, arrive))

    def _speak_here(self, own: OwnEngine, *, stands_in: bool) -> None:
        late = LateSynthesizer(own.engine.name, progress=_waiting(own))
        if not stands_in:
            self.synthesizers.append(late)
            self._coming.append(late)

        async def arrive(uri: str) -> None:
            synthesizer = synthesizer_at(uri, self._settings, name=own.engine.name)
            await _warm(synthesizer)
            late.arrive(synthesizer)
            await self.speaking.check()

        self._brings.append(partial(self._bring_own, own, late, arrive))

    async def _bring_named(
        self, arrive: Callable[[E], Awaitable[None]], make: Callable[[Settings], E], stack: AsyncExitStack
    ) -> None:
        engine = await asyncio.to_thread(make, self._settings)
        if isinstance(engine, Closable):
            await stack.enter_async_context(engine)
        await arrive(engine)

    async def _bring_own(
        self,
        own: OwnEngine,
        late: LateTranscriber | LateSynthesizer,
        arrive: Callable[[str], Awaitable[None]],
        _stack: AsyncExitStack,
    ) -> None:
        await self._model_is_up()
        if late not in self._coming:
            await self._stand_in(late)
        title = own.engine.title
        try:
            await self._fetch(own, late)
            late.progress = f"{title} is being started."
            if self._supervisor is None or self._data_dir is None:
                raise RuntimeError("engines of our own need a data folder")
            running = await own.start(self._supervisor, self._data_dir)
            await arrive(running.uri)
        except (EmbeddedError, OSError) as exc:
            late.progress = f"{title} could not be started; the server's log says why."
            log.warning("voice.away", engine=own.engine.name, reason=str(exc))
        else:
            log.info("voice.ready", engine=own.engine.name)
        finally:
            self._coming.remove(late)

    async def _stand_in(self, late: LateTranscriber | LateSynthesizer) -> None:
        """Have it asked too, once no engine that is named has worked for STAND_IN_S."""
        engines = self.hearing if isinstance(late, LateTranscriber) else self.speaking
        away_s = 0.0
        while away_s < STAND_IN_S:
            await asyncio.sleep(LOOK_S)
            away_s = away_since(away_s, engines.states())
        self._coming.append(late)
        if isinstance(late, LateTranscriber):
            self.hearing.add(late)
        else:
            self.speaking.add(late)

    async def _fetch(self, own: OwnEngine, late: LateTranscriber | LateSynthesizer) -> None:
        if own.weights is None or self._data_dir is None:
            return
        with shown(own.engine.title) as draw:

            def tell(progress: Progress) -> None:
                late.progress = progress.sentence
                draw(progress)

            async with self._one_fetch:
                await fetch(own.weights, self._data_dir.models_dir, progress=tell)


def away_since(before_s: float, states: Sequence[EngineState]) -> float:
    """Return for how long no engine that is named has worked, looking again after LOOK_S."""
    works = any(state.works for state in states if state.name not in OURS)
    return 0.0 if works else before_s + LOOK_S


async def _warm(synthesizer: Synthesizer) -> None:
    """Have it speak once: Piper loads its voice, for 2 s, when it is first asked to."""
    with suppress(JarvisError):
        async with aclosing(synthesizer.synthesize("Hello.")) as sound:
            async for _ in sound:
                pass


def transcriber_at(url: str, settings: Settings, *, name: str = "") -> Transcriber:
    """Make, unopened, the client of the server at `url`: tcp or unix is Wyoming, http OpenAI's audio API."""
    if _kind(url) == "wyoming":
        from jarvis.adapters.speech.wyoming import WyomingTranscriber  # noqa: PLC0415 one of them is needed

        return WyomingTranscriber(url, name=name or "wyoming")
    from jarvis.adapters.speech.openai_audio import OpenAITranscriber, key_for  # noqa: PLC0415 likewise

    key = key_for(url, openai_base_url=settings.openai_base_url, openai_api_key=settings.openai_api_key)
    return OpenAITranscriber(url, api_key=key)


def synthesizer_at(url: str, settings: Settings, *, name: str = "") -> Synthesizer:
    """Make, unopened, the client of the server at `url`, as transcriber_at does."""
    if _kind(url) == "wyoming":
        from jarvis.adapters.speech.wyoming import WyomingSynthesizer  # noqa: PLC0415 one of them is needed

        return WyomingSynthesizer(url, name=name or "wyoming")
    from jarvis.adapters.speech.openai_audio import OpenAISynthesizer, key_for  # noqa: PLC0415 likewise

    key = key_for(url, openai_base_url=settings.openai_base_url, openai_api_key=settings.openai_api_key)
    return OpenAISynthesizer(url, api_key=key)


def bridge_transcriber(settings: Settings) -> Transcriber:
    from jarvis.adapters.speech.bridges import BridgeTranscriber  # noqa: PLC0415 for old set-ups only

    return BridgeTranscriber(settings.python_bridges_url)


def bridge_synthesizer(settings: Settings) -> Synthesizer:
    from jarvis.adapters.speech.bridges import BridgeSynthesizer  # noqa: PLC0415 for old set-ups only

    return BridgeSynthesizer(settings.python_bridges_url)


def _kind(url: str) -> str:
    return "openai" if url.startswith("http") else "wyoming"


def _waiting(own: OwnEngine) -> str:
    return f"{own.engine.title} is started after the language model."
