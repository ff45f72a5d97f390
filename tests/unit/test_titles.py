"""What a new conversation is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.titles import (
    EXCERPT_CHARS,
    LONGEST_TITLE_CHARS,
    REQUESTS,
    title_in,
    title_of,
    title_prompt,
)


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


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("A Cat Called Mistral", "A Cat Called Mistral"),
        ('"A Cat Called Mistral."\n', "A Cat Called Mistral"),
        ("\n\n**Title:** A   Cat\nwhich I chose because", "A Cat"),
        ("Titre : « Mal au dos »", "Mal au dos"),
        ("Mal au dos : que faire ?", "Mal au dos : que faire ?"),
        ("# Rome", "Rome"),
        ("", None),
        ('""', None),
        ("word " * 13, None),
    ],
)
def test_a_models_title_is_its_first_line_without_ornaments(answer: str, title: str | None) -> None:
    assert title_in(answer) == title


def test_a_title_is_asked_for_after_the_exchange_in_the_language_of_the_user() -> None:
    french = title_prompt("Be brief.", "Où est la gare ?", "Là-bas.")
    assert [(said.role, said.content) for said in french[:3]] == [
        ("system", "Be brief."),
        ("user", "Où est la gare ?"),
        ("assistant", "Là-bas."),
    ]
    assert french[3].content == REQUESTS["fr"]
    assert title_prompt("", "Where is the station?", "There.")[2].content == REQUESTS["en"]


def test_of_a_long_exchange_the_beginnings_are_shown() -> None:
    asked = title_prompt("", "é" * 9_000, "x" * 9_000)
    assert [len(said.content) for said in asked[:2]] == [EXCERPT_CHARS, EXCERPT_CHARS]
