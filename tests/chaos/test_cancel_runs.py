"""Turns are cancelled, at moments of chance, from the server that does not run them."""

import asyncio
import time
from contextlib import aclosing
from functools import partial
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.chaos.doors import Door, Sent, send
from tests.chaos.journal import Event, Journal, Wish, broken
from tests.chaos.listening import poll
from tests.chaos.seeds import judge, runs
from tests.chaos.stand import Server, Stand, standing
from tests.chaos.talking import Heard

SEEDS = runs(in_ci=5)
WITHOUT_SEEDS = runs(in_ci=2, one_in=5)
LANES = 2
WORDS = 600
TOKENS_PER_S = 100.0
"""So an answer takes six seconds, and is never over when it is cancelled."""
CANCELLED_WITHIN_S = 0.5
CLOSED_S = 1.0
"""By then the model's connection is closed; without Valkey, CLOSED_WITHOUT_S."""
CLOSED_WITHOUT_S = 3.0
SLACK_S = 1.0
"""For a busy machine, on top of what is promised."""
STREAMED: tuple[Door, ...] = ("sse", "websocket")
WITHIN_S = 20.0

pytestmark = pytest.mark.timeout(60 + 20 * len(SEEDS))


async def test_a_turn_is_cancelled_from_the_other_server(tmp_path: Path) -> None:
    async with standing(tmp_path, tokens_per_s=TOKENS_PER_S, llm_max_concurrency="4") as stand:
        await _judge("cancel", SEEDS, stand, CLOSED_S)
        await stand.kill("valkey")
        await _judge("cancel-without", WITHOUT_SEEDS, stand, CLOSED_WITHOUT_S)


async def _judge(kind: str, seeds: range, stand: Stand, promised_s: float) -> None:
    closed_after_s: list[float] = []
    await judge(kind, seeds, *[partial(_run, stand, closed_after_s, kind, promised_s)] * LANES)
    in_time = sum(after_s <= promised_s for after_s in closed_after_s)
    told = f"{in_time} of {len(closed_after_s)} within {promised_s:g} s"
    print(f"{told}, the last after {max(closed_after_s) * 1000:.0f} ms")  # noqa: T201  what `make chaos` shows


async def _run(
    stand: Stand, closed_after_s: list[float], kind: str, promised_s: float, seed: int, random: Random
) -> tuple[str, list[str]]:
    journal, heard = Journal(), Heard()
    text = " ".join([f"{kind}-{seed}", *(f"w{word}" for word in range(WORDS))])
    wish = journal.send(text, conversation_id=None, key=None)
    runs_it, asked = random.sample(stand.servers, 2)
    moment_s = random.uniform(0, CANCELLED_WITHIN_S)
    acked = asyncio.Event()

    async def listen(door: Door) -> None:
        async with aclosing(send(runs_it.url, Sent(text=text), door)) as events:
            async for event in events:
                journal.note(wish, event)
                heard.take(event)
                acked.set()

    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listen(random.choice(STREAMED)))
        await acked.wait()
        await asyncio.sleep(moment_s)
        cancelled_at = time.monotonic()
        told = await _cancel(asked, wish)
        await listening
    after_s = await _closed_at(stand, text) - cancelled_at
    wrong = heard.wrong + broken(journal.wishes, await stand.rows(text))
    statuses = {told["status"], heard.end["status"] if heard.end else ""}
    if statuses != {"cancelled"}:
        wrong.append(f"told that it was {statuses}")
    if after_s > promised_s + SLACK_S:
        wrong.append(f"the model's connection was closed after {after_s:.3f} s")
    closed_after_s.append(after_s)
    return f"cancelled {moment_s:.3f} s after its ack, model closed after {after_s * 1000:.0f} ms", wrong


async def _cancel(server: Server, wish: Wish) -> Event:
    (turn_id,) = wish.turn_ids
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_S) as http:
        answer = await http.post(f"{server.url}/api/chat/turns/{turn_id}/cancel")
    return answer.json()


async def _closed_at(stand: Stand, text: str) -> float:
    """Wait until the model answers this no more; return when it saw its client leave, 0 if there was none."""

    async def closed() -> bool:
        return all(record.outcome is not None for record in stand.asked(text))

    await poll(closed, within_s=WITHIN_S)
    records = stand.asked(text)
    assert {record.outcome for record in records} <= {"client_disconnected"}
    return max((record.ended_s or 0 for record in records), default=0.0)
