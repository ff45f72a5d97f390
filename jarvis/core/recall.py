"""How well fetched memories fit a query. Pure, and plain Python: 400 candidates take 2 ms, numpy's import 90.

    score = words + closeness + time + question + recency + importance + use

`words` is the share of the query that a memory and its neighbours say, by weight; `closeness` the cosine of
the meanings. Both lie between 0 and about 1 whatever the query and however many candidates there are: that
makes them fit to be added. Ranks, or scores normalised over the candidates, are not.

The constants were chosen on long dialogues in English and on planted facts in two languages; "flat" says
between which values no measure moved by more than chance. benchmarks/locomo.py measures them again.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import sqrt
from uuid import UUID

import msgspec

from jarvis.core.dates import named_times
from jarvis.core.languages import leaning, unaccented, word_set
from jarvis.core.memories import Memory
from jarvis.core.ports import Nearby
from jarvis.core.recall_store import Candidate, Seeds, Surroundings

# A word counts where it is said, and less where it is said nearby. An answer comes after what it answers, so
# the turn before counts more than the one after. Flat: .6 to .8, .25 to .75, .25 to .5.
JUST_BEFORE, JUST_AFTER, TWO_AWAY = 0.75, 0.5, 0.5
# BM25's saturation, of words that are there or not: turns are short, so their length means little.
SATURATION, LENGTH_COUNTS, LONGEST = 0.6, 0.3, 5.0
ALIKE = 0.5
"""The usual cosine of two turns told one after the other; of any two it is .1."""
CLOSENESS = 1.25
"""Of a cosine, against 1 for all words. Flat: .75 to 1.5; more finds paraphrases, less the very turn."""
ENOUGH = 0.5
"""Where nothing says this share of them, words tell less: it was said otherwise, or in another language."""
TOLD_THEN, TOLD_WITHIN = 0.3, timedelta(days=7)
"""Things are told in the week after they happen. Flat: .2 to .4."""
A_QUESTION = -0.2
"""What is itself a question seldom answers one. Flat: -.1 to -.3."""
# These three only tell apart what fits about equally well.
RECENCY, HALF_LIFE = 0.05, timedelta(days=30)
IMPORTANCE = 0.05
"""From -.025 to .025, and nothing for the usual .5. Twice as much, given by chance, costs .01 of hit@10."""
USE, USUAL_USES = 0.05, 4
"""Half of it after the usual uses: who is recalled must not be recalled for that alone."""

NEXT_TO = timedelta(hours=1)
"""What is told further apart, outside of any conversation, are no neighbours."""
NOWHERE = UUID(int=0)
DIGITS = 4

LANGUAGE_CHARS = 200
"""So much of a text tells its language."""

# They change nothing in what is said.
_FILLERS = word_set("""
    a ah alors an aussi bien des eh euh hey hi hmm juste la le les oh ok okay really so the tres uh um un une
    very vraiment well yeah yes
""")
_WORD = re.compile(r"\w+")


class Ranking:
    """Ranks candidates in two steps, so that the first can be done while similarities are still to come."""

    def __init__(self, query: str, seeds: Seeds, surroundings: Surroundings, *, now: datetime) -> None:
        """Do what needs no similarities: nearly all."""
        candidates = self._candidates = surroundings.candidates
        self._order = _order(surroundings)
        self._foreign = _foreign(query, candidates)
        self._words = _words(seeds, candidates, self._order, self._foreign)
        self._parts = {
            "time": _times(query, candidates, now),
            "question": [A_QUESTION * one.memory.content.rstrip().endswith("?") for one in candidates],
            "recency": _recency(candidates, now),
            "importance": [IMPORTANCE * (one.memory.importance - 0.5) for one in candidates],
            "use": [USE * one.use_count / (one.use_count + USUAL_USES) for one in candidates],
        }

    def best(self, nearby: Iterable[Nearby], *, limit: int) -> list[Memory]:
        """Return the `limit` best, the best first, each with its score and the parts that it is the sum of.

        Of those that say the same only the best one; never fewer than `limit` while there are that many.
        `nearby` is what the vector store knows of the candidates.
        """
        similarity = {one.id: one.similarity for one in nearby}
        own = _known([similarity.get(one.memory.id) for one in self._candidates])
        parts = {
            "words": _credited(self._words, own, self._foreign),
            "closeness": [CLOSENESS * one for one in _closeness(own, self._order)],
            **self._parts,
        }
        return _best(self._candidates, parts, limit)


class _Order(msgspec.Struct, frozen=True):
    """The places of what was told just before and after each; -1 for none, and the last entry is its own."""

    before: list[int]
    after: list[int]


def _order(surroundings: Surroundings) -> _Order:
    candidates = surroundings.candidates
    place = {one.memory.id: at for at, one in enumerate(candidates)}
    order = _Order(before=[-1] * (len(candidates) + 1), after=[-1] * (len(candidates) + 1))
    for window in surroundings.windows:
        places = [place[id_] for id_ in window]
        for at, then in pairwise(places):
            if order.after[at] != then and _are_neighbours(candidates[at], candidates[then]):
                order.before[then] = at
                order.after[at] = then
    return order


def _are_neighbours(one: Candidate, other: Candidate) -> bool:
    return one.told_in != NOWHERE or other.memory.created_at - one.memory.created_at <= NEXT_TO


def _words(
    seeds: Seeds, candidates: Sequence[Candidate], order: _Order, foreign: Sequence[bool]
) -> list[float]:
    """Return which share of the words each says itself or has nearby, by weight."""
    before, after, weights = order.before, order.after, _Weights(seeds.weights)
    total = sum(seeds.weights) or 1.0
    hits = [0 if is_foreign else one.hits for one, is_foreign in zip(candidates, foreign, strict=True)]
    values = [_value(one.size / max(1.0, seeds.usual_size)) for one in candidates]
    most = max((weights[words] * value for words, value in zip(hits, values, strict=True)), default=0.0)
    scale = min(1.0, most / total / ENOUGH) / total
    hits.append(0)  # nobody's
    values.append(0.0)
    shares: list[float] = []
    for at in range(len(candidates)):
        just_before, just_after = before[at], after[at]
        two_before, two_after = before[just_before], after[just_after]
        said = [
            (values[at], hits[at]),
            (values[just_before] * JUST_BEFORE, hits[just_before]),
            (values[just_after] * JUST_AFTER, hits[just_after]),
            (values[two_before] * TWO_AWAY, hits[two_before]),
            (values[two_after] * TWO_AWAY, hits[two_after]),
        ]
        said.sort(reverse=True)
        share, counted = 0.0, 0
        for value, words in said:  # each word where it counts most
            if new := words & ~counted:
                share += value * weights[new]
                counted |= new
        shares.append(scale * share)
    return shares


class _Weights(dict[int, float]):
    """What the words of a bit set weigh together; few sets come, and each of them often."""

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self._weights = weights

    def __missing__(self, words: int) -> float:
        weight = self[words] = sum(one for bit, one in enumerate(self._weights) if words >> bit & 1)
        return weight


def _value(length: float) -> float:
    """Return what a word counts for in a memory so many times as long as a usual one."""
    return (1 + SATURATION) / (1 + SATURATION * (1 - LENGTH_COUNTS + LENGTH_COUNTS * min(LONGEST, length)))


def _known(closeness: Sequence[float | None]) -> list[float]:
    """Return them; one whose vector is still to come is taken for usual."""
    known = [one for one in closeness if one is not None]
    usual = sum(known) / len(known) if known else 0.0
    return [usual if one is None else one for one in closeness]


def _closeness(own: Sequence[float], order: _Order) -> list[float]:
    """Return the cosine with each, or with it and its neighbours together where that is higher.

    That is what the sum of their vectors would have, were they as alike as neighbours usually are.
    """
    padded = [*own, 0.0]
    closeness: list[float] = []
    for alone, before, after in zip(own, order.before[:-1], order.after[:-1], strict=True):
        together = alone + JUST_BEFORE * padded[before] + JUST_AFTER * padded[after]
        closeness.append(max(alone, together / _LENGTHS[before >= 0, after >= 0]))
    return closeness


def _length(one: float, other: float) -> float:
    """Return the length of the sum of vectors of the lengths 1, `one` and `other`."""
    return sqrt(1 + one * one + other * other + 2 * ALIKE * (one + other + one * other))


_LENGTHS = {
    (False, False): 1.0,
    (True, False): _length(JUST_BEFORE, 0),
    (False, True): _length(0, JUST_AFTER),
    (True, True): _length(JUST_BEFORE, JUST_AFTER),
}


def _foreign(query: str, candidates: Sequence[Candidate]) -> list[bool]:
    """Return which are certainly of another language than the query."""
    asked = leaning(query[:LANGUAGE_CHARS])
    if not asked:
        return [False] * len(candidates)
    return [asked * leaning(one.memory.content[:LANGUAGE_CHARS]) < 0 for one in candidates]


def _credited(words: Sequence[float], own: Sequence[float], foreign: Sequence[bool]) -> Sequence[float]:
    """Give those of another language, which share no words, the best share of the others, or a part of it.

    That part is how near they come to the closest of all.
    """
    closest = max(own, default=0.0)
    if closest <= 0 or not any(foreign):
        return words
    best = max(
        (share for share, is_foreign in zip(words, foreign, strict=True) if not is_foreign), default=0.0
    )
    return [
        max(share, best * alone / closest) if is_foreign else share
        for share, alone, is_foreign in zip(words, own, foreign, strict=True)
    ]


def _recency(candidates: Sequence[Candidate], now: datetime) -> list[float]:
    now_s, half_life_s = now.timestamp(), HALF_LIFE.total_seconds()
    ages_s = [max(0.0, now_s - one.memory.created_at.timestamp()) for one in candidates]
    return [RECENCY * 0.5 ** (age_s / half_life_s) for age_s in ages_s]


def _times(query: str, candidates: Sequence[Candidate], now: datetime) -> list[float]:
    if not candidates:
        return []
    told = [one.memory.created_at for one in candidates]
    times = named_times(query, today=now.date(), years=range(min(told).year, max(told).year + 1))
    if not times:
        return [0.0] * len(told)
    return [TOLD_THEN * any(one.first <= at.date() <= one.last + TOLD_WITHIN for one in times) for at in told]


def _best(candidates: Sequence[Candidate], parts: dict[str, Sequence[float]], limit: int) -> list[Memory]:
    scores = [sum(values) for values in zip(*parts.values(), strict=True)]
    memories = [one.memory for one in candidates]
    order = sorted(
        range(len(memories)),
        key=lambda at: (scores[at], memories[at].created_at, memories[at].id),
        reverse=True,
    )
    best: list[Memory] = []
    said: set[tuple[str, ...]] = set()
    for at in order:
        if len(best) == limit:
            break
        gist = _gist(memories[at].content)
        if gist in said:
            continue
        said.add(gist)
        why = {name: round(values[at], DIGITS) for name, values in parts.items()}
        best.append(msgspec.structs.replace(memories[at], score=round(sum(why.values()), DIGITS), why=why))
    return best


def _gist(content: str) -> tuple[str, ...]:
    """Return the words that tell; memories that have the same ones say the same.

    In their order: from Paris to Lyon is not from Lyon to Paris.
    """
    words = _WORD.findall(unaccented(content).lower())
    return tuple(word for word in words if word not in _FILLERS) or tuple(words) or (content,)
