"""Streamed turns: what Jarvis adds to the time to the first token, and its CPU for each token delivered."""

import asyncio
from time import perf_counter

import msgspec

from benchmarks.peer import Heard, Peer, post, text_frame
from benchmarks.report import Figure, Goal, Samples, at_most, at_share, compared
from benchmarks.servers import Server
from benchmarks.stand import FAST_TOKENS, PACED_TOKENS, TURNS_AT_ONCE, Contenders
from benchmarks.wire import ModelRequest

ROUNDS = 3
STREAMS = TURNS_AT_ONCE

FIRST_PART = b'"content":"w0'
DELTA = b'"type":"delta"'
CHAT_RESPONSE = b'"type":"chat_response"'
DONE = b'"done":true'
RELAY = "bare httpx relay"
MODEL = "the model itself"


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """`turns` kept running, `each` of their clients having so many, begun evenly over `spread_s`."""

    turns: int
    each: int
    spread_s: float
    goal: Goal | None

    @property
    def name(self) -> str:
        at_once = "" if self.spread_s else ", begun at the same instant"
        return f"first token added, {self.turns} turn{'s' * (self.turns > 1)}{at_once}"


WAVES = (
    Wave(turns=1, each=30, spread_s=0.25, goal=at_most(8, " ms")),
    Wave(turns=STREAMS, each=6, spread_s=0.25, goal=at_most(30, " ms")),
    Wave(turns=STREAMS, each=3, spread_s=0, goal=None),
)


async def measure_first_token(jarvis: Server, model_port: int) -> list[Figure]:
    ours: dict[str, list[float]] = {wave.name: [] for wave in WAVES}
    models: dict[str, list[float]] = {wave.name: [] for wave in WAVES}
    through_jarvis = post(jarvis.port, "/api/chat", {"message": "first", "stream": True})
    direct = _to_model(model_port, "first")
    for _ in range(ROUNDS):
        for wave in WAVES:
            ours[wave.name] += await _first_tokens(wave, jarvis.port, through_jarvis, DELTA)
            models[wave.name] += await _first_tokens(wave, model_port, direct, FIRST_PART)
    figures: list[Figure] = []
    for wave in WAVES:
        for share, goal in ((0.5, wave.goal), (0.99, None)):
            one, two = (at_share(waits[wave.name], share) for waits in (ours, models))
            added_ms = (one - two) * 1000
            figures.append(
                Figure(
                    measure=f"{wave.name}, p{share * 100:.0f}",
                    jarvis=added_ms,
                    unit="ms",
                    against=f"{MODEL}, alone",
                    other=two * 1000,
                    ratio=one / two,
                    judged=added_ms,
                    goal=goal,
                )
            )
    return figures


async def _first_tokens(wave: Wave, port: int, request: bytes, mark: bytes) -> list[float]:
    """Return the time to each turn's first token."""

    async def client(position: int) -> list[float]:
        peer = await Peer.open(port)
        await asyncio.sleep(position * wave.spread_s / wave.turns)
        waits: list[float] = []
        for _ in range(wave.each):
            sent_s = perf_counter()
            heard = await peer.ask(request, mark=mark)
            waits.append(heard.first_s - sent_s)
        peer.close()
        return waits

    return [wait for waits in await asyncio.gather(*map(client, range(wave.turns))) for wait in waits]


async def measure_tokens(servers: Contenders) -> list[Figure]:
    samples = Samples()
    names: list[str] = []
    for word, tokens, pace in (
        ("paced", PACED_TOKENS, "50 tokens/s each"),
        ("fast", FAST_TOKENS, "as fast as it goes"),
    ):
        for door, ask in (("SSE", _over_sse), ("WebSocket", _over_websocket)):
            name = f"token over {door}, {STREAMS} streams, {pace}, CPU"
            names.append(name)
            for _ in range(ROUNDS - 1):
                for who, server, end in (
                    ("Jarvis", servers.jarvis, CHAT_RESPONSE),
                    (RELAY, servers.floor, DONE),
                ):
                    before_s = server.cpu_s()
                    await asyncio.gather(*(ask(server.port, word, end) for _ in range(STREAMS)))
                    used_s = server.cpu_s() - before_s
                    samples.add(name, who, used_s / STREAMS / tokens * 1e6)
    return [figure for name in names for figure in compared(samples, name, {RELAY: None}, unit="us")]


async def _over_sse(port: int, word: str, _: bytes) -> Heard:
    peer = await Peer.open(port)
    heard = await peer.ask(post(port, "/api/chat", {"message": word, "stream": True}))
    peer.close()
    return heard


async def _over_websocket(port: int, word: str, end: bytes) -> Heard:
    peer = await Peer.upgraded(port, "/ws")
    heard = await peer.ask(text_frame({"type": "chat_message", "content": word}), until=end)
    peer.close()
    return heard


def _to_model(port: int, word: str) -> bytes:
    request = ModelRequest(messages=[{"role": "user", "content": word}])
    return post(port, "/api/chat", msgspec.to_builtins(request))
