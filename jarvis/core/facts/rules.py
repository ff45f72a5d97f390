"""How a line of the rule tables reads, and how it becomes a pattern. Knows no language.

A pattern is a regular expression over canonical words (`canonical.py`) from a clause's first word on (`*`: any), with
slots: `<kin> <pet> <thing> <event> <job> <nationality> <trait>` a word of the vocabulary, `<condition>` what people
suffer from, `<name>` a proper name, `<phrase>` what follows up to a comma.
"""
# ruff: noqa: E501 - a slot is read whole, on one line

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Literal, NamedTuple

from jarvis.core.facts.traits import CAR, CONDITION, NATIONALITY, TRAIT
from jarvis.core.facts.vocabulary import EVENT, JOB, KIN, PET, THING

FactKind = Literal["fact", "preference"]


class Rule(NamedTuple):
    """One way to say something. `attribute` may name slots (`pet.{pet}.name`), `value` too."""

    attribute: str
    pattern: str
    value: str = "{name}"
    kind: FactKind = "fact"
    importance: float = 0.7
    capital: bool = False
    """The name must be written with a capital: `je viens de Lyon`, not `je viens de manger`."""
    corrects: bool = False


def _one_of(group: str, words: Iterable[str], more: str = "") -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return rf"(?:(?P<{group}>{'|'.join(map(re.escape, longest_first))}{more})s?\b)"


# Words for trades that no list has all of.
_TRADE = (
    r"|(?:[a-z-]+ )?[a-z]{2,}(?:ologist|ographer|iatrist|ician|apist|maker|keeper|smith|analyst|instructor|inspector|administrator|attendant"
    r"|ologue|ographe|iatre|icienne?|inateur|inatrice|onnier|onniere|lier|liere|tier|tiere)|(?:[a-z]+ )(?:officer|driver|teacher|designer|worker|technician|coach|consultant|operator|director|agent|clerk|engineer|manager|assistant|nurse|developer)"
    r"|(?:technicien|charge|chargee|responsable|assistante?|agent|agente|ingenieure?|conducteur|conductrice|chef|cheffe|professeure?|prof|directeur|directrice|conseiller|conseillere|employee?|ouvriere?) (?:de |d |en |des )[a-z]+"
)
_SLOTS: Mapping[str, str] = {
    "<kin>": _one_of("kin", KIN),
    "<pet>": _one_of("pet", PET),
    "<thing>": _one_of("thing", THING),
    "<event>": _one_of("event", EVENT),
    "<job>": _one_of("job", JOB, _TRADE),
    "<nationality>": _one_of("nationality", NATIONALITY),
    "<trait>": _one_of("trait", TRAIT),
    "<condition>": rf"(?P<condition>{CONDITION})\b",
    "<carname>": rf"(?P<carname>(?:\w+ ){{0,2}}?(?:{CAR})\b[^,]*)",
    "<name>": r"(?P<name>[^\W\d_][^\s,]*)",
    "<phrase>": r"(?P<phrase>[^\s,][^,]*)",
    "<age>": r"(?P<age>\d{1,3})\b",
}
_SLOT = re.compile(r"(?<!\?P)<\w+>")


class RuleBook:
    """Rules by the first word of the clauses they can match, each made a pattern when it is first needed."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._of_any: list[Rule] = []
        self._of_word: dict[str, list[Rule]] = {}
        for rule in rules:
            first, _, rest = rule.pattern.partition(" ")
            if first == "*":
                for known in self._of_word.values():
                    known.append(rule._replace(pattern=rest))
                self._of_any.append(rule._replace(pattern=rest))
                continue
            for word in first.split("|"):
                self._of_word.setdefault(word, [*self._of_any]).append(
                    rule._replace(pattern=f"{word} {rest}")
                )

    def opening(self, word: str) -> list[Rule]:
        return self._of_word.get(word, self._of_any)


@cache
def pattern_of(rule: Rule) -> re.Pattern[str]:
    return re.compile(_SLOT.sub(lambda slot: _SLOTS[slot[0]], rule.pattern))
