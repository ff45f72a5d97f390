"""Streams whose connection is cut again and again, at bytes of chance: what is joined is what was said."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

import msgspec
import pytest

from tests.chaos.doors import GONE, Door, Refused, Sent, resume, send
from tests.chaos.journal import Event, script_of
from tests.chaos.proxy import Cut, How, Proxy, Weather
from tests.chaos.seeds import judge, runs
from tests.chaos.stand import Server, Stand, standing
from tests.chaos.talking import Heard

SEEDS = runs(in_ci=50)
LANES = 4
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
FIRST_FRAME_S = 1.0
HOW: tuple[How, ...] = ("close", "close", "reset", "reset", "blackhole", "truncate")
"""The last two take the client QUIET_S to notice."""
STREAMED: tuple[Door, ...] = ("sse", "websocket")

pytestmark = pytest.mark.timeout(60 + 30 * len(SEEDS))


class Returns(msgspec.Struct):
    """How clients fared that came back to a turn."""

    first_frames_s: list[float] = []
    elsewhere: int = 0
    """To another server than the one before."""
    resyncs: int = 0
    """For as long as the turn went on: a tail tells what is missing, and the row where that is too slow."""


async def test_a_stream_that_is_cut_is_joined_whole(tmp_path: Path) -> None:
    returns = Returns()
    async with standing(tmp_path, tokens_per_s=TOKENS_PER_S, llm_max_concurrency="8") as stand:
        await judge("cut", SEEDS, *[partial(_run, stand, returns)] * LANES)
    median_s, longest_s = median(returns.first_frames_s), max(returns.first_frames_s)
    told = f"first frame after reconnect: median {median_s * 1000:.0f} ms, longest {longest_s * 1000:.0f} ms"
    elsewhere = f"{returns.elsewhere} came back to the other server, {returns.resyncs} were told anew"
    print(f"{told}; {elsewhere}")  # noqa: T201  what `make chaos` shows
    assert median_s <= FIRST_FRAME_S


async def _run(stand: Stand, returns: Returns, seed: int, random: Random) -> tuple[str, list[str]]:
    text = f"cut {seed} " + " ".join(f"w{word}é" for word in range(WORDS))
    cuts = [Cut(at_byte=random.randrange(REPLY_BYTES), how=random.choice(HOW)) for _ in range(CUTS)]
    async with AsyncExitStack() as stack:
        proxies = {server: await stack.enter_async_context(stand.proxied(server)) for server in stand.servers}
        client = _Client(
            proxies,
            stand.visits(random),
            [_weather(cut, random) for cut in cuts],
            Sent(text=text, key=f"cut-{seed}"),
            random,
        )
        try:
            async with asyncio.timeout(WITHIN_S):
                await client.hear()
        except TimeoutError:
            client.heard.wrong.append(f"not heard to its end within {WITHIN_S:g} s")
        met = sum(proxy.cuts for proxy in proxies.values())
    returns.first_frames_s += client.first_frames_s
    returns.elsewhere += client.elsewhere
    returns.resyncs += client.heard.resyncs_before_end
    wrong = list(client.heard.wrong)
    if client.heard.text != script_of(text):
        wrong.append(f"joined {client.heard.text!r}")
    calls = len(stand.asked(text))
    if calls != 1:
        wrong.append(f"the model was asked {calls} times")
    row_texts = [row.content for row in await stand.rows(text)]
    if row_texts != [text, script_of(text)]:
        wrong.append(f"stored {row_texts!r}")
    told = ", ".join(f"{cut.how} at {cut.at_byte}" for cut in cuts)
    return f"{told}; {met} cuts met, {client.connections} connections, {client.elsewhere} elsewhere", wrong


def _weather(cut: Cut, random: Random) -> Weather:
    return Weather(
        cut=cut,
        latency_s=random.choice([0.0, LATENCY_S]),
        rate_bytes_per_s=random.choice([None, RATE_BYTES_PER_S]),
    )


class _Client:
    """Comes back with the last seq it has, by any door of either server; before it has one, with its key."""

    def __init__(
        self,
        proxies: dict[Server, Proxy],
        choose: Callable[[], Server],
        weather: list[Weather],
        sent: Sent,
        random: Random,
    ) -> None:
        self.heard = Heard()
        self.connections = 0
        self.elsewhere = 0
        self.first_frames_s: list[float] = []
        self._proxies = proxies
        self._choose = choose
        self._weather = deque(weather)
        self._sent = sent
        self._random = random
        self._turn_id = ""
        self._at: Server | None = None

    async def hear(self) -> None:
        while self.heard.end is None:
            begun_at = time.monotonic()
            is_first = True
            self.connections += 1
            try:
                async for event in self._events(self._next_url()):
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

    def _next_url(self) -> str:
        server = self._choose()
        self.elsewhere += bool(self._turn_id) and server is not self._at
        self._at = server
        proxy = self._proxies[server]
        if self._weather:
            proxy.next(self._weather.popleft())
        return proxy.url

    def _events(self, url: str) -> AsyncGenerator[Event]:
        door = self._random.choice(STREAMED)
        if not self._turn_id:
            return send(url, self._sent, door, quiet_s=QUIET_S)
        return resume(url, self._turn_id, door, last_seq=self.heard.last_seq, quiet_s=QUIET_S)
