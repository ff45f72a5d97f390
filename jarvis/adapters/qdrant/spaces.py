"""How the vectors of one space are named, in folders and collections. Pure."""

import hashlib
import re

import msgspec

from jarvis.core.ports import VectorSpace

NAME = re.compile(r"[0-9a-f]{16}")


def space_name(space: VectorSpace) -> str:
    """Return a name of its own for every space, the same in every process; NAME matches it."""
    return hashlib.sha256(msgspec.json.encode(space)).hexdigest()[:16]
