"""HTTP as the model adapters need it: one transport, lines in bounds, failures as core errors.

Knows no dialect. Details are written for people and name no host, path or text of a message.
"""

import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Generator

import httpx

from jarvis.core.errors import Invalid, JarvisError, Unavailable

CONNECT_S = 2.0
MAX_LINE_BYTES = 1024 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024

# The deadlines are ours (streaming.py): a read limit of httpx's starts again with every byte.
TIMEOUT = httpx.Timeout(None, connect=CONNECT_S, pool=CONNECT_S)

# Turns are limited far below; this bound only keeps a leak from taking every file descriptor. Idle
# connections go before uvicorn and cpp-httplib (5 s) close theirs, so that no request meets one closing.
LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=16, keepalive_expiry=3.0)

# A new connection to a Unix socket costs 0.1 ms, and llama-server was seen to end kept ones without a word.
LOCAL_LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=0)

# A compressed stream comes in bursts, and a small body could decompress into any size.
HEADERS = {"accept-encoding": "identity"}


class TooLong(ValueError):
    """A line or a body is beyond its bound."""


class LineResponse(httpx.Response):
    """Gives lines and bodies within bounds.

    httpx's own lines also end at U+0085, U+2028 and others that are plain characters within JSON, and have
    no bound; the official Ollama client reads its stream through them.
    """

    async def aiter_lines(self) -> AsyncIterator[str]:
        async for line in byte_lines(self):
            yield line.decode()

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """As httpx's, of which `aread` is made; raise TooLong above MAX_BODY_BYTES."""
        size_bytes = 0
        async for part in super().aiter_bytes(chunk_size):
            size_bytes += len(part)
            if size_bytes > MAX_BODY_BYTES:
                raise TooLong
            yield part


class ModelTransport(httpx.AsyncHTTPTransport):
    """A pool of connections to one model server, for any number of clients."""

    def __init__(self, url: str, *, uds: str | None = None) -> None:
        # Plain HTTP spares the 20 ms that the trust store takes; this context trusts nobody.
        tls = (
            ssl.create_default_context()
            if url.startswith("https:")
            else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        # The settings name the server: HTTP_PROXY of some shell must not see the prompts meant for it.
        limits = LIMITS if uds is None else LOCAL_LIMITS
        super().__init__(verify=tls, trust_env=False, limits=limits, uds=uds)

    async def handle_async_request(self, request: httpx.Request) -> LineResponse:
        response = await super().handle_async_request(request)
        return LineResponse(
            response.status_code,
            headers=response.headers,
            stream=response.stream,
            extensions=response.extensions,
        )


async def byte_lines(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Yield lines without their end, blank ones left out; raise TooLong above MAX_LINE_BYTES."""
    rest = bytearray()
    async for chunk in response.aiter_raw():
        first, *others = chunk.split(b"\n")
        rest += first
        if len(rest) > MAX_LINE_BYTES:
            raise TooLong
        if not others:
            continue
        for line in (bytes(rest), *others[:-1]):
            if line and not line.isspace():
                yield line
        rest = bytearray(others[-1])
    if rest and not rest.isspace():
        yield bytes(rest)


@contextlib.contextmanager
def model_errors() -> Generator[None]:
    """Turn what httpx and decoding raise into Unavailable."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError) as exc:
        raise Unavailable("llm", "The language model cannot be reached.") from exc
    except httpx.PoolTimeout as exc:
        raise Unavailable("llm", "Too many connections to the language model are open.") from exc
    except (httpx.HTTPError, httpx.StreamError) as exc:
        raise Unavailable("llm", "The connection to the language model broke off.") from exc
    except TooLong as exc:
        raise Unavailable("llm", "The language model sent more at once than is reasonable.") from exc
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise garbled() from exc


def garbled() -> Unavailable:
    return Unavailable("llm", "The language model answered with something that is not an answer.")


def broke_off() -> Unavailable:
    return Unavailable("llm", "The language model stopped before its answer had an end.")


def unknown_model(*, named: bool) -> JarvisError:
    """Return the client's fault where it `named` the model, else the settings'."""
    if named:
        return Invalid("model", "The language model's server does not have this model.")
    return Unavailable("llm", "The language model's server does not have the model named in the settings.")


def refusal(status: int) -> Unavailable:
    """Return what an HTTP error means where the dialect says no more."""
    match status:
        case 401 | 403:
            detail = "The language model refused the key; check the key in the settings."
        case 404 | 405:
            detail = (
                "The language model's server does not know this request; check its address in the settings."
            )
        case 429 | 503:
            detail = "The language model is busy or still loading."
        case _ if 300 <= status < 400:
            detail = "The language model's server redirects; put its final address into the settings."
        case _ if status < 500:
            detail = "The language model refused the request."
        case _:
            detail = "The language model failed."
    return Unavailable("llm", detail)
