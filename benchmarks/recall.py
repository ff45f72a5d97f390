"""`python -m benchmarks.recall`: facts found in and across languages, and how long recall takes.

Prints Markdown; nothing here decides a test.
"""

import os
import random
import statistics
import sys
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from uuid import UUID

import numpy as np
import uvloop
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.locomo import Rank, only_by, whole, without, without_vectors
from benchmarks.memory_stand import Fetched, MemoryStand, memory_stand
from benchmarks.planted import FACTS, dialogue
from benchmarks.recall_queries import VOCABULARY, WORDS, query
from benchmarks.recalling import measure_recalling
from benchmarks.report import figures_table, table
from benchmarks.stand import stand as turns_stand
from jarvis.adapters.postgres.driver import connect
from jarvis.core.memories import NewMemory
from jarvis.core.types import User
from jarvis.telemetry import configure_logging

Matrix = NDArray[np.float32]

SENTENCES = 1_000
BEGUN_AT = datetime(2025, 1, 1, tzinfo=UTC)
SAME, ACROSS = "same language", "across"
GOALS = {SAME: 0.95, ACROSS: 0.85}
SIGNALS: dict[str, Rank] = {
    "everything": whole,
    "without words": without("words"),
    "without closeness": without("closeness"),
    "found by words only, ranked by all": only_by("by_words"),
    "no vectors at all": without_vectors,
}

SIZES = {1_000: None, 10_000: 30.0, 100_000: 60.0}
"""Memories of one user, and the p95 in milliseconds that recall should take at most."""
QUERIES, WARMING = 200, 20
DIMENSIONS = 512
# Words as in recall_queries. A dozen memories to a conversation.
FILL = """
INSERT INTO memories (id, user_id, kind, content, source, created_at, indexed_at)
SELECT gen_random_uuid(), $1, 'episode', (
           SELECT string_agg('word' || floor(exp(random() * ln($3::int)))::int, ' ')
             FROM generate_series(1, $4::int) WHERE n IS NOT NULL),
       jsonb_build_object('conversation_id', md5((n / 12)::text)::uuid, 'message_ids', '{}'::uuid[]),
       now() - ($2::int - n) * interval '5 minutes', now()
  FROM generate_series(1, $2::int) n
"""


async def planted(stand: MemoryStand) -> dict[str, list[tuple[Fetched, UUID]]]:
    """Tell two users all facts, each to one in English and to the other in French; ask for all in both."""
    asked: dict[str, list[tuple[Fetched, UUID]]] = {SAME: [], ACROSS: []}
    for is_swapped in (False, True):
        user = await stand.user(f"planted {is_swapped}")
        said = dialogue(random.Random(is_swapped), sentences=SENTENCES, is_swapped=is_swapped)  # noqa: S311
        told = [
            NewMemory(content=one, kind="episode", created_at=BEGUN_AT + timedelta(minutes=40 * number))
            for number, one in enumerate(said)
        ]
        id_of = dict(zip(said, await stand.tell(user, told), strict=True))
        await stand.settle()
        for number, fact in enumerate(FACTS):
            language = (number + is_swapped) % 2
            for asked_in, question in enumerate((fact.asked_in_english, fact.asked_in_french)):
                fetched = await stand.fetch(user, question)
                asked[SAME if asked_in == language else ACROSS].append((fetched, id_of[fact[language]]))
    return asked


def found_among(asked: Sequence[tuple[Fetched, UUID]], rank: Rank, count: int) -> float:
    return statistics.fmean(
        wanted in [memory.id for memory in rank(fetched)[:count]] for fetched, wanted in asked
    )


def planted_table(asked: dict[str, list[tuple[Fetched, UUID]]]) -> str:
    head = ["", *(f"{kind}, hit@{count}" for kind in asked for count in (1, 5))]
    rows = [
        [name, *(f"{found_among(some, rank, count):.3f}" for some in asked.values() for count in (1, 5))]
        for name, rank in SIGNALS.items()
    ]
    goals = ["goal", *(cell for kind in asked for cell in ("", f"{GOALS[kind]}"))]
    return table([head, *rows, goals])


async def fill(stand: MemoryStand, user: User, count: int) -> Matrix:
    """Give a user that many memories; their vectors are drawn by chance: searching them takes as long."""
    connection = await connect(stand.database_url)
    await connection.execute(FILL, user.id, count, VOCABULARY, WORDS)
    rows = await connection.fetch("SELECT id FROM memories WHERE user_id = $1", user.id)
    await connection.close()
    await stand.settle()
    drawn = np.random.default_rng(count).standard_normal((count, DIMENSIONS), dtype=np.float32)
    matrix = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    for start in range(0, count, 1000):
        part = matrix[start : start + 1000]
        await stand.put(
            user,
            [row["id"] for row in rows[start : start + 1000]],
            [array("f", one.tobytes()) for one in part],
        )
    return matrix


def exact_scan_ms(matrix: Matrix) -> list[float]:
    took_ms: list[float] = []
    with threadpool_limits(1):
        for number in range(QUERIES):
            begun_s = perf_counter()
            np.argpartition(-(matrix @ matrix[number]), 60)
            took_ms.append((perf_counter() - begun_s) * 1e3)
    return took_ms


def p50_p95(took: Sequence[float]) -> tuple[float, float]:
    return statistics.median(took), statistics.quantiles(took, n=20)[-1]


async def latency(stand: MemoryStand) -> list[list[str]]:
    rows: list[list[str]] = []
    for count, goal_ms in SIZES.items():
        user = await stand.user(f"holds {count}")
        matrix = await fill(stand, user, count)
        chance = random.Random(count)  # noqa: S311 - words to ask for
        for number in range(WARMING + QUERIES):
            if number == WARMING:
                stand.clock.took_s.clear()
            await stand.search(user, query(chance))
        scan_p50_ms, scan_p95_ms = p50_p95(exact_scan_ms(matrix))
        for part, took_s in stand.clock.took_s.items():
            p50_ms, p95_ms = p50_p95([one * 1e3 for one in took_s])
            is_all = part == "in all"
            met = "" if goal_ms is None or not is_all else "met" if p95_ms <= goal_ms else "**missed**"
            rows.append(
                [
                    f"{count:,}",
                    part,
                    f"{p50_ms:.1f}",
                    f"{p95_ms:.1f}",
                    f"{p50_ms / scan_p50_ms:.1f}x" if is_all else "",
                    f"<= {goal_ms:g}" if is_all and goal_ms else "",
                    met,
                ]
            )
        rows.append(
            [f"{count:,}", "NumPy's exact scan", f"{scan_p50_ms:.1f}", f"{scan_p95_ms:.1f}", "1x", "", ""]
        )
    return rows


async def main() -> int:
    configure_logging("WARNING", "console")
    async with memory_stand() as stand:
        asked = await planted(stand)
        print(f"# Recall\n\n## Planted facts: {len(FACTS)} facts among {SENTENCES:,} sentences, two users\n")
        print(planted_table(asked))
        rows = await latency(stand)
    print("\n## Latency, embedding included\n\nSeeds run beside embed and nearest.\n")
    print(table([["memories", "part", "p50 ms", "p95 ms", "p50 against the scan", "goal, p95", ""], *rows]))
    async with turns_stand() as built:
        print(f"\n## Turns\n\n{figures_table(await measure_recalling(built))}")
    print(f"\nLoad {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs at the end.")
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
