"""How much memory the clip on standard input takes to decode, in a process where nothing else happens.

python -m tests.audio_growth prints the code of what came out (or "sound") and the growth in MB.
"""

import sys
from pathlib import Path

from jarvis.adapters.audio.decoding import decode
from jarvis.core.errors import InvalidAudio, TooLarge
from tests import sounds


def status_mb(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) // 1024
    raise LookupError(name)


def main() -> None:
    data = sys.stdin.buffer.read()
    for warm in (sounds.wav(bytes(16_000)), sounds.recorded(0.2)):
        decode(warm, declared=None, max_secs=120)
    before = status_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: see proc(5)
    try:
        decode(data, declared=None, max_secs=120)
        outcome = "sound"
    except (InvalidAudio, TooLarge) as exc:
        outcome = exc.code
    print(outcome, status_mb("VmHWM") - before)  # noqa: T201


if __name__ == "__main__":
    main()
