"""How new memories join those there are: what is there already, and what supersedes what. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from jarvis.core.memories import MemoryKind


class Told(msgspec.Struct, kw_only=True):
    """A memory as a row holds it, of which some parts are still to be decided."""

    id: UUID
    kind: MemoryKind
    digest: bytes
    created_at: datetime
    attribute: str | None
    value: str | None
    valid_from: datetime | None
    valid_to: datetime | None = None
    superseded_by: UUID | None = None


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """`ids` has, in the order given, the new memory's id or that of the one that says the same."""

    ids: list[UUID]
    added: list[Told]
    superseded: list[Told]


def join(new: Sequence[Told], known: Sequence[Told]) -> Joined:
    """Decide all at once, as if the new ones came one after the other.

    `known` has the live memories that say the same as a new one, and all with a new one's attribute. What is
    decided is written into `new` and `known`.
    """
    known_of = {one.id: one for one in known}  # one may be there for both reasons
    lines: defaultdict[str, list[Told]] = defaultdict(list)
    live: dict[tuple[MemoryKind, bytes], Told] = {}
    for one in known_of.values():
        if one.valid_to is None:
            live[one.kind, one.digest] = one
        if one.attribute is not None:
            lines[one.attribute].append(one)
    ends = {one.id: one.valid_to for one in known_of.values()}
    ids: list[UUID] = []
    added: list[Told] = []
    for one in new:
        same = live.get((one.kind, one.digest))
        if same is not None and same.valid_to is None:
            ids.append(same.id)
            continue
        ids.append(one.id)
        added.append(one)
        if one.attribute is not None:
            _put_in_line(one, lines[one.attribute])
        if one.valid_to is None:
            live[one.kind, one.digest] = one
    superseded = [one for one in known_of.values() if one.valid_to != ends[one.id]]
    return Joined(ids=ids, added=added, superseded=superseded)


def _put_in_line(one: Told, line: list[Told]) -> None:
    """End what was true before it with another value, and end itself where something later has another."""
    rivals = [other for other in line if other.value != one.value]
    line.append(one)
    for earlier in rivals:
        if _place(earlier) < _place(one):
            _end(earlier, one)
    for later in rivals:
        if _place(later) > _place(one):
            _end(one, later)


def _end(one: Told, by: Told) -> None:
    if one.valid_to is None or (by.valid_from is not None and by.valid_from < one.valid_to):
        one.valid_to, one.superseded_by = by.valid_from, by.id


def _place(one: Told) -> tuple[datetime, UUID]:
    return one.valid_from or one.created_at, one.id
