"""Seeds of chaos runs, how many there are, and the line that tells how each went.

A run's seed is the first one's plus its number: `make chaos SEED=<the seed it printed> RUNS=1` repeats it.
"""

import os
import time
from collections.abc import Awaitable, Callable
from random import Random
from secrets import randbelow
from typing import TypeAlias


def runs(*, in_ci: int) -> range:
    """Return the seeds of all runs: CHAOS_RUNS of them from CHAOS_SEED on, `in_ci` where nobody says."""
    first = int(os.environ.get("CHAOS_SEED") or randbelow(10**6))
    return range(first, first + int(os.environ.get("CHAOS_RUNS") or in_ci))


Run: TypeAlias = Callable[[int, Random], Awaitable[tuple[str, list[str]]]]
"""Returns what it did, and what went wrong."""


async def judge(kind: str, run: Run, *, in_ci: int) -> None:
    """Do all runs and tell each one's verdict in a line; fail in the end if one went wrong."""
    failed: list[str] = []
    for seed in runs(in_ci=in_ci):
        begun_at = time.monotonic()
        try:
            what, wrong = await run(seed, Random(f"{kind}/{seed}"))  # noqa: S311  chance that can be repeated
        except Exception as exc:
            print(f"{kind} SEED={seed}: {exc!r}", flush=True)  # noqa: T201  likewise
            raise
        verdict = f"WRONG: {'; '.join(wrong)}" if wrong else "ok"
        line = f"{kind} SEED={seed}: {what}; {time.monotonic() - begun_at:.1f} s; {verdict}"
        print(line, flush=True)  # noqa: T201  what `make chaos` shows
        if wrong:
            failed.append(line)
    assert not failed, "\n".join(failed)
