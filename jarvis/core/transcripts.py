"""A conversation as a document: what an import takes, the places its messages get, how it reads as Markdown.

Pure: bytes, files and rows are for others.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from jarvis.core.errors import Invalid
from jarvis.core.types import (
    Conversation,
    ConversationStatus,
    Message,
    MessageMetadata,
    MessageStatus,
    Role,
    new_id,
)

MAX_TITLE_CHARS = 200
MAX_MODEL_CHARS = 200
MAX_ALTERNATIVES = 2**15
"""Of one message: their number is kept in 16 bits."""

_ENDS = frozenset({datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)})

Instant = Annotated[datetime, Meta(tz=True)]


class ImportedConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Of what an export says of a conversation, what an import keeps."""

    title: Annotated[str, Meta(max_length=MAX_TITLE_CHARS)] | None = None
    status: ConversationStatus = "active"
    model: Annotated[str, Meta(max_length=MAX_MODEL_CHARS)] | None = None
    system_prompt: str | None = None
    created_at: Instant
    updated_at: Instant | None = None
    last_message_at: Instant | None = None


class ImportedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Of what an export says of a message, what an import keeps; `id` only tells which one is meant."""

    id: UUID | None = None
    role: Role
    content: str
    status: MessageStatus = "complete"
    alternative_of: UUID | None = None
    created_at: Instant
    updated_at: Instant | None = None
    metadata: MessageMetadata | None = None


class Said(NamedTuple):
    """What has to be known of all messages before the first can have a place."""

    id: UUID | None
    role: Role
    alternative_of: UUID | None


class Place(NamedTuple):
    """Where a message goes, under a new id."""

    id: UUID
    position: int
    alternative: int
    alternative_of: UUID | None


def in_utc(field: str, given: datetime) -> datetime:
    """Return the instant in UTC. Raises Invalid at the ends of the calendar.

    Some instants there have no name in UTC, and the first and last that have one stand for "before" and
    "after everything" in databases.
    """
    try:
        instant = given.astimezone(UTC)
    except OverflowError as exc:
        raise Invalid(field, "is outside of the calendar") from exc
    if instant in _ENDS:
        raise Invalid(field, "is outside of the calendar")
    return instant


def places_of(said: Sequence[Said]) -> list[Place]:
    """Give every message a place, as turns would have: each user message an even one, the next its answer.

    Alternatives share the place of what they are alternatives of. Raises Invalid naming the message.
    """
    roots = _roots(_referred(said))
    new_ids = [new_id() for _ in said]
    new_of = {one.id: new for one, new in zip(said, new_ids, strict=True) if one.id is not None}
    position_of: dict[int, int] = {}
    alternatives_of: dict[int, int] = {}
    next_position = 0
    places: list[Place] = []
    for index, (one, root) in enumerate(zip(said, roots, strict=True)):
        if root not in position_of:
            position_of[root] = _even(next_position) if said[root].role == "user" else next_position
            next_position = position_of[root] + 1
        alternative = alternatives_of.get(root, 0)
        if alternative == MAX_ALTERNATIVES:
            raise Invalid(_of(index), f"is more than {MAX_ALTERNATIVES} alternatives of one message")
        alternatives_of[root] = alternative + 1
        current = None if one.alternative_of is None else new_of[one.alternative_of]
        places.append(Place(new_ids[index], position_of[root], alternative, current))
    return places


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that comes from outside: every message has its place; they can be read once."""

    conversation: ImportedConversation
    places: Sequence[Place]
    messages: Iterable[ImportedMessage]


def message_count_of(places: Sequence[Place]) -> int:
    """Count the current messages: not those which are alternatives."""
    return sum(place.alternative_of is None for place in places)


def next_position_after(places: Sequence[Place]) -> int:
    """Return the place of the next turn's user message."""
    return _even(max((place.position for place in places), default=-1) + 1)


def _even(position: int) -> int:
    return position + position % 2


def _of(index: int) -> str:
    return f"messages[{index}].alternative_of"


def _referred(said: Sequence[Said]) -> list[int | None]:
    """Return for each message the index of the one it is an alternative of."""
    index_of: dict[UUID, int] = {}
    for index, one in enumerate(said):
        if one.id is not None and index_of.setdefault(one.id, index) != index:
            raise Invalid(f"messages[{index}].id", "is the id of an earlier message too")
    referred: list[int | None] = []
    for index, one in enumerate(said):
        if one.alternative_of is not None and one.alternative_of not in index_of:
            raise Invalid(_of(index), "is the id of no message here")
        referred.append(None if one.alternative_of is None else index_of[one.alternative_of])
    return referred


def _roots(referred: Sequence[int | None]) -> list[int]:
    """Follow each message to the one that is current, in time linear in all of them."""
    unknown, underway = -1, -2
    roots = [unknown] * len(referred)
    for start in range(len(referred)):
        path: list[int] = []
        index = start
        while roots[index] == unknown:
            roots[index] = underway
            path.append(index)
            following = referred[index]
            if following is None:
                roots[index] = index
            else:
                index = following
        if roots[index] == underway:
            raise Invalid(_of(index), "leads back to itself")
        for passed in path:
            roots[passed] = roots[index]
    return roots


SPEAKERS: dict[Role, str] = {"user": "You", "assistant": "Jarvis", "system": "System", "tool": "Tool"}


def markdown_head(conversation: Conversation) -> str:
    title = " ".join((conversation.title or "Conversation").split())
    return f"# {title}\n\n{_shown(conversation.created_at)}\n"


def markdown_of(message: Message) -> str:
    """Render a message under who said it, its text as it is."""
    facts = [_shown(message.created_at)]
    if message.alternative_of is not None:
        facts.append("an earlier answer")
    if message.status != "complete":
        facts.append(message.status)
    return f"\n## {SPEAKERS[message.role]}\n\n*{', '.join(facts)}*\n\n{message.content}\n"


def _shown(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
