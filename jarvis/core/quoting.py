"""Making a text safe to stand as quoted data in a prompt: it can neither end its block nor speak as anybody.

Pure.
"""

import re

# They end blocks of ours, and mark roles in chat templates: <|im_start|>, <start_of_turn>, </s>. NFKC, with
# which some tokenisers begin, makes the same of the others.
_BRACKETS = str.maketrans("<\uff1c\ufe64>\uff1e\ufe65", "\u2039" * 3 + "\u203a" * 3)
_TAG = re.compile(r"\[(/?[A-Z_]{3,})\]")
"""Mistral's way: [INST], [/INST], [TOOL_CALLS]."""


def quoted(text: str, *, longest_chars: int | None = None) -> str:
    """Return `text` on one line, its angle brackets replaced, cut after a word where it is too long."""
    line = " ".join(_TAG.sub(r"(\1)", text.translate(_BRACKETS)).split())
    if longest_chars is None or len(line) <= longest_chars:
        return line
    start, space, _ = line[: longest_chars - 1].rpartition(" ")
    return f"{start if space else line[: longest_chars - 1]}…"
