"""`python -m benchmarks.voice [--real]`: what the voice costs; `--real` asks the embedded engines.

Those take 210 MB of downloads, kept in JARVIS_E2E_DATA_DIR where that is set. A part of `make bench`.
"""

import argparse
import os
import sys
from functools import partial

import uvloop

from benchmarks.parts import Parts
from benchmarks.report import figures_table
from benchmarks.stand import Stand, stand
from benchmarks.voice_barge_in import measure_barge_in
from benchmarks.voice_crowd import measure_crowd
from benchmarks.voice_real import measure_real
from benchmarks.voice_stand import voice_stand
from benchmarks.voice_turns import measure_spoken_turns
from jarvis.telemetry import configure_logging

NOTES = """\
- Scripted engines and model answer at once, the model with 20 tokens/s: all but Jarvis' own share is known
  and taken off. The server runs on the first CPU; clients, engines, model and Postgres on the others.
  Where 20 speak, it may run on all of them: speech is found in a thread of its own.
- `speech is over`: the frame with a clip is sent, or the frame of a stream in which Jarvis' own endpointing,
  run by the client, becomes sure. The silence that this takes is a choice, and a line of its own.
- Waits for /health are those of a process of its own, which asks every 5 ms."""


async def measure_voice(built: Stand, parts: Parts) -> None:
    async with voice_stand(built) as standing:
        await parts.run("spoken turns", partial(measure_spoken_turns, standing))
        await parts.run("barge-in", partial(measure_barge_in, standing))
        await parts.run("20 who speak", partial(measure_crowd, standing))


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voice", description=__doc__)
    parser.add_argument("--real", action="store_true", help="with the embedded engines")
    arguments = parser.parse_args()
    configure_logging("WARNING", "console")
    parts = Parts()
    print(f"{len(os.sched_getaffinity(0))} CPUs, load {os.getloadavg()[0]:.1f} before.\n")
    async with stand() as built:
        if arguments.real:
            await parts.run("embedded engines", partial(measure_real, built))
        else:
            await measure_voice(built, parts)
    print(figures_table(parts.figures))
    print("".join(f"\n{failure}\n" for failure in parts.failures), end="")
    print(f"\n{NOTES}\n\n{parts.times_table()}")
    return 1 if parts.failures else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
