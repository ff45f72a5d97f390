"""What of the live OpenAPI document names a thing that belongs to somebody: ids, cursors, secrets, places."""

from collections.abc import Iterator
from typing import Any

from tests.clients import Json

NAMES = {
    *("id", "ids", "cursor", "after", "last_seq", "last-event-id", "refresh_token", "alternative_of"),
    *("idempotency_key", "idempotency-key"),
}
"""Beside all that ends in `_id` or `_ids`, and all UUIDs."""
METHODS = frozenset(("get", "post", "patch", "put", "delete"))


def operations(schema: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield method, path and description of each."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            yield method.upper(), path, operation


def id_inputs(schema: Json) -> set[str]:
    """Name each as "operation: input", and those of frames as "Frame: field"."""
    found: set[str] = set()
    for method, path, operation in operations(schema):
        for parameter in operation["parameters"]:
            if parameter["in"] == "path" or _is_id(parameter["name"], parameter["schema"]):
                found.add(f"{method} {path}: {parameter['name']}")
        for content in operation.get("requestBody", {}).get("content", {}).values():
            found |= {f"{method} {path}: {name}" for name in _fields(schema, content["schema"])}
        for frame in operation.get("x-websocket", {}).get("sends", {}).get("anyOf", ()):
            title = _resolved(schema, frame)["title"]
            found |= {f"{title}: {name}" for name in _fields(schema, frame)}
    return found


def takes(schema: Json, operation: Json, name: str) -> tuple[bool, bool]:
    """Tell whether an operation takes this as a parameter, and as a field of its body."""
    in_body = False
    for content in operation.get("requestBody", {}).get("content", {}).values():
        in_body = name in _resolved(schema, content["schema"])["properties"]
    return any(parameter["name"] == name for parameter in operation["parameters"]), in_body


def _fields(schema: Json, shape: Json) -> Iterator[str]:
    """Yield the names of all fields of a body that name something, however deep they lie."""
    for part in _parts(schema, shape):
        for name, field in part.get("properties", {}).items():
            if _is_id(name, field):
                yield name
            yield from _fields(schema, field)
        if "items" in part:
            yield from _fields(schema, part["items"])


def _is_id(name: str, shape: Json) -> bool:
    kinds: list[Any] = [shape, *shape.get("anyOf", ())]
    return (
        name.lower() in NAMES
        or name.endswith(("_id", "_ids"))
        or any(
            kind.get("format") == "uuid" or kind.get("items", {}).get("format") == "uuid" for kind in kinds
        )
    )


def _parts(schema: Json, shape: Json) -> Iterator[Json]:
    for part in (shape, *shape.get("anyOf", ()), *shape.get("allOf", ())):
        yield _resolved(schema, part)


def _resolved(schema: Json, shape: Json) -> Json:
    return schema["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]] if "$ref" in shape else shape
