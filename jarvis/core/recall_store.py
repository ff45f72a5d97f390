"""The port that recall fetches its candidates from. More of stores.py, by the same rules."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from jarvis.core.memories import Memory
from jarvis.core.types import User


class Seeds(msgspec.Struct, frozen=True, kw_only=True):
    """What the words of a query find."""

    words: list[str]
    """As the store knows them: to be handed back."""
    weights: list[float]
    """Of each word: its inverse document frequency."""
    usual_size: float
    """Words of a usual memory."""
    ids: list[UUID]
    """The best first; after those that have any of the words, the newest."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    memory: Memory
    told_in: UUID
    """The conversation; the nil UUID outside of any."""
    size: int
    """How many words it has; a usual one has `Seeds.usual_size`."""
    hits: int
    """Bit i is set where it has word i."""
    use_count: int


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Memories among what was told before and after them."""

    candidates: list[Candidate]
    """All that `windows` name, in any order."""
    windows: list[list[UUID]]
    """Each has what was told one after the other in one conversation, or outside of any."""


class RecallStore(Protocol):
    async def seeds(self, user: User, query: str, *, limit: int, as_of: datetime | None = None) -> Seeds:
        """Find `limit` memories (at most 500), if the user has that many; by the first 24 words of the query.

        French or English, accents folded. Superseded ones are found as of a time when they were true only.
        """
        ...

    async def around(
        self, user: User, seeds: Seeds, ids: Sequence[UUID], *, as_of: datetime | None = None
    ) -> Surroundings:
        """Fetch these of the user's memories, if they are true, and the two told before and after each."""
        ...
