"""Fetches one file of known size and hash over HTTP, going on where an interrupted attempt ended.

Knows nothing of what the file is.
"""

import asyncio
import hashlib
import random
import re
from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus
from pathlib import Path

import httpx
import msgspec
import structlog

from jarvis.embedded.errors import WeightsUnavailable

ATTEMPTS_WITHOUT_A_BYTE = 5
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """What the file has to be, whoever serves it."""

    bytes_total: int
    sha256: str


class Reply(Enum):
    """What to do with an answer to a (range) request."""

    APPEND = auto()
    START_OVER = auto()
    ASK_AGAIN_FROM_ZERO = auto()
    RETRY = auto()
    REFUSED = auto()


def offset_to_resume(have_bytes: int, pinned: Pinned) -> int:
    """Where to go on. A file longer than it may be is of no use."""
    return have_bytes if have_bytes <= pinned.bytes_total else 0


def judge(status: int, content_range: str | None, *, offset: int) -> Reply:
    """Decide on an answer to a request for everything from `offset` (RFC 9110, 14.2 and 15.3.7)."""
    if status == HTTPStatus.PARTIAL_CONTENT:
        found = re.match(r"bytes (\d+)-", content_range or "")
        return Reply.APPEND if found and int(found[1]) == offset else Reply.ASK_AGAIN_FROM_ZERO
    if status == HTTPStatus.OK:  # the server ignores ranges
        return Reply.START_OVER
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return Reply.ASK_AGAIN_FROM_ZERO
    if status in {408, 425, 429} or status >= 500:
        return Reply.RETRY
    return Reply.REFUSED


async def download(
    client: httpx.AsyncClient,
    url: str,
    target: Path,
    pinned: Pinned,
    *,
    on_bytes: Callable[[int], None],
    first_wait_s: float = FIRST_WAIT_S,
) -> None:
    """Fetch to `target`, which appears whole and verified or not at all; `.part` keeps what came so far.

    `on_bytes` gets the length so far. Goes on for as long as bytes arrive; gives up after five attempts in a
    row that brought none. Wrong bytes are thrown away and asked for once more.
    Raises WeightsUnavailable.
    """
    partial = target.with_name(target.name + ".part")
    for attempt in (1, 2):
        await _fill(client, url, partial, pinned, on_bytes=on_bytes, first_wait_s=first_wait_s)
        if await asyncio.to_thread(sha256_of, partial) == pinned.sha256:
            partial.replace(target)
            return
        partial.unlink()
        structlog.get_logger().warning("download.wrong_bytes", file=target.name, attempt=attempt)
    raise WeightsUnavailable(
        f"The file {target.name} is not the one this Jarvis was made for (wrong SHA-256), twice in a row. "
        "It was not kept. If you use a mirror or a proxy, ask whether it changes files."
    )


async def _fill(
    client: httpx.AsyncClient,
    url: str,
    partial: Path,
    pinned: Pinned,
    *,
    on_bytes: Callable[[int], None],
    first_wait_s: float,
) -> None:
    """Ask until the partial file has its full length."""
    failures = 0
    offset = offset_to_resume(_length(partial), pinned)
    while offset < pinned.bytes_total:
        before = offset
        try:
            reply = await _once(
                client, url, partial, offset=offset, limit=pinned.bytes_total, on_bytes=on_bytes
            )
            problem = f"the server answered {reply.name}"
        except httpx.TransportError as exc:
            reply, problem = Reply.RETRY, repr(exc)
        offset = 0 if reply is Reply.ASK_AGAIN_FROM_ZERO else _length(partial)
        failures = 0 if offset > before else failures + 1
        if reply is Reply.REFUSED or failures >= ATTEMPTS_WITHOUT_A_BYTE:
            raise WeightsUnavailable(
                f"The file {partial.stem} could not be fetched ({problem}). What came so far is kept: "
                "start Jarvis again to go on."
            )
        if offset < pinned.bytes_total:
            wait_s = min(LONGEST_WAIT_S, first_wait_s * 2**failures)
            # S311: spreads retries in time, guards nothing.
            await asyncio.sleep(wait_s * (0.5 + random.random() / 2))  # noqa: S311


async def _once(
    client: httpx.AsyncClient,
    url: str,
    partial: Path,
    *,
    offset: int,
    limit: int,
    on_bytes: Callable[[int], None],
) -> Reply:
    """One request. Writes at most up to `limit`; a longer body is cut, and its hash will tell."""
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    async with client.stream("GET", url, headers=headers) as answer:
        reply = judge(answer.status_code, answer.headers.get("content-range"), offset=offset)
        if reply is Reply.START_OVER:
            offset = 0
        elif reply is not Reply.APPEND:
            return reply
        with partial.open("ab") as file:
            file.truncate(offset)
            # No chunk size: httpx would gather that much first and drop it when the connection is cut.
            async for chunk in answer.aiter_raw():
                file.write(chunk[: limit - offset])
                offset = min(limit, offset + len(chunk))
                on_bytes(offset)
                if offset == limit:
                    break
    return reply


def sha256_of(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Hash a file; `on_bytes` gets the length so far, from whichever thread this runs in."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(4 * 1024 * 1024):
            digest.update(chunk)
            done += len(chunk)
            if on_bytes is not None:
                on_bytes(done)
    return digest.hexdigest()


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
