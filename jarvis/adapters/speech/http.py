"""HTTP as the speech adapters need it: bounds, deadlines and failures; knows no dialect."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

import httpx
import msgspec

from jarvis.adapters import model_http, streaming
from jarvis.adapters.closable import Closable
from jarvis.adapters.speech.failures import Role, http_errors

T = TypeVar("T")

ANSWER_S = 30.0
_BUSY = frozenset({408, 429})


class Refused(Exception):
    """The server does not take the request as it is."""

    def __init__(self, status: int) -> None:
        self.status = status


class SpeechHttp(Closable):
    """Talks to the server at `base_url` in one role; answers are bounded to model_http.MAX_BODY_BYTES.

    Everything raises Unavailable or TimedOut of that role.
    """

    def __init__(self, base_url: str, role: Role, *, api_key: str | None = None) -> None:
        self._base = base_url.rstrip("/")
        self._role: Role = role
        self._requests = streaming.Requests()
        headers = dict(model_http.HEADERS)
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        self._http = httpx.AsyncClient(
            transport=model_http.ModelTransport(base_url),
            timeout=model_http.TIMEOUT,
            headers=headers,
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self._requests.aclose()
        await self._http.aclose()

    async def get(self, path: str, *, limit_s: float = streaming.METADATA_S) -> tuple[int, bytes]:
        """Return status and body."""
        with http_errors(self._role):
            return await self._requests.answer(self._get(path), limit_s=limit_s)

    async def check(self, path: str, *, up: Callable[[int], bool]) -> None:
        """Return when the server answers a GET soon, with a status that says it is `up`."""
        status, _ = await self.get(path, limit_s=streaming.PING_S)
        if not up(status):
            with http_errors(self._role):
                raise model_http.refusal(status)

    async def post(self, path: str, **sent: Any) -> bytes:
        """Return the body of a 200; `sent` is what httpx takes. Raises Refused for the request itself."""
        with http_errors(self._role):
            return await self._requests.answer(self._post(path, sent), limit_s=ANSWER_S)

    async def stream(self, path: str, body: object) -> AsyncGenerator[bytes]:
        """Yield the body of a 200 as it comes. Raises Refused before that."""
        with http_errors(self._role):
            pieces = self._requests.stream(self._pieces(path, body), first_s=ANSWER_S, between_s=ANSWER_S)
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    yield piece

    def decode(self, body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
        with http_errors(self._role):
            return decoder.decode(body)

    async def _get(self, path: str) -> tuple[int, bytes]:
        response = await self._http.get(f"{self._base}{path}")
        return response.status_code, response.content

    async def _post(self, path: str, sent: dict[str, Any]) -> bytes:
        response = await self._http.post(f"{self._base}{path}", **sent)
        _raise_refusal(response.status_code)
        return response.content

    async def _pieces(self, path: str, body: object) -> AsyncGenerator[bytes]:
        asked = self._http.stream(
            "POST",
            f"{self._base}{path}",
            content=msgspec.json.encode(body),
            headers={"content-type": "application/json"},
        )
        async with asked as response:
            _raise_refusal(response.status_code)
            async for piece in response.aiter_bytes():
                yield piece


def _raise_refusal(status: int) -> None:
    if 400 <= status < 500 and status not in _BUSY | {401, 403, 404, 405}:
        raise Refused(status)
    if status != 200:
        raise model_http.refusal(status)
