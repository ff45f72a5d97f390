"""The decoding edge against a slow, obvious reference, and against the contract's list of what is refused."""

import json
import math
from typing import cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jarvis.core.errors import Invalid
from jarvis.web.decoding import MAX_DEPTH, decode_json, decode_json_with

INT64_MAX = 2**63 - 1


class Item(msgspec.Struct, frozen=True, kw_only=True):
    content: str
    weight: float = 0.5


class Body(msgspec.Struct, frozen=True, kw_only=True):
    message: str | None = None
    count: int = 0
    temperature: float | None = None
    stream: bool = False
    memories: list[Item] = []


class Ping(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ping"):
    pass


class Chat(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="chat"):
    content: str


def refused(data: bytes, wanted: type = Body) -> Invalid:
    with pytest.raises(Invalid) as caught:
        decode_json(data, wanted)
    return caught.value


def field_of(error: Invalid) -> str:
    return error.errors[0].field


class ReferenceRefuses(Exception):
    pass


def reference(data: bytes) -> Body:
    """Parse all of it with the standard library, walk it all, then convert."""
    try:
        parsed: object = json.loads(data.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise ReferenceRefuses from exc
    _walk(parsed, 1)
    try:
        body = msgspec.convert(parsed, Body)
    except msgspec.ValidationError as exc:
        raise ReferenceRefuses from exc
    if any(
        math.isinf(number or 0) for number in (body.temperature, *(item.weight for item in body.memories))
    ):
        raise ReferenceRefuses
    return body


def _refuse(constant: str) -> None:
    raise ReferenceRefuses(constant)


def _walk(value: object, depth: int) -> None:
    match value:
        case str():
            if "\0" in value or any(0xD800 <= ord(char) <= 0xDFFF for char in value):
                raise ReferenceRefuses
        case int():
            if not -INT64_MAX - 1 <= value <= INT64_MAX:
                raise ReferenceRefuses
        case list() | dict():
            if depth > MAX_DEPTH:
                raise ReferenceRefuses
            children = cast("list[object] | dict[str, object]", value)
            if isinstance(children, dict):
                for name in children:
                    _walk(name, depth)
                children = list(children.values())
            for child in children:
                _walk(child, depth + 1)
        case _:
            pass


def agree(data: bytes) -> None:
    try:
        expected = reference(data)
    except ReferenceRefuses:
        refused(data)
    else:
        assert decode_json(data, Body) == expected


TEXT = st.text(st.characters(exclude_categories=[]), max_size=6) | st.sampled_from(
    ["\0", "\ud83d", "\ude00", "é", "\U0001f600", "[[{", '"', "\\", "\\u0000", "9" * 25, "\\" * 3 + "ud800"]
)
NUMBERS = (
    st.integers()
    | st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**18, 10**25])
    | st.floats(allow_nan=True, allow_infinity=True)
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ITEM: dict[str, st.SearchStrategy[object]] = {"content": TEXT}
ITEM_EXTRA: dict[str, st.SearchStrategy[object]] = {"weight": NUMBERS}
FIELDS: dict[str, st.SearchStrategy[object]] = {
    "message": TEXT | JSON,
    "count": NUMBERS | JSON,
    "temperature": NUMBERS | JSON,
    "stream": st.booleans() | JSON,
    "memories": st.lists(st.fixed_dictionaries(ITEM, optional=ITEM_EXTRA)) | JSON,
    "unknown": JSON,
}
NOTHING: dict[str, st.SearchStrategy[object]] = {}
DOCUMENTS = st.fixed_dictionaries(NOTHING, optional=FIELDS)


def encoded(document: object, *, escaped: bool) -> bytes:
    return json.dumps(document, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


@given(DOCUMENTS | JSON, st.booleans())
@settings(max_examples=400, deadline=None)
def test_documents_are_taken_and_refused_as_the_reference_does(document: object, escaped: bool) -> None:  # noqa: FBT001 - hypothesis passes it
    agree(encoded(document, escaped=escaped))


@given(DOCUMENTS, st.booleans(), st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=2)), max_size=3))
@settings(max_examples=300, deadline=None)
def test_damaged_documents_are_taken_and_refused_as_the_reference_does(
    document: object,
    escaped: bool,  # noqa: FBT001 - hypothesis passes it
    edits: list[tuple[int, bytes]],
) -> None:
    data = bytearray(encoded(document, escaped=escaped))
    for at, replacement in edits:
        data[at : at + 1] = replacement
    agree(bytes(data))


ESCAPES = [
    rb"\u0000",
    rb"\ud83d",
    rb"\ude00",
    rb"\uD83D",
    rb"\uDE00",
    rb"\\",
    rb"\"",
    rb"\u00e9",
    rb"\n",
    b"u0000",
]


@given(st.lists(st.sampled_from([*ESCAPES, b"ud800", b"x", b"[", b"{", b"1" * 20, "é".encode(), b"\xff"])))
@settings(max_examples=600, deadline=None)
def test_strings_of_escapes(parts: list[bytes]) -> None:
    agree(b'{"unknown": "' + b"".join(parts) + b'"}')
    agree(b'{"message": "' + b"".join(parts) + b'"}')
    agree(b'{"' + b"".join(parts) + b'": 1}')


DIGITS = [b"0", b"1", b"9223372036854775807", b"9223372036854775808", b"0" * 30, b".", b"e", b"E", b"+", b"-"]


@given(st.lists(st.sampled_from(DIGITS), min_size=1, max_size=6))
@settings(max_examples=600, deadline=None)
def test_numbers(parts: list[bytes]) -> None:
    agree(b'{"unknown": ' + b"".join(parts) + b"}")
    agree(b'{"unknown": [' + b"".join(parts) + b', "' + b"".join(parts) + b'"]}')


@given(
    st.integers(25, 40), st.lists(st.sampled_from(["[]", "{}", "[[]]", '"]["', '"\\"["', "1"]), max_size=40)
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nesting(depth: int, siblings: list[str]) -> None:
    # Lists and objects take turns; the siblings add brackets that do not nest any deeper than they say.
    inner = ",".join(siblings)
    for level in range(depth):
        inner = f"[{inner}]" if level % 2 else f'{{"k": [{inner}]}}'
    agree(f'{{"unknown": {inner}}}'.encode())


@pytest.mark.parametrize(
    ("data", "field"),
    [
        pytest.param(b'{"count": "1"}', "count", id="a string is no int"),
        pytest.param(b'{"count": true}', "count", id="a bool is no int"),
        pytest.param(b'{"count": 1.0}', "count", id="a float is no int"),
        pytest.param(b'{"stream": 1}', "stream", id="an int is no bool"),
        pytest.param(b'{"memories": [{"content": "a"}, {}]}', "memories[1].content", id="missing, in a list"),
        pytest.param(b'{"memories": [{"content": 7}]}', "memories[0].content", id="wrong type, in a list"),
        pytest.param(rb'{"memories": [{"content": "\u0000"}]}', "memories[0].content", id="NUL"),
        pytest.param(rb'{"x": {"y": "a\uDC00"}}', "x.y", id="lone surrogate in an unknown field"),
        pytest.param(rb'{"x": ["\ud83d\ude00", "\ud83d x"]}', "x[1]", id="half a pair beside a whole one"),
        pytest.param(b'{"temperature": 99999999999999999999}', "temperature", id="int beyond 64 bits"),
        pytest.param(b'{"x": {"y": [0, -9223372036854775809]}}', "x.y[1]", id="in an unknown field"),
        pytest.param(b'{"x": "99999999999999999999", "y": 9223372036854775808}', "y", id="not the string"),
        pytest.param(b'{"x": ' + b"9" * 5000 + b"}", "x", id="more digits than Python would parse"),
        pytest.param(b'{"message": NaN}', "", id="NaN"),
        pytest.param(b'{"x": Infinity}', "", id="Infinity"),
        pytest.param(b'{"x": "\xff"}', "", id="invalid UTF-8 in an unknown field"),
        pytest.param(b'{"x": "\xed\xa0\x80"}', "", id="a surrogate in UTF-8"),
        pytest.param(b'{"x": "\x00"}', "", id="a raw NUL"),
        pytest.param(b"", "", id="empty"),
        pytest.param(b" ", "", id="blank"),
        pytest.param(b"[]", "", id="a list"),
        pytest.param(b'"{}"', "", id="a string"),
        pytest.param(b"{} {}", "", id="two documents"),
        pytest.param(b'\xef\xbb\xbf{"count": 1}', "", id="a byte order mark"),
        pytest.param(b'{"x": ' + b"[" * 100_000 + b"}", "", id="a hundred thousand brackets"),
    ],
)
def test_what_is_refused_names_its_field(data: bytes, field: str) -> None:
    error = refused(data)
    assert field_of(error) == field
    assert error.code == "invalid_request"


def test_a_missing_field_is_named_at_the_top_too() -> None:
    error = refused(b"{}", Item)
    assert (field_of(error), error.errors[0].message) == ("content", "is required")


@pytest.mark.parametrize(("depth", "taken"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_the_outermost_container_is_depth_one(depth: int, *, taken: bool) -> None:
    data = b'{"x":' * (depth - 1) + b"{}" + b"}" * (depth - 1)
    if taken:
        decode_json(data, Body)
    else:
        assert "deeper than 32" in refused(data).detail


def test_brackets_inside_strings_are_no_nesting() -> None:
    text = "[" * 500 + '"' + "{" * 500
    assert decode_json(json.dumps({"message": text}).encode(), Body).message == text


def test_of_a_name_given_twice_the_last_counts() -> None:
    assert decode_json(b'{"count": 1, "count": 2}', Body).count == 2


def test_text_comes_through_byte_for_byte() -> None:
    text = ' <b>"é\u0301" \\u0000 \ud7ff\ue000\U0001f600\u2028 & \x7f\t '
    assert decode_json(encoded({"message": text}, escaped=True), Body).message == text
    assert decode_json(encoded({"message": text}, escaped=False), Body).message == text


def test_a_large_bad_body_is_refused_without_naming_the_field() -> None:
    data = b'{"x": "' + b"a" * 100_000 + rb'\u0000"}'
    assert field_of(refused(data)) == ""


def test_unions_of_frames_go_through_the_same_bounds() -> None:
    decoder = msgspec.json.Decoder(Ping | Chat)
    assert decode_json_with(b'{"type": "ping"}', decoder) == Ping()
    for data in (b'{"type": "pong"}', rb'{"type": "ping", "x": "\u0000"}', b'{"type": "chat"}'):
        with pytest.raises(Invalid):
            decode_json_with(data, decoder)
