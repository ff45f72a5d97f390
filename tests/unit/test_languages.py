"""Which language a text is taken to be in."""

import pytest

from jarvis.core.languages import Language, language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello Jarvis, my cat is called Mistral.", "en"),
        ("I'd say it's what he's said, isn't it? AI is on TV", "en"),
        ("Plan me a weekend in Rome", "en"),
        ("Comment faire une bonne pâte à crêpes sans lait ?", "fr"),
        ("J'ai mal au dos depuis hier, que faire ?", "fr"),
        ("L'hôpital n'est pas ouvert", "fr"),
        ("OÙ EST LA GARE ?", "fr"),
        ("Explique en anglais ce que veut dire weather à mes enfants", "fr"),
        ("Translate 'où est la gare' for me: I am in Lyon and they do not understand what I say", "en"),
        ("", "en"),
        ("42 + 1 = ?", "en"),
    ],
)
def test_small_words_tell(text: str, language: Language) -> None:
    assert language_of(text) == language
