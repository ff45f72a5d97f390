"""The port to where memories last. More of stores.py, by the same rules."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from jarvis.core.memories import Memory, MemoryEdit, NewMemory
from jarvis.core.types import User


class MemoryPage(msgspec.Struct, frozen=True, kw_only=True):
    memories: list[Memory]
    next_cursor: str | None


class Unindexed(msgspec.Struct, frozen=True, kw_only=True):
    """A memory that the vector store does not know, or not as it is now."""

    id: UUID
    content: str


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A user's message that nobody has looked through for memories yet; its turn has ended."""

    id: UUID
    conversation_id: UUID
    answer_id: UUID | None
    content: str
    created_at: datetime
    told: list[str] = []
    """What was to be read in this conversation before: answers, and memories that turns were told."""


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """What is gone: memories, and what turns were told of them, or may have been; their logs have to go."""

    memory_ids: list[UUID]
    turn_ids: list[UUID]


class EditedMemory(msgspec.Struct, frozen=True, kw_only=True):
    """A memory as it is now; `turn_ids`: turns that were told what it said before, whose logs have to go."""

    memory: Memory
    turn_ids: list[UUID]


class MemoryStore(Protocol):
    """Memories of users. `created_at`, then the order of adding, is the order of telling."""

    async def add(self, user: User, new: Sequence[NewMemory]) -> list[Memory]:
        """Store all or none, and return them in the order given.

        Of the same kind and content, a live memory that is there already is returned in place of a new one.
        A fact supersedes the live ones with its attribute and another value that were true before it; told
        late, it is itself superseded by the next one.
        """
        ...

    async def page(self, user: User, *, limit: int, cursor: str | None = None) -> MemoryPage:
        """Page from the newest, superseded ones included. Raises Invalid("cursor")."""
        ...

    async def get(self, user: User, memory_id: UUID) -> Memory:
        """Raises NotFound("memory")."""
        ...

    async def edit(self, user: User, memory_id: UUID, edit: MemoryEdit) -> EditedMemory:
        """Change it; with a new content it is unindexed, and what it said before is forgotten as by `delete`.

        Raises NotFound("memory"), and Conflict where a live one of its kind says the same.
        """
        ...

    async def delete(self, user: User, memory_id: UUID) -> Forgotten:
        """Delete it, also from what turns were told, or say at their end that they were.

        What it had superseded lasts until the next one that says otherwise, or for ever. Raises
        NotFound("memory").
        """
        ...

    async def delete_all(self, user: User) -> Forgotten:
        """Delete all memories of the user; what has been said so far is never looked through for more."""
        ...

    async def used(self, user: User, ids: Sequence[UUID]) -> None:
        """Note that these were recalled just now."""
        ...

    async def users_to_remember(self, *, limit: int) -> list[User]:
        """Return users with messages for `remember`."""
        ...

    async def remember(
        self, user: User, memories_in: Callable[[Said], Sequence[NewMemory]], *, limit: int
    ) -> int:
        """Add what `memories_in`, a pure and quick function, finds in the oldest messages not looked through.

        Memories and the mark that the message was looked through are one transaction; no message is looked
        through twice, whichever process does it. Messages of turns that did not want to be remembered are
        marked without a look; those of turns still running are left. Returns how many messages were marked.
        """
        ...

    async def users_to_index(self, *, limit: int) -> list[User]:
        """Return users with something for `unindexed` or `forgotten`."""
        ...

    async def unindexed(self, user: User, *, limit: int) -> list[Unindexed]:
        """Return the newest of them that nobody is writing to."""
        ...

    async def mark_indexed(self, user: User, indexed: Sequence[Unindexed]) -> list[UUID]:
        """Note that the vector store has these, and return the ids of which that is true.

        Of the others the content has changed, so that they are still unindexed, or they are `forgotten`.
        """
        ...

    async def forgotten(self, user: User, *, limit: int) -> list[UUID]:
        """Return memories that are gone, by whatever way, and that the vector store may still have."""
        ...

    async def mark_forgotten(self, user: User, ids: Sequence[UUID]) -> None:
        """Note that the vector store has these no longer."""
        ...

    async def unindexed_count(self) -> int:
        """Count them over all users."""
        ...

    async def unindex_all(self) -> None:
        """Make all memories of all users unindexed, a slice at a time, for a vector store that knows none."""
        ...

    async def indexed_space(self) -> str | None:
        """Return which vectors being indexed tells of, as `set_indexed_space` was given last."""
        ...

    async def set_indexed_space(self, name: str) -> None: ...
