"""All that can turn speech into text, as one."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterable
from functools import partial
from typing import ClassVar

from jarvis.core.speech import HEARD_HZ, SAMPLE_BYTES, Transcriber, Transcript
from jarvis.services.deadlines import Budget
from jarvis.services.engine_watch import Role
from jarvis.services.engines import Answer, Ask, Engines
from jarvis.services.tape import Tape

KEPT_S = 120
"""Of longer speech only the engine that began to listen to it hears all."""
_KEPT_BYTES = KEPT_S * HEARD_HZ * SAMPLE_BYTES


class Transcribers(Engines[Transcriber, str]):
    """Engines that transcribe, in the order in which they are asked."""

    role: ClassVar[Role] = "stt"

    def transcribe(
        self, speech: AsyncIterable[bytes], *, language: str | None = None, prompt: str | None = None
    ) -> Answer[Transcript]:
        """Yield as a Transcriber does; where one fails before the final transcript, the next hears it all.

        What is left of the time after `speech` has ended counts. Raises Unavailable, TimedOut.
        """

        async def transcripts(answer: Answer[Transcript]) -> AsyncGenerator[Transcript]:
            budget = Budget(self._whole_s)
            tape = Tape(speech, max_bytes=_KEPT_BYTES, on_end=budget.begin)
            asks: list[Ask[Transcriber, str, Transcript]] = [
                (each, partial(_heard, each.engine, tape, language, prompt)) for each in await self._askable()
            ]
            given = self._answer(answer, asks, budget, may_repeat=lambda _: tape.whole)
            async with contextlib.aclosing(given):
                async for transcript in given:
                    yield transcript

        return Answer(transcripts)

    async def languages(self) -> list[str]:
        """Return the codes that any of them understands, the first engine's first."""
        lists = await self._lists()
        return list(dict.fromkeys(code for _, codes in lists for code in codes))

    async def _list(self, engine: Transcriber) -> list[str]:
        return await engine.languages()


def _heard(
    engine: Transcriber, tape: Tape, language: str | None, prompt: str | None
) -> AsyncGenerator[Transcript]:
    return engine.transcribe(tape.play(), language=language, prompt=prompt)
