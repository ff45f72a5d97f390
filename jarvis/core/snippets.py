"""What a message says around a word of it, as plain text."""

import re

MAX_SNIPPET_CHARS = 300
_BEFORE_CHARS = 100


def snippet_around(text: str, word: str) -> str:
    """Return up to 300 characters of `text`, from a little before `word`, whole words, on one line.

    Without that word: from the start. What is left out is told by an ellipsis.
    """
    found = re.search(rf"\b{re.escape(word)}\b", text) if word else None
    at = found.start() if found else max(text.find(word), 0)
    start = max(at - _BEFORE_CHARS, 0)
    if start:
        space = _space_within(text, start, at)
        start = at if space is None else space + 1
    end = start + MAX_SNIPPET_CHARS - 2  # room for both ellipses
    if end < len(text):
        space = _last_space_within(text, at + len(word), end)
        end = end if space is None else space
    shown = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{shown}{'…' if end < len(text) else ''}"


def _space_within(text: str, start: int, end: int) -> int | None:
    return next((index for index in range(start, end) if text[index].isspace()), None)


def _last_space_within(text: str, start: int, end: int) -> int | None:
    return next((index for index in range(end, start - 1, -1) if text[index].isspace()), None)
