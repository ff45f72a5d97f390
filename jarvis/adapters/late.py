"""The model that is still being fetched or started: says so until it arrives, then is out of the way."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from jarvis.core.errors import Unavailable
from jarvis.core.ports import LLM, Chunk, ModelInfo, Options, PromptMessage

PATIENCE_S = 1.0
"""How long a turn waits for a model that is being started: right after the start it takes a moment."""


class LateLLM:
    """Forwards to the model that arrived; before, everything raises Unavailable that says `progress`.

    `window_tokens`, which every turn asks first, waits PATIENCE_S before that. Closing what arrived is for
    whoever opened it.
    """

    def __init__(self, model: str, *, progress: str = "The model is being started.") -> None:
        self.progress: str = progress
        """One sentence for people, such as "The model is being fetched: 43 %."; set it at will."""
        self._model = model
        self._failed = False
        self._llm: LLM | None = None
        self._settled = asyncio.Event()

    @property
    def starting(self) -> bool:
        """Whether it is worth waiting: neither arrived nor failed."""
        return self._llm is None and not self._failed

    def arrive(self, llm: LLM) -> None:
        """Forward to `llm` from now on; a later call replaces it."""
        self._llm = llm
        self._settled.set()

    def fail(self, reason: str) -> None:
        """Stop `starting`; `reason` is one sentence for people. A model may still arrive."""
        self._failed = True
        self.progress = reason
        self._settled.set()

    async def settled(self) -> None:
        """Return once a model has arrived or its start has failed."""
        await self._settled.wait()

    @property
    def model(self) -> str:
        return self._model if self._llm is None else self._llm.model

    async def window_tokens(self, model: str | None = None) -> int:
        if self.starting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await self._settled.wait()
        return await self._arrived().window_tokens(model)

    async def continues(self, model: str | None = None) -> bool:
        return await self._arrived().continues(model)

    def stream(self, prompt: Sequence[PromptMessage], options: Options) -> AsyncGenerator[Chunk]:
        # The model's own generator, not one around it: nothing is added to the cost of a token.
        return self._refuse() if self._llm is None else self._llm.stream(prompt, options)

    async def models(self) -> list[ModelInfo]:
        return await self._arrived().models()

    async def ping(self) -> None:
        await self._arrived().ping()

    def _arrived(self) -> LLM:
        if self._llm is None:
            raise Unavailable("llm", self.progress)
        return self._llm

    async def _refuse(self) -> AsyncGenerator[Chunk]:
        self._arrived()
        yield Chunk()
