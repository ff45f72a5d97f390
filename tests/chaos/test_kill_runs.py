"""Somebody is killed at a moment of chance while clients talk; the store is held to every ack they had."""

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.chaos.doors import GONE, Refused, Sent, send
from tests.chaos.journal import Event, Journal, Wish, broken
from tests.chaos.seeds import judge, runs
from tests.chaos.stand import VICTIMS, Stand, Victim, standing
from tests.chaos.talking import talkers

SEEDS = runs(in_ci=40)
LANES = 3
TALKERS = 6
WORDS = 20
TOKENS_PER_S = 40.0
KILLED_WITHIN_S = 1.5
AWAY_S = 0.5
STAYS_AWAY = 0.2
"""How often a server that was killed is not started again before the other one has ended its turns."""
TALKS_ON_S = 0.3
ENDED_WITHIN_S = 30.0
"""After the restart, whatever was under way has its end (the contract's section 9)."""
ASKED_AGAIN = 4
ANSWERED_WITHIN_S = 10.0

pytestmark = pytest.mark.timeout(60 + 60 * len(SEEDS))


async def test_nothing_acknowledged_is_lost_doubled_or_out_of_order(tmp_path: Path) -> None:
    async with AsyncExitStack() as stands:
        lanes = [
            await stands.enter_async_context(
                standing(tmp_path / f"{lane}", tokens_per_s=TOKENS_PER_S, llm_max_concurrency="4")
            )
            for lane in range(LANES)
        ]
        await judge("kill", SEEDS, *(partial(_run, stand) for stand in lanes))


async def _run(stand: Stand, seed: int, random: Random) -> tuple[str, list[str]]:
    journal, stop = Journal(), asyncio.Event()
    victim, moment_s = random.choice(VICTIMS), random.uniform(0, KILLED_WITHIN_S)
    stays_away = victim in {"one", "other"} and random.random() < STAYS_AWAY
    people = await talkers(
        stand.one.url, f"{seed}", journal, random, number=TALKERS, words=WORDS, come_by=stand.come_by
    )
    talking = [asyncio.create_task(one.talk(stop)) for one in people]
    wrong: list[str] = []
    try:
        await asyncio.sleep(moment_s)
        await stand.kill(victim)
        asked_before = list(journal.wishes)
        await asyncio.sleep(random.uniform(0, AWAY_S))
        due = time.monotonic() + ENDED_WITHIN_S
        if not stays_away:
            due = await _start(stand, victim)
        await asyncio.sleep(TALKS_ON_S)
        stop.set()
        _, waiting = await asyncio.wait(talking, timeout=due - time.monotonic())
        wrong += [f"a client still waits for its answer after {ENDED_WITHIN_S:g} s" for _ in waiting]
    finally:
        for task in talking:
            task.cancel()
        ended = await asyncio.gather(*talking, return_exceptions=True)
    wrong += [repr(end) for end in ended if isinstance(end, Exception)]
    await stand.none_runs(within_s=max(due - time.monotonic(), 0.1))
    if stays_away:
        await _start(stand, victim)
    for wish in [wish for wish in asked_before if wish.key is not None][-ASKED_AGAIN:]:
        wrong += await _ask_again(stand, journal, wish)
    rows = await stand.rows(*(wish.text for wish in journal.wishes))
    wrong += [wrong for one in people for wrong in one.wrong] + broken(journal.wishes, rows)
    acked = sum(wish.acked_at is not None for wish in journal.wishes)
    interrupted = sum(row.status == "interrupted" for row in rows)
    what = f"{victim} killed at {moment_s:.3f} s{', stays away' if stays_away else ''}"
    return f"{what}, {acked} of {len(journal.wishes)} acknowledged, {interrupted} interrupted", wrong


async def _start(stand: Stand, victim: Victim) -> float:
    """Start it, and wait until all is well; return by when all that was under way is to have its end."""
    await stand.start(victim)
    due = time.monotonic() + ENDED_WITHIN_S
    await stand.healed()
    return due


async def _ask_again(stand: Stand, journal: Journal, wish: Wish) -> list[str]:
    """Send a key to both: each time it gives the one answer, to the byte."""
    sent = Sent(text=wish.text, conversation_id=wish.conversation_id, key=wish.key)
    answers: list[Event] = []
    try:
        for server in stand.servers:
            async for event in send(server.url, sent, "json", quiet_s=ANSWERED_WITHIN_S):
                journal.note(wish, event)
                answers.append(event)
    except (*GONE, Refused) as exc:
        return [f"the key {wish.key} is not answered again: {exc!r}"]
    if answers[0].get("bytes") != answers[1].get("bytes"):
        return [f"the key {wish.key} is answered differently each time"]
    return []
