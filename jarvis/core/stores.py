"""The ports to what lasts: turns, conversations, titles, summaries, users. More of ports.py, by its rules.

A store's method raises Unavailable("database", ...) when Postgres is away, and its transaction is rolled back
when the caller is cancelled.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from jarvis.core.summaries import Unsummarised
from jarvis.core.transcripts import ImportedConversation, ImportedMessage, Place
from jarvis.core.types import (
    Conversation,
    ConversationStatus,
    Message,
    User,
)


class MessagePage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest messages before some place, listed oldest first; `has_more`: older ones exist."""

    messages: list[Message]
    total: int
    has_more: bool
    next_cursor: str | None


class ConversationPage(msgspec.Struct, frozen=True, kw_only=True):
    conversations: list[Conversation]
    total: int
    has_more: bool
    next_cursor: str | None


class ConversationEdit(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change; a title of None may be made again by Jarvis itself, any other is kept."""

    title: str | UnsetType | None = UNSET
    status: ConversationStatus | UnsetType = UNSET
    model: str | UnsetType | None = UNSET
    system_prompt: str | UnsetType | None = UNSET


class EditedConversation(msgspec.Struct, frozen=True, kw_only=True):
    conversation: Conversation
    changed: bool


class DeletedConversation(msgspec.Struct, frozen=True, kw_only=True):
    """What there was: `conversation` as it was last, all messages with alternatives, memories of it.

    `turn_ids` has its turns, and those elsewhere that were told of these memories.
    """

    conversation: Conversation
    messages: int
    turn_ids: list[UUID]
    memory_ids: list[UUID]


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    """`snippet` is what the message says around the first match, as it is."""

    message: Message
    conversation_title: str | None
    snippet: str
    score: float


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    hits: list[SearchHit]
    total: int
    next_cursor: str | None


class TranscriptStart(msgspec.Struct, frozen=True, kw_only=True):
    """`end_position` lies behind all that has been said or asked so far."""

    conversation: Conversation
    end_position: int


class ConversationReader(Protocol):
    """Conversations and their messages. Cursors are opaque; a bad one raises Invalid("cursor").

    Pages that follow cursors hold whatever was there at the first of them once, however much is added
    meanwhile; only a conversation that has been active since is told of at the front instead.
    """

    async def get(self, user: User, conversation_id: UUID) -> Conversation:
        """Raises NotFound("conversation")."""
        ...

    async def last_active(self, user: User) -> Conversation | None: ...

    async def messages(
        self,
        user: User,
        conversation_id: UUID,
        *,
        limit: int,
        cursor: str | None = None,
        offset: int = 0,
        since: datetime | None = None,
        alternatives: bool = False,
    ) -> MessagePage:
        """Page back in time from the newest; `since` keeps what is strictly later.

        Raises NotFound("conversation").
        """
        ...

    async def conversations(
        self,
        user: User,
        *,
        limit: int,
        cursor: str | None = None,
        offset: int = 0,
        title_contains: str | None = None,
        status: ConversationStatus = "active",
    ) -> ConversationPage:
        """Page from the newest activity."""
        ...

    async def search(self, user: User, query: str, *, limit: int, cursor: str | None = None) -> SearchPage:
        """Find current messages by their words, French or English, accents folded; the best first.

        Of words that more than 200 messages have, the newest 200 are found. A page may be empty.
        """
        ...


class ConversationStore(ConversationReader, Protocol):
    """Also changes them, and takes and gives whole ones with all that was said in them."""

    async def create(
        self, user: User, *, title: str | None, model: str | None, system_prompt: str | None
    ) -> Conversation: ...

    async def edit(self, user: User, conversation_id: UUID, edit: ConversationEdit) -> EditedConversation:
        """Change what differs; `updated_at` only then. Raises NotFound("conversation")."""
        ...

    async def delete(self, user: User, conversation_id: UUID) -> DeletedConversation:
        """Delete it with its messages, turns and memories. Raises NotFound("conversation")."""
        ...

    async def transcript_start(self, user: User, conversation_id: UUID) -> TranscriptStart:
        """Raises NotFound("conversation")."""
        ...

    async def transcript_page(
        self, user: User, conversation_id: UUID, *, first_position: int, end_position: int
    ) -> list[Message]:
        """Return the messages of these positions with their alternatives, in order.

        Raises NotFound("conversation"), so that nobody takes for complete what was deleted half read.
        """
        ...

    async def add_transcript(
        self,
        user: User,
        conversation: ImportedConversation,
        messages: Iterable[tuple[Place, ImportedMessage]],
        *,
        next_position: int,
        message_count: int,
    ) -> UUID:
        """Store a whole conversation, or nothing of it, and return its id; `messages` is read once.

        The one transaction that takes as long as there is something to store.
        """
        ...


class TitleStore(Protocol):
    async def settle(self, user: User, conversation_id: UUID, title: str | None) -> bool:
        """Give a conversation this title for good (None: the one it has), unless it was settled before.

        Returns whether that changed anything: false also where there is no such conversation.
        """
        ...


class SummaryStore(Protocol):
    """What stands for the older messages of a conversation, made from its own current messages only."""

    async def unsummarised(
        self, user: User, conversation_id: UUID, *, upto: UUID, limit: int
    ) -> Unsummarised | None:
        """Return the oldest `limit` messages that the summary does not cover, up to the message `upto`.

        None where there is none of them, or no such conversation.
        """
        ...

    async def keep(
        self, user: User, conversation_id: UUID, summary: str, *, base: int | None, upto: int
    ) -> bool:
        """Store a summary that covers the places to `upto`, unless the one it was made from has gone.

        Returns whether it was stored.
        """
        ...

    async def reset(self, user: User, conversation_ids: Sequence[UUID] | None = None) -> None:
        """Forget the summaries of these conversations (None: of all), also those that are being made."""
        ...


class UserStore(Protocol):
    async def profile(self, name: str) -> User:
        """Return the user of that name, made on first use."""
        ...

    async def owner_of_conversation(self, conversation_id: UUID) -> User | None: ...

    async def owner_of_turn(self, turn_id: UUID) -> User | None: ...

    async def owner_of_memory(self, memory_id: UUID) -> User | None: ...
