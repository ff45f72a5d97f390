"""Query strings and path ids, decoded as strictly as bodies."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from jarvis.core.errors import Invalid
from jarvis.web.query import decode_query, parse_uuid


class Query(msgspec.Struct, frozen=True, kw_only=True):
    q: str | None = None
    limit: Annotated[int, Meta(ge=1)] = 50
    speed: float = 1.0
    alternatives: bool = False
    since: datetime | None = None
    conversation_id: UUID | None = None
    status: Literal["active", "archived"] = "active"


ID = "0190163d-8694-739b-aea5-966c26f8ad91"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"", Query(), id="nothing"),
        pytest.param(b"&&unknown=%20&unknown=2", Query(), id="unknown names, also twice"),
        pytest.param(
            b"limit=7&alternatives=TRUE&speed=1.5", Query(limit=7, alternatives=True, speed=1.5), id="kinds"
        ),
        pytest.param(b"q=a+b%20c%C3%A9%26=", Query(q="a b cé&="), id="plus, percent, UTF-8"),
        pytest.param(b"q=1234", Query(q="1234"), id="a string of digits stays a string"),
        pytest.param(b"q=", Query(q=""), id="empty string"),
        pytest.param(b"status=archived", Query(status="archived"), id="literal"),
        pytest.param(b"conversation_id=" + ID.upper().encode(), Query(conversation_id=UUID(ID)), id="uuid"),
        pytest.param(
            b"since=2026-11-21T10:00:00%2B02:00",
            Query(since=datetime(2026, 11, 21, 8, tzinfo=UTC)),
            id="time",
        ),
        pytest.param(
            b"since=2026-11-21T10:00:00+02:00",
            Query(since=datetime(2026, 11, 21, 8, tzinfo=UTC)),
            id="time with its plus left unescaped",
        ),
        pytest.param(
            b"since=2026-11-21T10:00:00.25Z",
            Query(since=datetime(2026, 11, 21, 10, 0, 0, 250_000, UTC)),
            id="zulu",
        ),
    ],
)
def test_taken(raw: bytes, expected: Query) -> None:
    assert decode_query(raw, Query) == expected


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        pytest.param(b"limit=x", "limit", id="no integer"),
        pytest.param(b"limit=", "limit", id="empty integer"),
        pytest.param(b"limit=1.0", "limit", id="float for an integer"),
        pytest.param("limit=٣".encode(), "limit", id="digits of another script"),
        pytest.param(b"limit=0", "limit", id="below its bound"),
        pytest.param(b"limit=9223372036854775808", "limit", id="beyond int64"),
        pytest.param(b"limit=" + b"9" * 6000, "limit", id="thousands of digits"),
        pytest.param(b"limit=1&limit=1", "limit", id="twice"),
        pytest.param(b"alternatives=yes", "alternatives", id="no boolean"),
        pytest.param(b"speed=NaN", "speed", id="NaN"),
        pytest.param(b"speed=1e999", "speed", id="infinite"),
        pytest.param(b"since=1732183200", "since", id="a number is no time"),
        pytest.param(b"since=2026-11-21T10:00:00", "since", id="time without offset"),
        pytest.param(b"since=2026-13-21T10:00:00Z", "since", id="no such month"),
        pytest.param(b"conversation_id=" + ID.replace("-", "").encode(), "conversation_id", id="bare hex"),
        pytest.param(b"conversation_id=", "conversation_id", id="empty uuid"),
        pytest.param(b"status=gone", "status", id="no such literal"),
        pytest.param(b"q=%ff", "q", id="invalid UTF-8"),
        pytest.param(b"q=%ED%A0%80", "q", id="a surrogate"),
        pytest.param(b"q=a%00", "q", id="NUL"),
        pytest.param(b"other=%ff", "other", id="invalid UTF-8 in an unknown parameter"),
        pytest.param(b"%ff=1", "", id="invalid UTF-8 in a name"),
    ],
)
def test_refused_by_name(raw: bytes, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_query(raw, Query)
    assert caught.value.errors[0].field == field


@given(st.binary(max_size=40))
def test_any_bytes_are_decoded_or_refused(raw: bytes) -> None:
    with suppress(Invalid):
        decode_query(b"q=" + raw, Query)


@given(st.uuids())
def test_uuids_are_taken_in_either_case(value: UUID) -> None:
    assert parse_uuid(str(value), "id") == parse_uuid(str(value).upper(), "id") == value


@pytest.mark.parametrize(
    "text",
    ["", ID[:-1], ID + "0", ID.replace("-", ""), "{" + ID + "}", "urn:uuid:" + ID, ID + "\n", "g" + ID[1:]],
)
def test_other_spellings_of_uuids_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_uuid(text, "conversation_id")
    assert caught.value.errors[0].field == "conversation_id"
