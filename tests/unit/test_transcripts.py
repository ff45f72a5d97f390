"""Places for imported messages, documents cut into pieces, names of files, words of snippets."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from jarvis.core.errors import Invalid
from jarvis.core.snippets import MAX_SNIPPET_CHARS, snippet_around
from jarvis.core.transcripts import (
    MAX_ALTERNATIVES,
    Place,
    Said,
    in_utc,
    message_count_of,
    next_position_after,
    places_of,
)
from jarvis.web.downloads import content_disposition
from jarvis.web.pieces import MAX_PIECE_BYTES, pieces_of


def said(text: str) -> list[Said]:
    """Tell messages as "u a a>3 s": roles, the n-th with id n, and of which it is an alternative."""
    roles = {"u": "user", "a": "assistant", "s": "system", "t": "tool"}
    told: list[Said] = []
    for number, word in enumerate(text.split()):
        letter, _, current = word.partition(">")
        told.append(
            Said(UUID(int=number), roles[letter], UUID(int=int(current)) if current else None)  # pyright: ignore[reportArgumentType]  a role
        )
    return told


def positions(places: list[Place]) -> str:
    return " ".join(f"{place.position}.{place.alternative}" for place in places)


@pytest.mark.parametrize(
    ("told", "placed", "following"),
    [
        ("", "", 0),
        ("u", "0.0", 2),
        ("u a u a", "0.0 1.0 2.0 3.0", 4),
        ("u u u a", "0.0 2.0 4.0 5.0", 6),
        ("s u a", "0.0 2.0 3.0", 4),
        ("u a t a u", "0.0 1.0 2.0 3.0 4.0", 6),
        ("u a t u", "0.0 1.0 2.0 4.0", 6),
        ("u a>2 a u", "0.0 1.0 1.1 2.0", 4),
        ("u a>2 a>3 a u", "0.0 1.0 1.1 1.2 2.0", 4),
        ("u a a>1 u a", "0.0 1.0 1.1 2.0 3.0", 4),
        ("u a u a a>1", "0.0 1.0 2.0 3.0 1.1", 4),
    ],
)
def test_messages_lie_where_turns_would_have_put_them(told: str, placed: str, following: int) -> None:
    places = places_of(said(told))
    assert positions(places) == placed
    assert next_position_after(places) == following
    assert message_count_of(places) == told.count(" ") + bool(told) - told.count(">")


def test_an_alternative_names_the_new_id_of_what_it_is_one_of() -> None:
    places = places_of(said("u a>2 a"))
    assert [place.alternative_of for place in places] == [None, places[2].id, None]
    assert len({place.id for place in places} | {UUID(int=number) for number in range(3)}) == 6


def test_messages_without_ids_are_different_messages() -> None:
    assert len(places_of([Said(None, "user", None), Said(None, "user", None)])) == 2


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ("u a>9", "messages[1].alternative_of"),
        ("u a>1", "messages[1].alternative_of"),
        ("u a>2 a>3 a>1", "messages[1].alternative_of"),
    ],
)
def test_an_alternative_of_nothing_is_refused(told: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        places_of(said(told))
    assert caught.value.errors[0].field == field


def test_an_id_given_twice_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        places_of([Said(UUID(int=1), "user", None), Said(UUID(int=1), "user", None)])
    assert caught.value.errors[0].field == "messages[1].id"


def test_more_alternatives_than_can_be_counted_are_refused() -> None:
    many = said("a") + [Said(None, "assistant", UUID(int=0))] * (MAX_ALTERNATIVES - 1)
    assert places_of(many)[-1].alternative == MAX_ALTERNATIVES - 1
    with pytest.raises(Invalid):
        places_of([*many, many[-1]])


@pytest.mark.parametrize(
    "given", ["0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999+00:00"]
)
def test_the_ends_of_the_calendar_are_no_times(given: str) -> None:
    with pytest.raises(Invalid):
        in_utc("x", datetime.fromisoformat(given))
    assert in_utc("x", datetime(2024, 1, 1, tzinfo=UTC)).tzinfo is UTC


def cut(text: str) -> list[tuple[str, str]]:
    data = text.encode()
    return [(piece.path, data[piece.start : piece.end].decode()) for piece in pieces_of(data, listed="l")]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("{}", []),
        (' {"a" : 1 , "b":"}\\"]"}\n', [("a", "1"), ("b", '"}\\"]"')]),
        ('{"l":[]}', [("l", "")]),
        (
            '{"l":[ {"x":[{"y":{"z":[1]}}]} ,2, "," ],"c":null}',
            [("l", ""), ("l[0]", '{"x":[{"y":{"z":[1]}}]}'), ("l[1]", "2"), ("l[2]", '","'), ("c", "null")],
        ),
        ('{"l":5,"\\u006c":[1]}', [("l", "5"), ("l", ""), ("l[0]", "1")]),
        ('{"a":{"l":[1]},"é":[[],{}]}', [("a", '{"l":[1]}'), ("é", "[[],{}]")]),
    ],
)
def test_a_document_is_cut_where_its_values_end(text: str, pieces: list[tuple[str, str]]) -> None:
    assert cut(text) == pieces


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "[]", "1", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,}', "{,}", '{"a" 1}', '{"a":1 "b":2}'),
        *('{"a":1}}', '{"a":1} x', '{"l":[1,]}', '{"l":[,1]}', '{"l":[1 2]}', '{"l":[1', '{"l":[1}', "{a:1}"),
        '{"a":' + "[" * 40 + "]" * 40 + "}",
        '{"a":' + '{"a":' * 31 + "[]" + "}" * 31 + "}",
        '{"a":"' + "x" * MAX_PIECE_BYTES + '"}',
        '{"l":[' + "[" + "1," * (MAX_PIECE_BYTES // 2) + "1]]}",
    ],
    ids=lambda text: text[:24],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        cut(text)


@pytest.mark.parametrize("depth", [31, 32])
def test_the_depth_counts_from_the_outermost(depth: int) -> None:
    deep = '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
    assert cut(deep) == [("a", json.dumps(json.loads(deep)["a"]))]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.json", 'attachment; filename="a b.json"'),
        ("été.md", "attachment; filename=\"ete.md\"; filename*=UTF-8''%C3%A9t%C3%A9.md"),
        ("日本.md", "attachment; filename=\"conversation.md\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.md"),
        ('../a"\r\nb: c.json', 'attachment; filename="a b c.json"'),
        ("/.json", "attachment; filename=\"conversation.json\"; filename*=UTF-8''.json"),
        ("x" * 300 + ".json", f'attachment; filename="{"x" * 80}.json"'),
    ],
)
def test_a_file_has_a_safe_name_and_a_true_one(name: str, header: str) -> None:
    assert content_disposition(name) == header


@pytest.mark.parametrize(
    ("text", "word", "snippet"),
    [
        ("short and whole", "and", "short and whole"),
        ("two\n\nlines <b>", "lines", "two lines <b>"),
        ("prune and run", "run", "prune and run"),
        ("", "x", ""),
        ("nothing of it", "", "nothing of it"),
        ("a " * 200 + "hit" + " b" * 300, "hit", "…" + "a " * 49 + "hit" + " b" * 98 + "…"),
        ("y" * 400 + " hit", "hit", "…hit"),
        ("z" * 400, "zz", "z" * 298 + "…"),
    ],
    ids=lambda value: value[:12],
)
def test_a_snippet_is_what_stands_around_the_word(text: str, word: str, snippet: str) -> None:
    shown = snippet_around(text, word)
    assert shown == snippet
    assert len(shown) <= MAX_SNIPPET_CHARS
