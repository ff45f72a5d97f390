"""The server is asked to end at a moment of chance, with streams in flight: each is told its end."""

import asyncio
import time
from collections import Counter
from contextlib import aclosing
from functools import partial
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.chaos.doors import DOORS, GONE, Door, Refused, Sent, send
from tests.chaos.journal import Event, Journal, Wish, broken
from tests.chaos.seeds import judge, runs
from tests.chaos.stand import Stand, standing
from tests.chaos.talking import Heard

SEEDS = runs(in_ci=3)
STREAMS = 20
TALKS = 4
"""Conversations that half of the clients share, so that turns wait for turns."""
WORDS = 30
TOKENS_PER_S = 40.0
BEGUN_WITHIN_S = 0.5
ASKED_TO_END_WITHIN_S = 1.2
"""After the first word that a client heard; answers take 0.8 s."""
HEARD_WITHIN_S = 10.0
DRAIN_DELAY_S = 0.2
DRAIN_S = 0.4
EXIT_WITHIN_S = DRAIN_DELAY_S + DRAIN_S + 5
"""The contract's section 9, Stopping."""

pytestmark = pytest.mark.timeout(60 + 30 * len(SEEDS))


async def test_every_stream_is_told_its_end_and_every_turn_is_stored(
    tmp_path: Path,
) -> None:
    async with standing(
        tmp_path,
        tokens_per_s=TOKENS_PER_S,
        llm_max_concurrency="8",
        drain_delay_secs=str(DRAIN_DELAY_S),
        drain_secs=str(DRAIN_S),
    ) as stand:
        await judge("drain", SEEDS, partial(_run, stand))


async def _run(stand: Stand, seed: int, random: Random) -> tuple[str, list[str]]:
    journal, heard, moment_s = Journal(), asyncio.Event(), random.uniform(0, ASKED_TO_END_WITHIN_S)
    talks = await _talks(stand)
    clients = [
        _Client(
            stand.one.url,
            journal,
            Sent(
                text=" ".join([f"drain-{seed}.{number}", *(f"w{word}" for word in range(WORDS))]),
                conversation_id=random.choice([None, random.choice(talks)]),
                key=random.choice([None, f"drain-{seed}.{number}"]),
            ),
            random.choice(DOORS),
            heard,
        )
        for number in range(STREAMS)
    ]
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.ask(after_s=random.uniform(0, BEGUN_WITHIN_S)))
        async with asyncio.timeout(HEARD_WITHIN_S):
            await heard.wait()
        await asyncio.sleep(moment_s)
        begun_at = time.monotonic()
        code = await stand.one.stop(within_s=EXIT_WITHIN_S)
        took_s = time.monotonic() - begun_at
    wrong = [] if code == 0 else [f"exit code {code}"]
    if await stand.count_running():
        wrong.append("a turn is not ended")
    rows = await stand.rows(*(wish.text for wish in journal.wishes))
    wrong += broken(journal.wishes, rows)
    stored = {row.content for row in rows}
    for client in clients:
        wrong += client.broken(is_stored=client.wish.text in stored)
    await stand.start("one")
    ends = Counter(client.outcome for client in clients)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(ends.items()))
    return f"SIGTERM {moment_s:.3f} s after the first word, exit {code} after {took_s:.2f} s; {told}", wrong


async def _talks(stand: Stand) -> list[str]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        made = [await http.post(f"{stand.one.url}/api/chat/conversation", json={}) for _ in range(TALKS)]
    return [answer.json()["id"] for answer in made]


class _Client:
    """Asks once. `outcome` is how that ended: the status of its turn, how it was refused, or "cut off"."""

    def __init__(self, url: str, journal: Journal, sent: Sent, door: Door, heard: asyncio.Event) -> None:
        self.outcome = "unanswered"
        # Without its key: that promises only those an answer who come back until they have it.
        self.wish: Wish = journal.send(sent.text, conversation_id=sent.conversation_id, key=None)
        self._url = url
        self._journal = journal
        self._sent = sent
        self._door: Door = door
        self._heard = Heard()
        self._anything_heard = heard

    async def ask(self, *, after_s: float) -> None:
        await asyncio.sleep(after_s)
        try:
            async with aclosing(send(self._url, self._sent, self._door)) as events:
                async for event in events:
                    self._journal.note(self.wish, event)
                    self._take(event)
        except Refused as refusal:
            self.outcome = refusal.code
        except GONE:
            self.outcome = "cut off"

    def _take(self, event: Event) -> None:
        self._anything_heard.set()
        self._heard.take(event)
        if self._heard.end is not None:
            self.outcome = self._heard.end["status"]

    def broken(self, *, is_stored: bool) -> list[str]:
        """Return what this client was owed and not told."""
        named = f"{self._sent.text.partition(' ')[0]} by {self._door}"
        wrong = [f"{named}: {wrong}" for wrong in self._heard.wrong]
        # Whoever comes when the server has gone is cut off too; then nothing of it may be stored.
        allowed = {"complete", "interrupted"} if is_stored else {"draining", "overloaded", "cut off"}
        if self.outcome not in allowed:
            wrong.append(f"{named}: {self.outcome}, and it is {'' if is_stored else 'not '}stored")
        return wrong
