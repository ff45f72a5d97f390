"""Builds the OpenAPI 3.1 document from handlers and the shapes they read and write; knows no route itself.

Fields, bounds and defaults come from the Structs that the code decodes and encodes with, never from here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import getdoc
from typing import Any, cast
from uuid import UUID

import msgspec
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from msgspec import inspect

from jarvis.core.errors import PROBLEMS
from jarvis.web.problems import MEDIA_TYPE, Problem

REF = "#/components/schemas/{name}"
JSON = "application/json"
RETRYABLE = frozenset({429, 503})
PATH_PARAMETER = re.compile(r"\{(\w+):\w+\}")

Schema = dict[str, Any]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`content` maps media types to the shapes they carry, a tuple to one of several; empty: no body."""

    description: str
    content: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}


class RequestHeader(msgspec.Struct, frozen=True):
    """What it means, and which texts it may have."""

    meaning: str
    type: Any = str


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler's signature does not say; `headers` are request headers, name to meaning."""

    answers: Mapping[int, Answer]
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    body_required: bool = True
    headers: Mapping[str, RequestHeader] = {}
    problems: Sequence[str] = ()
    sends: Sequence[Any] = ()
    receives: Sequence[Any] = ()
    """A WebSocket's frames, as the client sees it; OpenAPI itself has no words for them."""


def document(
    described: Mapping[BaseRouteHandler, Described], *, info: Schema, notes: Mapping[str, str]
) -> Schema:
    """Build the document; `notes` say of parameters, by name, what their types cannot."""
    shapes = _Shapes(described.values())
    paths: dict[str, Schema] = {}
    for handler, told in described.items():
        for path in handler.paths:
            operations = paths.setdefault(PATH_PARAMETER.sub(r"{\1}", path), {})
            for method in _methods(handler):
                operations[method.lower()] = _operation(handler, path, told, shapes, notes)
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": shapes.components}}


class _Shapes:
    """The schemas of all shapes, made together so that each Struct is one component."""

    def __init__(self, described: Iterable[Described]) -> None:
        wanted: list[Any] = [Problem]
        for told in described:
            for answer in told.answers.values():
                for shape in answer.content.values():
                    wanted += _alternatives(shape)
            wanted += [shape for shape in (told.query, told.body, *told.sends, *told.receives) if shape]
        schemas, components = msgspec.json.schema_components(wanted, ref_template=REF)
        self._schemas = list(zip(wanted, schemas, strict=True))
        self.components: dict[str, Schema] = components
        for struct in _structs(inspect.multi_type_info(wanted)):
            _tell_times(struct, components[struct.cls.__name__])

    def of(self, shape: object) -> Schema:
        schemas = [
            next(schema for known, schema in self._schemas if known is one) for one in _alternatives(shape)
        ]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def fields(self, query: type[msgspec.Struct]) -> Schema:
        return self.components[query.__name__]["properties"]


def _alternatives(shape: object) -> Sequence[object]:
    # msgspec itself takes no union of Structs that nothing but their fields tells apart.
    return cast("tuple[object, ...]", shape) if isinstance(shape, tuple) else (shape,)


def _structs(types: Iterable[inspect.Type]) -> Iterator[inspect.StructType]:
    """Yield every Struct that these types are made of, once."""
    seen: set[type] = set()
    waiting = list(types)
    while waiting:
        match waiting.pop():
            case inspect.Metadata(type=inner):
                waiting.append(inner)
            case inspect.UnionType(types=inner):
                waiting += inner
            case inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
                waiting.append(inner)
            case inspect.DictType(value_type=inner):
                waiting.append(inner)
            case inspect.StructType() as struct if struct.cls not in seen:
                seen.add(struct.cls)
                waiting += [field.type for field in struct.fields]
                yield struct
            case _:
                pass


def _tell_times(struct: inspect.StructType, schema: Schema) -> None:
    """Name times as such: msgspec calls one a plain string unless its type insists on a time zone."""
    for field in struct.fields:
        kinds = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        if any(isinstance(kind, inspect.DateTimeType) for kind in kinds):
            told = schema["properties"][field.encode_name]
            for one in told.get("anyOf", [told]):
                if one.get("type") == "string":
                    one["format"] = "date-time"


def _methods(handler: BaseRouteHandler) -> list[str]:
    # OpenAPI has no word for a WebSocket; its opening is a GET.
    return sorted(handler.http_methods) if isinstance(handler, HTTPRouteHandler) else ["GET"]


def _operation(
    handler: BaseRouteHandler, path: str, told: Described, shapes: _Shapes, notes: Mapping[str, str]
) -> Schema:
    operation: Schema = {
        "operationId": handler.handler_name,
        "tags": [handler.fn.__module__.rpartition(".")[2]],
        "summary": getdoc(handler.fn) or "",
        "parameters": [*_path_ids(path), *_query(told, shapes, notes), *_headers(told)],
        "responses": {
            **{str(status): _answer(answer, shapes) for status, answer in told.answers.items()},
            **_problems(told.problems, shapes),
        },
    }
    if told.body is not None:
        operation["requestBody"] = {
            "required": told.body_required,
            "content": {JSON: {"schema": shapes.of(told.body)}},
        }
    if told.sends:
        operation["x-websocket"] = {
            "sends": {"anyOf": [shapes.of(frame) for frame in told.sends]},
            "receives": {"anyOf": [shapes.of(frame) for frame in told.receives]},
        }
    return operation


def _path_ids(path: str) -> Iterator[Schema]:
    """Every variable part of our paths is an id; handlers take it as text, to refuse it as a body's is."""
    for name in PATH_PARAMETER.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(UUID)}


def _query(told: Described, shapes: _Shapes, notes: Mapping[str, str]) -> Iterator[Schema]:
    if told.query is None:
        return
    for name, schema in shapes.fields(told.query).items():
        required = name in shapes.components[told.query.__name__].get("required", ())
        parameter = {"name": name, "in": "query", "required": required, "schema": _without_null(schema)}
        yield parameter | ({"description": notes[name]} if name in notes else {})


def _without_null(schema: Schema) -> Schema:
    """Leave out what an address cannot say: a parameter is there, or it is not."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    (kind,) = kinds
    return {name: value for name, value in kind.items() if name != "default" or value is not None}


def _headers(told: Described) -> Iterator[Schema]:
    for name, header in told.headers.items():
        schema = msgspec.json.schema(header.type)
        yield {"name": name, "in": "header", "description": header.meaning, "schema": schema}


def _answer(answer: Answer, shapes: _Shapes) -> Schema:
    told: Schema = {"description": answer.description}
    if answer.content:
        told["content"] = {
            media_type: {"schema": shapes.of(shape)} for media_type, shape in answer.content.items()
        }
    if answer.headers:
        told["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}}
            for name, meaning in answer.headers.items()
        }
    return told


def _problems(codes: Sequence[str], shapes: _Shapes) -> dict[str, Schema]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code][0], []).append(code)
    problems: dict[str, Schema] = {}
    for status, codes_of_status in sorted(by_status.items()):
        titles = "; ".join(PROBLEMS[code][1] for code in codes_of_status)
        narrowed = {"properties": {"status": {"const": status}, "code": {"enum": codes_of_status}}}
        problem: Schema = {
            "description": titles,
            "content": {MEDIA_TYPE: {"schema": {"allOf": [shapes.of(Problem), narrowed]}}},
        }
        if status in RETRYABLE:
            problem["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
        problems[str(status)] = problem
    return problems
