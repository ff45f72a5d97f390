"""All that can turn text into speech, as one."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import ClassVar

from jarvis.core.errors import Invalid
from jarvis.core.speech import Pcm, Synthesizer, Voice
from jarvis.services.deadlines import Budget
from jarvis.services.engine_watch import Role, WatchedEngine
from jarvis.services.engines import Answer, Ask, Engines

FIRST_S = 10.0
"""How long the first sound of a sentence may take."""


class Synthesizers(Engines[Synthesizer, Voice]):
    """Engines that synthesize, in the order in which they are asked."""

    role: ClassVar[Role] = "tts"

    def synthesize(self, text: str, *, voice: str | None = None, speed: float = 1.0) -> Answer[Pcm]:
        """Yield as a Synthesizer does; where one fails before its first sound, the next is asked.

        With a `voice` those that have it are asked first, and then those that have another in its language.
        Raises Unavailable, TimedOut, Invalid("voice", ...).
        """

        async def sound(answer: Answer[Pcm]) -> AsyncGenerator[Pcm]:
            budget = Budget(self._whole_s)
            budget.begin()
            asks: list[Ask[Synthesizer, Voice, Pcm]] = [
                (each, partial(each.engine.synthesize, text, voice=chosen, speed=speed))
                for each, chosen in await self._choose(voice)
            ]
            pieces = self._answer(answer, asks, budget, may_repeat=lambda came: came == 0)
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    yield piece

        return Answer(sound)

    async def voices(self) -> list[Voice]:
        """Return every voice once, the first engine's first. Raises Unavailable, TimedOut."""
        merged: dict[str, Voice] = {}
        for _, voices in await self._lists():
            for voice in voices:
                merged.setdefault(voice.id, voice)
        return list(merged.values())

    async def _choose(self, voice: str | None) -> list[tuple[WatchedEngine[Synthesizer, Voice], str | None]]:
        """Return who is to be asked, in order, and for which voice."""
        askable = await self._askable()
        if voice is None:
            return [(each, None) for each in askable]
        lists = await self._lists()
        language = next((each.language for _, voices in lists for each in voices if each.id == voice), None)
        if language is None:
            if len(lists) < len(self._engines):
                raise self._away()  # one that is away and has not told yet may have it
            raise Invalid("voice", "There is no such voice; GET /api/voice/voices names those there are.")
        known = dict(lists)
        chosen = [(each, _nearest(voice, language, known.get(each, []))) for each in askable]
        able = [(each, name) for each, name in chosen if name is not None]
        if not able:
            raise self._away()
        return sorted(able, key=lambda asked: asked[1] != voice)

    async def _list(self, engine: Synthesizer) -> list[Voice]:
        return await engine.voices()


def _nearest(voice: str, language: str, voices: Sequence[Voice]) -> str | None:
    """Return `voice` where it is among `voices`, else the first in its language."""
    if any(each.id == voice for each in voices):
        return voice
    return next((each.id for each in voices if each.language == language), None)
