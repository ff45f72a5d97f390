"""Pages of lists in a full database, against the same pages in one that has nothing else; and search."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from statistics import quantiles
from time import perf_counter
from typing import Any

from benchmarks.peer import Peer, get
from benchmarks.report import Figure, Samples, at_most, compared
from benchmarks.servers import JARVIS, Server, serving
from benchmarks.stand import Stand
from jarvis.adapters.postgres.driver import connect
from jarvis.adapters.postgres.migrations import migrate

CONVERSATIONS, MESSAGES_IN_LONGEST, MESSAGES = 10_000, 5_000, 200_000
PAGE = 50
ROUNDS = 5
REQUESTS = 200
VOCABULARY = 20_000
WORDS = 30

SMALL = "nothing but that page"
HISTORY, CONVERSATIONS_PAGE = "history page, p95", "conversations page, p95"
SEARCH, HEALTH = "search over 200,000 messages, p95", "/health, p95"

ADD_CONVERSATIONS = """
INSERT INTO conversations (id, user_id, title, next_position, message_count, last_message_at)
SELECT gen_random_uuid(), u.id, 'Conversation ' || n, 2 * $2, $2, now() - n * interval '1 minute'
  FROM users u, generate_series(1, $1::int) n WHERE u.username = 'default'
"""
# Words by Zipf's law: their numbers are drawn evenly on a logarithmic scale.
ADD_MESSAGES = """
INSERT INTO messages (id, conversation_id, user_id, position, role, content, created_at)
SELECT gen_random_uuid(), c.id, c.user_id, n, (ARRAY['user', 'assistant'])[n % 2 + 1]::message_role, (
           SELECT string_agg('word' || floor(exp(random() * ln($2::int)))::int, ' ')
             FROM generate_series(1, $3::int) WHERE c.id IS NOT NULL AND n IS NOT NULL),
       c.last_message_at - (c.message_count - n) * interval '1 second'
  FROM conversations c, generate_series(0, c.message_count - 1) n WHERE c.title LIKE $1
"""


async def measure_lists(stand: Stand) -> list[Figure]:
    samples = Samples()
    chance = random.Random(1)  # noqa: S311 - words to look for
    async with _filled(stand, "sparse", _sparse) as sparse, _filled(stand, "dense", _dense) as dense:
        for measure, path in (
            (HISTORY, f"/api/chat/history?limit={PAGE}"),
            (CONVERSATIONS_PAGE, f"/api/chat/conversations?limit={PAGE}"),
        ):
            for number in range(ROUNDS + 1):
                for who, server in ((SMALL, sparse), ("Jarvis", dense)):
                    p95_ms = await _p95_ms(server, [path] * REQUESTS)
                    if number:  # the first round warms
                        samples.add(measure, who, p95_ms)
        for _ in range(ROUNDS):
            samples.add(SEARCH, "Jarvis", await _p95_ms(dense, [_search(chance) for _ in range(REQUESTS)]))
            samples.add(SEARCH, HEALTH, await _p95_ms(dense, ["/health"] * REQUESTS))
    return [
        *compared(samples, HISTORY, {SMALL: at_most(3)}, unit="ms"),
        *compared(samples, CONVERSATIONS_PAGE, {SMALL: at_most(3)}, unit="ms"),
        *compared(samples, SEARCH, {HEALTH: at_most(20, " ms")}, unit="ms", judge_value=True),
    ]


def _search(chance: random.Random) -> str:
    """Look for one to three words as they are said: common ones more often than rare ones."""
    words = [f"word{int(VOCABULARY ** chance.random())}" for _ in range(chance.randint(1, 3))]
    return f"/api/chat/search?q={'+'.join(words)}"


async def _p95_ms(server: Server, paths: list[str]) -> float:
    peer = await Peer.open(server.port)
    took_ms: list[float] = []
    for path in paths:
        started_s = perf_counter()
        heard = await peer.ask(get(server.port, path))
        took_ms.append((perf_counter() - started_s) * 1e3)
        assert heard.data.startswith(b"HTTP/1.1 200"), heard.data[:500]
    peer.close()
    return quantiles(took_ms, n=20)[-1]


@asynccontextmanager
async def _filled(stand: Stand, name: str, fill: Any) -> AsyncGenerator[Server]:
    """Run Jarvis on a database of its own, filled before."""
    url = stand.database_url.replace("/jarvis?", f"/{name}?")
    administrator = await connect(stand.database_url)
    await administrator.execute(f"CREATE DATABASE {name}")
    await administrator.close()
    await migrate(url)
    connection = await connect(url)
    await connection.execute("INSERT INTO users (id, username) VALUES (gen_random_uuid(), 'default')")
    await fill(connection)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    async with serving(JARVIS, stand.settings | {"DATABASE_URL": url}) as server:
        server.pin(stand.cpus.servers)
        yield server


async def _sparse(connection: Any) -> None:
    await connection.execute(ADD_CONVERSATIONS, PAGE, PAGE)
    await connection.execute(ADD_MESSAGES, "Conversation 1", VOCABULARY, WORDS)


async def _dense(connection: Any) -> None:
    others = CONVERSATIONS - 1
    await connection.execute(ADD_CONVERSATIONS, others, (MESSAGES - MESSAGES_IN_LONGEST) // others)
    await connection.execute("UPDATE conversations SET last_message_at = last_message_at - interval '1 day'")
    await connection.execute(ADD_MESSAGES, "%", VOCABULARY, WORDS)
    await connection.execute(
        ADD_CONVERSATIONS.replace("'Conversation '", "'Longest '"), 1, MESSAGES_IN_LONGEST
    )
    await connection.execute(ADD_MESSAGES, "Longest %", VOCABULARY, WORDS)
