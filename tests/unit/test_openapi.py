"""The OpenAPI document against the code: every route is there, and every field of every Struct."""

from typing import Any

import msgspec
import pytest
from litestar.handlers import HTTPRouteHandler
from openapi_spec_validator import OpenAPIV31SpecValidator

from jarvis.core import events, memories, types
from jarvis.core.errors import PROBLEMS
from jarvis.services import health
from jarvis.web import auth, conversations, legacy, memory, memory_requests, problems, requests, signing_in
from jarvis.web import socket as web_socket
from jarvis.web.application import ROUTES
from jarvis.web.described import DESCRIBED
from jarvis.web.schema import NOTES, describe

INWARD_ONLY = {
    "History",
    "Summary",
    "User",
    "ChatCommand",
    "AgainCommand",
    "Once",
    "Turn",
    "LogEntry",
    "Probe",
    "StoredTurn",
    "ProblemAnswer",
    "NewMemory",
    "MemoryEdit",
}
"""Structs that never cross the wire by themselves."""
PARTS = {"ChatFields", "FrameHead"}
"""What others are made of, or a first look at them."""


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    return describe("1.2.3")


def structs() -> list[type[msgspec.Struct]]:
    modules = (types, events, health, requests, conversations, legacy, problems, web_socket)
    modules += (memories, memory, memory_requests, auth, signing_in)
    found = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__module__ == module.__name__
        and value.__name__ not in INWARD_ONLY | PARTS
    }
    return sorted(found, key=lambda struct: struct.__name__)


def test_it_is_valid_openapi_3_1(api: dict[str, Any]) -> None:
    assert api["openapi"].startswith("3.1")
    assert api["info"]["version"] == "1.2.3"
    assert [error.message for error in OpenAPIV31SpecValidator(api).iter_errors()] == []


def test_every_route_of_the_application_is_described() -> None:
    assert list(DESCRIBED) == ROUTES


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.handler_name)
def test_a_route_is_there_under_its_path_and_methods(api: dict[str, Any], route: Any) -> None:
    (path,) = route.paths
    operations = api["paths"][path.replace(":str}", "}")]
    methods = route.http_methods if isinstance(route, HTTPRouteHandler) else {"GET"}
    for method in methods:
        operation = operations[method.lower()]
        assert operation["summary"]
        assert all(operation["responses"].values())


@pytest.mark.parametrize("struct", structs(), ids=lambda struct: struct.__name__)
def test_every_field_of_a_struct_is_there(api: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    component = api["components"]["schemas"][struct.__name__]
    config = struct.__struct_config__
    fields = {field.encode_name for field in msgspec.structs.fields(struct)}
    assert set(component["properties"]) == fields | ({config.tag_field} if config.tag_field else set())


@pytest.mark.parametrize(
    ("shape", "field"),
    [("Message", "created_at"), ("Conversation", "last_message_at"), ("Health", "timestamp")],
    ids=lambda value: value,
)
def test_times_are_named_as_such(api: dict[str, Any], shape: str, field: str) -> None:
    told = api["components"]["schemas"][shape]["properties"][field]
    formats = [kind.get("format") for kind in told.get("anyOf", [told]) if kind["type"] != "null"]
    assert formats == ["date-time"]


def test_ids_in_paths_are_uuids(api: dict[str, Any]) -> None:
    found = 0
    for path, operations in api["paths"].items():
        for operation in operations.values():
            ids = [one for one in operation["parameters"] if one["in"] == "path"]
            found += len(ids)
            assert len(ids) == path.count("{")
            assert all(one["schema"] == {"type": "string", "format": "uuid"} for one in ids)
    assert found


def test_a_chat_request_has_either_of_two_names_for_its_text(api: dict[str, Any]) -> None:
    body = api["paths"]["/api/chat"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/ChatRequest"}
    alternatives = api["components"]["schemas"]["ChatRequest"]["oneOf"]
    assert alternatives == [{"required": ["message"]}, {"required": ["content"]}]


def test_every_problem_that_is_told_has_the_status_of_its_code(api: dict[str, Any]) -> None:
    seen: set[str] = set()
    for operations in api["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                problem = response.get("content", {}).get("application/problem+json")
                if problem is None:
                    continue
                reference, narrowed = problem["schema"]["allOf"]
                assert reference == {"$ref": "#/components/schemas/Problem"}
                codes = narrowed["properties"]["code"]["enum"]
                assert {PROBLEMS[code][0] for code in codes} == {int(status)}
                assert ("Retry-After" in response.get("headers", {})) == (status in {"429", "503"})
                seen.update(codes)
    unbuilt = {"memory_unavailable"}
    everywhere = {"method_not_allowed"}  # no route's own: the method is not one of it
    assert seen == PROBLEMS.keys() - unbuilt - everywhere


def test_every_note_on_a_parameter_is_used(api: dict[str, Any]) -> None:
    used = {
        one["name"]
        for operations in api["paths"].values()
        for operation in operations.values()
        for one in operation["parameters"]
        if one["in"] == "query"
    }
    assert NOTES.keys() <= used
