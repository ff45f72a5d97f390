"""Seeds of chaos runs, how many there are, and the line that tells how each went.

A run's seed is the first one's plus its number: `make chaos SEED=<the seed it printed> RUNS=1` repeats it.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from random import Random
from secrets import randbelow
from typing import TypeAlias


def runs(*, in_ci: int, one_in: int = 1) -> range:
    """Return the seeds of all runs: CHAOS_RUNS of them from CHAOS_SEED on, `in_ci` where nobody says.

    Where somebody says, a kind of runs may have but `one_in` so many of them.
    """
    first = int(os.environ.get("CHAOS_SEED") or randbelow(10**6))
    wanted = os.environ.get("CHAOS_RUNS")
    return range(first, first + (-(-int(wanted) // one_in) if wanted else in_ci))


Run: TypeAlias = Callable[[int, Random], Awaitable[tuple[str, list[str]]]]
"""Returns what it did, and what went wrong."""


async def judge(kind: str, seeds: range, *lanes: Run) -> None:
    """Do all runs, each in the lane that is free, and tell each one's verdict in a line.

    Fails in the end if one went wrong.
    """
    failed: list[str] = []
    waiting = iter(seeds)
    begun_at = time.monotonic()

    async def work(run: Run) -> None:
        for seed in waiting:
            line, is_wrong = await _verdict(kind, seed, run)
            print(line, flush=True)  # noqa: T201  what `make chaos` shows
            if is_wrong:
                failed.append(line)

    async with asyncio.TaskGroup() as tasks:
        for run in lanes:
            tasks.create_task(work(run))
    told = f"{kind}: {len(seeds)} runs, {len(failed)} of them wrong, in {time.monotonic() - begun_at:.0f} s"
    print(told, flush=True)  # noqa: T201  likewise
    assert not failed, "\n".join(failed)


async def _verdict(kind: str, seed: int, run: Run) -> tuple[str, bool]:
    begun_at = time.monotonic()
    try:
        what, wrong = await run(seed, Random(f"{kind}/{seed}"))  # noqa: S311  chance that can be repeated
    except Exception as exc:
        print(f"{kind} SEED={seed}: {exc!r}", flush=True)  # noqa: T201  what `make chaos` shows
        raise
    verdict = f"WRONG: {'; '.join(wrong)}" if wrong else "ok"
    return f"{kind} SEED={seed}: {what}; {time.monotonic() - begun_at:.1f} s; {verdict}", bool(wrong)
