"""What the processes that share one database tell one another, and the ports for it.

Nothing of it is the only copy: a tail or a hint that is lost costs time, since rows tell the same, later.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

import msgspec

from jarvis.core.events import LogEntry
from jarvis.core.types import Conversation, ConversationChange, User


class TurnsCancelled(msgspec.Struct, frozen=True, kw_only=True, tag="turns_cancelled"):
    """Somebody asked to cancel these; their rows say so too."""

    turn_ids: Sequence[UUID]


class TurnHeard(msgspec.Struct, frozen=True, kw_only=True, tag="turn_heard"):
    """Somebody follows this turn from another process at this moment."""

    turn_id: UUID


class TurnsForgotten(msgspec.Struct, frozen=True, kw_only=True, tag="turns_forgotten"):
    """Nothing is to be kept of what was told of these."""

    turn_ids: Sequence[UUID]


class ConversationChanged(msgspec.Struct, frozen=True, kw_only=True, tag="conversation_changed"):
    """Something changed in a conversation; `last_seen` is there where it is gone."""

    user: User
    conversation_id: UUID
    change: ConversationChange
    last_seen: Conversation | None = None


Hint = TurnsCancelled | TurnHeard | TurnsForgotten | ConversationChanged


class Hints(Protocol):
    """News for the other processes; each comes once, at once, or never."""

    def tell(self, hint: Hint) -> None:
        """Send to all others; never waits."""
        ...

    async def run(self, obey: Callable[[Hint], None]) -> None:
        """Have `obey` called with what others tell, for ever; to be cancelled."""
        ...


class Tail(Protocol):
    """What one reader gets of one turn."""

    async def more(self, *, within_s: float) -> Sequence[LogEntry]:
        """Return what has come since the last call, in order; wait up to `within_s` for the first of it.

        Some may be missing, at the start, in the middle or at the end: nothing says so but their `seq`.
        """
        ...


class TurnTails(Protocol):
    """The live tails of turns, kept ten minutes after the last event for readers in other processes."""

    def append(self, turn_id: UUID, entry: LogEntry) -> None:
        """Add an event; never waits, and drops it where it cannot be kept."""
        ...

    def follow(self, turn_id: UUID, *, after: int) -> AbstractContextManager[Tail]:
        """Read the events whose seq is above `after`, until this is left."""
        ...

    def forget(self, turn_ids: Iterable[UUID]) -> None:
        """Drop these; never waits."""
        ...
