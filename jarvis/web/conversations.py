"""Conversations and their messages: read, searched, made, changed, deleted."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.params import FromPath
from litestar.types import ASGIApp

from jarvis.core.errors import Invalid
from jarvis.core.stores import SearchHit
from jarvis.core.types import Conversation, Message
from jarvis.web.context import bounds_of, caller_of, read_body, services_of, user_of
from jarvis.web.query import decode_query, parse_uuid
from jarvis.web.requests import (
    MAX_LIMIT,
    ConversationChanges,
    ConversationsQuery,
    HistoryQuery,
    MessagesQuery,
    NewConversation,
    SearchQuery,
    UserQuery,
)
from jarvis.web.responses import Body

_encoder = msgspec.json.Encoder()


class HistoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    messages: list[Message]
    conversation: Conversation | None
    total_count: int
    has_more: bool
    next_cursor: str | None


class ConversationsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    conversations: list[Conversation]
    count: int
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    results: list[SearchHit]
    total: int
    next_cursor: str | None


class DeletedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    conversation_id: UUID
    deleted_messages: int


@get("/api/chat/history")
async def history(request: Request[Any, Any, Any]) -> ASGIApp:
    """Return the newest messages of a conversation (without one: the last active), oldest first."""
    services = services_of(request)
    query = decode_query(request.scope["query_string"], HistoryQuery)
    user = await user_of(caller_of(request), query.user_id, query.conversation_id)
    if query.conversation_id is not None:
        conversation = await services.conversation_reader.get(user, query.conversation_id)
    else:
        conversation = await services.conversation_reader.last_active(user)
    if conversation is None:
        answer = HistoryAnswer(
            messages=[], conversation=None, total_count=0, has_more=False, next_cursor=None
        )
        return Body(_encoder.encode(answer))
    page = await services.conversation_reader.messages(
        user,
        conversation.id,
        limit=min(query.limit, MAX_LIMIT),
        cursor=query.cursor,
        offset=query.offset,
        since=query.since,
        alternatives=query.alternatives,
    )
    answer = HistoryAnswer(
        messages=page.messages,
        conversation=conversation,
        total_count=page.total,
        has_more=page.has_more,
        next_cursor=page.next_cursor,
    )
    return Body(_encoder.encode(answer))


@get("/api/chat/history/{conversation_id:str}")
async def messages(request: Request[Any, Any, Any], conversation_id: FromPath[str]) -> ASGIApp:
    """Return the newest messages of a conversation as a bare array, oldest first."""
    services = services_of(request)
    wanted = parse_uuid(conversation_id, "conversation_id")
    query = decode_query(request.scope["query_string"], MessagesQuery)
    user = await user_of(caller_of(request), query.user_id, wanted)
    page = await services.conversation_reader.messages(
        user, wanted, limit=min(query.limit, MAX_LIMIT), cursor=query.cursor
    )
    headers = ((b"x-next-cursor", page.next_cursor.encode()),) if page.next_cursor else ()
    return Body(_encoder.encode(page.messages), headers=headers)


@get("/api/chat/conversations")
async def conversations(request: Request[Any, Any, Any]) -> ASGIApp:
    """Return the profile's conversations, newest activity first."""
    services = services_of(request)
    query = decode_query(request.scope["query_string"], ConversationsQuery)
    user = await caller_of(request).profile(query.user_id)
    limit = min(query.limit, MAX_LIMIT)
    page = await services.conversation_reader.conversations(
        user,
        limit=limit,
        cursor=query.cursor,
        offset=query.offset,
        title_contains=query.q,
        status=query.status,
    )
    answer = ConversationsAnswer(
        conversations=page.conversations,
        count=len(page.conversations),
        total=page.total,
        limit=limit,
        offset=query.offset,
        has_more=page.has_more,
        next_cursor=page.next_cursor,
    )
    return Body(_encoder.encode(answer))


@get("/api/chat/search")
async def search(request: Request[Any, Any, Any]) -> ASGIApp:
    """Find messages of the profile by their words, the best match first, archived conversations included."""
    services = services_of(request)
    query = decode_query(request.scope["query_string"], SearchQuery)
    if not query.q.strip():
        raise Invalid("q", "must not be blank")
    user = await caller_of(request).profile(query.user_id)
    page = await services.conversation_reader.search(
        user, query.q, limit=min(query.limit, MAX_LIMIT), cursor=query.cursor
    )
    answer = SearchAnswer(results=page.hits, total=page.total, next_cursor=page.next_cursor)
    return Body(_encoder.encode(answer))


@post("/api/chat/conversation")
async def create(request: Request[Any, Any, Any]) -> ASGIApp:
    """Make an empty conversation; without a title it gets one from what will be said."""
    services = services_of(request)
    query = decode_query(request.scope["query_string"], UserQuery)
    body = await read_body(request, NewConversation, optional=True)
    new = body.checked(max_prompt_chars=bounds_of(request).max_message_chars)
    user = await caller_of(request).profile(body.user_id or query.user_id)
    created = await services.conversations.create(
        user, title=new.title, model=new.model, system_prompt=new.system_prompt
    )
    caller_of(request).remember(created.id, user)
    return Body(_encoder.encode(created))


@get("/api/chat/conversation/{conversation_id:str}")
async def conversation(request: Request[Any, Any, Any], conversation_id: FromPath[str]) -> ASGIApp:
    """Return a conversation without its messages."""
    services = services_of(request)
    wanted = parse_uuid(conversation_id, "conversation_id")
    user = await caller_of(request).owner_of_conversation(wanted)
    return Body(_encoder.encode(await services.conversation_reader.get(user, wanted)))


@patch("/api/chat/conversation/{conversation_id:str}")
async def change(request: Request[Any, Any, Any], conversation_id: FromPath[str]) -> ASGIApp:
    """Rename a conversation, archive it, or change what it is answered with."""
    services = services_of(request)
    wanted = parse_uuid(conversation_id, "conversation_id")
    body = await read_body(request, ConversationChanges)
    edit = body.to_edit(max_prompt_chars=bounds_of(request).max_message_chars)
    user = await caller_of(request).owner_of_conversation(wanted)
    return Body(_encoder.encode(await services.conversations.edit(user, wanted, edit)))


@delete("/api/chat/conversation/{conversation_id:str}", status_code=200)
async def remove(request: Request[Any, Any, Any], conversation_id: FromPath[str]) -> ASGIApp:
    """Delete a conversation with its messages, turns and memories; what runs in it is ended."""
    services = services_of(request)
    wanted = parse_uuid(conversation_id, "conversation_id")
    user = await caller_of(request).owner_of_conversation(wanted)
    deleted = await services.conversations.delete(user, wanted)
    return Body(_encoder.encode(DeletedAnswer(conversation_id=wanted, deleted_messages=deleted)))
