"""Broken files, to be run as a program: a crash of FFmpeg is then a failed test and not the end of all.

python -m tests.fuzz_audio CONTAINER CASES SEED prints the counts of what came out and the growth in MB.
"""

import random
import resource
import sys
import time
from collections import Counter

from jarvis.adapters.audio.decoding import decode
from jarvis.core.errors import InvalidAudio, TooLarge
from tests import sounds

MAX_CASE_S = 20
"""Of CPU, where a case takes 10 ms."""


def files(container: str) -> list[bytes]:
    sound = sounds.tone(0.5)
    match container:
        case "wav":
            return [sounds.wav(bytes(16_000)), sounds.wav(bytes(24_000), bits=24, channels=2)]
        case "flac":
            return [sounds.file("flac", "flac", sound=sound)]
        case "ogg":
            return [sounds.recorded(0.5, "ogg"), sounds.recorded(0.2, "ogg") * 2]
        case "webm":
            return [sounds.recorded(0.5), sounds.file("matroska", "pcm_f32le", sound=sound[:9_600])]
        case "mp3":
            made = sounds.file("mp3", "libmp3lame", sound=sound)
            return [made, sounds.with_picture(made, 200)]
        case "mp4":
            return [
                sounds.file("mp4", "aac", sound=sound),
                sounds.file(
                    *("mp4", "aac"), sound=sound, live=True, options={"movflags": "frag_keyframe+empty_moov"}
                ),
                sounds.file("mp4", "alac", sound=sound),
            ]
        case _:
            raise ValueError(container)


def broken(data: bytes, chance: random.Random) -> bytes:
    """Return `data` cut, with bytes changed, moved or said to be huge, most often where the headers are."""
    made = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        within = chance.choice([64, 512, 2048, len(made)])
        at = chance.randrange(max(1, min(within, len(made))))
        if chance.random() < 0.3:
            at = max(0, len(made) - 1 - at)  # where MP4 has its tables
        match chance.randrange(6):
            case 0:
                made[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                made[at : at + 1] = bytes([made[at] ^ 1 << chance.randrange(8)]) if made else b"\0"
            case 2:
                made[at : at + 4] = chance.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 4])
            case 3:
                del made[at : at + chance.choice([1, 4, 100])]
            case 4:
                made[at:at] = made[at : at + chance.choice([4, 64, 1024])]
            case _:
                del made[max(1, len(made) - at) :]
        made = made or bytearray(b"\0")
    return bytes(made)


def main(container: str, cases: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 # repeatable, not secret
    whole = files(container)
    for data in whole:
        decode(data, declared=None, max_secs=120)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts: Counter[str] = Counter()
    for case in range(cases):
        began = time.process_time()
        try:
            decode(broken(chance.choice(whole), chance), declared=None, max_secs=120)
            counts["sound"] += 1
        except (InvalidAudio, TooLarge) as exc:
            counts[exc.code] += 1
        if time.process_time() - began > MAX_CASE_S:
            sys.exit(f"case {case} of seed {seed} took {time.process_time() - began:.0f} s")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(*(f"{name}={count}" for name, count in sorted(counts.items())), f"grown_mb={grown}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
