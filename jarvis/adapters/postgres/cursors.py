"""Places in a list, as the opaque text clients carry from page to page."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

import msgspec
from msgspec import Meta

from jarvis.core.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


class _Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True):
    def encoded(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def decoded(cls, cursor: str) -> Self:
        """Raises Invalid("cursor", ...)."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=cls)
        except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError) as exc:
            raise Invalid("cursor", "is not one that this server gave") from exc


class MessagePlace(_Place, frozen=True, kw_only=True):
    position: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    alternative: Annotated[int, Meta(ge=0, le=2**15 - 1)]


class ConversationPlace(_Place, frozen=True, kw_only=True):
    activity_us: Annotated[int, Meta(ge=_FIRST_US, le=_LAST_US)]
    id: UUID

    @classmethod
    def at(cls, activity: datetime, id_: UUID) -> Self:
        return cls(activity_us=_microseconds(activity), id=id_)

    @property
    def activity(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.activity_us)


class SearchPlace(_Place, frozen=True, kw_only=True):
    """`newest_us`: when the newest match of the first page was made; what came later is not looked at."""

    score: Annotated[float, Meta(ge=0, le=1e9)]
    id: UUID
    newest_us: Annotated[int, Meta(ge=_FIRST_US, le=_LAST_US)]

    @classmethod
    def at(cls, score: float, id_: UUID, newest: datetime) -> Self:
        return cls(score=score, id=id_, newest_us=_microseconds(newest))

    @property
    def newest(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.newest_us)


class MemoryPlace(_Place, frozen=True, kw_only=True):
    created_us: Annotated[int, Meta(ge=_FIRST_US, le=_LAST_US)]
    id: UUID

    @classmethod
    def at(cls, created_at: datetime, id_: UUID) -> Self:
        return cls(created_us=_microseconds(created_at), id=id_)

    @property
    def created_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.created_us)


# Lists go back in time: they start after everything there can be.
AFTER_ALL_MESSAGES = MessagePlace(position=2**31 - 1, alternative=2**15 - 1)
AFTER_ALL_HITS = SearchPlace(score=1e9, id=UUID(int=2**128 - 1), newest_us=_LAST_US)
AFTER_ALL_CONVERSATIONS = ConversationPlace(activity_us=_LAST_US, id=UUID(int=2**128 - 1))
AFTER_ALL_MEMORIES = MemoryPlace(created_us=_LAST_US, id=UUID(int=2**128 - 1))
