"""The roles that services need filled; adapters fill them, and one contract suite per port keeps each honest.

Every method raises only `JarvisError`s. A store's method raises Unavailable("database", ...) when Postgres
is away, and its transaction is rolled back when the caller is cancelled.
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from jarvis.core.events import LogEntry, TurnEvent
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
    Role,
    Turn,
    TurnStatus,
    Usage,
    User,
)


class PromptMessage(msgspec.Struct, frozen=True, kw_only=True):
    role: Role
    content: str


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to answer; `model` None is the adapter's default."""

    model: str | None = None
    temperature: float
    max_tokens: int


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """The model's own account of an answer; a count is None where the server does not say."""

    model: str
    prompt_tokens: int | None
    completion_tokens: int | None
    reason: str


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an answer; the last one of a stream carries `finish`, and no other does."""

    text: str = ""
    finish: Finish | None = None


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    size: int
    modified_at: datetime | None
    default: bool
    family: str | None = None
    loaded: bool | None = None


class LLM(Protocol):
    """A chat model that streams."""

    @property
    def model(self) -> str:
        """The model that answers where a request names none."""
        ...

    async def window_tokens(self, model: str | None = None) -> int:
        """Return how many tokens prompt and answer may have together.

        Raises Invalid("model", ...) for a model the server does not have, Unavailable or TimedOut.
        """
        ...

    def stream(self, prompt: Sequence[PromptMessage], options: Options) -> AsyncGenerator[Chunk]:
        """Yield chunks until the model stops; the last one carries `finish`.

        Closing the generator (or cancelling its reader) closes the connection to the model within 1 s,
        before the first chunk too. Raises Unavailable (refused, reset, 5xx, `{"error"}`, no proper end; also
        a default model that is missing), TimedOut (no chunk in time), Invalid("model", ...) for a model
        that the request named.
        A prompt that the server cut is not an error: compare `finish.prompt_tokens` with the estimate.
        """
        ...

    async def models(self) -> list[ModelInfo]:
        """Return what the server can answer with. Raises Unavailable or TimedOut."""
        ...

    async def ping(self) -> None:
        """Return when the server answers, without a generation. Raises Unavailable or TimedOut."""
        ...


class TurnLog(Protocol):
    """The live tail of every turn; Postgres is the truth."""

    def append(self, event: TurnEvent) -> None:
        """Add an event; never waits. A turn's events come in the order of their `seq`."""
        ...

    def read(self, turn_id: UUID, *, after: int = -1) -> AsyncGenerator[LogEntry]:
        """Yield the events whose seq is above `after`, in order, as they come, up to the terminal one.

        Any number of readers; each gets every event. Raises NotFound("turn") where the log has
        (or keeps) nothing of this turn.
        """
        ...

    def last_seq(self, turn_id: UUID) -> int | None:
        """Return the newest seq, or None where the log has nothing of this turn."""
        ...

    def forget(self, turn_id: UUID) -> None:
        """Drop a turn that has ended; one that has not is kept until it has."""
        ...


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


class TurnRef(msgspec.Struct, frozen=True, kw_only=True):
    turn_id: UUID
    user: User


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
    ) -> Turn:
        """Commit the user's message, the turn and both places, making the conversation where none is named.

        The conversation's places are given in the order in which begins commit. `owner` names the process
        that answers for the turn until `lease_s` from now; `waiting` stores it `queued`, else `running`.
        A turn that does not wait brings its `history`, where a limit is given: for later it would be too old.
        Raises NotFound("conversation"): also for another user's.
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
    ) -> Turn:
        """Commit a turn that answers the last user message again, and otherwise do as `begin`.

        Raises NotFound("conversation"), and Conflict where nobody has said anything.
        """
        ...

    async def start(self, user: User, turn_id: UUID) -> None:
        """Turn `queued` into `running`."""
        ...

    async def history(self, turn: Turn, *, limit: int) -> History:
        """Read the newest `limit` messages before the turn's own, without earlier alternatives."""
        ...

    async def checkpoint(self, user: User, turn_id: UUID, *, text: str, seq: int) -> None:
        """Keep the text so far, in case this process dies; does nothing to a turn that has ended."""
        ...

    async def finish(self, user: User, turn_id: UUID, outcome: TurnOutcome) -> StoredTurn:
        """Commit the answer and the turn's end in one transaction.

        Where the user's message has an answer, that becomes an alternative of the new one; a new one that
        failed or is empty becomes an alternative of it instead, unless that failed or is empty too.
        Idempotent: of a turn that has ended already, the stored end is returned and nothing is changed.
        """
        ...

    async def get(self, user: User, turn_id: UUID) -> StoredTurn:
        """Raises NotFound("turn")."""
        ...

    async def request_cancel(self, user: User, turn_id: UUID) -> None:
        """Ask the turn's owner, whichever process it is, to end it. Raises NotFound("turn")."""
        ...

    async def renew(self, owner: str, live: list[UUID], lease_s: float) -> list[UUID]:
        """Lengthen the leases of `live`, turns of `owner`; return those that somebody asked to cancel."""
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


class ConversationStore(Protocol):
    """Conversations and their messages, as lists. Cursors are opaque; a bad one raises Invalid("cursor")."""

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


class TitleStore(Protocol):
    async def settle(self, user: User, conversation_id: UUID, title: str | None) -> bool:
        """Give a conversation this title for good (None: the one it has), unless it was settled before.

        Returns whether that changed anything: false also where there is no such conversation.
        """
        ...


class UserStore(Protocol):
    async def profile(self, name: str) -> User:
        """Return the user of that name, made on first use."""
        ...

    async def owner_of_conversation(self, conversation_id: UUID) -> User | None: ...

    async def owner_of_turn(self, turn_id: UUID) -> User | None: ...
