"""Everything wrong that can be sent to a route, by what the OpenAPI document says of it: the code, the field.

A new route is covered as soon as it is described. What may not be sent over /ws is test_bad_frames.py's.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from tests.clients import NOBODY, chat
from tests.fuzz.refusals import (
    API,
    FORM,
    FORM_PATHS,
    JSON,
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    MAX_URL_BYTES,
    METHODS,
    MIB,
    OPEN_PATHS,
    OPERATIONS,
    Case,
    Operation,
    bare,
    complaint,
    complaints,
    target_of,
    wrong_about,
    wrong_headers,
)
from tests.fuzz.rows import nothing_stored
from tests.fuzz.wrong import BAD_UUIDS, NO_DASHES, wrong_documents, wrong_parameters
from tests.running import Running


def having(what: str) -> Any:
    """Parametrise over the operations with a body, or with parameters of that place."""
    wanted = [one for one in OPERATIONS if (one.body if what == "body" else one.parameters(what))]
    return pytest.mark.parametrize("operation", wanted, ids=lambda one: f"{one.method} {one.path}")


@pytest_asyncio.fixture
async def ids(server: Running) -> dict[str, str]:
    """Ids of what there is, for whatever a path wants to be named."""
    answer = await chat(server, "Hello")
    memory = (await server.http.post("/api/memory/add", json={"content": "The sky is blue."})).json()
    made = {name: answer[name] for name in ("conversation_id", "turn_id")} | {"memory_id": memory["id"]}
    return made | {"key_id": NOBODY}  # where nobody signs in there are no keys


# --- bodies


@having("body")
async def test_a_wrong_body_is_refused_by_the_name_of_its_field(
    server: Running, ids: dict[str, str], operation: Operation
) -> None:
    assert operation.body
    target = target_of(operation, ids)
    is_required = operation.told["requestBody"]["required"]
    cases = (
        Case(
            name=wrong.name,
            target=target,
            content=wrong.data,
            headers={"content-type": JSON},
            fields=wrong.fields,
        )
        for wrong in wrong_documents(operation.body)
        if wrong.data or is_required
    )
    assert await complaints(server, operation, cases) == []


@having("body")
async def test_only_plain_json_is_read(server: Running, ids: dict[str, str], operation: Operation) -> None:
    heads: dict[str, dict[str, str]] = {
        media_type or "none": {"content-type": media_type} if media_type else {}
        for media_type in (
            *("text/plain", "application/x-www-form-urlencoded", FORM, ""),
            *("application/jsonp", "text/json", "*/*", "application/json, text/plain", "application"),
            *("application/json; charset=latin-1", "application/json; charset=utf-16", "application/json+x"),
        )
    }
    heads |= {
        coding: {"content-type": JSON, "content-encoding": coding}
        for coding in ("gzip", "deflate", "br", "x")
    }
    cases = (
        Case(
            name=name,
            target=target_of(operation, ids),
            content=operation.valid_body,
            headers=headers,
            status=415,
            code="unsupported_media_type",
        )
        for name, headers in heads.items()
        if name != FORM or operation.path not in FORM_PATHS
    )
    assert await complaints(server, operation, cases) == []


@having("body")
@pytest.mark.parametrize("framing", ["Content-Length", "chunked"])
async def test_a_body_beyond_its_bound_is_refused(
    server: Running, ids: dict[str, str], operation: Operation, framing: str
) -> None:
    bound = MAX_BODY_BYTES.get(operation.path, MIB)
    head = f"Host: localhost\r\nContent-Type: {JSON}\r\n"
    if framing == "chunked":
        head += "Transfer-Encoding: chunked\r\n"
        # Not a byte more than is needed: one that nobody reads resets the connection, and the answer with it.
        chunks = [b'"'.ljust(MIB, b"x")] * (bound // MIB) + [b"x"]
    else:
        head += f"Content-Length: {2 * bound}\r\n"
        chunks = []
    parts = (b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    async with nothing_stored(server):
        response = await bare(server, f"{operation.method} {target_of(operation, ids)}", head, *parts)
    case = Case(name="", target=operation.path, status=413, code="too_large")
    assert wrong_about(response, case) == ""


# --- addresses


@having("query")
async def test_a_wrong_parameter_is_refused_by_its_name(
    server: Running, ids: dict[str, str], operation: Operation
) -> None:
    def cases() -> Iterator[Case]:
        for name, shape in operation.parameters("query").items():
            targets = {
                value: target_of(operation, ids, **{name: value})
                for value in wrong_parameters(shape, name=name)
            }
            valid = shape.sample()
            once = target_of(operation, ids, **{name: str(valid).lower() if valid is True else str(valid)})
            targets["twice"] = f"{once}&{once.partition('?')[2]}"
            if name in operation.required_query():
                targets["missing"] = target_of(operation, ids).partition("?")[0]
            for what, target in targets.items():
                blamed = (
                    frozenset({name}) if what != "twice" else frozenset({name, *operation.required_query()})
                )
                yield Case(
                    name=f"{name}={what:.60}",
                    target=target,
                    content=operation.valid_body,
                    headers={"content-type": JSON} if operation.body else {},
                    fields=blamed,
                )

    assert await complaints(server, operation, cases()) == []


@having("path")
async def test_a_wrong_id_in_a_path_is_refused_by_its_name(
    server: Running, ids: dict[str, str], operation: Operation
) -> None:
    wrong = [
        *(quote(bad, safe="") for bad in BAD_UUIDS if bad),
        NO_DASHES,
        "%00",
        "%ff",
        "%C3%28",
        "..%00",
        "%2500",
        "a%0d%0ab",
    ]
    cases = (
        Case(
            name=f"{name}={bad:.60}",
            target=target_of(operation, ids | {name: bad}),
            content=operation.valid_body,
            headers={"content-type": JSON} if operation.body else {},
            fields=frozenset({name}),
        )
        for name in operation.parameters("path")
        for bad in wrong
    )
    assert await complaints(server, operation, cases) == []


@having("path")
async def test_what_is_not_there_is_answered_alike(
    server: Running, ids: dict[str, str], operation: Operation
) -> None:
    answers: list[tuple[Any, Any]] = []
    async with nothing_stored(server):
        for _ in range(2):
            name = list(operation.parameters("path"))[-1]
            response = await server.http.request(
                operation.method,
                target_of(operation, ids | {name: str(uuid4())}),
                content=operation.valid_body,
                headers={"content-type": JSON} if operation.body else {},
            )
            case = Case(name="", target=operation.path, status=404, code="not_found")
            assert wrong_about(response, case) == ""
            ignored = {"date", "x-request-id", "content-length"}
            headers = {name: value for name, value in response.headers.items() if name not in ignored}
            answers.append((response.json() | {"request_id": ""}, headers))
    assert answers[0] == answers[1]


async def test_an_address_is_bounded_before_it_is_read(server: Running, ids: dict[str, str]) -> None:
    for operation in OPERATIONS:
        if operation.path not in OPEN_PATHS:
            case = Case(
                name="",
                target=f"{target_of(operation, ids)}?".ljust(MAX_URL_BYTES + 1, "x"),
                status=414,
                code="uri_too_long",
            )
            assert await complaints(server, operation, iter([case])) == []


@pytest.mark.parametrize("path", ["/", "/api", "/api/chat/none", "/api/none", "/%00", "/%ff", "/favicon.ico"])
async def test_an_unknown_route_is_not_found(server: Running, path: str) -> None:
    for method in METHODS:
        case = Case(name="", target=path, status=404, code="not_found")
        assert await complaint(server, method, case) == ""


@pytest.mark.parametrize("path", API["paths"])
async def test_another_method_is_told_those_there_are(
    server: Running, ids: dict[str, str], path: str
) -> None:
    known = {method.upper() for method in API["paths"][path]}
    target = path.format(**ids) if "{" in path else path
    async with nothing_stored(server):
        for method in sorted({*METHODS, "TRACE", "BREW"} - known):
            response = await server.http.request(method, target)
            case = Case(name="", target=target, status=405, code="method_not_allowed")
            assert wrong_about(response, case) == "", (method, response.text)
            allowed = set(response.headers["allow"].split(", "))
            assert known <= allowed <= known | {"OPTIONS", "HEAD"}, method


# --- heads


HOST = "Host: localhost\r\n"
BAD_HEADS = {
    "two hosts": (HOST + HOST, 400, "invalid_request", "Host"),
    "two different hosts": (HOST + "Host: evil.example\r\n", 400, "invalid_request", "Host"),
    "no host": ("", 400, "invalid_request", "Host"),
    "empty host": ("Host: \r\n", 400, "invalid_request", "Host"),
    "foreign host": ("Host: evil.example\r\n", 403, "host_not_allowed", None),
    "another port": ("Host: localhost:1\r\n", 403, "host_not_allowed", None),
    "host like ours": ("Host: localhost.evil.example\r\n", 403, "host_not_allowed", None),
    "host with a user": ("Host: localhost@evil.example\r\n", 403, "host_not_allowed", None),
    "bytes as host": ("Host: \xff\xfe\r\n", 403, "host_not_allowed", None),
    "null origin": (HOST + "Origin: null\r\n", 403, "origin_not_allowed", None),
    "empty origin": (HOST + "Origin: \r\n", 403, "origin_not_allowed", None),
    "foreign origin": (HOST + "Origin: http://evil.example\r\n", 403, "origin_not_allowed", None),
    "origin like ours": (
        HOST + "Origin: http://localhost:3000.evil.example\r\n",
        403,
        "origin_not_allowed",
        None,
    ),
    "bytes as origin": (HOST + "Origin: \xff\r\n", 403, "origin_not_allowed", None),
    "two origins": (
        HOST + "Origin: http://localhost:3000\r\nOrigin: http://localhost:3000\r\n",
        *(403, "origin_not_allowed", None),
    ),
    "two origins in one": (
        HOST + "Origin: http://localhost:3000, http://localhost:3000\r\n",
        *(403, "origin_not_allowed", None),
    ),
    "many headers": (
        HOST + "".join(f"X-{number}: {'x' * 1000}\r\n" for number in range(1 + MAX_HEADER_BYTES // 1000)),
        *(431, "headers_too_large", None),
    ),
    "a long header": (f"{HOST}X: {'x' * MAX_HEADER_BYTES}\r\n", 431, "headers_too_large", None),
}
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.mark.parametrize(("head", "status", "code", "field"), BAD_HEADS.values(), ids=BAD_HEADS)
async def test_a_bad_head_is_refused_on_every_route(
    server: Running, ids: dict[str, str], head: str, status: int, code: str, field: str | None
) -> None:
    fields = None if field is None else frozenset({field})
    case = Case(name="", target="/api", status=status, code=code, fields=fields)
    requests = [
        (operation.method, target_of(operation, ids), operation.valid_body)
        for operation in OPERATIONS
        if operation.path not in OPEN_PATHS
    ]
    async with nothing_stored(server):
        for method, target, body in [*requests, ("OPTIONS", "/api/chat", b""), ("GET", "/none", b"")]:
            length = f"Content-Type: {JSON}\r\nContent-Length: {len(body)}\r\n" if body else ""
            response = await bare(server, f"{method} {target}", head + length, body)
            private = msgspec.structs.replace(case, target=target)
            assert wrong_about(response, private) == "", (method, target, response.text)
        response = await bare(server, "GET /ws", head + UPGRADE)
        assert wrong_about(response, msgspec.structs.replace(case, target="/ws")) == "", response.text


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
async def test_a_probe_is_answered_whatever_its_host_and_origin(server: Running, path: str) -> None:
    for head in ("", "Host: evil.example\r\n", HOST + HOST, HOST + "Origin: null\r\n"):
        response = await bare(server, f"GET {path}", head)
        assert response.status_code == 200
        assert wrong_headers(response, response.headers["x-request-id"], private=False) == ""


async def test_a_socket_s_route_wants_an_upgrade_and_no_other_has_one(
    server: Running, ids: dict[str, str]
) -> None:
    response = await bare(server, "GET /ws", HOST)
    case = Case(name="", target="/ws", fields=frozenset({"Upgrade"}))
    assert wrong_about(response, case) == ""
    for operation in OPERATIONS:
        response = await bare(server, f"GET {target_of(operation, ids)}", HOST + UPGRADE)
        assert 400 <= response.status_code < 500, (operation.path, response.text)
