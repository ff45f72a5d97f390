"""What a new conversation is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.titles import LONGEST_TITLE_CHARS, title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("\n \n  Hello   there \nmore", "Hello there"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
        (("word " * 12).strip(), ("word " * 12).strip()),
        ("word " * 30, ("word " * 12).strip() + "…"),
        ("letters " * 30, ("letters " * 7).strip() + "…"),
        ("", ""),
    ],
)
def test_a_title_is_the_start_of_the_first_line(text: str, title: str) -> None:
    assert title_of(text) == title


@given(st.text())
def test_a_title_is_one_short_line(text: str) -> None:
    title = title_of(text)
    assert len(title) <= LONGEST_TITLE_CHARS
    assert len(title.splitlines()) <= 1
    assert bool(title) == bool(text.strip())
