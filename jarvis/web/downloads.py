"""Answers that are files: their name, and a body sent while it is still being read."""

import re
import unicodedata
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import quote

import anyio
import structlog
from litestar.types import Receive, Scope, Send

from jarvis.core.errors import JarvisError
from jarvis.web.responses import client_gone

MAX_NAME_CHARS = 80
HELD_BYTES = 64 * 1024
"""Collected before they are sent: granian buffers eight sends for a slow client, of whatever size."""
_UNSAFE_ASCII = re.compile(r"[^A-Za-z0-9 ._-]+")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u2028\u2029]+')

log = structlog.stdlib.get_logger("jarvis.web")


class Download:
    """A file that is sent chunk by chunk; a client that leaves ends the reading.

    Where the reading fails the connection is cut, so that nobody takes a part for the whole.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[bytes],
        *,
        media_type: bytes,
        name: str | None = None,
        held_bytes: int = HELD_BYTES,
    ) -> None:
        """Send what has come as soon as that is `held_bytes`; without a name it is no attachment."""
        self._chunks = chunks
        self._held_bytes = held_bytes
        self._headers = [(b"content-type", media_type)]
        if name is not None:
            self._headers.append((b"content-disposition", content_disposition(name).encode("ascii")))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._chunks) as chunks, anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
            await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            ready = bytearray()
            try:
                async for chunk in chunks:
                    ready += chunk
                    if len(ready) >= self._held_bytes:
                        await send({"type": "http.response.body", "body": bytes(ready), "more_body": True})
                        ready.clear()
            except JarvisError as exc:
                log.warning("download.cut", code=exc.code)
            else:
                await send({"type": "http.response.body", "body": bytes(ready), "more_body": False})
            tasks.cancel_scope.cancel()


def content_disposition(name: str) -> str:
    """Name a file as RFC 6266 has it: in ASCII for everybody, and as it is for those who read `filename*`."""
    shown = _trimmed(_UNSAFE.sub(" ", name.encode(errors="ignore").decode()))
    folded = unicodedata.normalize("NFKD", shown).encode("ascii", "ignore").decode()
    plain = _trimmed(_UNSAFE_ASCII.sub("", folded))
    if plain.startswith("."):  # nothing of the name but its ending was left
        plain = f"conversation{plain}"
    header = f'attachment; filename="{plain}"'
    return header if plain == shown else f"{header}; filename*=UTF-8''{quote(shown, safe='')}"


def _trimmed(name: str) -> str:
    stem, dot, ending = " ".join(name.split()).rpartition(".")
    return f"{stem[:MAX_NAME_CHARS].strip(' .')}{dot}{ending}"


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    await client_gone(receive)
    scope.cancel()
