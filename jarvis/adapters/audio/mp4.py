"""Whether an MP4 file may be given to FFmpeg, which believes the counts in its tables and allocates by them.

A few hundred bytes can claim two thousand million samples of 0 bytes each; this reads the claims first.
"""

import struct
from collections.abc import Iterator

from jarvis.core.errors import InvalidAudio

MAX_SAMPLES = 100_000
"""Of all tracks, where two minutes of AAC have 6,000; raw samples in MP4 count each, and are too many.
Without a bound FFmpeg took 12 MB for each million that a fragment claimed (measured).
"""

_PARENTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex", b"edts"})
_MAX_BOXES = 20_000
_MAX_DEPTH = 8
_COMPRESSED = b"cmov"
_TIMES = b"stts"
_COUNTS = {
    b"stsz": 8,
    b"stz2": 8,
    b"trun": 4,  # codespell:ignore trun
    b"ctts": 4,
    b"stsc": 4,
    b"stco": 4,
    b"co64": 4,
    b"stss": 4,
}
"""Where the count stands behind a box's header; other boxes are bounded by their own bytes."""
_LISTS = frozenset({b"sidx", b"elst", b"sbgp", b"sgpd", b"saiz", b"saio", b"tfra", b"senc", b"stps", b"sdtp"})
_WIDE_HEAD_BYTES = 16
_HEAD_BYTES = 8


def check_mp4(data: bytes) -> None:
    """Raise InvalidAudio where the tables claim more than MAX_SAMPLES, or are not plain tables."""
    samples = 0
    for seen, (name, body) in enumerate(_boxes(memoryview(data), 0)):
        if seen > _MAX_BOXES or name == _COMPRESSED:
            raise InvalidAudio("The MP4 file is built in a way that is not taken.")
        samples += _claimed(name, body)
        if samples > MAX_SAMPLES:
            raise InvalidAudio("The MP4 file claims more samples than it can hold of speech.")


def _claimed(name: bytes, body: memoryview) -> int:
    if name == _TIMES:
        # Each entry counts samples itself: (count, duration) pairs.
        return sum(count for (count, _) in struct.iter_unpack(">II", body[8 : 8 + (len(body) - 8) // 8 * 8]))
    at = _COUNTS.get(name)
    if at is None:
        return len(body) // 8 if name in _LISTS else 0
    return struct.unpack_from(">I", body, at)[0] if len(body) >= at + 4 else 0


def _boxes(data: memoryview, depth: int) -> Iterator[tuple[bytes, memoryview]]:
    """Yield every box and those within it (ISO 14496-12, section 4.2); a broken one ends its parent."""
    at = 0
    while at + _HEAD_BYTES <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        head = _HEAD_BYTES
        if size == 1 and at + _WIDE_HEAD_BYTES <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + _HEAD_BYTES)
            head = _WIDE_HEAD_BYTES
        end = len(data) if size == 0 else min(at + size, len(data))
        if end < at + head:
            return
        body = data[at + head : end]
        yield name, body
        if name in _PARENTS and depth < _MAX_DEPTH:
            yield from _boxes(body, depth + 1)
        at = end
