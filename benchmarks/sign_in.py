"""Log-ins: whether one can tell by its time if the user exists, and what many at once do to the server."""

import asyncio
import random
from statistics import median
from time import perf_counter

from benchmarks.gaps import asking_health
from benchmarks.identity_stand import LOGIN, PASSWORD, SIGNED_IN, add_accounts, asked_at_once
from benchmarks.peer import Peer, post
from benchmarks.report import Figure, at_most
from benchmarks.servers import JARVIS, Server, serving
from benchmarks.stand import Stand
from jarvis.adapters.passwords import MEMORY_KIB, THREADS

LOG_INS = 200
EACH = 5
"""As many as one account may in a minute."""
ACCOUNTS = [f"known{number:02}" for number in range(LOG_INS // EACH)]
STRANGERS = [f"stranger{number:02}" for number in range(LOG_INS // EACH)]
MORE = "more than the other"
DIFFERENCE = at_most(10, " %")

AT_ONCE = 64
WAVES = 3
POLL_S = 0.002
HASHING = at_most(round(THREADS * MEMORY_KIB * 1024 / 1e6) + 10, " MB of it for a while")
"""So many are hashed at once; the 10 MB are for the requests."""


async def measure_sign_in(built: Stand) -> list[Figure]:
    """Log in with a wrong password, each user EACH times, in an order of chance but by turns."""
    await add_accounts(built, ACCOUNTS)
    chance = random.Random(1)  # noqa: S311 an order of asking
    took_ms: dict[bool, list[float]] = {True: [], False: []}
    names = {True: ACCOUNTS * EACH, False: STRANGERS * EACH}
    for asked in names.values():
        chance.shuffle(asked)
    async with serving(JARVIS, built.settings | SIGNED_IN) as server:
        server.pin(built.cpus.all)  # the hashing has threads of its own
        peer = await Peer.open(server.port)
        await _refused_ms(peer, server, "nobody")  # warms: statements are prepared
        for pair in zip(names[True], names[False], strict=True):
            for is_known in chance.sample((True, False), 2):
                took_ms[is_known].append(await _refused_ms(peer, server, pair[not is_known]))
        peer.close()
    known_ms, unknown_ms = median(took_ms[True]), median(took_ms[False])
    difference = abs(known_ms / unknown_ms - 1) * 100
    return [
        Figure(
            measure=f"log-in refused, known user, median of {LOG_INS}",
            jarvis=known_ms,
            unit="ms",
            against="unknown user",
            other=unknown_ms,
            ratio=known_ms / unknown_ms,
            judged=difference,
            goal=DIFFERENCE,
        )
    ]


async def _refused_ms(peer: Peer, server: Server, name: str) -> float:
    request = post(server.port, LOGIN, {"username": name, "password": "a wrong one"})
    asked_s = perf_counter()
    heard = await peer.ask(request)
    took_ms = (perf_counter() - asked_s) * 1000
    assert heard.data.startswith(b"HTTP/1.1 401"), heard.data[:500]
    return took_ms


async def measure_crowd(built: Stand) -> list[Figure]:
    """AT_ONCE log-ins at the same time, WAVES times over: memory, and how long /health waits meanwhile."""
    crowd = [f"crowd{number:02}" for number in range(AT_ONCE)]
    await add_accounts(built, crowd)
    bodies = [{"username": name, "password": PASSWORD} for name in crowd]
    async with serving(JARVIS, built.settings | SIGNED_IN) as server:
        server.pin(built.cpus.all)
        before_mb = server.rss_mb()
        largest_mb = [before_mb]
        watching = asyncio.create_task(_watch(server, largest_mb))
        async with asking_health(server.port) as idle:
            await asyncio.sleep(1)
        refused = 0
        async with asking_health(server.port) as busy:
            for _ in range(WAVES):
                lines = await asked_at_once(server, bodies)
                refused += sum(line.split()[1] == b"503" for line in lines)
                assert {line.split()[1] for line in lines} <= {b"200", b"503"}, lines
        watching.cancel()
        after_mb = server.rss_mb()
    stays_mb = after_mb - before_mb
    grown_mb = largest_mb[0] - before_mb
    named = f"{AT_ONCE} log-ins at once, {WAVES} times, "
    return [
        Figure(
            measure=f"{named}memory at most above idle",
            jarvis=grown_mb,
            unit="MB",
            against="when they are over",
            other=stays_mb,
            ratio=None,
            judged=grown_mb - stays_mb,
            goal=HASHING,
        ),
        Figure(
            measure=f"{named}told to come later (503)",
            jarvis=refused,
            unit="",
            against="of all",
            other=AT_ONCE * WAVES,
            ratio=None,
            judged=refused,
        ),
        *(
            Figure(
                measure=f"{named}/health waits, p{share * 100:.0f}",
                jarvis=busy.at_ms(share),
                unit="ms",
                against="idle",
                other=idle.at_ms(share),
                ratio=None,
                judged=busy.at_ms(share),
            )
            for share in (0.5, 0.99, 1.0)
        ),
    ]


async def _watch(server: Server, largest_mb: list[float]) -> None:
    while True:
        largest_mb[0] = max(largest_mb[0], server.rss_mb())
        await asyncio.sleep(POLL_S)
