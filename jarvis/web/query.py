"""Strings of an address become typed values: query parameters and path ids, as strictly as bodies.

Pure functions; what they refuse is `core.errors.Invalid` naming the parameter.
"""

import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes
from uuid import UUID

import msgspec
from msgspec import inspect

from jarvis.core.errors import Invalid
from jarvis.core.types import INT64_MAX
from jarvis.web.decoding import invalid

T = TypeVar("T")

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[ +-]\d\d:\d\d)", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

Parse = Callable[[str, str], object]


def decode_query(raw: bytes, type: type[T]) -> T:  # noqa: A002 - as in decode_json
    """Decode a raw query string into a Struct of strings, integers, floats, booleans, times, UUIDs, literals.

    Unknown parameters are ignored; a known one given twice is refused, for nobody could tell which was meant.
    Raises Invalid.
    """
    pairs: list[tuple[str, str]] = []
    for part in raw.split(b"&"):
        if part:
            raw_name, _, raw_value = part.partition(b"=")
            name = _text(raw_name, "")
            pairs.append((name, _text(raw_value, name)))
    return decode_strings(pairs, type)


def decode_strings(pairs: Iterable[tuple[str, str]], type: type[T]) -> T:  # noqa: A002 - as in decode_json
    """Convert names and their texts as `decode_query` does. Raises Invalid."""
    plan = _plan(type)
    values: dict[str, object] = {}
    for name, text in pairs:
        parse = plan.get(name)
        if parse is None:
            continue
        if name in values:
            raise Invalid(name, "is given more than once")
        values[name] = parse(text, name)
    try:
        return msgspec.convert(values, type)
    except msgspec.ValidationError as exc:
        raise invalid(exc) from None


def parse_uuid(text: str, field: str) -> UUID:
    """Accept the canonical form only (8-4-4-4-12 hexadecimal digits, either case); raises Invalid."""
    if _UUID.fullmatch(text) is None:
        raise Invalid(field, "must be a UUID")
    return UUID(text)


def _text(raw: bytes, field: str) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise Invalid(field, "is not valid UTF-8") from None
    if "\0" in text:
        raise Invalid(field, "holds a NUL character")
    return text


@cache
def _plan(wanted: type[Any]) -> dict[str, Parse]:
    described = inspect.type_info(wanted)
    assert isinstance(described, inspect.StructType)  # noqa: S101 - a query has names
    return {field.encode_name: _parser(field.type) for field in described.fields}


def _parser(described: inspect.Type) -> Parse:
    kinds = described.types if isinstance(described, inspect.UnionType) else (described,)
    for kind in kinds:
        match kind:
            case inspect.IntType():
                return _integer
            case inspect.FloatType():
                return _number
            case inspect.BoolType():
                return _boolean
            case inspect.DateTimeType():
                return _time
            case inspect.UUIDType():
                return parse_uuid
            case _:
                pass
    return _string


def _string(text: str, field: str) -> str:
    del field
    return text


def _integer(text: str, field: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise Invalid(field, "must be an integer")
    value = int(text)
    if not -INT64_MAX - 1 <= value <= INT64_MAX:
        raise Invalid(field, "is beyond the range of a 64-bit integer")
    return value


def _number(text: str, field: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise Invalid(field, "must be a number")
    return value


def _boolean(text: str, field: str) -> bool:
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise Invalid(field, "must be true or false")
    return value


def _time(text: str, field: str) -> datetime:
    if _RFC3339.fullmatch(text) is None:
        raise Invalid(field, "must be an RFC 3339 time with its offset")
    # A `+` left unescaped in the address has become a space; no other reading of "00:00:00 02:00" is a time.
    if text[-6] == " ":
        text = f"{text[:-6]}+{text[-5:]}"
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise Invalid(field, "must be an RFC 3339 time with its offset") from None
