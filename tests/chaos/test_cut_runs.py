"""Streams whose connection is cut again and again, at bytes of chance: what is joined is what was said."""

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from random import Random
from statistics import median

import pytest

from tests.chaos.doors import GONE, Door, Refused, Sent, resume, send
from tests.chaos.journal import Event, script_of
from tests.chaos.proxy import FAIR, Cut, How, Proxy, Weather
from tests.chaos.seeds import judge, runs
from tests.chaos.stand import Stand, standing
from tests.chaos.talking import Heard
from tests.postgres import PostgresServer

IN_CI = 15
CUTS = 3
WORDS = 40
TOKENS_PER_S = 120.0
REPLY_BYTES = 2000
"""Of a stream, about a third: a cut at a byte below it comes before the answer's end, as a rule."""
LATENCY_S = 0.01
RATE_BYTES_PER_S = 50_000.0
QUIET_S = 1.0
"""After so long without a word the client takes its connection for dead."""
WITHIN_S = 60.0
HOW: tuple[How, ...] = ("close", "close", "reset", "reset", "blackhole", "truncate")
"""The last two take the client QUIET_S to notice."""
STREAMED: tuple[Door, ...] = ("sse", "websocket")

pytestmark = pytest.mark.timeout(60 + 30 * len(runs(in_ci=IN_CI)))


async def test_a_stream_that_is_cut_is_joined_whole(
    postgres: PostgresServer, migrated_database: str, tmp_path: Path
) -> None:
    first_frames_s: list[float] = []
    async with standing(postgres, migrated_database, tmp_path, tokens_per_s=TOKENS_PER_S) as stand:
        await judge("cut", lambda seed, random: _run(stand, seed, random, first_frames_s), in_ci=IN_CI)
    told = f"first frame after reconnect: median {median(first_frames_s) * 1000:.0f} ms"
    print(f"{told}, longest {max(first_frames_s) * 1000:.0f} ms")  # noqa: T201  wanted within a second


async def _run(stand: Stand, seed: int, random: Random, first_frames_s: list[float]) -> tuple[str, list[str]]:
    text = f"cut {seed} " + " ".join(f"w{word}é" for word in range(WORDS))
    async with Proxy(stand.address, port=stand.proxy_port) as proxy:
        cuts = [Cut(at_byte=random.randrange(REPLY_BYTES), how=random.choice(HOW)) for _ in range(CUTS)]
        proxy.weather = FAIR
        proxy.next(*(_weather(cut, random) for cut in cuts))
        client = _Client(proxy.url, Sent(text=text, key=f"cut-{seed}"), random)
        try:
            async with asyncio.timeout(WITHIN_S):
                await client.hear()
        except TimeoutError:
            client.heard.wrong.append(f"not heard to its end within {WITHIN_S:g} s")
        first_frames_s += client.first_frames_s
        met = proxy.cuts
    wrong = list(client.heard.wrong)
    if client.heard.text != script_of(text):
        wrong.append(f"joined {client.heard.text!r}")
    if stand.asked(text) != 1:
        wrong.append(f"the model was asked {stand.asked(text)} times")
    row_texts = [row.content for row in await stand.rows(text)]
    if row_texts != [text, script_of(text)]:
        wrong.append(f"stored {row_texts!r}")
    told = ", ".join(f"{cut.how} at {cut.at_byte}" for cut in cuts)
    return f"{told}; {met} cuts met, {client.connections} connections", wrong


def _weather(cut: Cut, random: Random) -> Weather:
    return Weather(
        cut=cut,
        latency_s=random.choice([0.0, LATENCY_S]),
        rate_bytes_per_s=random.choice([None, RATE_BYTES_PER_S]),
    )


class _Client:
    """Comes back with the last seq it has, by either door; before it has one, with its key."""

    def __init__(self, url: str, sent: Sent, random: Random) -> None:
        self.heard = Heard()
        self.connections = 0
        self.first_frames_s: list[float] = []
        self._url = url
        self._sent = sent
        self._random = random
        self._turn_id = ""

    async def hear(self) -> None:
        while self.heard.end is None:
            begun_at = time.monotonic()
            is_first = True
            self.connections += 1
            try:
                async for event in self._events():
                    if is_first and self._turn_id:
                        self.first_frames_s.append(time.monotonic() - begun_at)
                    is_first = False
                    self._turn_id = event["turn_id"]
                    self.heard.take(event)
            except GONE:
                continue
            except Refused as refusal:
                self.heard.wrong.append(f"refused: {refusal.code}")
                return

    def _events(self) -> AsyncGenerator[Event]:
        door = self._random.choice(STREAMED)
        if not self._turn_id:
            return send(self._url, self._sent, door, quiet_s=QUIET_S)
        return resume(self._url, self._turn_id, door, last_seq=self.heard.last_seq, quiet_s=QUIET_S)
