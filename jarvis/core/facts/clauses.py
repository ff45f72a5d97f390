"""Cuts a message into clauses of plain words, in which a rule can read `i do not like coffee` for "I don't like
coffee!" and `je ai un chat` for "Jai un chat". Knows no facts.
"""
# ruff: noqa: E501 - lists of words inside patterns

import re
from collections.abc import Iterator
from typing import NamedTuple

from jarvis.core.facts.canonical import canonical
from jarvis.core.facts.openings import (
    ASKS,
    COMMAND,
    DICTATION,
    FICTION,
    HYPOTHETICAL,
    MATERIAL,
    OWN_SPEECH,
    REPORTED,
    SPOKEN_TAIL,
    TAG,
    corrects,
    without_lead,
)
from jarvis.core.facts.plain import plain
from jarvis.core.languages import unaccented, visible


class Clause(NamedTuple):
    """`said` is the user's own text; `words` its canonical words and commas, `cased` the same with its capitals."""

    said: str
    words: str
    cased: str
    is_question: bool
    is_correction: bool


class _Piece(NamedTuple):
    said: str
    subject: str
    gives_reason: bool


_BREAK = re.compile(r"[.!?…]+(?=\s|$)|[;\n]+|[.!?…]+(?=[A-ZÀ-Ý][a-zà-ÿ])")
_ABBREVIATION = re.compile(r"\b(?:dr|mr|mrs|ms|st|ste|mme|m|etc|vs|pr)$", re.IGNORECASE)

# A comma or a conjunction parts two clauses only where a new subject or question follows: "fish and chips" is one.
_SUBJECT = r"""(?:(?:now|then|today|actually|since\s\w+|maintenant|aujourd['\u2019]hui|desormais|désormais|en\sfait)\s)?
    (?:i|im|ive|i['\u2019]\w+|my|we|we['\u2019]\w+|our|it|it['\u2019]s|its|she|he|she['\u2019]s|he['\u2019]s|they|you|there|remember|call|
    please|can|could|would|will|do|does|did|what|whats|what['\u2019]s|how|where|when|why|who|which|any|tell|give|is\sthere|
    everyone|everybody|living|working|starting|moved|joined|this\stime|pass|
    je|j|jai|jhabite|jadore|jaime|jsuis|jbosse|jtravaille|mon|ma|mes|nous|notre|nos|on|il|elle|ils|tu|t|vous|ca|ça|peux|pouvez|
    pourrais|quel|quelle|quels|que|qu|comment|ou\s(?:est|puis)|où|quand|pourquoi|dis|donne|retiens|appelle|reponds|
    réponds|merci|thanks|thank|cette\sfois|tout\sle\smonde)(?![\w-])"""
_REASON = r"""because|cause|cuz|coz|since|as|given\sthat|seeing\s(?:that|as|how)|considering(?:\sthat)?|knowing\sthat|
    car|puisque?|parce\sque?|vu\sque?|sachant\sque?|etant\sdonne\sque?|étant\sdonné\sque?|comme|pcq|parceque"""
_JOINT = re.compile(
    rf"""\ ?,?\ (?:(?:and|but|so|though|although|while|whereas|et|mais|donc|sauf\sque?|alors\sque?|{_REASON})(?:\ |(?<=qu)['\u2019])){{1,3}}
      (?=(?:that\s|qu['\u2019e]\s?)?{_SUBJECT})
    |\ ?,\ ?(?=(?:and\s|but\s|et\s|mais\s)?{_SUBJECT})
    |\ (?:puisqu|parce\squ|vu\squ|sachant\squ)['\u2019](?=on|il|elle)
    |\ [-–—]\ |\ ?[()]\ ?""",  # noqa: RUF001 - people type en dashes
    re.IGNORECASE | re.VERBOSE,
)
_GIVES_REASON = re.compile(rf"\b(?:{_REASON})\b", re.IGNORECASE | re.VERBOSE)
_COMMA = re.compile(r" ?, ?")
# "I live in Lyon and work at Airbus": the subject carries over to these verbs.
_CARRIED = re.compile(
    r"(?<=[\w.]),? (?:and|but|then|et|mais|puis) (?=(?:now |currently |just |maintenant )?(?:work|live|play|love|like|hate|drive|moved|joined|bought|became|switched|started|got|adopted|"
    r"travaille|bosse|vis|habite|adore|deteste|déteste|joue)\b)"
)
_SELF = re.compile(r"\b(?:i|im|ive|we|je|nous|on|jsuis|jai)\b|\bj['\u2019]", re.IGNORECASE)
_FRENCH_SELF = re.compile(r"\b(?:je|nous|on|jsuis|jai)\b|\bj['\u2019]", re.IGNORECASE)
# "It is Pulp, not Blur": what is not so is no part of what is.
_NOT_SO = re.compile(r" ?, (?:not|pas|and not|et pas) [^,]+$| (?:instead|plutot)$")
_PREFERRED = re.compile(r"\b(?:instead|plutot)\b|, (?:not|pas) ")
_QUOTE = re.compile(r"(?P<before>[\w'\u2019,:]? ?)(?:\"(?P<a>[^\"]*)\"|“(?P<b>[^”]*)”|«(?P<c>[^»]*)»)")
_CODE = re.compile(
    r"```|\w\((?:[\"'][^)]*[\"'])?\)|[{};]\s*$|\b\w+ ?(?:=|==|:=|\+=|=>|->) ?[\"'\[{(\d]|^\s*(?:def|class|import|from \w+ import|return|const|let|var|function|public|private|select .* from|#include)\b.*[(;:=]"
)
_OPENING = 120  # characters of a sentence that tell who speaks in it


def clauses_of(text: str) -> Iterator[Clause]:
    """Yield what the user states or asks in their own name, in order.

    Quotations, suppositions, code, fiction, what others said, and a text handed over to be worked on are left out.
    """
    for sentence, mark in _sentences(visible(text)):
        opening = without_lead(plain(sentence[:_OPENING])[0])
        if FICTION.match(opening):
            return
        ending = unaccented(sentence[-_OPENING:]).lower()
        if HYPOTHETICAL.match(opening) or SPOKEN_TAIL.search(ending) or _CODE.search(sentence[:1000]):
            continue
        if (reported := REPORTED.match(opening)) and not OWN_SPEECH.match(reported[0]):
            continue
        head, colon, rest = sentence.partition(": ")
        if colon or sentence.endswith(":"):
            announced = without_lead(plain(head)[0])
            if COMMAND.match(announced) or MATERIAL.search(announced):
                return
        asks = "?" in (mark[:1], mark[-1:])
        yield from _parts(
            f"{head}, {rest}" if rest else head, asks=asks, doubts=asks and bool(TAG.search(ending))
        )


def _sentences(text: str) -> Iterator[tuple[str, str]]:
    """Yield each sentence, its white space made single blanks, with the marks that end it."""
    start = 0
    for found in _BREAK.finditer(text):
        if found[0] == "." and _ABBREVIATION.search(text, max(start, found.start() - 5), found.start()):
            continue
        yield from _sentence(text[start : found.start()], found[0])
        start = found.end()
    yield from _sentence(text[start:], "")


def _sentence(text: str, mark: str) -> Iterator[tuple[str, str]]:
    if said := " ".join(_QUOTE.sub(_unquoted, text).split()):
        yield said, mark


def _unquoted(found: re.Match[str]) -> str:
    """A quoted name is a value; a quoted sentence is not the user's own."""
    quoted = found["a"] or found["b"] or found["c"] or ""
    return found["before"] + (quoted.strip() if found["before"].strip() and quoted.count(" ") < 3 else "")


def _parts(sentence: str, *, asks: bool, doubts: bool) -> Iterator[Clause]:
    """Yield a sentence's clauses. The last of a question asks, unless it gives the reason for asking."""
    pieces = list(_pieces(sentence, asks=asks))
    corrected = False
    for position, piece in enumerate(pieces, 1):
        words, cased = plain(piece.subject + piece.said)
        body = without_lead(words)
        if COMMAND.match(body) and DICTATION.search(body):
            return
        # "Actually, it is ...": what announces a correction may stand alone before it.
        corrected = corrects(words[: len(words) - len(body)]) or (corrected and position == 2)
        is_last = position == len(pieces) and not (piece.gives_reason and position > 1)
        is_question = bool(ASKS.match(body)) or doubts or (asks and is_last)
        prefers = bool(_PREFERRED.search(body))
        cased = cased[len(words) - len(body) :]
        if tail := _NOT_SO.search(body):
            body, cased = body[: tail.start()], cased[: tail.start()]
        body, cased = canonical(body, cased)
        yield Clause(
            said=piece.said.strip(" ,"),
            words=body,
            cased=cased,
            is_question=is_question,
            is_correction=corrected or prefers,
        )


def _pieces(sentence: str, *, asks: bool) -> Iterator[_Piece]:
    start, reason = 0, bool(_GIVES_REASON.match(sentence))
    for found in _JOINT.finditer(sentence):
        yield from _commas(sentence[start : found.start()], asks=asks, reason=reason)
        start, reason = found.end(), bool(_GIVES_REASON.search(found[0]))
    yield from _commas(sentence[start:], asks=asks, reason=reason)


def _commas(part: str, *, asks: bool, reason: bool) -> Iterator[_Piece]:
    """In a question, what stands before a comma may be a statement: "I'm diabetic, is this ok?"."""
    splits = asks and _SELF.search(part)
    for piece in _COMMA.split(part) if splits else [part]:
        for said, subject in _carried(piece):
            if said.strip(" ,"):
                yield _Piece(said, subject, reason)


def _carried(piece: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of `piece`, each with the subject it borrows from the one before."""
    first, *others = _CARRIED.split(piece)
    yield first, ""
    subject = "je " if _FRENCH_SELF.search(first) else "i " if _SELF.search(first) else ""
    for other in others:
        yield other, subject
