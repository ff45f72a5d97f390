"""What Jarvis remembers, on the wire and inside. Data only."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

MemoryKind = Literal["episode", "fact", "preference"]
Importance = Annotated[float, Meta(ge=0, le=1)]


class MemorySource(msgspec.Struct, frozen=True, kw_only=True):
    """Where something was said."""

    conversation_id: UUID
    message_ids: list[UUID]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was said. `valid_from` to `valid_to` is when a fact was true; `score` and `why` tell how
    well it fits what was searched for, and by which parts of the score.
    """

    id: UUID
    content: str
    importance: float
    kind: MemoryKind
    source: MemorySource | None
    created_at: datetime
    last_used_at: datetime | None
    valid_from: datetime | UnsetType = UNSET
    valid_to: datetime | UnsetType = UNSET
    score: float | UnsetType = UNSET
    why: dict[str, float] | UnsetType = UNSET


class NewMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be remembered, told at `created_at` (None: now).

    One with an `attribute` is true from then on, until another is told that gives it another `value`.
    """

    content: str
    importance: float = 0.5
    kind: MemoryKind = "fact"
    source: MemorySource | None = None
    created_at: datetime | None = None
    attribute: str | None = None
    value: str | None = None


class MemoryEdit(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change. `attribute` and `value` are what a new content says, and count with it only."""

    content: str | UnsetType = UNSET
    importance: float | UnsetType = UNSET
    kind: MemoryKind | UnsetType = UNSET
    attribute: str | None = None
    value: str | None = None
