"""Ranking fetched memories."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from jarvis.core.memories import Memory
from jarvis.core.ports import Nearby
from jarvis.core.recall import IMPORTANCE, RECENCY, USE, Ranking
from jarvis.core.recall_store import Candidate, Seeds, Surroundings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TOLD = datetime(2025, 3, 1, tzinfo=UTC)
NOWHERE = UUID(int=0)
CONVERSATION = UUID(int=1 << 64)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate, with its similarity to the query if the vector store knows it."""

    candidate: Candidate
    closeness: float | None


def candidate(
    number: int,
    content: str = "",
    *,
    hits: int = 0,
    size: int = 10,
    closeness: float | None = None,
    told_at: datetime = TOLD,
    told_in: UUID = NOWHERE,
    importance: float = 0.5,
    use_count: int = 0,
) -> Known:
    memory = Memory(
        id=UUID(int=number),
        content=content or f"memory {number}",
        importance=importance,
        kind="fact",
        source=None,
        created_at=told_at,
        last_used_at=None,
    )
    one = Candidate(memory=memory, told_in=told_in, size=size, hits=hits, use_count=use_count)
    return Known(candidate=one, closeness=closeness)


def ranked(
    candidates: Sequence[Known],
    *,
    query: str = "?",
    weights: Sequence[float] = (1.0, 1.0),
    windows: Sequence[Sequence[int]] = (),
    limit: int = 10,
    now: datetime = NOW,
) -> list[Memory]:
    seeds = Seeds(words=["'a'", "'b'"], weights=list(weights), usual_size=10.0, ids=[])
    surroundings = Surroundings(
        candidates=[one.candidate for one in candidates],
        windows=[[UUID(int=n) for n in window] for window in windows],
    )
    nearby = [
        Nearby(id=one.candidate.memory.id, similarity=one.closeness)
        for one in candidates
        if one.closeness is not None
    ]
    return Ranking(query, seeds, surroundings, now=now).best(nearby, limit=limit)


def order(memories: Sequence[Memory]) -> list[int]:
    return [memory.id.int for memory in memories]


def part(memories: Sequence[Memory], number: int, name: str) -> float:
    (memory,) = [memory for memory in memories if memory.id.int == number]
    assert isinstance(memory.why, dict)
    return memory.why[name]


def test_nothing_to_rank_is_nothing() -> None:
    assert ranked([]) == []


def test_the_memory_with_more_of_the_words_by_weight_comes_first() -> None:
    found = ranked([candidate(1, hits=0b01), candidate(2, hits=0b10)], weights=[1.0, 3.0])
    assert order(found) == [2, 1]


def test_the_parts_of_a_score_are_its_sum() -> None:
    found = ranked(
        [
            candidate(1, "Is it so?", hits=0b11, closeness=0.4, importance=0.9, use_count=3),
            candidate(2, hits=0b01, closeness=0.123456, told_at=NOW - timedelta(days=1)),
        ],
        query="what in March 2025",
        windows=[[1, 2]],
    )
    for memory in found:
        assert isinstance(memory.why, dict)
        assert memory.score == pytest.approx(sum(memory.why.values()), abs=1e-9)
        assert set(memory.why) == {
            *("words", "closeness", "time", "question", "recency", "importance", "use")
        }
    assert part(found, 1, "time") > 0 > part(found, 1, "question")


def test_it_ranks_by_words_alone_while_there_are_no_vectors() -> None:
    found = ranked([candidate(1), candidate(2, hits=0b11), candidate(3, hits=0b01)])
    assert order(found)[:2] == [2, 3]
    assert part(found, 2, "closeness") == 0


def test_it_ranks_by_meaning_where_no_word_is_found() -> None:
    found = ranked([candidate(1, closeness=0.1), candidate(2, closeness=0.6)], weights=[])
    assert order(found) == [2, 1]


def test_a_memory_without_a_vector_yet_is_taken_for_usual() -> None:
    found = ranked([candidate(1, closeness=0.6), candidate(2), candidate(3, closeness=0.2)])
    assert order(found) == [1, 2, 3]
    assert part(found, 2, "closeness") == pytest.approx(
        (part(found, 1, "closeness") + part(found, 3, "closeness")) / 2
    )


def test_words_count_for_their_neighbours_and_less_the_further_away_they_are() -> None:
    found = ranked(
        [candidate(n, hits=0b11 if n == 3 else 0, told_in=CONVERSATION) for n in range(1, 7)],
        windows=[[1, 2, 3, 4, 5], [6]],
    )
    words = {n: part(found, n, "words") for n in range(1, 7)}
    assert words[3] > words[4] > words[2] > 0
    assert words[4] == pytest.approx(0.75 * words[3], abs=1e-3)
    assert words[1] == words[5] == pytest.approx(0.5 * words[3], abs=1e-3)
    assert words[6] == 0


def test_words_said_one_after_the_other_add_up_and_the_same_word_twice_does_not() -> None:
    found = ranked(
        [
            candidate(1, hits=0b01, told_in=CONVERSATION),
            candidate(2, hits=0b10, told_in=CONVERSATION),
            candidate(11, hits=0b01, told_in=CONVERSATION),
            candidate(12, hits=0b01, told_in=CONVERSATION),
        ],
        windows=[[1, 2], [11, 12]],
    )
    assert part(found, 2, "words") > part(found, 12, "words") == part(found, 11, "words")


def test_outside_of_conversations_only_what_is_told_within_the_hour_are_neighbours() -> None:
    apart = [
        candidate(1, hits=0b11),
        candidate(2, told_at=TOLD + timedelta(minutes=59)),
        candidate(3, told_at=TOLD + timedelta(hours=3)),
    ]
    found = ranked(apart, windows=[[1, 2, 3]])
    assert part(found, 2, "words") > 0 == part(found, 3, "words")
    together = [
        msgspec.structs.replace(one, candidate=msgspec.structs.replace(one.candidate, told_in=CONVERSATION))
        for one in apart
    ]
    assert part(ranked(together, windows=[[1, 2, 3]]), 3, "words") > 0


def test_the_vectors_of_neighbours_can_only_help() -> None:
    candidates = [candidate(1, closeness=0.5), candidate(2, closeness=0.5), candidate(3, closeness=-0.2)]
    alone = ranked(candidates)
    found = ranked(candidates, windows=[[1, 2], [3]])
    assert part(found, 2, "closeness") > part(alone, 2, "closeness")
    mixed = ranked(candidates, windows=[[1, 3], [2]])
    assert part(mixed, 1, "closeness") == part(alone, 1, "closeness")
    assert part(mixed, 3, "closeness") > part(alone, 3, "closeness")


def test_long_memories_are_worth_a_little_less_for_the_same_words() -> None:
    found = ranked([candidate(1, hits=0b11, size=8), candidate(2, hits=0b11, size=40)])
    assert order(found) == [1, 2]
    assert part(found, 2, "words") > 0.5 * part(found, 1, "words")


def test_words_tell_less_where_nothing_has_half_of_them() -> None:
    candidates = [candidate(1, hits=0b01, closeness=0.1), candidate(2, closeness=0.17)]
    assert order(ranked(candidates, weights=[1.0, 9.0])) == [2, 1]
    candidates.append(candidate(3, hits=0b10))
    assert order(ranked(candidates, weights=[1.0, 9.0])) == [3, 1, 2]


def test_a_memory_in_the_other_language_is_ranked_by_its_meaning() -> None:
    french = "Ma sœur est allergique aux arachides et elle ne mange pas de noix"
    english = [
        candidate(1, "The table is in the garden", hits=0b01, closeness=0.5),
        candidate(2, "It was a good day for all of us", closeness=0.4),
    ]
    query = "what is my sister allergic to"
    assert order(ranked([candidate(3, french, closeness=0.6), *english], query=query))[0] == 3
    found = ranked([candidate(3, french, closeness=0.1, hits=0b11), *english], query=query)
    assert order(found)[0] == 1
    assert part(found, 3, "words") <= part(found, 1, "words") / 2


def test_words_of_no_certain_language_are_shared_by_both() -> None:
    wifi = candidate(1, "Wifi: Freebox-4711", hits=0b11, closeness=0.1)
    found = ranked([wifi, candidate(2, "Il fait beau", closeness=0.2)], query="quel est le nom du wifi ?")
    assert order(found)[0] == 1


def test_what_was_told_in_the_week_after_a_named_time_gains() -> None:
    told = {1: datetime(2025, 5, 1, tzinfo=UTC), 2: datetime(2025, 5, 20, 12, tzinfo=UTC)}
    candidates = [candidate(n, hits=0b01, told_at=at) for n, at in told.items()]
    assert order(ranked(candidates, query="what did I see on 14 May 2025")) == [2, 1]
    assert order(ranked(candidates, query="qu'ai-je vu le 30 avril")) == [1, 2]
    found = ranked(candidates, query="what did I see in 2025")
    assert part(found, 1, "time") == part(found, 2, "time") == 0


def test_a_question_comes_after_the_answer() -> None:
    found = ranked([candidate(1, "Where is it? ", hits=0b11), candidate(2, "There it is", hits=0b11)])
    assert order(found) == [2, 1]


@pytest.mark.parametrize(
    ("better", "bound"),
    [
        pytest.param(candidate(1, hits=0b01, told_at=NOW), RECENCY, id="recency"),
        pytest.param(candidate(1, hits=0b01, importance=1.0), IMPORTANCE / 2, id="importance"),
        pytest.param(candidate(1, hits=0b01, use_count=1000), USE, id="use"),
    ],
)
def test_recency_importance_and_use_decide_between_equals_only(better: Known, bound: float) -> None:
    usual = candidate(2, hits=0b01, told_at=TOLD - timedelta(days=3))
    found = ranked([usual, better, candidate(3, hits=0b11)])
    assert order(found) == [3, 1, 2]
    scores = [memory.score for memory in found]
    assert isinstance(scores[1], float)
    assert isinstance(scores[2], float)
    assert 0 < scores[1] - scores[2] <= bound + 1e-4


def test_a_memory_from_the_future_is_no_more_recent_than_one_of_now() -> None:
    found = ranked([candidate(1, told_at=NOW + timedelta(days=900))])
    assert part(found, 1, "recency") == RECENCY


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("My sister Claire is allergic to peanuts.", "my sister claire is allergic to PEANUTS!"),
        ("I love hiking in the Alps", "Oh, I really love hiking in Alps"),
        ("J'ai un chat", "j\u2019ai un chat."),
        ("Où est l'école ?", "ou est l'ecole"),
    ],
)
def test_of_memories_that_say_the_same_only_the_best_is_kept(one: str, other: str) -> None:
    twins = [candidate(1, one, hits=0b01), candidate(2, other, hits=0b11)]
    assert order(ranked([*twins, candidate(3)], limit=2)) == [2, 3]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I park on level 3", "I park on level 4"),
        ("I flew from Paris to Lyon", "I flew from Lyon to Paris"),
        ("I do eat meat", "I do not eat meat"),
        ("???", "!!!"),
        ("le", "la"),
    ],
)
def test_what_says_another_thing_is_kept(one: str, other: str) -> None:
    assert len(ranked([candidate(1, one), candidate(2, other)])) == 2


def test_there_are_as_many_as_asked_for_while_there_are_that_many_distinct_ones() -> None:
    candidates = [candidate(n, f"memory {n % 30}", closeness=n / 100) for n in range(60)]
    assert len(ranked(candidates, limit=30)) == 30
    assert len(ranked(candidates, limit=29)) == 29
    assert len(ranked(candidates, limit=60)) == 30


def test_equal_scores_are_told_newest_first_whatever_the_order_they_came_in() -> None:
    candidates = [candidate(n, told_at=TOLD - timedelta(days=1000 * (n % 3))) for n in range(1, 7)]
    assert order(ranked(candidates)) == order(ranked(candidates[::-1]))
