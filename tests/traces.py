"""Words that are nowhere else, and where they are found, for tests of what is forgotten."""

import os
import random
from contextlib import suppress
from pathlib import Path


def a_token(chance: random.Random) -> str:
    """Return a word that is nowhere else, whose stems in English and in French begin with it."""
    return "".join(chance.choice("bdfgkvwz") for _ in range(16))


def filler(chance: random.Random, words: int) -> str:
    """Return text that cannot be compressed by much: long ones are kept as they are, out of their row."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(chance.choices(letters, k=chance.randint(4, 8))) for _ in range(words))


def files_with(folder: Path, token: bytes, *, but: str = "") -> list[str]:
    """Name the files below `folder`, without folders of the name `but`, that hold the token in any case."""
    found: list[str] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != but]
        for path in (Path(parent) / name for name in files):
            with suppress(FileNotFoundError):  # gone meanwhile
                if token in path.read_bytes().lower():
                    found.append(str(path.relative_to(folder)))
    return found
