"""Wrong values by their JSON schema: for each place of a document and each parameter, what must be refused.

Pure: knows the contract's bounds and no route.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote

import msgspec
from jsonschema import Draft202012Validator

from tests.clients import NOBODY

MAX_DEPTH = 32
BEYOND_INT64 = 2**63
UNKNOWN = "zz_unknown"
"""The name of a field that nobody declares: the bounds hold for it too."""

NO_DASHES = NOBODY.replace("-", "")
"""Refused in an address; in a document it is read, and names the same thing."""
BAD_UUIDS = (
    "not-a-uuid",
    f"{{{NOBODY}}}",
    f"urn:uuid:{NOBODY}",
    f"{NOBODY}0",
    f" {NOBODY}",
    NOBODY.replace("0", "\N{FULLWIDTH DIGIT ZERO}"),
    "0" * 2000,
    "",
)
BAD_TIMES = (
    "yesterday",
    "2026-02-30T00:00:00Z",
    "2026-01-01T25:00:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01",
    "1767225600",
    "99999-01-01T00:00:00Z",
    "",
)
_OF_EVERY_TYPE: tuple[object, ...] = (None, True, 7, -7.5, "text", ["text"], [7], {"key": "text"})

Schema = Mapping[str, Any]
Components = Mapping[str, Schema]


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """One document to be refused; `fields` are the names that may be blamed, "" for the whole."""

    name: str
    data: bytes
    fields: frozenset[str]


def blames(field: str, wanted: frozenset[str]) -> bool:
    """Tell whether a refusal names one of these fields, or what is wrong within it."""
    return field in wanted or any(name and field.startswith((f"{name}[", f"{name}.")) for name in wanted)


class Shape:
    """A schema with the components it refers to."""

    def __init__(self, schema: Schema, components: Components) -> None:
        self._components = components
        self.schema = self.resolved(schema)

    def resolved(self, schema: Schema) -> Schema:
        """Follow a reference, and leave `null` out of alternatives where one other is left."""
        while True:
            if "$ref" in schema:
                schema = self._components[schema["$ref"].rpartition("/")[2]]
                continue
            kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
            if len(kinds) != 1:
                return schema
            schema = kinds[0]

    def accepts(self, schema: Schema, value: object) -> bool:
        whole = {**schema, "components": {"schemas": self._components}}
        return cast("Any", Draft202012Validator(whole)).is_valid(value)

    def sample(self, schema: Schema | None = None) -> Any:
        """Return a small valid value: of an object what it requires, of a list one item."""
        schema = self.schema if schema is None else self.resolved(schema)
        if "enum" in schema:
            return schema["enum"][0]
        match schema.get("type"):
            case "object":
                wanted = [*schema.get("required", ()), *_first_alternative(schema)]
                return {name: self.sample(schema["properties"][name]) for name in wanted}
            case "array":
                return [self.sample(schema["items"])]
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case _ if schema.get("contentEncoding") == "base64":
                return "AAAA"
            case _:
                return {"uuid": NOBODY, "date-time": "2026-01-01T00:00:00Z"}.get(
                    schema.get("format", ""), "x" * schema.get("minLength", 1)
                )


def wrong_documents(shape: Shape) -> Iterator[Wrong]:
    """Yield what must be refused where a JSON document of that shape is read."""
    yield from _no_documents(shape)
    yield from _beyond_bounds(shape)
    for path, schema in _places(shape, shape.schema, ()):
        for value in wrong_values(shape, schema):
            yield _told(f"{value!r:.40}", _replaced(shape.sample(), path, value), _field(path))
    for path, names in _required(shape, shape.schema, ()):
        value = shape.sample()
        holder = _at(value, path)
        for name in names:
            holder.pop(name, None)
        yield Wrong(
            name=f"without {' and '.join(names)}",
            data=_encoded(value),
            fields=frozenset(_field((*path, name)) for name in names),
        )


def wrong_values(shape: Shape, schema: Schema) -> Iterator[object]:
    """Yield values that a field of this schema must not have."""
    yield from (value for value in _OF_EVERY_TYPE if not shape.accepts(schema, value))
    schema = shape.resolved(schema)
    match schema:
        case {"enum": _}:
            yield "nonsense"
        case {"format": "uuid"}:
            yield from BAD_UUIDS
        case {"format": "date-time"}:
            yield from BAD_TIMES
        case {"type": "string", "pattern": _}:
            yield from (bad for bad in ("", "no spaces!", "x" * 5_000) if not shape.accepts(schema, bad))
        case {"type": "integer" | "number"}:
            yield from ("1", "abc", [1])
            yield from (
                schema[bound] + step for bound, step in (("minimum", -1), ("maximum", 1)) if bound in schema
            )
        case _:
            pass
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if schema.get("minLength"):
        yield "x" * (schema["minLength"] - 1)


def wrong_parameters(shape: Shape, *, name: str) -> Iterator[str]:
    """Yield percent-encoded query values that a parameter of this schema must not have."""
    yield from ("%00", "a%00b", "%ff", "%c0%80", "%ed%a0%80")
    schema = shape.schema
    match schema:
        case {"type": "integer" | "number"}:
            yield from ("abc", "", "99999999999999999999", "-99999999999999999999", "0x1", "NaN", "1e400")
            if schema["type"] == "integer":
                yield from ("1.5", "1e0", "%D9%A1")
            if "minimum" in schema:
                yield str(schema["minimum"] - 1)
        case {"type": "boolean"}:
            yield from ("maybe", "2", "")
        case {"format": "uuid"}:
            yield from (*(quote(bad, safe="") for bad in BAD_UUIDS), NO_DASHES)
        case {"format": "date-time"}:
            yield from (quote(bad, safe="") for bad in BAD_TIMES)
        case {"enum": _}:
            yield from ("nonsense", "")
        case {"pattern": pattern}:
            bad = ("no spaces", "x" * 5_000, "a\n", " ")
            yield from (quote(text, safe="") for text in bad if not re.search(pattern, text))
        case _ if name == "cursor":
            yield from ("nonsense", "%21", "bnVsbA", "W10", "e30", "a")
        case _:
            pass


def _no_documents(shape: Shape) -> Iterator[Wrong]:
    required = frozenset(shape.schema.get("required", ()))
    for name, data in {
        "empty": b"",
        "blank": b" \n",
        "cut": b'{"a": "b',
        "two documents": b"{}{}",
        "list": b"[]",
        "null": b"null",
        "string": b'"text"',
        "number": b"7",
        "form": b"message=x",
        "byte order mark": b"\xef\xbb\xbf{}",
        "UTF-16": "{}".encode("utf-16"),
    }.items():
        # A reader of large bodies knows the field it was in; another first misses what is required.
        also = (
            frozenset({"a"}) if name == "cut" else required if name == "two documents" else frozenset[str]()
        )
        yield Wrong(name=name, data=data, fields=also | {""})


def _beyond_bounds(shape: Shape) -> Iterator[Wrong]:
    """What no field may hold, declared or not, in JSON that is otherwise as wanted."""
    for path in [*(path for path, _ in _places(shape, shape.schema, ())), (UNKNOWN,), (UNKNOWN, "key")]:
        field = frozenset({_field(path)})
        whole = frozenset({"", *(_field(path[:length]) for length in range(1, len(path) + 1))})
        for name, token, blamed in [
            ("NUL", rb'"a\u0000b"', field),
            ("half a surrogate pair", rb'"\ud800"', field),
            ("the other half", rb'"\udc00\ud800"', field),
            ("integer beyond int64", b"%d" % BEYOND_INT64, field),
            ("integer below int64", b"-%d" % (BEYOND_INT64 + 1), field),
            ("integer of 5000 digits", b"9" * 5_000, field),
            ("raw NUL", b'"a\0b"', whole),
            ("invalid UTF-8", b'"\xff"', whole),
            ("overlong UTF-8", b'"\xc0\x80"', whole),
            ("surrogate in UTF-8", b'"\xed\xa0\x80"', whole),
            ("NaN", b"NaN", whole),
            ("Infinity", b"Infinity", whole),
            ("-Infinity", b"-Infinity", whole),
            ("raw line end in a string", b'"a\nb"', whole),
            (f"depth {MAX_DEPTH + 1}", _nested(MAX_DEPTH + 1 - len(path)), whole),
            ("depth 1000", _nested(1000), whole),
        ]:
            mark = _replaced(shape.sample(), path, "@@token@@")
            data = _encoded(mark).replace(b'"@@token@@"', token)
            yield Wrong(name=f"{name} in {_field(path)}", data=data, fields=blamed)
    named = _encoded({**shape.sample(), "@@name@@": 1}).replace(b"@@name@@", rb"a\u0000b")
    yield Wrong(name="NUL in a name", data=named, fields=frozenset({""}))


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


Path = tuple[str | int, ...]


def _places(shape: Shape, schema: Schema, path: Path) -> Iterator[tuple[Path, Schema]]:
    """Yield every field that a sample has or may be given, from the outside in."""
    schema = shape.resolved(schema)
    if path and not isinstance(path[-1], int):
        yield path, schema
    match schema:
        case {"type": "object", "properties": fields}:
            held = _at(shape.sample(), path)
            for name, field in fields.items():
                if name in held or not _is_alternative(schema, name):
                    yield from _inner(shape, field, (*path, name), deeper=name in held)
        case {"type": "array", "items": item}:
            yield from _places(shape, item, (*path, 0))
        case _:
            pass


def _inner(shape: Shape, field: Schema, path: Path, *, deeper: bool) -> Iterator[tuple[Path, Schema]]:
    # A field that the sample has not is wrong by itself, not by what it might hold.
    if not deeper:
        yield path, field
        return
    first, *rest = _places(shape, field, path)
    yield first[0], field
    yield from rest


def _required(shape: Shape, schema: Schema, path: Path) -> Iterator[tuple[Path, list[str]]]:
    schema = shape.resolved(schema)
    match schema:
        case {"type": "object", "properties": fields}:
            for name in schema.get("required", ()):
                yield path, [name]
                yield from _required(shape, fields[name], (*path, name))
            if alternatives := _alternatives(schema):
                yield path, alternatives
        case {"type": "array", "items": item}:
            yield from _required(shape, item, (*path, 0))
        case _:
            pass


def _alternatives(schema: Schema) -> list[str]:
    """Return the fields of which one is wanted."""
    return [name for kind in schema.get("oneOf", ()) for name in kind.get("required", ())]


def _first_alternative(schema: Schema) -> list[str]:
    return _alternatives(schema)[:1]


def _is_alternative(schema: Schema, name: str) -> bool:
    return name in _alternatives(schema)


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _replaced(document: Any, path: Path, value: object) -> Any:
    *way, last = path
    holder: Any = document
    for step in way:
        if step == UNKNOWN:
            holder[step] = {}
        holder = holder[step]
    holder[last] = value
    return document


def _field(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _told(name: str, document: object, field: str) -> Wrong:
    return Wrong(name=f"{field} = {name}", data=_encoded(document), fields=frozenset({field}))


def _encoded(document: object) -> bytes:
    return json.dumps(document).encode()
