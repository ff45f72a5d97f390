"""Words as people use them, some often and most seldom, and questions made of them. Pure."""

import random

VOCABULARY, WORDS = 20_000, 12
"""Different words there are, and how many a memory has."""


def words(chance: random.Random, count: int) -> str:
    """Draw words by Zipf's law: their numbers evenly on a logarithmic scale."""
    return " ".join(f"word{int(VOCABULARY ** chance.random())}" for _ in range(count))


def query(chance: random.Random) -> str:
    """Ask as people do: some words that hold a sentence together, and a few that tell."""
    return f"What did I tell you about the {words(chance, chance.randint(2, 6))}?"
