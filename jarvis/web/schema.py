"""The API's description: what each handler takes and gives, as OpenAPI and as a page that works offline.

A route that is not described here fails a test.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from litestar import get
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import ASGIApp

from jarvis.core.events import ConversationEvent, TurnEvent
from jarvis.core.memories import Memory
from jarvis.core.types import ChatAnswer, Conversation, Message, TurnView
from jarvis.services.health import Health, Readiness, SystemStatus
from jarvis.web import chat, conversations, memory, models, probes, transcripts, turns, voice
from jarvis.web.conversations import ConversationsAnswer, DeletedAnswer, HistoryAnswer, SearchAnswer
from jarvis.web.hearing import SpeechStarted, TranscriptFrame
from jarvis.web.legacy import OldError, OldResponse, synthesize_as_before
from jarvis.web.memory import AddedMemories, ForgottenMemories, FoundMemories
from jarvis.web.memory_requests import (
    MAX_FOUND,
    AddRequest,
    MemoriesQuery,
    MemoryChanges,
    MemorySearchQuery,
    MemorySearchRequest,
)
from jarvis.web.models import ModelsAnswer
from jarvis.web.openapi import JSON, Answer, Described, document
from jarvis.web.requests import (
    MAX_LIMIT,
    CancelFrame,
    ChatMessageFrame,
    ChatRequest,
    ConversationChanges,
    ConversationsQuery,
    EventsQuery,
    ExportQuery,
    HistoryQuery,
    MessagesQuery,
    NewConversation,
    OldFrame,
    RegenerateRequest,
    ResumeFrame,
    SearchQuery,
    SubscribeFrame,
    UserQuery,
)
from jarvis.web.responses import Body
from jarvis.web.socket import SocketError, socket
from jarvis.web.transcripts import ExportedConversation, ImportAnswer, ImportRequest
from jarvis.web.voice import LanguagesAnswer, SynthesisAnswer, TranscriptAnswer, VoicesAnswer
from jarvis.web.voice_requests import (
    AudioDataFrame,
    AudioEndFrame,
    AudioStartFrame,
    BargeInFrame,
    PlaybackFrame,
    SynthesizeRequest,
    TranscribeRequest,
)

PATH = "/schema"
PAGE = Path(__file__).with_name("schema_page.html")
SSE = "text/event-stream"

PROBE = ("uri_too_long", "headers_too_large", "internal")
EVERYWHERE = ("invalid_request", "host_not_allowed", "origin_not_allowed", *PROBE)
LIST = ("database_unavailable", *EVERYWHERE)
BY_ID = ("not_found", *LIST)
BODY = ("too_large", "unsupported_media_type")
TURN = (
    *("message_too_large", "conversation_busy", "overloaded", "draining"),
    *("llm_unavailable", "llm_timeout"),
)

DESCRIPTION = f"""
A self-hosted conversational assistant. JSON in and out; ids are UUIDs, times RFC 3339 with their offset.
Every answer carries X-Request-ID. Errors are problem documents (RFC 9457) with a stable `code`.
Every path also answers with a trailing slash, and /api/chat... also without /api.
A list gives at most {MAX_LIMIT}.
""".strip()

NOTES = {
    "limit": f"Above {MAX_LIMIT} (of a search for memories {MAX_FOUND}): taken as that.",
    "cursor": "`next_cursor` (or X-Next-Cursor) of the page before; stands instead of `offset`.",
    "offset": "How many to pass over; a cursor is exact also while something is added.",
    "conversation_id": "Absent: the conversation last active.",
    "alternatives": "Earlier answers too, those that were answered again.",
    "as_of": "What was true then, superseded since or not. With its offset, as RFC 3339 has it.",
    "since": "Only what is strictly later. With its offset, as RFC 3339 has it.",
    "after": "The last `seq` seen, where there is no Last-Event-ID. -1: from the start.",
    "user_id": "A profile of the owner, made on first use; absent: `default`.",
    "q": (
        'Of conversations, part of a title. Of messages, words, French or English; "as a phrase", or, '
        "-without. Of memories, a question or words."
    ),
    "format": "Only what `json` gives can be imported.",
}

DESCRIBED: Mapping[BaseRouteHandler, Described] = {
    chat.chat: Described(
        query=UserQuery,
        body=ChatRequest,
        headers={"Accept": "`text/event-stream` asks for events, as `stream: true` does."},
        answers={
            200: Answer(
                description="The turn is complete, cancelled or interrupted; or its events as they come",
                content={JSON: ChatAnswer, SSE: TurnEvent},
            )
        },
        problems=(*BY_ID, *BODY, *TURN),
    ),
    chat.regenerate: Described(
        body=RegenerateRequest,
        body_required=False,
        headers={"Accept": "`text/event-stream` asks for events, as `stream: true` does."},
        answers={
            200: Answer(
                description="The turn is complete, cancelled or interrupted; or its events as they come",
                content={JSON: ChatAnswer, SSE: TurnEvent},
            )
        },
        problems=("conflict", *BY_ID, *BODY, *TURN),
    ),
    conversations.history: Described(
        query=HistoryQuery,
        answers={200: Answer(description="The newest messages, oldest first", content={JSON: HistoryAnswer})},
        problems=BY_ID,
    ),
    conversations.messages: Described(
        query=MessagesQuery,
        answers={
            200: Answer(
                description="The newest messages, oldest first",
                content={JSON: list[Message]},
                headers={"X-Next-Cursor": "For the page before; absent on the last."},
            )
        },
        problems=BY_ID,
    ),
    conversations.conversations: Described(
        query=ConversationsQuery,
        answers={200: Answer(description="Newest activity first", content={JSON: ConversationsAnswer})},
        problems=LIST,
    ),
    conversations.search: Described(
        query=SearchQuery,
        answers={
            200: Answer(
                description="The best first; of words that many messages have, the newest 200 are found",
                content={JSON: SearchAnswer},
            )
        },
        problems=LIST,
    ),
    conversations.create: Described(
        query=UserQuery,
        body=NewConversation,
        body_required=False,
        answers={200: Answer(description="What was made", content={JSON: Conversation})},
        problems=(*LIST, *BODY),
    ),
    conversations.conversation: Described(
        answers={200: Answer(description="The conversation", content={JSON: Conversation})}, problems=BY_ID
    ),
    conversations.change: Described(
        body=ConversationChanges,
        answers={200: Answer(description="As it is now", content={JSON: Conversation})},
        problems=(*BY_ID, *BODY),
    ),
    conversations.remove: Described(
        answers={200: Answer(description="It is gone", content={JSON: DeletedAnswer})}, problems=BY_ID
    ),
    transcripts.export: Described(
        query=ExportQuery,
        answers={
            200: Answer(
                description="All messages in order, earlier answers included; cut off where it fails",
                content={JSON: ExportedConversation, "text/markdown": str},
                headers={"Content-Disposition": "An attachment, named after the title."},
            )
        },
        problems=BY_ID,
    ),
    transcripts.import_: Described(
        query=UserQuery,
        body=ImportRequest,
        answers={200: Answer(description="All of it is stored, under new ids", content={JSON: ImportAnswer})},
        problems=(*LIST, *BODY, "overloaded"),
    ),
    memory.add_memories: Described(
        query=UserQuery,
        body=AddRequest,
        answers={
            200: Answer(
                description="What was added, or says the same already; all of `memories`, or none",
                content={JSON: (Memory, AddedMemories)},
            )
        },
        problems=(*LIST, *BODY),
    ),
    memory.search_memories: Described(
        query=UserQuery,
        body=MemorySearchRequest,
        answers={200: Answer(description="The best first", content={JSON: FoundMemories})},
        problems=(*LIST, *BODY),
    ),
    memory.search_by_address: Described(
        query=MemorySearchQuery,
        answers={200: Answer(description="The best first", content={JSON: FoundMemories})},
        problems=LIST,
    ),
    memory.memories: Described(
        query=MemoriesQuery,
        answers={
            200: Answer(
                description="The newest first",
                content={JSON: list[Memory]},
                headers={"X-Next-Cursor": "For the page after; absent on the last."},
            )
        },
        problems=LIST,
    ),
    memory.forget_all: Described(
        query=UserQuery,
        answers={200: Answer(description="They are gone", content={JSON: ForgottenMemories})},
        problems=LIST,
    ),
    memory.memory: Described(
        answers={200: Answer(description="The memory", content={JSON: Memory})}, problems=BY_ID
    ),
    memory.change_memory: Described(
        body=MemoryChanges,
        answers={200: Answer(description="As it is now", content={JSON: Memory})},
        problems=("conflict", *BY_ID, *BODY),
    ),
    memory.forget: Described(
        answers={200: Answer(description="It is gone", content={JSON: ForgottenMemories})}, problems=BY_ID
    ),
    voice.transcribe: Described(
        body=TranscribeRequest,
        answers={
            200: Answer(
                description="What was said; of silence, an empty text", content={JSON: TranscriptAnswer}
            )
        },
        problems=("invalid_audio", "overloaded", "stt_unavailable", "stt_timeout", *EVERYWHERE, *BODY),
    ),
    voice.synthesize: Described(
        body=SynthesizeRequest,
        headers={"Accept": "`audio/*` asks for the file alone, as it is made."},
        answers={
            200: Answer(
                description="The text, spoken; as a file it is cut off where it fails",
                content={JSON: SynthesisAnswer, "audio/*": bytes},
            )
        },
        problems=("tts_unavailable", "tts_timeout", *EVERYWHERE, *BODY),
    ),
    voice.voices: Described(
        answers={
            200: Answer(
                description="The voices, those of the first engine first", content={JSON: VoicesAnswer}
            )
        },
        problems=("tts_unavailable", "tts_timeout", *EVERYWHERE),
    ),
    voice.languages: Described(
        answers={200: Answer(description="What is understood", content={JSON: LanguagesAnswer})},
        problems=("stt_unavailable", "stt_timeout", *EVERYWHERE),
    ),
    synthesize_as_before: Described(
        body=SynthesizeRequest,
        headers={"Accept": "`application/json` asks for what the route with `/api` gives."},
        answers={
            200: Answer(
                description="The text, spoken into a whole file",
                content={"audio/*": bytes, JSON: SynthesisAnswer},
            )
        },
        problems=("tts_unavailable", "tts_timeout", *EVERYWHERE, *BODY),
    ),
    models.models: Described(
        query=UserQuery,
        answers={200: Answer(description="The models", content={JSON: ModelsAnswer})},
        problems=("llm_unavailable", "llm_timeout", *EVERYWHERE),
    ),
    turns.turn: Described(
        answers={200: Answer(description="How it stands", content={JSON: TurnView})}, problems=BY_ID
    ),
    turns.events: Described(
        query=EventsQuery,
        headers={"Last-Event-ID": "The `id` of the last event seen."},
        answers={
            200: Answer(description="The events after that one, as they come", content={SSE: TurnEvent}),
            204: Answer(description="That was the terminal event"),
        },
        problems=BY_ID,
    ),
    turns.cancel: Described(
        answers={200: Answer(description="How it stands now", content={JSON: TurnView})}, problems=BY_ID
    ),
    socket: Described(
        answers={101: Answer(description="A WebSocket; see x-websocket for its frames")},
        problems=EVERYWHERE,
        query=UserQuery,
        sends=(
            *(ChatMessageFrame, CancelFrame, ResumeFrame, SubscribeFrame, OldFrame),
            *(AudioDataFrame, AudioStartFrame, AudioEndFrame, PlaybackFrame, BargeInFrame),
        ),
        receives=(
            *(TurnEvent, SystemStatus, ConversationEvent, SocketError, OldResponse, OldError),
            *(TranscriptFrame, SpeechStarted),
        ),
    ),
    probes.health: Described(
        answers={200: Answer(description="The process can answer", content={JSON: Health})},
        problems=("internal",),
    ),
    probes.ready: Described(
        answers={
            200: Answer(description="Send requests", content={JSON: Readiness}),
            503: Answer(description="Send none: see failed_checks", content={JSON: Readiness}),
        },
        problems=PROBE,
    ),
    probes.metrics: Described(
        answers={200: Answer(description="Prometheus' text format", content={"text/plain": str})},
        problems=PROBE,
    ),
}


def schema_routes(version: str) -> list[HTTPRouteHandler]:
    """Make the two routes; the document is built when it is first asked for."""

    @cache
    def rendered() -> Body:
        return Body(msgspec.json.encode(describe(version)), media_type=b"application/vnd.oai.openapi+json")

    @get(f"{PATH}/openapi.json")
    async def openapi_json() -> ASGIApp:
        return rendered()

    shown = Body(
        PAGE.read_bytes(),
        media_type=b"text/html; charset=utf-8",
        headers=((b"content-security-policy", page_policy(PAGE.read_text(encoding="utf-8")).encode()),),
    )

    @get(PATH)
    async def page() -> ASGIApp:
        return shown

    return [openapi_json, page]


def describe(version: str) -> dict[str, Any]:
    """Build the OpenAPI document of all routes."""
    info = {"title": "Jarvis", "version": version, "description": DESCRIPTION}
    built = document(DESCRIBED, info=info, notes=NOTES)
    for shape, either in ((ChatRequest, ("message", "content")), (AddRequest, ("content", "memories"))):
        built["components"]["schemas"][shape.__name__]["oneOf"] = [{"required": [name]} for name in either]
    return built


def page_policy(page: str) -> str:
    """Allow the page its own script and style, by their hashes, and to ask its own origin; nothing else."""
    script, style = (_hash_of(tag, page) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash_of(tag: str, page: str) -> str:
    (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
