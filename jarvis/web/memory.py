"""What Jarvis remembers: added, searched, listed, changed, forgotten."""

import time
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.params import FromPath
from litestar.types import ASGIApp
from msgspec import UNSET

from jarvis.core.memories import Memory
from jarvis.core.transcripts import in_utc
from jarvis.core.types import User
from jarvis.web.context import Services, caller_of, read_body, services_of
from jarvis.web.memory_requests import (
    MAX_FOUND,
    AddRequest,
    MemoriesQuery,
    MemoryChanges,
    MemorySearchQuery,
    MemorySearchRequest,
    not_blank,
)
from jarvis.web.query import decode_query, parse_uuid
from jarvis.web.requests import MAX_LIMIT, UserQuery
from jarvis.web.responses import Body

_encoder = msgspec.json.Encoder()


class AddedMemories(msgspec.Struct, frozen=True, kw_only=True):
    memories: list[Memory]


class FoundMemories(msgspec.Struct, frozen=True, kw_only=True):
    """`total` is how many these are."""

    results: list[Memory]
    total: int
    query_time_ms: int


class ForgottenMemories(msgspec.Struct, frozen=True, kw_only=True):
    deleted: int


@post("/api/memory/add", status_code=200)
async def add_memories(request: Request[Any, Any, Any]) -> ASGIApp:
    """Remember something, or many things at once in the order of telling; what is known is not doubled.

    Each is found by its words when the answer arrives, and by its meaning within 5 s.
    """
    services = services_of(request)
    query = decode_query(request.scope["query_string"], UserQuery)
    body = await read_body(request, AddRequest)
    new = body.checked()
    user = await caller_of(request).profile(body.user_id or query.user_id)
    added = await services.memories.add(user, new, field=body.field_of)
    return Body(_encoder.encode(added[0] if body.memories is UNSET else AddedMemories(memories=added)))


@post("/api/memory/search", status_code=200)
async def search_memories(request: Request[Any, Any, Any]) -> ASGIApp:
    """Find the memories that fit best by their words, their meaning and their time, the best first."""
    services = services_of(request)
    query = decode_query(request.scope["query_string"], UserQuery)
    body = await read_body(request, MemorySearchRequest)
    not_blank("query", body.query)
    user = await caller_of(request).profile(body.user_id or query.user_id)
    return await _found(services, user, body.query, body.limit, body.as_of)


@get("/api/memory/search")
async def search_by_address(request: Request[Any, Any, Any]) -> ASGIApp:
    """Find the memories that fit best, the best first, as the POST of the same path does."""
    services = services_of(request)
    query = decode_query(request.scope["query_string"], MemorySearchQuery)
    not_blank("q", query.q)
    user = await caller_of(request).profile(query.user_id)
    return await _found(services, user, query.q, query.limit, query.as_of)


async def _found(services: Services, user: User, text: str, limit: int, as_of: datetime | None) -> ASGIApp:
    started = time.perf_counter()
    results = await services.memories.search(
        user, text, limit=min(limit, MAX_FOUND), as_of=as_of and in_utc("as_of", as_of)
    )
    took_ms = round((time.perf_counter() - started) * 1000)
    return Body(_encoder.encode(FoundMemories(results=results, total=len(results), query_time_ms=took_ms)))


@get("/api/memory/list")
async def memories(request: Request[Any, Any, Any]) -> ASGIApp:
    """Return the profile's memories as a bare array, the newest first, superseded ones too."""
    services = services_of(request)
    query = decode_query(request.scope["query_string"], MemoriesQuery)
    user = await caller_of(request).profile(query.user_id)
    page = await services.memories.page(user, limit=min(query.limit, MAX_LIMIT), cursor=query.cursor)
    headers = ((b"x-next-cursor", page.next_cursor.encode()),) if page.next_cursor else ()
    return Body(_encoder.encode(page.memories), headers=headers)


@delete("/api/memory", status_code=200)
async def forget_all(request: Request[Any, Any, Any]) -> ASGIApp:
    """Forget all memories of the profile; conversations stay, and are not looked through for them again."""
    services = services_of(request)
    query = decode_query(request.scope["query_string"], UserQuery)
    user = await caller_of(request).profile(query.user_id)
    deleted = await services.memories.delete_all(user)
    return Body(_encoder.encode(ForgottenMemories(deleted=deleted)))


@get("/api/memory/{memory_id:str}")
async def memory(request: Request[Any, Any, Any], memory_id: FromPath[str]) -> ASGIApp:
    """Return a memory, superseded or not."""
    services = services_of(request)
    wanted = parse_uuid(memory_id, "memory_id")
    user = await caller_of(request).owner_of_memory(wanted)
    return Body(_encoder.encode(await services.memories.get(user, wanted)))


@patch("/api/memory/{memory_id:str}")
async def change_memory(request: Request[Any, Any, Any], memory_id: FromPath[str]) -> ASGIApp:
    """Change what a memory says, how much it counts, or of which kind it is."""
    services = services_of(request)
    wanted = parse_uuid(memory_id, "memory_id")
    edit = (await read_body(request, MemoryChanges)).to_edit()
    user = await caller_of(request).owner_of_memory(wanted)
    return Body(_encoder.encode(await services.memories.edit(user, wanted, edit)))


@delete("/api/memory/{memory_id:str}", status_code=200)
async def forget(request: Request[Any, Any, Any], memory_id: FromPath[str]) -> ASGIApp:
    """Forget a memory, also where a turn was told of it; what was said stays in its conversation."""
    services = services_of(request)
    wanted = parse_uuid(memory_id, "memory_id")
    user = await caller_of(request).owner_of_memory(wanted)
    await services.memories.delete(user, wanted)
    return Body(_encoder.encode(ForgottenMemories(deleted=1)))
