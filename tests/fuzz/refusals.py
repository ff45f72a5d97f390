"""Requests to every operation of the OpenAPI document, and what is wrong about the answer to a bad one."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from jarvis.web.schema import describe
from tests.clients import PATIENCE_S
from tests.fuzz.rows import nothing_stored
from tests.fuzz.wrong import Shape, blames
from tests.running import Running

MIB = 2**20
MAX_URL_BYTES = 8 * 1024
MAX_HEADER_BYTES = 16 * 1024
MAX_BODY_BYTES = {"/api/chat/import": 64 * MIB, "/api/voice/transcribe": 14 * MIB}
"""Where it is not one MiB."""
FORM = "multipart/form-data; boundary=x"
FORM_PATHS = {"/api/voice/transcribe"}
"""A form is read there too."""
OPEN_PATHS = {"/health", "/ready", "/metrics"}
"""Neither Host nor Origin matter there."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
JSON = "application/json"

API = describe("0")
COMPONENTS = API["components"]["schemas"]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    method: str
    told: dict[str, Any]

    @property
    def body(self) -> Shape | None:
        content = self.told.get("requestBody", {}).get("content", {})
        return Shape(content[JSON]["schema"], COMPONENTS) if JSON in content else None

    @property
    def valid_body(self) -> bytes:
        return b"" if self.body is None else msgspec.json.encode(self.body.sample())

    def parameters(self, place: str) -> dict[str, Shape]:
        return {
            one["name"]: Shape(one["schema"], COMPONENTS)
            for one in self.told["parameters"]
            if one["in"] == place
        }

    def required_query(self) -> dict[str, str]:
        wanted = {one["name"] for one in self.told["parameters"] if one["in"] == "query" and one["required"]}
        return {
            name: str(shape.sample()) for name, shape in self.parameters("query").items() if name in wanted
        }


OPERATIONS = [
    Operation(path=path, method=method.upper(), told=told)
    for path, operations in API["paths"].items()
    for method, told in operations.items()
    if "x-websocket" not in told
]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A request and how it must be refused; `fields` are those that may be blamed."""

    name: str
    target: str
    content: bytes = b""
    headers: dict[str, str] = {}
    status: int = 400
    code: str = "invalid_request"
    fields: frozenset[str] | None = None


async def complaints(server: Running, operation: Operation, cases: Iterator[Case]) -> list[str]:
    """Send each case; return what is wrong about the answers. Nothing may have been stored."""
    async with nothing_stored(server):
        return [text for case in cases if (text := await complaint(server, operation.method, case))]


async def complaint(server: Running, method: str, case: Case) -> str:
    response = await server.http.request(
        method,
        httpx.URL(server.url).copy_with(raw_path=case.target.encode()),
        content=case.content,
        headers=case.headers,
    )
    wrong = wrong_about(response, case)
    return f"{case.name}: {wrong}; {response.status_code} {response.text:.300}" if wrong else ""


def wrong_about(response: httpx.Response, case: Case) -> str:
    """Tell in what an answer is not the problem document that the case wants; "" if it is."""
    if response.status_code != case.status:
        return f"status is not {case.status}"
    if response.headers["content-type"] != "application/problem+json":
        return "is no problem document"
    problem = response.json()
    if (problem["type"], problem["status"], problem["code"]) != ("about:blank", case.status, case.code):
        return f"code is not {case.code}"
    if not problem["title"] or not problem["detail"] or "turn_id" in problem:
        return "title, detail"
    blamed = [error["field"] for error in problem.get("errors", ())]
    if case.fields is not None and (len(blamed) != 1 or not blames(blamed[0], case.fields)):
        return f"blames {blamed}, not {sorted(case.fields)}"
    return wrong_headers(response, problem["request_id"], private=case.target.startswith("/api"))


def wrong_headers(response: httpx.Response, request_id: str, *, private: bool) -> str:
    headers = response.headers
    if headers["x-request-id"] != request_id:
        return "X-Request-ID"
    if headers["x-content-type-options"] != "nosniff" or headers["server"] != "jarvis":
        return "X-Content-Type-Options, Server"
    if private and headers.get("cache-control") != "no-store":
        return "Cache-Control"
    return ""


def target_of(operation: Operation, ids: dict[str, str], **query: str) -> str:
    path = operation.path.format(**ids) if "{" in operation.path else operation.path
    told = "&".join(f"{name}={value}" for name, value in (operation.required_query() | query).items())
    return f"{path}?{told}" if told else path


async def bare(server: Running, request: str, head: str, *parts: bytes) -> httpx.Response:
    """Send exactly these bytes on a connection of their own and read the answer."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer.write(f"{request} HTTP/1.1\r\n{head}\r\n".encode("latin-1"))
            for part in parts:
                writer.write(part)
                await writer.drain()
            head_bytes = await reader.readuntil(b"\r\n\r\n")
            status_line, *lines = head_bytes.decode("latin-1").split("\r\n")
            headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines if line)]
            size = int(dict(headers).get("content-length", "0"))
            body = await reader.readexactly(size)
    finally:
        writer.close()
    return httpx.Response(int(status_line.split()[1]), headers=headers, content=body)
