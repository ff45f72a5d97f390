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
    AgainCommand,
    ChatCommand,
    ContextReport,
    Conversation,
    ConversationStatus,
    History,
    Message,
    MessageMetadata,
    MessageStatus,
    Once,
    Turn,
    TurnStatus,
    Usage,
    User,
)


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn's row remembers, so that its answer can be told again."""

    model: str
    usage: Usage
    response_time_ms: int
    memory_saved: bool
    context: ContextReport


class TurnOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a turn ended; `ending` is None where the process that ran it is gone."""

    status: MessageStatus
    text: str
    last_seq: int
    """The terminal event's; the row keeps it as `checkpoint_seq`."""
    metadata: MessageMetadata | None
    error: dict[str, str] | None = None
    ending: Ending | None = None


class StoredTurn(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    user: User
    conversation_id: UUID
    user_message_id: UUID
    status: TurnStatus
    partial_text: str
    checkpoint_seq: int
    """The newest seq at the last checkpoint; of a turn that has ended, its terminal event's."""
    message: Message | None
    """The answer, once the turn has ended."""
    error: dict[str, str] | None
    ending: Ending | None


class KnownTurn(msgspec.Struct, frozen=True, kw_only=True):
    """The turn that an idempotency key was used for; `answer` is its first answer's body, if it is kept."""

    turn_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    status: TurnStatus
    answer: bytes | None


class TurnRef(msgspec.Struct, frozen=True, kw_only=True):
    turn_id: UUID
    user: User


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """Of the turns whose leases were to be renewed: those that somebody asked to cancel, and those that could
    not be, since they have ended, are deleted, or were taken over.
    """

    cancelled: list[UUID]
    lost: list[UUID]


class TurnStore(Protocol):
    """Turns and the two messages of each."""

    async def begin(
        self,
        user: User,
        command: ChatCommand,
        *,
        turn_id: UUID,
        owner: str,
        lease_s: float,
        waiting: bool,
        history_limit: int = 0,
        once: Once | None = None,
    ) -> Turn | KnownTurn:
        """Commit the user's message, the turn and both places, making the conversation where none is named.

        The conversation's places are given in the order in which begins commit. `owner` names the process
        that answers for the turn until `lease_s` from now; `waiting` stores it `queued`, else `running`.
        A turn that does not wait brings its `history`, where a limit is given: for later it would be too old.
        Where `once` is known already, nothing is stored, and what it was used for is returned: of any number
        of begins with one key, in any process, one stores a turn. Raises as `known`, and
        NotFound("conversation"): also for another user's.
        """
        ...

    async def begin_again(
        self,
        user: User,
        command: AgainCommand,
        *,
        turn_id: UUID,
        owner: str,
        lease_s: float,
        waiting: bool,
        history_limit: int = 0,
        once: Once | None = None,
    ) -> Turn | KnownTurn:
        """Commit a turn that answers the last user message again, and otherwise do as `begin`.

        Raises NotFound("conversation"), and Conflict where nobody has said anything.
        """
        ...

    async def known(self, user: User, once: Once) -> KnownTurn | None:
        """Return what the key was used for by this user.

        Raises Mismatch where that was another wish, and NotFound("conversation") where it is deleted.
        """
        ...

    async def try_again(
        self,
        user: User,
        turn_id: UUID,
        *,
        once: Once,
        owner: str,
        lease_s: float,
        waiting: bool,
        history_limit: int = 0,
    ) -> Turn | None:
        """Begin another attempt of a turn that failed, on the same message, and otherwise do as `begin`.

        None where it has not failed, or somebody else has begun one.
        """
        ...

    async def forget_keys(self, *, kept_s: float) -> None:
        """Forget, of everybody, keys that are older, and the answers that were kept for them."""
        ...

    async def keep_answer(self, user: User, turn_id: UUID, answer: bytes) -> None:
        """Keep the body of a turn's first answer, to be given again as it is."""
        ...

    async def start(self, user: User, turn_id: UUID, *, owner: str) -> None:
        """Turn `queued` into `running`, unless another process than `owner` answers for it by now."""
        ...

    async def history(self, turn: Turn, *, limit: int) -> History:
        """Read the newest `limit` messages before the turn's own, without earlier alternatives."""
        ...

    async def checkpoint(self, user: User, turn_id: UUID, *, text: str, seq: int, owner: str) -> None:
        """Keep the text so far, in case this process dies.

        Does nothing to a turn that has ended, or that another process than `owner` answers for by now.
        """
        ...

    async def finish(self, user: User, turn_id: UUID, outcome: TurnOutcome, *, owner: str) -> StoredTurn:
        """Commit the answer and the turn's end in one transaction.

        Where the user's message has an answer, that becomes an alternative of the new one; a new one that
        failed or is empty becomes an alternative of it instead, unless that failed or is empty too.
        Idempotent: of a turn that has ended already, the stored end is returned and nothing is changed.
        Likewise of one that another process than `owner` answers for by now: then it may not have ended.
        """
        ...

    async def shorten(self, user: User, turn_id: UUID, text: str) -> StoredTurn:
        """Cut the answer of a turn that was spoken to what was heard of it: the turn counts as cancelled.

        Where `text` is not how the answer begins, or a turn has no answer, nothing is changed.
        Raises NotFound("turn").
        """
        ...

    async def get(self, user: User, turn_id: UUID) -> StoredTurn:
        """Raises NotFound("turn")."""
        ...

    async def request_cancel(self, user: User, turn_id: UUID) -> None:
        """Ask the turn's owner, whichever process it is, to end it. Raises NotFound("turn")."""
        ...

    async def cancel_in(self, user: User, conversation_id: UUID, *, but: Once | None = None) -> list[UUID]:
        """Ask the owners of all that runs or waits in a conversation to end it; return these turns.

        The turn that was begun with the key of `but` is not among them.
        """
        ...

    async def is_busy_elsewhere(
        self, user: User, conversation_id: UUID, *, owner: str, lease_s: float, before: UUID | None = None
    ) -> bool:
        """Tell whether a turn of another than `owner` runs or waits in a conversation, and its owner lives.

        An owner lives whose lease will last for `lease_s`. `before`: only a turn that began before that one.
        """
        ...

    async def renew(self, owner: str, live: list[UUID], lease_s: float) -> Renewal:
        """Lengthen the leases of `live`, as far as these turns are `owner`'s and have not ended."""
        ...

    async def abandoned(
        self, owner: str, live: list[UUID], *, predecessors: str, limit: int
    ) -> list[TurnRef]:
        """Take over turns that nobody runs any more, but none of `live`.

        They are those whose lease has ended, and those of other owners whose name starts with `predecessors`.
        They are leased to `owner` for a while, so that two sweepers never share one.
        """
        ...


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
