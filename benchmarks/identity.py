"""`python -m benchmarks.identity`: what signing in costs, each request and each log-in.

A part of `make bench`.
"""

import os
import sys
from functools import partial

import uvloop

from benchmarks.parts import Parts
from benchmarks.report import figures_table
from benchmarks.sign_in import measure_crowd, measure_sign_in
from benchmarks.signed_in import measure_signed_in
from benchmarks.stand import Stand, stand
from jarvis.telemetry import configure_logging

NOTES = """\
- The bare route is Litestar's alone, on Jarvis' server: no limits, log, metrics, origins or caller; the same
  bytes in the body. Jarvis logs each request, as by default, but for `no request log`.
- Log-ins have a wrong password; the unknown and the known user are asked for by turns, over HTTP."""


async def measure_identity(built: Stand, parts: Parts) -> None:
    await parts.run("signed in", partial(measure_signed_in, built))
    await parts.run("signing in", partial(measure_sign_in, built))
    await parts.run("many who sign in", partial(measure_crowd, built))


async def main() -> int:
    configure_logging("WARNING", "console")
    parts = Parts()
    print(f"{len(os.sched_getaffinity(0))} CPUs, load {os.getloadavg()[0]:.1f} before.\n")
    async with stand() as built:
        await measure_identity(built, parts)
    print(figures_table(parts.figures))
    print("".join(f"\n{failure}\n" for failure in parts.failures), end="")
    print(f"\n{NOTES}\n\n{parts.times_table()}")
    return 1 if parts.failures else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
