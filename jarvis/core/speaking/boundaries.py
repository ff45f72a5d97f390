"""Where one spoken thing may end and the next begin, in English and French. Pure."""

import re
from typing import Literal

from jarvis.core.languages import word_set

Boundary = Literal["sentence", "clause", "word", "none"]

STOPS = ".!?…"
CLOSERS = "\"'\u2019\u201d»)]}"
_DASHES = "\u2013\u2014"
_OPENERS = "\"'\u2018\u201c«([{"
_GLUED = frozenset("!?…,;:.%»)]}/\u2019\u201d")
"""What in French follows its word after a space too: nothing begins with these."""

_NEVER_LAST = word_set("""
    adm approx apr av bd bld blvd brig c.-à-d c.à.d ca capt cf col cmdr cpt dr e.g env esp ex gen gén gov hon
    i.e incl lt mgr mlle mlles mm mme mmes mr mrs ms mx p.ex pr prof rep resp rev sen sgt st ste viz vs
""")
"""Abbreviations that something always follows: a name, an example, what is compared."""
_BEFORE_NUMBERS = word_set("""
    aug août art avr bd bk ch chap col dec déc eq est fév févr feb fig figs jan janv juil jul jun lig max mar
    min no nos nov nr oct p par pp prop sec sect sep sept tab tel tél th tom tome v ver vers vol §
""")
"""Abbreviations before a number only: `no. 5` and `p. 12`, but `He said no. Then`."""
_INITIALS = re.compile(r"(?:[^\W\d_]\.-?)*[^\W\d_]")
_TIMES = frozenset({"a.m", "p.m"})
_CONJUNCTIONS = word_set("""
    although and because but if or since so that unless until when where whereas whether which while who
    afin alors car comme dont donc et lorsque lorsqu mais ou où parce puis puisque puisqu quand que qu qui
    si sinon
""")


def boundary(before: str, following: str, *, line_ended: bool = False) -> Boundary:
    """Tell what ends between `before` (its last 40 characters do) and the word that starts with `following`.

    `line_ended`: they are on two lines, which ends a sentence unless the second goes on in lower case.
    A stop before lower case ends none either (etc., "Quoi ? dit-il"): of the two mistakes, to go on costs a
    pause, and to cut costs the melody of both halves.
    """
    if following in _GLUED:
        return "none"
    closed = before.rstrip(CLOSERS + " ")
    body = closed.rstrip(STOPS + " ")
    goes_on = following.islower()
    if body != closed and closed[-1] in STOPS:
        if closed[len(body) :] == "." and _goes_on(body, following):
            return "none"
        return "clause" if goes_on else "sentence"
    if line_ended and not goes_on:
        return "sentence"
    if before[-1:] in ",;:" + _DASHES or following in "(«\u201c" + _DASHES:
        return "clause"
    if before[-1:].isdigit() and following.isdigit():  # 1 000,50
        return "none"
    return "word"


def is_conjunction(word: str) -> bool:
    """Tell whether a voice may pause before `word`."""
    return word.replace("\u2019", "'").partition("'")[0].lower() in _CONJUNCTIONS


def _goes_on(body: str, following: str) -> bool:
    words = body.split()
    word = words[-1].lstrip(_OPENERS) if words else ""
    lower = word.lower()
    if lower in _NEVER_LAST or (lower in _BEFORE_NUMBERS and following.isdigit()):
        return True
    if _INITIALS.fullmatch(word) is None or not following.isupper():
        return False
    return lower not in _TIMES and word != "I" and word[0].isupper()  # J. R. R. Tolkien, the U.S. Senate
