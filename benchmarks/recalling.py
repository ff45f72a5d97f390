"""What recall adds to the time to the first token: turns with and without it, by turns, on one server."""

import asyncio
import random
from time import perf_counter

from benchmarks.peer import Peer, get, post
from benchmarks.recall_queries import WORDS, query, words
from benchmarks.report import Figure, at_most
from benchmarks.servers import JARVIS, Server, serving
from benchmarks.stand import Stand
from benchmarks.streams import DELTA

MEMORIES, AT_ONCE = 1_000, 500
TURNS, WARMING = 150, 15
INDEXED_WITHIN_S = 120.0
PERIOD_S = 0.05
INDEXED = b"\njarvis_memory_unindexed 0"
OWNER = "remembering"
GOAL = at_most(5, " ms")


async def measure_recalling(built: Stand) -> list[Figure]:
    settings = built.settings | {
        "JARVIS_DATA_DIR": str(built.folder / OWNER),
        "EMBED_BACKEND": "embedded",
        "QDRANT_URL": "",
    }
    async with serving(JARVIS, settings) as server:
        server.pin(built.cpus.all)
        chance = random.Random(1)  # noqa: S311 - words to tell and to ask for
        await _remember(server, chance)
        with_s, without_s = await _first_tokens(server, chance)
    figures: list[Figure] = []
    for share, goal in ((0.5, GOAL), (0.95, None)):
        one, other = (sorted(waits_s)[int(share * TURNS)] * 1e3 for waits_s in (with_s, without_s))
        figures.append(
            Figure(
                measure=f"first token added by recall from {MEMORIES:,} memories, p{share * 100:.0f}",
                jarvis=one - other,
                unit="ms",
                against="the same turns without memory",
                other=other,
                ratio=one / other,
                judged=one - other,
                goal=goal,
            )
        )
    return figures


async def _remember(server: Server, chance: random.Random) -> None:
    """Tell it so many, and wait until they are found by their meaning too."""
    told = [{"content": words(chance, WORDS)} for _ in range(MEMORIES)]
    peer = await Peer.open(server.port)
    for start in range(0, MEMORIES, AT_ONCE):
        body = {"memories": told[start : start + AT_ONCE], "user_id": OWNER}
        heard = await peer.ask(post(server.port, "/api/memory/add", body))
        assert heard.data.startswith(b"HTTP/1.1 20"), heard.data[:500]
    async with asyncio.timeout(INDEXED_WITHIN_S):
        while INDEXED not in (await peer.ask(get(server.port, "/metrics"))).data:  # noqa: ASYNC110
            await asyncio.sleep(PERIOD_S)  # another process works: there is no event of ours to wait for
    peer.close()


async def _first_tokens(server: Server, chance: random.Random) -> tuple[list[float], list[float]]:
    peer = await Peer.open(server.port)
    waits_s: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(WARMING + TURNS):
        message = f"first {query(chance)}"
        for use_memory, waits in waits_s.items():
            body = {
                "message": message,
                "stream": True,
                "user_id": OWNER,
                "use_memory": use_memory,
                "save_memory": False,
            }
            sent_s = perf_counter()
            heard = await peer.ask(post(server.port, "/api/chat", body), mark=DELTA)
            assert (b'"why"' in heard.data) == use_memory, heard.data[:2000]
            waits.append(heard.first_s - sent_s)
    peer.close()
    return waits_s[True][WARMING:], waits_s[False][WARMING:]
