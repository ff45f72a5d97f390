"""What is said to the process that holds Qdrant Edge, and what it answers: one frame each, in order. Pure."""

from typing import TypeAlias
from uuid import UUID

import msgspec

HEAD_BYTES = 4


class Open(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str
    dimensions: int
    anew: bool = False


class Put(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Vectors are float32, in the machine's order."""

    user_id: UUID
    points: list[tuple[UUID, bytes]]


class Search(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    user_id: UUID
    vector: bytes
    limit: int
    ids: list[UUID] | None = None


class Delete(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Without `ids` everything of the user."""

    user_id: UUID
    ids: list[UUID] | None = None


class Purge(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pass


class DropOthers(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pass


class Ping(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pass


Change: TypeAlias = Put | Delete | Purge | DropOthers | Ping
Request: TypeAlias = Open | Search | Change


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """`failed` is for people, and empty where it did not."""

    empty: bool = False
    found: list[tuple[UUID, float]] = []
    failed: str = ""


def frame(said: Request | Reply) -> bytes:
    body = msgspec.msgpack.encode(said)
    return len(body).to_bytes(HEAD_BYTES, "big") + body
