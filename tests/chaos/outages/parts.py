"""`python -m tests.chaos.outages.parts speech|vectors`: a stand-in as its own process, which can be stopped.

Prints its address on the first line once it listens; runs until it is killed.
"""

import asyncio
import sys
from uuid import uuid4

from tests.qdrant import QdrantServer
from tests.scripted_speech import ScriptedWyoming


def speech() -> ScriptedWyoming:
    """Return engines that hear something else each time: what was spoken once may be kept."""
    server = ScriptedWyoming()
    server.said = lambda: f"Where is {uuid4().hex}?"
    return server


async def main(kind: str) -> None:
    match kind:
        case "speech":
            async with speech() as engine:
                await _stay(engine.uri)
        case "vectors":
            async with QdrantServer() as server:
                await _stay(server.url)
        case _:
            raise ValueError(kind)


async def _stay(address: str) -> None:
    print(address, flush=True)  # noqa: T201 - the line a parent process waits for
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
