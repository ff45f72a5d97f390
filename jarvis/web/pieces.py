"""A large JSON object cut into its values without decoding them, so that each can be decoded by itself.

Knows where values end, and nothing of what is in them: whoever decodes a piece finds out whether it is JSON.
"""

import re
from collections.abc import Generator
from typing import NamedTuple

from jarvis.core.errors import Invalid
from jarvis.web.decoding import MAX_DEPTH, decode_json

MAX_PIECE_BYTES = 4 * 1024 * 1024
"""Of one value: the longest text that is taken has 1.5 MiB, were every character of it an escape."""

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
# An object in which nothing lies deeper than in an object of its own, as nearly every message: one match.
_SHALLOW = re.compile(
    rb'\{(?:[^"\[\]{}]++|STRING|\{(?:[^"\[\]{}]++|STRING)*+\})*+\}'.replace(b"STRING", _STRING), re.DOTALL
)
_SCALAR = re.compile(_STRING + rb'|[^\[\]{},:"\s]++', re.DOTALL)
_GAP = re.compile(rb"[ \t\n\r]*+")
_OPENING, _CLOSING = b"[{", b"]}"


class Piece(NamedTuple):
    """Where the value called `path` lies; `number` counts the list's elements; None: it is none."""

    path: str
    number: int | None
    start: int
    end: int


def pieces_of(data: bytes, *, listed: str) -> Generator[Piece]:
    """Yield the value of each member of an object; of the array `listed` each element.

    Before its elements comes the array as a piece of no length. Raises Invalid where values do not follow
    each other as in JSON, are too large, or are nested too deep.
    """
    at = _gap(data, 0)
    if data[at : at + 1] != b"{":
        raise Invalid("", "The body is not a JSON object." if data else "The body is empty.")
    at = _gap(data, at + 1)
    while data[at : at + 1] != b"}":
        end = _end_of(data, at, depth=1, path="")
        name = decode_json(data[at:end], str)
        at = _after(data, end, b":")
        if name == listed and data[at : at + 1] == b"[":
            at = yield from _elements(data, at, name)
        else:
            end = _end_of(data, at, depth=1, path=name)
            yield Piece(name, None, at, end)
            at = _gap(data, end)
        at = _next(data, at, b"}")
    if _gap(data, at + 1) != len(data):
        raise _not_json()


def _elements(data: bytes, at: int, name: str) -> Generator[Piece, None, int]:
    """Yield the array's elements; return where what follows the array begins."""
    yield Piece(name, None, at, at)
    at = _gap(data, at + 1)
    number = 0
    while data[at : at + 1] != b"]":
        path = f"{name}[{number}]"
        end = _end_of(data, at, depth=2, path=path)
        yield Piece(path, number, at, end)
        at = _next(data, _gap(data, end), b"]")
        number += 1
    return _gap(data, at + 1)


def _end_of(data: bytes, at: int, *, depth: int, path: str) -> int:
    """Return where the value that begins at `at`, within `depth` others, ends."""
    within = at + MAX_PIECE_BYTES + 1
    match = _SHALLOW.match(data, at, within) or _SCALAR.match(data, at, within)
    end = match.end() if match else _end_of_nested(data, at, depth)
    if end - at > MAX_PIECE_BYTES:
        raise Invalid(path, f"is larger than {MAX_PIECE_BYTES} bytes")
    return end


def _end_of_nested(data: bytes, at: int, depth: int) -> int:
    around = depth
    for token in _TOKEN.finditer(data, at, at + MAX_PIECE_BYTES + 1):
        mark = data[token.start()]
        if mark in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                raise Invalid("", f"The body is nested deeper than {MAX_DEPTH}.")
        elif mark in _CLOSING:
            depth -= 1
        if depth <= around:
            return token.end()
    return min(len(data), at + MAX_PIECE_BYTES + 1)


def _next(data: bytes, at: int, closing: bytes) -> int:
    """Return where the next value begins, or `closing` lies."""
    if data[at : at + 1] == closing:
        return at
    at = _after(data, at, b",")
    if data[at : at + 1] == closing:
        raise _not_json()
    return at


def _after(data: bytes, at: int, mark: bytes) -> int:
    at = _gap(data, at)
    if data[at : at + 1] != mark:
        raise _not_json()
    return _gap(data, at + 1)


def _gap(data: bytes, at: int) -> int:
    match = _GAP.match(data, at)
    return match.end() if match else at


def _not_json() -> Invalid:
    return Invalid("", "The body is not valid JSON.")
