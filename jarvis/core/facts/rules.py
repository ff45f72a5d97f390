"""How a line of the rule tables reads, and how it becomes a pattern. Knows no language.

A pattern is a regular expression over plain words (`clauses.py`) from a clause's first word on, with slots:
`<kin> <pet> <thing> <event> <job>` a word of the vocabulary, `<name>` a proper name, `<phrase>` what follows
up to a comma.
"""
# ruff: noqa: E501 - a slot is read whole, on one line

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

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


class CompiledRule(NamedTuple):
    rule: Rule
    pattern: re.Pattern[str]


def _one_of(group: str, words: Iterable[str]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return rf"(?:(?P<{group}>{'|'.join(map(re.escape, longest_first))})s?\b)"


_SLOTS: Mapping[str, str] = {
    "<kin>": _one_of("kin", KIN),
    "<pet>": _one_of("pet", PET),
    "<thing>": _one_of("thing", THING),
    "<event>": _one_of("event", EVENT),
    "<job>": _one_of("job", JOB),
    "<name>": r"(?P<name>[^\W\d_][^\s,]*)",
    "<phrase>": r"(?P<phrase>[^\s,][^,]*)",
    "<age>": r"(?P<age>\d{1,3})\b",
    "<now>": r"(?:now |currently |still |actually |also |really |just |finally |already )?",
    "<la>": r"(?:maintenant |desormais |toujours |actuellement |aussi |vraiment |enfin |deja |finalement |bien )?",
}
_SLOT = re.compile(r"(?<!\?P)<\w+>")


def compiled(rules: Iterable[Rule]) -> dict[str, list[CompiledRule]]:
    """Return the rules by the first word of a clause they can match: each pattern starts with one, or with `a|b`."""
    table: dict[str, list[CompiledRule]] = {}
    for rule in rules:
        first, _, rest = rule.pattern.partition(" ")
        pattern = re.compile(f"(?:{first}) " + _SLOT.sub(lambda slot: _SLOTS[slot[0]], rest))
        for word in first.split("|"):
            table.setdefault(word, []).append(CompiledRule(rule, pattern))
    return table
