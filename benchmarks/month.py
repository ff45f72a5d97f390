"""A scripted month: generated dialogues of ten people in French and English with the truth beside them, run
through the write gate and the fact rules. Run: `python -m benchmarks.month [--seed N] [--half ...]`.
"""
# ruff: noqa: E501 - tables and report lines read best whole

import argparse
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmarks import month_phrases as said
from jarvis.core.facts import Fact, contradicts, facts_in
from jarvis.core.gate import is_echo, is_worth_keeping, refusal
from jarvis.core.languages import Language, unaccented

Half = Literal["seen", "held", "fresh"]
Kind = Literal["fact", "change", "life", "small talk", "request", "secret", "injection", "echo"]
JUNK: frozenset[Kind] = frozenset(("small talk", "request", "secret", "injection", "echo"))
COUNTS: dict[Kind, int] = {
    "fact": 300, "change": 100, "secret": 50, "injection": 50, "echo": 200, "small talk": 6000, "request": 2000, "life": 1300,
}  # fmt: skip
PEOPLE = 10
LANGUAGES: tuple[Language, Language] = ("en", "fr")


@dataclass(frozen=True, kw_only=True)
class Turn:
    """`key` and `value` say what a planted turn is about; an echo's text is made when it is its turn."""

    person: int
    text: str
    kind: Kind
    language: Language
    key: str = ""
    value: str = ""
    form: str = ""


@dataclass(kw_only=True)
class Row:
    """A memory as it would be stored; times are positions in the month."""

    text: str
    turn: Turn
    fact: Fact | None
    valid_from: int
    valid_to: int | None = None


@dataclass(kw_only=True)
class Outcome:
    rows: list[Row] = field(default_factory=list[Row])
    lost: list[Turn] = field(default_factory=list[Turn])
    kept_junk: list[Turn] = field(default_factory=list[Turn])
    superseded: Counter[bool] = field(default_factory=Counter[bool])
    not_superseded: list[str] = field(default_factory=list[str])
    as_of: Counter[bool] = field(default_factory=Counter[bool])
    seen: Counter[Kind] = field(default_factory=Counter[Kind])
    took_ms: list[float] = field(default_factory=list[float])


class Script:
    """Draws the turns of a month from one half of the phrases."""

    def __init__(self, *, seed: int, half: Half, language: Language | None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a repeatable month, no secret
        self._half = half
        self._language: Language | None = language

    def turns(self) -> list[Turn]:
        """Return the month in order: every change comes after the fact that it changes."""
        chance = self._random
        placed: list[tuple[float, Turn]] = []
        for kind in ("small talk", "request", "life", "secret", "injection", "echo"):
            placed += [(chance.random(), self._filler(kind)) for _ in range(COUNTS[kind])]
        for person in range(PEOPLE):
            for first, change in self._told(person):
                at = chance.uniform(0, 0.45 if change else 1)
                placed.append((at, first))
                if change:
                    placed.append((chance.uniform(at + 0.05, 1), change))
        return [turn for _, turn in sorted(placed, key=lambda item: item[0])]

    def _told(self, person: int) -> Iterator[tuple[Turn, Turn | None]]:
        """Yield 30 facts of a person, ten of which change."""
        singles = [*(said.FRESH_FACTS if self._half == "fresh" else said.FAMILIES)]
        self._random.shuffle(singles)
        for position, key in enumerate(singles):
            values, phrases = said.FAMILIES[key]
            if self._half == "fresh":  # one tuple each for both places that a half has
                phrases = {
                    tongue: ((first, first), (change, change))
                    for tongue, (first, change) in said.FRESH_FACTS[key].items()
                }
            old, new = self._random.sample(values, 2)
            language = self._tongue()
            first = self._planted(person, "fact", language, phrases[language][0], old, key)
            language = self._tongue()
            yield (
                first,
                self._planted(person, "change", language, phrases[language][1], new, key)
                if position < 8
                else None,
            )
        likes = self._random.sample(said.DRINKS, 9)
        for position, topic in enumerate(likes):
            key, language, other = f"preference.{topic[0]}", self._tongue(), self._tongue()
            yield (
                self._planted(person, "fact", language, said.LIKES[language], topic, key, value="like"),
                self._planted(person, "change", other, said.DISLIKES[other], topic, key, value="dislike")
                if position < 2
                else None,
            )
        for key, (values, phrases) in said.MANY.items():
            for value in self._random.sample(values, 2):
                language = self._tongue()
                yield self._planted(person, "fact", language, phrases[language], value, key), None

    def _planted(
        self,
        person: int,
        kind: Kind,
        language: Language,
        phrases: said.Phrases,
        surface: tuple[str, str],
        key: str,
        value: str = "",
    ) -> Turn:
        words = surface[LANGUAGES.index(language)]
        form = self._pick(phrases)
        text = (
            self._random.choice(said.LEADS[language])
            + form.format(v=words)
            + self._random.choice(said.TAILS[language])
        )
        return Turn(
            person=person,
            text=self._noisy(text, words),
            kind=kind,
            language=language,
            key=key,
            value=value or words,
            form=form,
        )

    def _filler(self, kind: Kind) -> Turn:
        language = self._tongue()
        tables = {"small talk": said.SMALL_TALK, "request": said.REQUESTS, "life": said.LIFE, "secret": said.SECRETS, "injection": said.INJECTIONS, "echo": said.ECHOES}  # fmt: skip
        chance = self._random
        form = (
            chance.choice(said.FRESH[language][kind])
            if self._half == "fresh"
            else self._pick(tables[kind][language])
        )
        secret = "".join(chance.choices("abcdefghjkmnpqrstuvwxyz23456789", k=24)) + "7x"
        holes = {
            "c": chance.choice(said.CITIES), "p": chance.choice(said.PEOPLE), "f": chance.choice(said.FIRMS), "k": secret,
            "w": chance.choice(("hunter2", "Soleil-2024", "tr0ub4dor&3", "swordfish", "azerty123!")), "pin": chance.choice(("4821", "0937")),
            "card": chance.choice(("4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005")),
        }  # fmt: skip
        text = form
        if kind != "echo":
            for name, value in holes.items():
                text = text.replace("{" + name + "}", value)
        noisy = self._noisy(text, "") if kind in {"small talk", "request", "life"} else text
        return Turn(person=chance.randrange(PEOPLE), text=noisy, kind=kind, language=language, form=form)

    def _tongue(self) -> Language:
        if self._language:
            return self._language
        return "en" if self._random.random() < 0.5 else "fr"

    def _pick(self, phrases: said.Phrases) -> str:
        return self._random.choice(phrases[0 if self._half == "seen" else 1])

    def _noisy(self, text: str, value: str) -> str:
        """As people type: capitals, no accents or apostrophes, a slip of the finger outside the value."""
        chance, draw = self._random, self._random.random()
        if draw < 0.35:
            return text
        if draw < 0.55:
            return text[0].upper() + text[1:]
        if draw < 0.7:
            return unaccented(text)
        if draw < 0.85:
            return text.lower()
        if draw < 0.92:
            return text.replace("'", "\u2019")
        words = text.split(" ")
        long = [i for i, word in enumerate(words) if len(word) > 7 and word.isalpha() and word not in value]
        if long:
            at = chance.choice(long)
            middle = chance.randrange(2, len(words[at]) - 2)
            words[at] = (
                words[at][:middle] + words[at][middle + 1] + words[at][middle] + words[at][middle + 2 :]
            )
        return " ".join(words)


def remember(turns: Sequence[Turn], *, seed: int) -> Outcome:
    """Run the month through gate and rules as the server does, row by row."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    outcome = Outcome()
    rows: dict[int, list[Row]] = defaultdict(list)
    planted: dict[tuple[int, str], list[tuple[int, Turn]]] = defaultdict(list)
    for at, turn in enumerate(turns):
        mine = rows[turn.person]
        told = [row.text for row in chance.sample(mine, min(5, len(mine)))]
        text = turn.text
        if turn.kind == "echo":
            if not told:
                continue
            text = text.replace("{t}", chance.choice(told).rstrip(".!?"))
        outcome.seen[turn.kind] += 1
        started = time.perf_counter()
        kept = _kept(text, told, turn, at)
        outcome.took_ms.append(1000 * (time.perf_counter() - started))
        if kept and turn.kind in JUNK:
            outcome.kept_junk += [
                Turn(person=turn.person, text=text, kind=turn.kind, language=turn.language)
            ] * len(kept)
        _supersede(mine, kept, at)
        mine += kept
        if turn.kind in {"fact", "change"}:
            planted[turn.person, turn.key].append((at, turn))
            if not any(_says(row, turn) for row in kept):
                outcome.lost.append(turn)
        elif turn.kind == "life" and not is_worth_keeping(text):
            outcome.lost.append(turn)
    outcome.rows = [row for mine in rows.values() for row in mine]
    for (person, _), versions in planted.items():
        if len(versions) == 2 and versions[1][1].kind == "change":
            _judge(rows[person], versions, outcome)
    return outcome


def _kept(text: str, told: Sequence[str], turn: Turn, at: int) -> list[Row]:
    if refusal(text) or is_echo(text, told):
        return []
    kept = [Row(text=fact.content, turn=turn, fact=fact, valid_from=at) for fact in facts_in(text)]
    if is_worth_keeping(text):
        kept.append(Row(text=text, turn=turn, fact=None, valid_from=at))
    return kept


def _supersede(mine: Sequence[Row], kept: Sequence[Row], at: int) -> None:
    for row in kept:
        for old in mine:
            if row.fact and old.fact and old.valid_to is None and contradicts(old.fact, row.fact):
                old.valid_to = at


def _says(row: Row, turn: Turn) -> bool:
    if row.fact is None or not row.fact.attribute:
        return False
    if turn.key.startswith("preference.") and turn.value in {"like", "dislike"}:
        return row.fact.value == turn.value
    told = unaccented(turn.value).lower().split()
    return unaccented(row.fact.content).lower().count(told[-1]) > 0


def _judge(rows: Sequence[Row], versions: Sequence[tuple[int, Turn]], outcome: Outcome) -> None:
    """Whether the change closed the old fact, and whether both times' questions find their own answer."""
    (first_at, first), (changed_at, change) = versions
    old = [row for row in rows if row.turn is first and _says(row, first)]
    new = [row for row in rows if row.turn is change and _says(row, change)]
    closed = bool(old and new) and all(row.valid_to == changed_at for row in old)
    outcome.superseded[closed] += 1
    if not closed:
        outcome.not_superseded.append(
            f"{first.text!r} -> {change.text!r}: {[r.fact.attribute for r in (*old, *new) if r.fact]}"
        )
    for at, right in (((first_at + changed_at) // 2, first), (changed_at + 1, change)):
        attributes = {row.fact.attribute for row in (*old, *new) if row.fact}
        valid = [
            row
            for row in rows
            if row.fact
            and row.fact.attribute in attributes
            and row.valid_from <= at
            and (row.valid_to is None or row.valid_to > at)
        ]
        outcome.as_of[bool(valid) and all(row.turn is right for row in valid)] += 1


def report(outcome: Outcome, *, title: str, verbose: bool) -> None:
    junk = Counter(turn.kind for turn in outcome.kept_junk)
    lost = Counter(turn.kind for turn in outcome.lost)
    took = sorted(outcome.took_ms)
    print(
        f"{title}: kept {len(outcome.rows)} rows, junk {100 * len(outcome.kept_junk) / len(outcome.rows):.1f} % {dict(junk)}; "
        f"lost {dict(lost)} of { {kind: outcome.seen[kind] for kind in ('fact', 'change', 'life')} }; "
        f"superseded {_share(outcome.superseded)}, as-of {_share(outcome.as_of)}; "
        f"per turn p50 {took[len(took) // 2]:.2f} p99 {took[len(took) * 99 // 100]:.2f} max {took[-1]:.2f} ms"
    )
    if verbose:
        for name, texts in (
            ("junk", [t.text for t in outcome.kept_junk]),
            ("lost", [t.text for t in outcome.lost]),
            ("open", outcome.not_superseded),
        ):
            for text, times in Counter(texts).most_common(70):
                print(f"   {name} {times} x {text!r}")


def _share(counts: Counter[bool]) -> str:
    return f"{100 * counts[True] / max(1, counts.total()):.1f} % of {counts.total()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--half", choices=("seen", "held", "fresh"))
    parser.add_argument(
        "--verbose", action="store_true", help="print what was kept, lost or left open wrongly"
    )
    options = parser.parse_args()
    halves: tuple[Half, ...] = (options.half,) if options.half else ("seen", "held", "fresh")
    for half in halves:
        for language in (None, *LANGUAGES):
            turns = Script(seed=options.seed, half=half, language=language).turns()
            title = f"{half}, {language or 'both languages'}, seed {options.seed}, {len(turns)} turns"
            report(
                remember(turns, seed=options.seed), title=title, verbose=options.verbose and language is None
            )


if __name__ == "__main__":
    main()
