"""The reference part of docs/api.md: an OpenAPI document becomes Markdown sections. Pure; knows no route."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from docs.generator.wording import Schema, literal, words

PROBLEM = "application/problem+json"
EVENTS = "text/event-stream"
FIELD_HEAD = ("field", "type", "default")


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    told: Mapping[str, Any]


def sections(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the Markdown of `routes`, `operations`, `events`, `frames sent`, `frames received`, `shapes`."""
    return _Reference(document).sections()


def anchor(heading: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def link(heading: str, text: str) -> str:
    return f"[{text}](#{anchor(heading)})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


class _Reference:
    """Each shape is described in one place: as an event, a frame, a route's body, or among the shapes."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components: Mapping[str, Schema] = document["components"]["schemas"]
        self._operations = [
            Operation(title=f"{method.upper()} {path}", told=told)
            for path, methods in document["paths"].items()
            for method, told in methods.items()
        ]
        self._events = self._names(
            content["schema"]
            for operation in self._operations
            for media_type, content in self._answered(operation)
            if media_type == EVENTS
        )
        self._sent = self._frames("sends")
        self._received = self._frames("receives")
        self._bodies = self._only_bodies()
        self._shapes = self._other_shapes()
        self._links = self._link_all()

    def sections(self) -> dict[str, str]:
        return {
            "routes": table(
                ("route", "what it does"),
                (
                    (link(one.title, f"`{one.title}`"), one.told["summary"].partition("\n\n")[0])
                    for one in self._operations
                ),
            ),
            "operations": "\n\n".join(self._operation(one) for one in self._operations),
            "events": self._described(self._events, "###"),
            "frames sent": self._described(self._sent, "####"),
            "frames received": self._described(self._received, "####"),
            "shapes": self._described(self._shapes, "###"),
        }

    # Where each shape is described

    def _frames(self, direction: str) -> list[str]:
        frames = (
            operation.told["x-websocket"][direction]
            for operation in self._operations
            if "x-websocket" in operation.told
        )
        return [name for name in self._names(frames) if name not in self._events]

    def _only_bodies(self) -> dict[str, str]:
        """Return the shapes that are one route's body and nothing else, with that route's title."""
        bodies: dict[str, list[str]] = {}
        for operation in self._operations:
            for schema in _body(operation).values():
                for name in self._names([schema]):
                    bodies.setdefault(name, []).append(operation.title)
        inside = set(self._names(part for shape in self._components.values() for part in _parts(shape)))
        elsewhere = inside | set(self._answers()) | {*self._events, *self._sent, *self._received}
        return {
            name: titles[0] for name, titles in bodies.items() if not titles[1:] and name not in elsewhere
        }

    def _answers(self) -> list[str]:
        return self._names(
            content["schema"] for operation in self._operations for _, content in self._answered(operation)
        )

    def _other_shapes(self) -> list[str]:
        placed = [*self._events, *self._sent, *self._received, *self._bodies]
        bodies = self._names(schema for one in self._operations for schema in _body(one).values())
        reached = list(dict.fromkeys([*self._answers(), *bodies, *placed]))
        for name in reached:  # grows while it is walked
            reached += [one for one in self._names(_parts(self._components[name])) if one not in reached]
        return [name for name in self._components if name in reached and name not in placed]

    def _heading(self, name: str) -> str:
        tag = self._components[name].get("properties", {}).get("type", {}).get("enum", [name])[0]
        if name in self._events:
            return f"Event `{tag}`"
        if name in {*self._sent, *self._received}:
            return f"Frame {name}" if tag == name else f"Frame `{tag}`"
        return name

    def _link_all(self) -> dict[str, str]:
        links = {name: link(title, name) for name, title in self._bodies.items()}
        for name in self._events:
            heading = self._heading(name)
            links[name] = link(heading, heading.removeprefix("Event "))
        for name in (*self._sent, *self._received, *self._shapes):
            links[name] = link(self._heading(name), name)
        return links

    def _answered(self, operation: Operation) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for response in operation.told["responses"].values():
            yield from response.get("content", {}).items()

    def _names(self, schemas: Iterable[Any]) -> list[str]:
        """Return the shapes that these schemas name, in order, once."""
        return list(dict.fromkeys(name for schema in schemas for name in _references(schema)))

    # Their text

    def _described(self, names: Sequence[str], level: str) -> str:
        return "\n\n".join(self._shape(name, level) for name in names)

    def _shape(self, name: str, level: str) -> str:
        return "\n\n".join(
            part
            for part in (
                f"{level} {self._heading(name)}",
                _paragraph(self._components[name].get("description", "")),
                self._fields(name),
            )
            if part
        )

    def _fields(self, name: str) -> str:
        shape = self._components[name]
        properties: Mapping[str, Schema] = shape.get("properties", {})
        if not properties:
            return words(shape, self._links)
        required = shape.get("required", [])
        rows = [
            (f"`{field}`", self._value(schema), "required" if field in required else _default(schema))
            for field, schema in properties.items()
        ]
        one_of = [f"`{field}`" for choice in shape.get("oneOf", ()) for field in choice["required"]]
        choice = f"\n\nExactly one of {' and '.join(one_of)} is required." if one_of else ""
        return table(FIELD_HEAD, rows) + choice

    def _value(self, schema: Schema) -> str:
        note = schema.get("description", "")
        return words(schema, self._links) + (f". {note}" if note else "")

    def _operation(self, operation: Operation) -> str:
        told = operation.told
        parts = [
            f"### {operation.title}",
            _paragraph(told["summary"]),
            self._parameters(told.get("parameters", ())),
            *(self._body(operation, media_type, schema) for media_type, schema in _body(operation).items()),
            self._responses(told["responses"]),
            self._frames_of(told.get("x-websocket", {})),
            _problems(told["responses"]),
        ]
        return "\n\n".join(part for part in parts if part)

    def _parameters(self, parameters: Iterable[Mapping[str, Any]]) -> str:
        rows = [
            (
                f"`{one['name']}`",
                one["in"],
                words(one["schema"], self._links),
                "required" if one.get("required") else _default(one["schema"]),
                one.get("description", ""),
            )
            for one in parameters
        ]
        return table(("parameter", "in", "type", "default", "note"), rows) if rows else ""

    def _body(self, operation: Operation, media_type: str, schema: Schema) -> str:
        said = (
            f"`{media_type}`" if operation.told["requestBody"].get("required") else f"`{media_type}`, or none"
        )
        inline = [name for name in self._names([schema]) if name in self._bodies]
        if inline and "$ref" in schema:
            return f"Body, {said}:\n\n{self._fields(inline[0])}"
        return f"Body, {said}: {words(schema, self._links)}."

    def _frames_of(self, told: Mapping[str, Schema]) -> str:
        return "\n\n".join(f"The client {way}: {words(frames, self._links)}." for way, frames in told.items())

    def _responses(self, responses: Mapping[str, Mapping[str, Any]]) -> str:
        rows: list[tuple[str, str, str]] = []
        for status, response in responses.items():
            content = {name: one for name, one in response.get("content", {}).items() if name != PROBLEM}
            if content or PROBLEM not in response.get("content", {}):
                carried = [f"`{name}`: {words(one['schema'], self._links)}" for name, one in content.items()]
                headers = [
                    f"Header `{name}`: {_sentence(header['description'])}"
                    for name, header in response.get("headers", {}).items()
                ]
                what = " ".join((_sentence(response["description"]), *headers))
                rows.append((status, what, "; ".join(carried) or "none"))
        return table(("answer", "when", "body"), rows)


def _body(operation: Operation) -> dict[str, Schema]:
    content = operation.told.get("requestBody", {}).get("content", {})
    return {media_type: one.get("schema", {}) for media_type, one in content.items()}


def _parts(shape: Schema) -> list[object]:
    return [shape.get(name) for name in ("properties", "items", "anyOf", "additionalProperties")]


def _references(schema: Any) -> Iterator[str]:
    match schema:
        case {"$ref": reference}:
            yield reference.rpartition("/")[2]
        case {**some}:
            for name, value in some.items():
                if name != "discriminator":
                    yield from _references(value)
        case [*many]:
            for value in many:
                yield from _references(value)
        case _:
            pass


def _default(schema: Schema) -> str:
    return literal(schema["default"]) if "default" in schema else "none"


def _paragraph(text: str) -> str:
    """Put a docstring's paragraphs in one line each: Markdown wraps by itself."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _problems(responses: Mapping[str, Mapping[str, Any]]) -> str:
    by_status: list[str] = []
    for status, response in responses.items():
        if PROBLEM in response.get("content", {}):
            narrowed = response["content"][PROBLEM]["schema"]["allOf"][1]
            codes: list[str] = narrowed["properties"]["code"]["enum"]
            by_status.append(f"{status} {', '.join(f'`{code}`' for code in codes)}")
    return f"{link('Errors', 'Problems')}: {'; '.join(by_status)}." if by_status else ""
