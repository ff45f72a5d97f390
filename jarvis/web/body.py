"""Reads a request's body from the socket: its media type, its size, its deadline.

What the bytes mean is decoding.py's; no route is known here.
"""

import asyncio
from typing import TypeVar

from jarvis.core.errors import Refused
from jarvis.web.asgi import Receive, Scope
from jarvis.web.decoding import decode_json

T = TypeVar("T")


class ClientGone(BaseException):
    """The client left while its request was still being read: nobody is there to be answered.

    No Exception, like asyncio.CancelledError: nothing on its way out may make it an answer. `Edge` ends it.
    """


class BodyUnread(Refused):
    """Refused with a part of the body still on its way: the connection ends with the answer."""


async def read_json(
    scope: Scope,
    receive: Receive,
    type: type[T],  # noqa: A002 - as in decode_json
    *,
    max_bytes: int,
    deadline_s: float,
) -> T:
    """Read and decode a JSON body. Raises Invalid, Refused, ClientGone."""
    check_json_headers(scope)
    data = await read_body(scope, receive, max_bytes=max_bytes, deadline_s=deadline_s)
    return decode_json(data, type)


def check_json_headers(scope: Scope) -> None:
    """Refuse (415) all but plain `application/json` in UTF-8: browsers send forms and text without asking."""
    content_types: list[bytes] = []
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_types.append(value)
        elif name == b"content-encoding":
            _check_encoding(value)
    if len(content_types) != 1 or not _is_json(content_types[0]):
        raise Refused("unsupported_media_type", "Send JSON with Content-Type: application/json.")


def _is_json(content_type: bytes) -> bool:
    if content_type == b"application/json":
        return True
    media, *parameters = content_type.decode("latin-1").lower().split(";")
    if media.strip() != "application/json":
        return False
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in {"utf-8", "utf8"}:
            return False
    return True


def _check_encoding(value: bytes) -> None:
    if value.strip().lower() not in {b"", b"identity"}:
        raise Refused("unsupported_media_type", "Send the body without Content-Encoding.")


async def read_body(scope: Scope, receive: Receive, *, max_bytes: int, deadline_s: float) -> bytes:
    """Read all of the body.

    Raises BodyUnread: `too_large`, by its Content-Length before a byte is read, else by counting; or
    `invalid_request` when it is not complete within `deadline_s` (granian waits for ever; the contract has no
    408). Raises ClientGone, and Refused (415) for a Content-Encoding.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and (len(value) > 18 or int(value) > max_bytes):
            raise _too_large(max_bytes)
        if name == b"content-encoding":
            _check_encoding(value)
    try:
        async with asyncio.timeout(deadline_s):
            return await _collect(receive, max_bytes)
    except TimeoutError:
        raise BodyUnread("invalid_request", "The body did not arrive in time.") from None


async def _collect(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = event.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
        if not event.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(max_bytes: int) -> BodyUnread:
    return BodyUnread("too_large", f"The body is larger than {max_bytes} bytes.")
