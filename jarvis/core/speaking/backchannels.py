"""Tells "mm-hmm" from a wish to speak: what listeners say to show that they listen. Pure.

A wrong yes talks over somebody, a wrong no stops for nothing: whatever is not known here is a wish to speak.
"""

import re

from jarvis.core.languages import Language, unaccented, visible, word_set

LONGEST_WORDS = 8
"""Who says more means something, whatever the words."""

# Whisper spells one sound in many ways. Not uh, um, euh: who says those is about to speak (Clark and Fox
# Tree, Using uh and um in spontaneous speaking, Cognition 84, 2002). Not hein: asked to repeat.
_HUM = re.compile(r"m+h*|h+m+|m+h+u*m+|uhhuh|a+h+|o+h+|a+ha+h*|o+ho+")
_NO_HUM = re.compile(r"\b(?:m+|h+m+)-m+\b")  # mm-mm, hm-mm: no; mm-hmm and hmm-hmm: yes

_BOTH = "ok okay okey oki cool super bravo yep yup wow"
# Agreement and attention only. Not thanks, well, so, really, alors, bon, merci: people go on after those.
_WORDS: dict[Language, frozenset[str]] = {
    "en": word_set(f"""
        {_BOTH} yes yeah yea ya yah right alright sure exactly indeed totally absolutely definitely great nice
        gotcha good fine interesting true understood
    """),
    "fr": word_set(f"""
        {_BOTH} oui ouais ouaip mouais exactement exact parfait genial bien entendu compris evidemment
        effectivement carrement daccord interessant vrai
    """),
}
_PHRASES: dict[Language, tuple[str, ...]] = {
    "en": (
        "uh huh", "o k", "i see", "i got it", "got it", "got you", "all right", "of course", "for sure",
        "sounds good", "that s right", "that s true", "makes sense", "that makes sense", "i understand",
        "very good", "very well",
    ),
    "fr": (
        "uh huh", "o k", "ah bon", "je vois", "d accord", "tout a fait", "bien sur", "c est ca", "c est vrai",
        "c est bien", "c est clair", "tres bien", "ca marche", "je comprends", "j ai compris", "en effet",
        "absolument",  # codespell:ignore absolument
    ),
}  # fmt: skip
_SPOKEN: dict[Language, frozenset[tuple[str, ...]]] = {
    language: frozenset(
        [*((word,) for word in _WORDS[language]), *(tuple(p.split()) for p in _PHRASES[language])]
    )
    for language in ("en", "fr")
}
_SURPRISE = ("ah", "bon")  # said with a rising voice, so written with a question mark
_LONGEST_PHRASE = 3
_WORD = re.compile(r"[^\W_]+")


def is_backchannel(text: str, *, language: Language | None = None) -> bool:
    """Tell whether all of `text` is such sounds and words, in `language` (None: in any), once or more.

    Neither a question is one (but "ah bon ?") nor what has no words at all.
    """
    plain = unaccented(visible(text)).lower()
    words = tuple(_WORD.findall(plain))
    if not words or len(words) > LONGEST_WORDS or _NO_HUM.search(plain):
        return False
    if "?" in plain and words != _SURPRISE:
        return False
    known = _SPOKEN[language] if language else _SPOKEN["en"] | _SPOKEN["fr"]
    return _is_made_of(words, known)


def _is_made_of(words: tuple[str, ...], known: frozenset[tuple[str, ...]]) -> bool:
    at = 0
    while at < len(words):
        lengths = range(_LONGEST_PHRASE, 0, -1)
        found = next((length for length in lengths if words[at : at + length] in known), 0)
        if not found and _HUM.fullmatch(words[at]) is None:
            return False
        at += found or 1
    return True
