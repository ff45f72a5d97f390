"""Vectors from words: the same words give the same vector, shared words a smaller angle. Pure."""

import base64
import hashlib
import math
import re
import struct
from functools import lru_cache


def embed(text: str, dimensions: int) -> list[float]:
    """Return a unit vector: the normalised sum of one pseudo-random sign vector for each word."""
    total = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()):
        total = [sum_so_far + sign for sum_so_far, sign in zip(total, _signs(word, dimensions), strict=True)]
    length = math.sqrt(sum(value * value for value in total))
    if length == 0.0:
        return [1.0] + [0.0] * (dimensions - 1)
    return [value / length for value in total]


@lru_cache(maxsize=8192)
def _signs(word: str, dimensions: int) -> tuple[float, ...]:
    bits = int.from_bytes(hashlib.shake_128(word.encode()).digest(dimensions // 8 + 1), "little")
    return tuple(1.0 if bits >> position & 1 else -1.0 for position in range(dimensions))


def as_base64(vector: list[float]) -> str:
    """Return little-endian float32 in base64, OpenAI's `encoding_format: base64`."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
