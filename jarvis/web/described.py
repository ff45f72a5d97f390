"""What each handler takes and gives, route by route. A route that is not here fails a test."""

from collections.abc import Mapping

from litestar.handlers import BaseRouteHandler

from jarvis.core.events import ConversationEvent, TurnEvent
from jarvis.core.memories import Memory
from jarvis.core.types import ChatAnswer, Conversation, Message, TurnView
from jarvis.services.health import Health, Readiness, SystemStatus
from jarvis.web import auth, chat, conversations, memory, models, probes, transcripts, turns, voice
from jarvis.web.auth import (
    Credentials,
    DeletedKeyAnswer,
    KeysAnswer,
    LogoutRequest,
    NewAccount,
    NewKey,
    NewKeyAnswer,
    RefreshRequest,
    SessionAnswer,
    SignedOutAnswer,
    WhoAnswer,
)
from jarvis.web.conversations import ConversationsAnswer, DeletedAnswer, HistoryAnswer, SearchAnswer
from jarvis.web.hearing import SpeechStarted, TranscriptFrame
from jarvis.web.legacy import OldError, OldResponse, synthesize_as_before
from jarvis.web.memory import AddedMemories, ForgottenMemories, FoundMemories
from jarvis.web.memory_requests import (
    AddRequest,
    MemoriesQuery,
    MemoryChanges,
    MemorySearchQuery,
    MemorySearchRequest,
)
from jarvis.web.models import ModelsAnswer
from jarvis.web.openapi import JSON, Answer, Described, RequestHeader
from jarvis.web.requests import (
    CancelFrame,
    ChatMessageFrame,
    ChatRequest,
    ConversationChanges,
    ConversationsQuery,
    EventsQuery,
    ExportQuery,
    HistoryQuery,
    IdempotencyKey,
    MessagesQuery,
    NewConversation,
    OldFrame,
    RegenerateRequest,
    ResumeFrame,
    SearchQuery,
    SubscribeFrame,
    UserQuery,
)
from jarvis.web.signing_in import Authenticated, AuthFrame
from jarvis.web.socket import SocketError
from jarvis.web.transcripts import ExportedConversation, ImportAnswer, ImportRequest
from jarvis.web.upgrading import socket
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

SSE = "text/event-stream"

PROBE = ("uri_too_long", "headers_too_large", "internal")
PUBLIC = ("invalid_request", "host_not_allowed", "origin_not_allowed", "rate_limited", *PROBE)
EVERYWHERE = ("unauthenticated", "database_unavailable", *PUBLIC)
BY_ID = ("not_found", *EVERYWHERE)
BODY = ("too_large", "unsupported_media_type")
ASKING = {
    "Accept": RequestHeader("`text/event-stream` asks for events, as `stream: true` does."),
    "Idempotency-Key": RequestHeader("Of all requests with it only one makes a turn.", IdempotencyKey),
}
TURN = (
    "idempotency_mismatch",
    *("message_too_large", "conversation_busy", "overloaded", "draining"),
    *("llm_unavailable", "llm_timeout"),
)

DESCRIBED: Mapping[BaseRouteHandler, Described] = {
    chat.chat: Described(
        query=UserQuery,
        body=ChatRequest,
        headers=ASKING,
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
        headers=ASKING,
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
        problems=EVERYWHERE,
    ),
    conversations.search: Described(
        query=SearchQuery,
        answers={
            200: Answer(
                description="The best first; of words that many messages have, the newest 200 are found",
                content={JSON: SearchAnswer},
            )
        },
        problems=EVERYWHERE,
    ),
    conversations.create: Described(
        query=UserQuery,
        body=NewConversation,
        body_required=False,
        answers={200: Answer(description="What was made", content={JSON: Conversation})},
        problems=(*EVERYWHERE, *BODY),
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
        problems=(*EVERYWHERE, *BODY, "overloaded"),
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
        problems=(*EVERYWHERE, *BODY),
    ),
    memory.search_memories: Described(
        query=UserQuery,
        body=MemorySearchRequest,
        answers={200: Answer(description="The best first", content={JSON: FoundMemories})},
        problems=(*EVERYWHERE, *BODY),
    ),
    memory.search_by_address: Described(
        query=MemorySearchQuery,
        answers={200: Answer(description="The best first", content={JSON: FoundMemories})},
        problems=EVERYWHERE,
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
        problems=EVERYWHERE,
    ),
    memory.forget_all: Described(
        query=UserQuery,
        answers={200: Answer(description="They are gone", content={JSON: ForgottenMemories})},
        problems=EVERYWHERE,
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
        headers={"Accept": RequestHeader("`audio/*` asks for the file alone, as it is made.")},
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
        headers={"Accept": RequestHeader("`application/json` asks for what the route with `/api` gives.")},
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
        headers={"Last-Event-ID": RequestHeader("The `id` of the last event seen.")},
        answers={
            200: Answer(description="The events after that one, as they come", content={SSE: TurnEvent}),
            204: Answer(description="That was the terminal event"),
        },
        problems=BY_ID,
    ),
    turns.cancel: Described(
        answers={200: Answer(description="How it stands now", content={JSON: TurnView})}, problems=BY_ID
    ),
    auth.login: Described(
        body=Credentials,
        answers={200: Answer(description="Signed in", content={JSON: SessionAnswer})},
        problems=("forbidden", "overloaded", *EVERYWHERE, *BODY),
    ),
    auth.refresh: Described(
        body=RefreshRequest,
        answers={200: Answer(description="The tokens to go on with", content={JSON: SessionAnswer})},
        problems=(*EVERYWHERE, *BODY),
    ),
    auth.register: Described(
        body=NewAccount,
        answers={200: Answer(description="The account is made; signed in", content={JSON: SessionAnswer})},
        problems=("forbidden", "conflict", "overloaded", *EVERYWHERE, *BODY),
    ),
    auth.logout: Described(
        body=LogoutRequest,
        body_required=False,
        answers={200: Answer(description="Signed out", content={JSON: SignedOutAnswer})},
        problems=("conflict", *EVERYWHERE, *BODY),
    ),
    auth.verify: Described(
        answers={200: Answer(description="It is in force", content={JSON: WhoAnswer})}, problems=EVERYWHERE
    ),
    auth.whoami: Described(
        answers={200: Answer(description="It is in force", content={JSON: WhoAnswer})}, problems=EVERYWHERE
    ),
    auth.keys: Described(
        answers={200: Answer(description="The keys", content={JSON: KeysAnswer})}, problems=EVERYWHERE
    ),
    auth.add_key: Described(
        body=NewKey,
        answers={200: Answer(description="The key, with its secret", content={JSON: NewKeyAnswer})},
        problems=("conflict", *EVERYWHERE, *BODY),
    ),
    auth.delete_key: Described(
        answers={200: Answer(description="It is gone", content={JSON: DeletedKeyAnswer})}, problems=BY_ID
    ),
    socket: Described(
        answers={101: Answer(description="A WebSocket; see x-websocket for its frames")},
        problems=EVERYWHERE,
        query=UserQuery,
        sends=(
            *(AuthFrame, ChatMessageFrame, CancelFrame, ResumeFrame, SubscribeFrame, OldFrame),
            *(AudioDataFrame, AudioStartFrame, AudioEndFrame, PlaybackFrame, BargeInFrame),
        ),
        receives=(
            *(TurnEvent, SystemStatus, ConversationEvent, SocketError, OldResponse, OldError),
            *(Authenticated, TranscriptFrame, SpeechStarted),
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
        problems=("unauthenticated", "forbidden", "rate_limited", "database_unavailable", *PROBE),
    ),
}
