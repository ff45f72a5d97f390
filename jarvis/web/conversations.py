"""Reading what was said: conversations and their messages."""

from typing import Any

import msgspec
from litestar import Request, get
from litestar.params import FromPath
from litestar.types import ASGIApp

from jarvis.core.types import Conversation, Message
from jarvis.web.context import services_of, user_of
from jarvis.web.query import decode_query, parse_uuid
from jarvis.web.requests import MAX_LIMIT, ConversationsQuery, HistoryQuery, MessagesQuery
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


@get("/api/chat/history")
async def history(request: Request[Any, Any, Any]) -> ASGIApp:
    """Return the newest messages of a conversation (without one: the last active), oldest first."""
    services = services_of(request)
    query = decode_query(request.scope["query_string"], HistoryQuery)
    user = await user_of(services, query.user_id, query.conversation_id)
    if query.conversation_id is not None:
        conversation = await services.conversations.get(user, query.conversation_id)
    else:
        conversation = await services.conversations.last_active(user)
    if conversation is None:
        answer = HistoryAnswer(
            messages=[], conversation=None, total_count=0, has_more=False, next_cursor=None
        )
        return Body(_encoder.encode(answer))
    page = await services.conversations.messages(
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
    user = await user_of(services, query.user_id, wanted)
    page = await services.conversations.messages(
        user, wanted, limit=min(query.limit, MAX_LIMIT), cursor=query.cursor
    )
    headers = ((b"x-next-cursor", page.next_cursor.encode()),) if page.next_cursor else ()
    return Body(_encoder.encode(page.messages), headers=headers)


@get("/api/chat/conversations")
async def conversations(request: Request[Any, Any, Any]) -> ASGIApp:
    """Return the profile's conversations, newest activity first."""
    services = services_of(request)
    query = decode_query(request.scope["query_string"], ConversationsQuery)
    user = await services.identity.profile(query.user_id)
    limit = min(query.limit, MAX_LIMIT)
    page = await services.conversations.conversations(
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
