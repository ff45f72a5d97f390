"""`jarvis serve`, whole and unchanged, that tells on SIGUSR1 what it holds: as JSON, in the file LOOK_FILE.

A program, started like `jarvis` itself.
"""

import asyncio
import gc
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import msgspec

from jarvis.__main__ import main
from jarvis.adapters.turn_log import InProcessTurnLog


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """`ended_log_bytes` is what is kept of ended turns, which is bounded by itself; `objects` are by type."""

    tasks: int
    ended_log_bytes: int
    objects: dict[str, int]


def look() -> Look:
    gc.unfreeze()  # what the start has made would not be seen else
    gc.collect()
    everything = gc.get_objects()
    logs = [thing for thing in everything if isinstance(thing, InProcessTurnLog)]
    return Look(
        tasks=len(asyncio.all_tasks()),
        ended_log_bytes=sum(log.ended_bytes for log in logs),
        objects=dict(Counter(type(thing).__name__ for thing in everything)),
    )


def tell(*_: object) -> None:
    path = Path(os.environ["LOOK_FILE"])
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(msgspec.json.encode(look()))
    unfinished.rename(path)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    sys.exit(main())
