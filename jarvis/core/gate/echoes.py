"""Whether a message only gives back what was recalled or answered: kept, it would confirm itself. Pure."""
# ruff: noqa: E501 - lists of words

import re
from collections.abc import Sequence

from jarvis.core.languages import unaccented, visible, word_set

_WORD = re.compile(r"\w+")
_MARK = re.compile(r"([.!?…,\n])")
# A question whether something was said, with a "not" that denies nothing.
_INTRODUCTION = re.compile(
    r"^\W*(?:did(?:n't| not) you (?:say|tell me)|tu n'as pas dit|n'as-tu pas dit|t'as pas dit)\b"
)
_SHINGLE = 3
_TOLERATED = 0.1  # of a long quotation's words may differ, as a typo does
# "Your cat" in an answer is "my cat" when quoted back.
_PERSON: dict[str, str] = {
    word: person
    for person, words in {
        "@i": "i you me je j tu t te m vous moi toi", "@my": "my your mon ton votre ma ta", "@mys": "mes tes vos mine yours",
        "@am": "am are suis es etes", "@have": "ai as avez have", "@was": "was were etais etait etiez",
    }.items()
    for word in words.split()
}  # fmt: skip
# Words that introduce or close a quotation and say nothing themselves.
_AROUND = word_set("""
    a about again ah already also and answer as because before by can did do does earlier exactly from
    good great has have haha he hello here hey hi how i interesting is it its just last like lol me mean
    meant mentioned message my nice of oh ok okay once please quote quoted remember remembered remind
    reminded right said saw say saying says she so still sure tell telling thank thanks that the then
    there think this time to told true was well were what when why wow yes yesterday you your said wrote
    written words according earlier today hmm indeed cool perfect true correct good ah alors as avais
    avait bien bon c ca ce cela cet cette ci comme d dans de deja dire dis disais dit du encore en est
    et eh exact exactement hier il interessant marrant curieux je j l la le les m me memoire merci
    message moi ok ou oui on parfait pas-mal pourquoi que qu quand rappelais rappele rappelles rappelle reponse s
    selon si souviens t te ton tout tu un une vrai vu donc d'accord super ecrit cite citation bref voila
    tiens quoi veux par rapport tes mots s'il plait plus-tot tantot am are ai @i @my @mys @am @have @was
""")
# One of these says that something is otherwise now: never an echo.
_CHANGES = word_set("""
    not no but actually now anymore never wrong longer instead rather changed non mais pas plus jamais
    faux plutot maintenant desormais change
""")


def is_echo(text: str, told: Sequence[str]) -> bool:
    """Whether `text` repeats `told` (recalled memories, answers) and adds nothing but an introduction.

    A question alone is not told: "I prefer tea" answers "Do you prefer tea or coffee?".
    """
    words = _words(_INTRODUCTION.sub("", unaccented(visible(text)).lower()))
    if len(words) < _SHINGLE:
        return False
    told_here, asked_here = set[tuple[str, ...]](), set[tuple[str, ...]]()
    for source in told:
        told_here.update(_shingles(_words(source)))
        parts = _MARK.split(source)
        for part, mark in zip(parts[::2], parts[1::2], strict=False):
            if mark == "?":
                asked_here.update(_shingles(_words(part)))
    shingles = _shingles(words)
    if told_here.difference(asked_here).isdisjoint(shingles):
        return False
    is_known = [False] * len(words)
    for start, shingle in enumerate(shingles):
        if shingle in told_here:
            is_known[start : start + _SHINGLE] = [True] * _SHINGLE
    added = [word for word, known in zip(words, is_known, strict=True) if not known]
    if _CHANGES.intersection(added):
        return False
    news, repeated = sum(word not in _AROUND for word in added), sum(is_known)
    return news <= _TOLERATED * repeated


def _words(text: str) -> list[str]:
    return [_PERSON.get(found[0], found[0]) for found in _WORD.finditer(unaccented(visible(text)).lower())]


def _shingles(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + _SHINGLE]) for start in range(len(words) - _SHINGLE + 1)]
