"""What a listener says without wishing to speak."""

import pytest

from jarvis.core.languages import Language
from jarvis.core.speaking.backchannels import is_backchannel

_LISTENING = """
    Mm-hmm. / mhm / Hmm / hm hm / Mmm... / Uh-huh / uh huh, uh huh / Uhhuh / Ah. / Oh! / Aha / MM-HMM
    / Yeah. / yeah yeah, OK / Ok / O.K. / Okay! / Right. / Sure / I see. / Got it! / All right. / Yep
    / That makes sense. / That's right / That\u2019s true. / Oh wow, yeah. / Yes, yes, of course.
    / Oui / Ouais ouais / D'accord. / d\u2019accord, ok / Je vois. / Ah bon ? / Ah bon\u00a0? / Super !
    / C'est ça. / Très bien. / Bien sûr / Ah oui, je comprends. / Tout à fait ! / Hmm, d'accord
"""
_SPEAKING = """
    Stop. / Wait / No / no no no / Uh-uh / Mm-mm. / Hold on / Okay, stop / Yeah, but / Yes please do it
    / Right? / Okay? / Really? / Huh? / Hmm? / What? / Uh / Um... / So / Thank you. / Sure thing, Bob
    / Non / Attends ! / Arrête / Oui mais / D'accord, merci / Ah non / Hein ? / Quoi / Euh / Bon / Vraiment ?
    / Oui ? / I see a problem / Yeah the other one / ok jarvis / 🎉 / 42 /  / ...
"""


@pytest.mark.parametrize("text", [text.strip() for text in _LISTENING.split(" / ")])
def test_a_listeners_sounds_and_words_are(text: str) -> None:
    assert is_backchannel(text)


@pytest.mark.parametrize("text", [text.strip() for text in _SPEAKING.split(" / ")] + ["right " * 9])
def test_whoever_says_anything_else_wishes_to_speak(text: str) -> None:
    assert not is_backchannel(text)


@pytest.mark.parametrize(
    ("text", "language", "is_one"),
    [
        ("oui", "fr", True),
        ("oui", "en", False),
        ("yeah", "en", True),
        ("yeah", "fr", False),
        ("mm-hmm, ok", "en", True),
        ("mm-hmm, ok", "fr", True),
    ],
)
def test_the_words_are_those_of_the_language(text: str, language: Language, is_one: bool) -> None:  # noqa: FBT001
    assert is_backchannel(text, language=language) == is_one
