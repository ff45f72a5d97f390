"""How the vectors of one space are named: in folders, in collections and over all stores. Pure."""

import hashlib
import re

import msgspec

from jarvis.core.ports import VectorSpace

NAME = re.compile(r"[0-9a-f]{16}")


def space_name(space: VectorSpace) -> str:
    """Return a name of its own for every space, the same in every process; NAME matches it."""
    return _digest(msgspec.json.encode(space))


def place_name(place: str, space: VectorSpace) -> str:
    """Return a name of its own for every space of every store; it does not tell the place."""
    return _digest(msgspec.json.encode((place, space)))


def _digest(encoded: bytes) -> str:
    return hashlib.sha256(encoded).hexdigest()[:16]
