"""Jarvis whole and unchanged, but for a model that answers at once, in the same process. A program."""

import asyncio
import gc
import os
from collections.abc import AsyncGenerator, Sequence

import uvloop

from benchmarks.wire import ANSWER_TEXT, MODEL
from jarvis.app.assembly import open_assembly
from jarvis.app.serving import build_app
from jarvis.core.ports import Chunk, Finish, ModelInfo, Options, PromptMessage
from jarvis.settings import load
from jarvis.telemetry import configure_logging
from jarvis.web.server import bind, serve


class Instant:
    """Fills the LLM port with one text, in one chunk."""

    model = MODEL

    async def window_tokens(self, model: str | None = None) -> int:
        del model
        return 8192

    async def continues(self, model: str | None = None) -> bool:
        del model
        return False

    async def stream(self, prompt: Sequence[PromptMessage], options: Options) -> AsyncGenerator[Chunk]:
        del options
        finish = Finish(model=MODEL, prompt_tokens=len(prompt) * 20, completion_tokens=1, reason="stop")
        yield Chunk(text=ANSWER_TEXT, finish=finish)

    async def models(self) -> list[ModelInfo]:
        return []

    async def ping(self) -> None:
        return


async def main() -> None:
    settings = load(os.environ)
    configure_logging(settings.log_level, settings.log_format)
    listener = await bind("127.0.0.1", settings.port)
    async with open_assembly(settings, place=f"benchmark:{settings.port}") as assembly:
        assembly.llm.arrive(Instant())
        gc.freeze()  # as ModelStart does when the model is there
        await serve(build_app(settings, assembly, port=settings.port), listener, stop=asyncio.Event())


if __name__ == "__main__":
    uvloop.run(main())
