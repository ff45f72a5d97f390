"""The one strict edge where bytes of a client become typed values: bodies and WebSocket frames.

What they refuse is `core.errors.Invalid` naming the field. msgspec decodes; the scans before
it hold the bounds that it does not check in fields it skips (UTF-8, NUL, lone surrogates, depth, int64).
"""

import json
import re
from functools import cache
from typing import Any, NoReturn, TypeVar, cast

import anyio
import msgspec

from jarvis.core.errors import Invalid
from jarvis.core.types import INT64_MAX

MAX_DEPTH = 32
INT64_MIN = -INT64_MAX - 1

T = TypeVar("T")

# Only bodies up to this size are parsed a second time to name the field that broke a bound.
_BLAME_BYTES = 16 * 1024
_INT64_DIGITS = 19
_AT_ONCE_BYTES = 256 * 1024

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_MANY_DIGITS = b"0" * _INT64_DIGITS
_BRACES_TO_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(byte for byte in range(256) if byte not in b"[]{}")

# The possessive quantifiers (Python 3.11) keep all of these linear.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_LONG_INTEGER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}+(?![.eE])")
_FINE_ESCAPES = re.compile(
    rb"""(?:
        [^\\]++
      | \\[^u]
      | \\u(?!0000|[dD][89a-fA-F])[0-9a-fA-F]{4}
      | \\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}
    )*+""",
    re.VERBOSE | re.DOTALL,
)
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at .*?`\$(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]*)`$")


def decode_json(data: bytes, type: type[T]) -> T:  # noqa: A002 - msgspec's own name for it
    """Decode one JSON document strictly ("1" is no int, true is no int, 1.0 is no int).

    The bounds hold for the whole document, unknown fields included, which are ignored otherwise; of a name
    given twice the last counts. Raises Invalid.
    """
    return decode_json_with(data, cast("msgspec.json.Decoder[T]", _decoder(type)))


async def decode_large(data: bytes, type: type[T]) -> T:  # noqa: A002 - as above
    """As `decode_json`, without holding up the loop for more than 2 ms, however much it is."""
    if len(data) <= _AT_ONCE_BYTES:
        return decode_json(data, type)
    return await anyio.to_thread.run_sync(decode_json, data, type)


def decode_json_with(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """As `decode_json`, for what `type[T]` cannot say: unions of tagged frames."""
    _check_bounds(data)
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as exc:
        raise invalid(exc) from None
    except msgspec.DecodeError:
        raise Invalid("", "The body is not valid JSON." if data else "The body is empty.") from None


@cache
def _decoder(wanted: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(wanted)


def invalid(exc: msgspec.ValidationError) -> Invalid:
    """Split msgspec's text, "Expected `int`, got `str` - at `$.memories[3].content`", into field and why."""
    match = _WHERE.match(str(exc))
    assert match is not None  # noqa: S101 - every part of the pattern is optional
    what, path = match["what"], (match["path"] or "").removeprefix(".")
    if missing := _MISSING.match(what):
        return Invalid(f"{path}.{missing['name']}" if path else missing["name"], "is required")
    return Invalid(path, (what[:1].lower() + what[1:])[:200])


def _check_bounds(data: bytes) -> None:
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            raise Invalid("", "The body is not valid UTF-8.") from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _deeper_than(MAX_DEPTH, data):
        raise Invalid("", f"The body is nested deeper than {MAX_DEPTH}.")
    if b"\\u" in data and _FINE_ESCAPES.fullmatch(data) is None:
        _blame(data)
    if _MANY_DIGITS in data.translate(_DIGITS_TO_ZERO) and _has_oversized_integer(data):
        _blame(data)


def _deeper_than(depth: int, data: bytes) -> bool:
    """Also true of some data that is no JSON; there is no need to tell them apart, both are refused."""
    outside = _STRING.sub(b"", data) if b'"' in data else data
    brackets = outside.translate(_BRACES_TO_BRACKETS, _NO_BRACKET)
    for _ in range(depth):  # each round takes away the innermost level, and no more
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    return bool(brackets)


def _has_oversized_integer(data: bytes) -> bool:
    return any(_oversized(match[0]) for match in _LONG_INTEGER.finditer(_STRING.sub(b'""', data)))


def _oversized(digits: bytes | str) -> bool:
    return len(digits) > _INT64_DIGITS + 1 or not INT64_MIN <= int(digits) <= INT64_MAX


class _OversizedInteger:
    """Stands where an integer beyond int64 stood."""


def _blame(data: bytes) -> NoReturn:
    """Say which field broke a bound; the depth is known to be within its own."""
    if len(data) > _BLAME_BYTES:
        raise Invalid("", "The body holds a NUL, half a surrogate pair or an integer beyond 64 bits.")
    try:
        parsed = json.loads(data, parse_int=lambda text: _OversizedInteger() if _oversized(text) else 0)
    except ValueError:
        raise Invalid("", "The body is not valid JSON.") from None
    fault = _find_fault(parsed, "")
    raise Invalid(*fault) if fault else Invalid("", "The body is not valid JSON.")


def _find_fault(value: object, path: str) -> tuple[str, str] | None:
    match value:
        case _OversizedInteger():
            return path, "is beyond the range of a 64-bit integer"
        case str():
            fault = _text_fault(value)
            return (path, fault) if fault else None
        case dict():
            for name, item in cast("dict[str, object]", value).items():
                if fault := _text_fault(name):
                    return path, f"holds a name that {fault}"
                if found := _find_fault(item, f"{path}.{name}" if path else name):
                    return found
        case list():
            for index, item in enumerate(cast("list[object]", value)):
                if found := _find_fault(item, f"{path}[{index}]"):
                    return found
        case _:
            pass
    return None


def _text_fault(text: str) -> str | None:
    if "\0" in text:
        return "holds a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half a surrogate pair"
    return None
