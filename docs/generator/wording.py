"""JSON Schema in words, for the cells of a table. Pure; what it has no words for is an error."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

Schema = Mapping[str, Any]

INT64_MAX = 2**63 - 1
"""The bound of every integer that has no other: not worth a word in each row."""
SILENT = frozenset({"title", "description", "default", "discriminator"})
KNOWN = {
    "string": frozenset({"format", "pattern", "minLength", "maxLength", "contentEncoding"}),
    "integer": frozenset({"minimum", "maximum"}),
    "number": frozenset({"minimum", "maximum"}),
    "boolean": frozenset[str](),
    "null": frozenset[str](),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "object": frozenset({"additionalProperties", "propertyNames"}),
}
FORMATS = {"uuid": "UUID", "date-time": "time"}


def words(schema: Schema, links: Mapping[str, str]) -> str:
    """Say what a value is; `links` maps the names of shapes to their Markdown. Raises ValueError."""
    told = {name: value for name, value in schema.items() if name not in SILENT}
    match told:
        case {"$ref": reference, **rest}:
            said = links[reference.rpartition("/")[2]]
        case {"anyOf": kinds, **rest}:
            said = _either([words(kind, links) for kind in _alternatives(kinds)])
        case {"enum": values, **rest}:
            said = _either([literal(value) for value in values])
        case {"const": value, **rest}:
            said = literal(value)
        case {"type": str(kind), **more} if kind in KNOWN:
            said = _of_type(kind, more, links)
            rest = {name: value for name, value in more.items() if name not in KNOWN[kind]}
        case _:
            said, rest = "any JSON", told
    if rest:
        raise ValueError(f"no words for {', '.join(rest)} of {dict(schema)}")
    return said


def literal(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _either(choices: list[str]) -> str:
    return " or ".join(part for part in (", ".join(choices[:-1]), choices[-1]) if part)


def _alternatives(kinds: Iterable[Schema]) -> list[Schema]:
    """Return the kinds, those of inner unions too; null comes last."""
    flat: list[Schema] = []
    for kind in kinds:
        flat += _alternatives(kind["anyOf"]) if "anyOf" in kind else [kind]
    return sorted(flat, key=lambda kind: kind.get("type") == "null")


def _of_type(kind: str, more: Schema, links: Mapping[str, str]) -> str:
    match kind:
        case "string":
            name: str = more.get("format", "string")
            coded = f" in {more['contentEncoding']}" if "contentEncoding" in more else ""
            pattern = f"`{more['pattern']}`" if "pattern" in more else ""
            length = _range(more.get("minLength"), more.get("maxLength"), " characters")
            return _bounded(FORMATS.get(name, name) + coded, length, pattern)
        case "integer" | "number":
            return _bounded(kind, _range(more.get("minimum"), more.get("maximum")))
        case "array":
            items = more.get("items")
            name = f"array of {words(items, links)}" if items else "array"
            return _bounded(name, _range(more.get("minItems"), more.get("maxItems"), " items"))
        case "object":
            values = more.get("additionalProperties")
            keys = more.get("propertyNames")
            of = f" of {words(values, links)}" if values else ""
            return f"object{of}" + (f", by {words({'type': 'string', **keys}, links)}" if keys else "")
        case _:
            return f"`{kind}`" if kind == "null" else kind


def _bounded(name: str, *bounds: str) -> str:
    told = ", ".join(bound for bound in bounds if bound)
    return f"{name} ({told})" if told else name


def _range(least: float | None, most: float | None, unit: str = "") -> str:
    most = None if most == INT64_MAX else most
    match least, most:
        case None, None:
            return ""
        case None, _:
            return f"at most {most:,}{unit}"
        case _, None:
            return f"at least {least:,}{unit}"
        case _:
            return f"{least:,} to {most:,}{unit}"
