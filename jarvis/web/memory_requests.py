"""The shapes of what clients send about memories. Names are the contract's."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jarvis.core.errors import Invalid
from jarvis.core.memories import Importance, MemoryEdit, MemoryKind, NewMemory
from jarvis.core.transcripts import Instant, in_utc
from jarvis.web.requests import NOT_BLANK, Limit, ProfileName, UserQuery

MAX_CONTENT_CHARS = 50_000
MAX_MEMORIES = 500
MAX_QUERY_CHARS = 32_000
MAX_FOUND = 100

Content = Annotated[str, Meta(min_length=1, max_length=MAX_CONTENT_CHARS, extra_json_schema=NOT_BLANK)]
Query = Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_CHARS, extra_json_schema=NOT_BLANK)]


class MemoryFields(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be remembered; `created_at` is when it was told."""

    content: Content
    importance: Importance = 0.5
    kind: MemoryKind = "fact"
    created_at: Instant | None = None

    def checked(self, path: str = "") -> NewMemory:
        """Raises Invalid naming the field, which lies at `path`."""
        not_blank(f"{path}content", self.content)
        at = self.created_at and in_utc(f"{path}created_at", self.created_at)
        return NewMemory(content=self.content, importance=self.importance, kind=self.kind, created_at=at)


class AddRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /api/memory/add: `content` or `memories`, exactly one."""

    content: Content | UnsetType = UNSET
    importance: Importance = 0.5
    kind: MemoryKind = "fact"
    created_at: Instant | None = None
    memories: Annotated[list[MemoryFields], Meta(max_length=MAX_MEMORIES)] | UnsetType = UNSET
    user_id: ProfileName | None = None

    def field_of(self, number: int) -> str:
        """Return where the content of that memory stands."""
        return "content" if self.memories is UNSET else f"memories[{number}].content"

    def checked(self) -> Sequence[NewMemory]:
        """Raises Invalid."""
        if isinstance(self.content, str):
            if self.memories is not UNSET:
                raise Invalid("memories", "send content or memories, not both")
            one = MemoryFields(
                content=self.content,
                importance=self.importance,
                kind=self.kind,
                created_at=self.created_at,
            )
            return [one.checked()]
        if self.memories is UNSET:
            raise Invalid("content", "is required")
        return [one.checked(f"memories[{number}].") for number, one in enumerate(self.memories)]


class MemorySearchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /api/memory/search."""

    query: Query
    limit: Limit = 5
    as_of: Instant | None = None
    user_id: ProfileName | None = None


class MemorySearchQuery(UserQuery, frozen=True, kw_only=True):
    """GET /api/memory/search."""

    q: Query
    limit: Limit = 5
    as_of: Instant | None = None


class MemoriesQuery(UserQuery, frozen=True, kw_only=True):
    """GET /api/memory/list."""

    limit: Limit = 50
    cursor: str | None = None


class MemoryChanges(msgspec.Struct, frozen=True, kw_only=True):
    """PATCH /api/memory/{id}: what is absent stays."""

    content: Content | UnsetType = UNSET
    importance: Importance | UnsetType = UNSET
    kind: MemoryKind | UnsetType = UNSET

    def to_edit(self) -> MemoryEdit:
        """Raises Invalid("content")."""
        if isinstance(self.content, str):
            not_blank("content", self.content)
        return MemoryEdit(content=self.content, importance=self.importance, kind=self.kind)


def not_blank(field: str, text: str) -> None:
    """Raises Invalid for a text of nothing but spaces."""
    if not text.strip():
        raise Invalid(field, "must not be blank")
