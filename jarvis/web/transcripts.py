"""Conversations as files: exported as JSON or Markdown, and imported again."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast
from uuid import UUID

import anyio
import msgspec
from litestar import Request, get, post
from litestar.params import FromPath
from litestar.types import ASGIApp

from jarvis.core.transcripts import ImportedConversation, ImportedMessage, markdown_head, markdown_of
from jarvis.core.types import Conversation, Message
from jarvis.services.conversations import Export
from jarvis.web.asgi import Receive, Scope
from jarvis.web.body import check_json_headers, read_body
from jarvis.web.context import bounds_of, caller_of, services_of
from jarvis.web.downloads import Download
from jarvis.web.imports import ImportBounds, read_transcript
from jarvis.web.query import decode_query, parse_uuid
from jarvis.web.requests import ExportQuery, UserQuery
from jarvis.web.responses import Body

MAX_IMPORT_BYTES = 64 * 1024 * 1024
UTF8_BYTES = 4
"""Of one character at most."""

_encoder = msgspec.json.Encoder()


class ExportedConversation(msgspec.Struct, frozen=True, kw_only=True):
    """The document of an export."""

    conversation: Conversation
    messages: list[Message]


class ImportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an import reads of that document; imports.py decodes it piece by piece."""

    conversation: ImportedConversation
    messages: list[ImportedMessage]


class ImportAnswer(msgspec.Struct, frozen=True, kw_only=True):
    conversations: int
    messages: int
    conversation_id: UUID


@get("/api/chat/conversation/{conversation_id:str}/export")
async def export(request: Request[Any, Any, Any], conversation_id: FromPath[str]) -> ASGIApp:
    """Return a whole conversation as a file, every message in order, earlier answers included."""
    services = services_of(request)
    wanted = parse_uuid(conversation_id, "conversation_id")
    query = decode_query(request.scope["query_string"], ExportQuery)
    user = await caller_of(request).owner_of_conversation(wanted)
    exported = await services.conversations.export(user, wanted)
    title = exported.conversation.title or "conversation"
    if query.format == "markdown":
        return Download(_markdown(exported), media_type=b"text/markdown; charset=utf-8", name=f"{title}.md")
    return Download(_json(exported), media_type=b"application/json", name=f"{title}.json")


@post("/api/chat/import")
async def import_(request: Request[Any, Any, Any]) -> ASGIApp:
    """Store what an export gave as JSON as a new conversation of the profile, whole or not at all."""
    services, bounds = services_of(request), bounds_of(request)
    query = decode_query(request.scope["query_string"], UserQuery)
    scope = cast("Scope", request.scope)
    check_json_headers(scope)
    async with services.conversations.importing():
        data = await read_body(
            scope,
            cast("Receive", request.receive),
            max_bytes=MAX_IMPORT_BYTES,
            deadline_s=bounds.body_deadline_s,
        )
        within = ImportBounds(
            max_prompt_chars=bounds.max_message_chars,
            max_content_bytes=max(bounds.max_answer_bytes, UTF8_BYTES * bounds.max_message_chars),
        )
        transcript = await anyio.to_thread.run_sync(read_transcript, data, within)
        user = await caller_of(request).profile(query.user_id)
        conversation_id = await services.conversations.add(user, transcript)
    caller_of(request).remember(conversation_id, user)
    answer = ImportAnswer(conversations=1, messages=len(transcript.places), conversation_id=conversation_id)
    return Body(_encoder.encode(answer))


async def _json(exported: Export) -> AsyncGenerator[bytes]:
    """Write an ExportedConversation, message by message."""
    yield b'{"conversation":%b,"messages":[' % _encoder.encode(exported.conversation)
    separator = b"\n"
    async with aclosing(exported.pages) as pages:
        async for page in pages:
            for message in page:
                yield separator + _encoder.encode(message)
                separator = b",\n"
    yield b"\n]}\n"


async def _markdown(exported: Export) -> AsyncGenerator[bytes]:
    yield markdown_head(exported.conversation).encode()
    async with aclosing(exported.pages) as pages:
        async for page in pages:
            for message in page:
                yield markdown_of(message).encode()
