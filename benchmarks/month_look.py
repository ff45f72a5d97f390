"""A look at sentences one by one: what gate and rules make of each of a set. A set's figures mean most at its
first run, before its misses are read; once rules are mended on it, it only guards.
Run: `python -m benchmarks.month_look [--set blind|last] [--verbose]`.
"""

import argparse
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from jarvis.core.facts import Fact, contradicts, facts_in
from jarvis.core.gate import is_worth_keeping, refusal
from jarvis.core.languages import unaccented


class Sentences(msgspec.Struct, frozen=True, kw_only=True):
    """A set; what is told apart by language is tables. `month_blind.toml` says what each is."""

    facts: dict[str, list[tuple[str, str]]]
    changes: list[tuple[str, str, str, str]]
    secrets: list[str]
    no_secret: list[str]
    injections: list[str]
    no_injection: list[str]
    nothing: dict[str, list[str]]
    not_mine: dict[str, list[str]]
    anchors: list[str]
    life: dict[str, list[str]]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """`wrong` has those of the `count` sentences that came out otherwise than they should."""

    name: str
    count: int
    wrong: list[str]


def looks(said: Sentences) -> Iterator[Look]:
    """Yield a look at each class of sentences."""
    for language, told in said.facts.items():
        missed = [text for text, word in told if not _learned(text, word)]
        yield Look(name=f"facts learned, {language}", count=len(told), wrong=missed)
    still_open = [f"{change[0]} -> {change[2]}" for change in said.changes if not _supersedes(*change)]
    yield Look(name="superseded", count=len(said.changes), wrong=still_open)
    for name, texts in (("secrets", said.secrets), ("injections", said.injections)):
        yield Look(
            name=f"{name} refused", count=len(texts), wrong=[text for text in texts if not refusal(text)]
        )
    near = [*said.no_secret, *said.no_injection]
    yield Look(name="neighbours let through", count=len(near), wrong=[text for text in near if refusal(text)])
    anchors = [fact for text in said.anchors for fact in facts_in(text)]
    for language, texts in said.nothing.items():
        yield Look(name=f"nothing kept, {language}", count=len(texts), wrong=list(_kept(texts)))
    for language, texts in said.not_mine.items():
        yield Look(name=f"not mine, {language}", count=len(texts), wrong=list(_touching(texts, anchors)))
    for language, texts in said.life.items():
        missed = [text for text in texts if not is_worth_keeping(text)]
        yield Look(name=f"life kept, {language}", count=len(texts), wrong=missed)


def _facts(text: str) -> list[Fact]:
    return [] if refusal(text) else [*facts_in(text)]


def _learned(text: str, word: str) -> list[Fact]:
    plain = unaccented(word).lower()
    return [fact for fact in _facts(text) if fact.attribute and plain in unaccented(fact.content).lower()]


def _supersedes(first: str, old_word: str, then: str, new_word: str) -> bool:
    old, new = _learned(first, old_word), _learned(then, new_word)
    return bool(old and new) and all(any(contradicts(a, b) for b in new) for a in old)


def _kept(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        facts = [(fact.attribute, fact.value) for fact in _facts(text)]
        worth = not refusal(text) and is_worth_keeping(text)
        if facts or worth:
            yield f"{text}  {facts} {'episode' if worth else ''}"


def _touching(texts: Iterable[str], anchors: Iterable[Fact]) -> Iterator[str]:
    for text in texts:
        touched = [(b.attribute, b.value) for b in _facts(text) for a in anchors if contradicts(a, b)]
        if touched:
            yield f"{text}  {touched}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=("blind", "last"), default="blind")
    parser.add_argument("--verbose", action="store_true", help="print what came out wrong")
    options = parser.parse_args()
    path = Path(__file__).with_name(f"month_{options.set}.toml")
    for look in looks(msgspec.convert(tomllib.loads(path.read_text()), Sentences)):
        right = look.count - len(look.wrong)
        print(f"{look.name}: {right} of {look.count} ({100 * right / look.count:.0f} %)")
        if options.verbose:
            for text in look.wrong:
                print(f"    {text}")


if __name__ == "__main__":
    main()
