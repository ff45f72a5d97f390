"""HTTP/1.1 as this server needs it: requests out of bytes, heads and chunks into bytes.

Pure: no sockets. Bodies arrive with a Content-Length; anything else is malformed.
"""

from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

import msgspec

MAX_REQUEST_BYTES = 64 * 1024 * 1024
LAST_CHUNK = b"0\r\n\r\n"


class Malformed(Exception):
    """Bytes or fields that cannot be a request; answered with 400."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    query: dict[str, str]
    body: bytes
    keep_alive: bool = True
    headers: dict[str, str] = {}
    """By their names in lower case."""


class RequestParser:
    """Takes bytes as they come and gives whole requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next_request(self) -> Request | None:
        """Return the next whole request, or None until more bytes are fed; raise Malformed."""
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            if len(self._buffer) > 65_536:
                raise Malformed("request head too large")
            return None
        start_line, headers = _parse_head(bytes(self._buffer[:head_end]))
        body_bytes = _body_length(headers)
        body_start = head_end + 4
        if len(self._buffer) < body_start + body_bytes:
            return None
        body = bytes(self._buffer[body_start : body_start + body_bytes])
        del self._buffer[: body_start + body_bytes]
        method, target = start_line
        path, _, query = target.partition("?")
        return Request(
            method=method,
            path=unquote(path),
            query=dict(parse_qsl(query)),
            body=body,
            keep_alive=headers.get("connection", "").lower() != "close",
            headers=headers,
        )


def _parse_head(head: bytes) -> tuple[tuple[str, str], dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    try:
        method, target, version = first.split(" ")
    except ValueError:
        raise Malformed("malformed request line") from None
    if not version.startswith("HTTP/1."):
        raise Malformed("malformed HTTP version")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Malformed("malformed header line")
        headers[name.lower()] = value.strip()
    return (method, target), headers


def _body_length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise Malformed("chunked request bodies are not spoken here")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_REQUEST_BYTES:
        raise Malformed("malformed Content-Length")
    return int(length)


def head(status: int, content_type: str, *, body_bytes: int | None) -> bytes:
    """Return a response head; without `body_bytes` the body comes in chunks."""
    framing = "Transfer-Encoding: chunked" if body_bytes is None else f"Content-Length: {body_bytes}"
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {content_type}\r\n{framing}\r\n\r\n".encode("ascii")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
