"""`python -m benchmarks.locomo [folder]`: how well recall finds what was said, on LoCoMo's dialogues.

Maharana et al. 2024 (snap-research/LoCoMo, CC BY-NC 4.0): the data is not part of Jarvis. It is looked for in
`folder`, LOCOMO_FOLDER or ../shared/eval. Prints Markdown; nothing here decides a test.
"""

import os
import random
import re
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import uvloop

from benchmarks.memory_stand import Fetched, MemoryStand, memory_stand
from benchmarks.report import table
from jarvis.core.memories import Memory, NewMemory
from jarvis.core.recall_store import Surroundings
from jarvis.telemetry import configure_logging

FILE = "locomo_dev.json"
GOALS = {"hit@1": 0.35, "hit@10": 0.85, "MRR": 0.51}
DRAWS = 2000
LIMIT = 10


class Question(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    evidence: frozenset[UUID]
    fetched: Fetched


Rank = Callable[[Fetched], Sequence[Memory]]


def conversations(path: Path) -> Iterable[dict[str, Any]]:
    yield from msgspec.json.decode(path.read_bytes())


def turns(conversation: dict[str, Any], *, speakers: bool = True) -> dict[str, NewMemory]:
    """Return what was said, in order, by LoCoMo's own names; a minute apart from the session's start."""
    said: dict[str, NewMemory] = {}
    told = conversation["conversation"]
    sessions = sorted(
        (key for key in told if re.fullmatch(r"session_\d+", key)), key=lambda key: int(key[8:])
    )
    for session in sessions:
        begun_at = datetime.strptime(told[f"{session}_date_time"], "%I:%M %p on %d %B, %Y").replace(
            tzinfo=UTC
        )
        for number, turn in enumerate(told[session]):
            content = f"{turn['speaker']}: {turn['text']}" if speakers else turn["text"]
            said[turn["dia_id"]] = NewMemory(
                content=content, kind="episode", created_at=begun_at + timedelta(minutes=number)
            )
    return said


async def questions_of(
    stand: MemoryStand, conversation: dict[str, Any], *, speakers: bool = True
) -> list[Question]:
    """Tell a user of its own everything, then fetch for each question that has evidence."""
    name = conversation["sample_id"]
    user = await stand.user(name if speakers else f"{name}, without speakers")
    said = turns(conversation, speakers=speakers)
    ids = dict(zip(said, await stand.tell(user, list(said.values())), strict=True))
    await stand.settle()
    return [
        Question(
            text=one["question"],
            evidence=frozenset(ids[turn] for turn in one["evidence"] if turn in ids),
            fetched=await stand.fetch(user, one["question"]),
        )
        for one in conversation["qa"]
        if one.get("evidence")
    ]


def places(questions: Iterable[Question], rank: Rank) -> list[int]:
    """Return where the first evidence stands among the first ten, from 1; 0 for nowhere."""
    found: list[int] = []
    for question in questions:
        ranked = [memory.id for memory in rank(question.fetched)[:LIMIT]]
        found.append(next((at for at, id_ in enumerate(ranked, start=1) if id_ in question.evidence), 0))
    return found


def measures(found: Sequence[int]) -> dict[str, float]:
    return {
        **{f"hit@{k}": statistics.fmean(0 < place <= k for place in found) for k in (1, 5, 10)},
        "MRR": statistics.fmean(1 / place if place else 0.0 for place in found),
    }


def intervals(found: Sequence[int]) -> dict[str, tuple[float, float]]:
    """Return the 95 % intervals of a bootstrap over the questions."""
    chance = random.Random(0)  # noqa: S311 - resampling
    drawn = [measures(chance.choices(found, k=len(found))) for _ in range(DRAWS)]
    return {
        name: (cuts[0], cuts[-1])
        for name in drawn[0]
        if (cuts := statistics.quantiles([one[name] for one in drawn], n=40))
    }


def whole(fetched: Fetched) -> list[Memory]:
    return fetched.ranked(limit=LIMIT)


def without(*parts: str) -> Rank:
    """Rank by the score less some of its parts."""

    def rank(fetched: Fetched) -> list[Memory]:
        def rest(memory: Memory) -> float:
            assert isinstance(memory.score, float)
            assert isinstance(memory.why, dict)
            return memory.score - sum(memory.why[part] for part in parts)

        return sorted(fetched.ranked(limit=len(fetched.surroundings.candidates)), key=rest, reverse=True)

    return rank


def without_vectors(fetched: Fetched) -> list[Memory]:
    """Rank what there is when no vector can be had: neither found by meaning nor compared."""
    return msgspec.structs.replace(_among(fetched, fetched.by_words), nearby=[]).ranked(limit=LIMIT)


def without_neighbours(fetched: Fetched) -> list[Memory]:
    surroundings = msgspec.structs.replace(fetched.surroundings, windows=[])
    return msgspec.structs.replace(fetched, surroundings=surroundings).ranked(limit=LIMIT)


def only_by(seeds: str) -> Rank:
    return lambda fetched: _among(fetched, getattr(fetched, seeds)).ranked(limit=LIMIT)


def _among(fetched: Fetched, seeds: frozenset[UUID]) -> Fetched:
    """Keep the windows that have some seeds: a few round other seeds too, so this is a little too kind."""
    windows = [window for window in fetched.surroundings.windows if seeds.intersection(window)]
    kept = {id_ for window in windows for id_ in window}
    candidates = [one for one in fetched.surroundings.candidates if one.memory.id in kept]
    surroundings = Surroundings(candidates=candidates, windows=windows)
    return msgspec.structs.replace(fetched, surroundings=surroundings)


ABLATIONS: dict[str, Rank] = {
    "everything": whole,
    "without words": without("words"),
    "without closeness": without("closeness"),
    "without neighbours": without_neighbours,
    "without named times": without("time"),
    "without lowering questions": without("question"),
    "without recency, importance, use (equal here)": without("recency", "importance", "use"),
    "found by words only, ranked by all": only_by("by_words"),
    "found by meaning only, ranked by all": only_by("by_meaning"),
    "no vectors at all (the store is away)": without_vectors,
}


def row(name: str, found: Sequence[int]) -> list[str]:
    return [name, str(len(found)), *(f"{value:.3f}" for value in measures(found).values())]


async def main() -> int:
    configure_logging("WARNING", "console")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LOCOMO_FOLDER", "../shared/eval"))
    if not (folder / FILE).is_file():
        print(f"Skipped: there is no {FILE} in {folder}. Name its folder: python -m benchmarks.locomo FOLDER")
        return 0
    async with memory_stand() as stand:
        told = list(conversations(folder / FILE))
        by_conversation = {one["sample_id"]: await questions_of(stand, one) for one in told}
        mute = [question for one in told for question in await questions_of(stand, one, speakers=False)]
    _print(by_conversation, mute)
    return 0


def _print(by_conversation: dict[str, list[Question]], mute: list[Question]) -> None:
    questions = [question for some in by_conversation.values() for question in some]
    head = ["", "questions", "hit@1", "hit@5", "hit@10", "MRR"]
    found = places(questions, whole)
    bounds = intervals(found)
    print("# Recall on LoCoMo\n")
    print(
        table([head, row("all", found), ["95 %", "", *(f"{a:.3f} to {b:.3f}" for a, b in bounds.values())]])
    )
    figures = measures(found)
    print(
        "\n"
        + ", ".join(
            f"{name} {figures[name]:.3f} (goal {goal}: {'met' if figures[name] >= goal else 'missed'})"
            for name, goal in GOALS.items()
        )
    )
    print(
        "\n"
        + table(
            [
                head,
                *(row(name, places(some, whole)) for name, some in by_conversation.items()),
                row("without speakers in the content", places(mute, whole)),
            ]
        )
    )
    print("\n## What each signal brings\n")
    print(table([head, *(row(name, places(questions, rank)) for name, rank in ABLATIONS.items())]))


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
