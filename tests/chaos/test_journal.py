"""Each promise that a store may break is seen to be broken: the judge of the chaos runs, judged."""

from collections.abc import Callable

import msgspec
import pytest

from tests.chaos.journal import Journal, Row, Wish, broken, script_of

Rows = dict[str, Row]


def _told(journal: Journal, text: str, *, key: str | None = None) -> Wish:
    """Note a message that was sent, acknowledged and answered."""
    wish = journal.send(text, conversation_id="talk", key=key)
    journal.note(wish, {"type": "ack", "turn_id": f"turn {text}", "conversation_id": "talk"})
    answer = {"turn_id": f"turn {text}", "message": {"id": f"answer {text}"}, "content": script_of(text)}
    journal.note(wish, {"type": "chat_response", "status": "complete", **answer})
    return wish


def _stored(text: str, position: int) -> Rows:
    asked = Row(
        id=text,
        conversation_id="talk",
        turn_id=f"turn {text}",
        position=position,
        role="user",
        content=text,
        status="complete",
        is_alternative=False,
        turn_status="complete",
    )
    answer = msgspec.structs.replace(
        asked, id=f"answer {text}", position=position + 1, role="assistant", content=script_of(text)
    )
    return {row.id: row for row in (asked, answer)}


def _judged(change: Callable[[Rows], Rows]) -> list[str]:
    journal = Journal()
    _told(journal, "one", key="k")
    _told(journal, "two")
    journal.send("unheard of", conversation_id="talk", key=None)
    return broken(journal.wishes, change(_stored("one", 0) | _stored("two", 2)).values())


def _with(row_id: str, **changes: object) -> Callable[[Rows], Rows]:
    return lambda rows: rows | {row_id: msgspec.structs.replace(rows[row_id], **changes)}


def _copied(row_id: str, **changes: object) -> Callable[[Rows], Rows]:
    return lambda rows: rows | {"copy": msgspec.structs.replace(rows[row_id], id="copy", **changes)}


def _without(*names: str) -> Callable[[Rows], Rows]:
    return lambda rows: {name: row for name, row in rows.items() if name not in names}


def _swapped(rows: Rows) -> Rows:
    places = {"one": 2, "answer one": 3, "two": 0, "answer two": 1}
    return {name: msgspec.structs.replace(row, position=places[name]) for name, row in rows.items()}


def test_a_kept_word_is_no_complaint() -> None:
    assert _judged(lambda rows: rows) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_without("two", "answer two"), "lost"),
        (_copied("one", position=4), "doubled"),
        (_with("one", turn_id="turn of somebody"), "astray"),
        (_with("one", conversation_id="elsewhere"), "astray"),
        (_with("one", turn_status="running"), "still running"),
        (_without("answer one"), "answered 0 times"),
        (_copied("answer one"), "answered 2 times"),
        (_with("answer one", content=script_of("two")), "another's words"),
        (_with("answer one", content="You said:"), "cut"),
        (_with("answer one", status="cancelled"), "taken back"),
        (_with("answer one", status="cancelled"), "at odds"),
        (_with("two", position=0), "one place"),
        (_swapped, "stands behind"),
    ],
)
def test_a_broken_word_is_named(change: Callable[[Rows], Rows], complaint: str) -> None:
    assert [line for line in _judged(change) if complaint in line]


def test_alternatives_are_no_second_answer() -> None:
    assert _judged(_copied("answer one", is_alternative=True, status="failed", content="You")) == []


def test_one_key_has_one_answer() -> None:
    journal = Journal()
    wish = _told(journal, "one", key="k")
    again = {"type": "chat_response", "turn_id": "turn of another", "status": "complete"}
    journal.note(wish, again | {"message": {"id": "copy"}, "content": script_of("one")})
    rows = _stored("one", 0) | {"copy": msgspec.structs.replace(_stored("one", 0)["answer one"], id="copy")}
    told = " ".join(broken(journal.wishes, rows.values()))
    assert "has 2 turns" in told
    assert "was told two answers" in told
