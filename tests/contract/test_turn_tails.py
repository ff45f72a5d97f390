"""What the TurnTails and Hints ports promise, over a real Valkey; and what is lost while it is away."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import anyio
import pytest_asyncio

from jarvis.adapters.redis import turn_tails
from jarvis.adapters.redis.hints import RedisHints
from jarvis.adapters.redis.outbox import MAX_BYTES, Outbox
from jarvis.adapters.redis.server import RedisServer
from jarvis.adapters.redis.turn_tails import RedisTurnTails
from jarvis.core.events import Delta, LogEntry, TurnError
from jarvis.core.replicas import Hint, Tail, TurnHeard, TurnsCancelled
from jarvis.core.types import new_id
from tests.chaos.listening import poll
from tests.running import in_one_task
from tests.valkey import ValkeyServer

COMES_WITHIN_S = 5.0


class Replica:
    """One process' ends of everything."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.outbox = Outbox(server)
        self.tails = RedisTurnTails(server, self.outbox)
        self.hints = RedisHints(server, self.outbox)
        self.told: asyncio.Queue[Hint] = asyncio.Queue()


@asynccontextmanager
async def replica(valkey: ValkeyServer) -> AsyncGenerator[Replica]:
    async with RedisServer(valkey.url) as server, anyio.create_task_group() as tasks:
        one = Replica(server)
        for work in (one.outbox.run, one.tails.run):
            tasks.start_soon(work)
        tasks.start_soon(one.hints.run, one.told.put_nowait)
        yield one
        tasks.cancel_scope.cancel()


@pytest_asyncio.fixture
async def here(valkey: ValkeyServer) -> AsyncGenerator[Replica]:
    async with in_one_task(replica(valkey)) as one:
        yield one


@pytest_asyncio.fixture
async def there(valkey: ValkeyServer) -> AsyncGenerator[Replica]:
    async with in_one_task(replica(valkey)) as one:
        yield one


def delta(turn_id: UUID, seq: int, text: str = "x") -> LogEntry:
    return LogEntry.of(Delta(turn_id=turn_id, seq=seq, text=text))


async def until(tail: Tail, seq: int) -> list[LogEntry]:
    """Return what comes up to this seq."""
    entries: list[LogEntry] = []
    async with asyncio.timeout(COMES_WITHIN_S):
        while not entries or entries[-1].seq < seq:
            entries += await tail.more(within_s=COMES_WITHIN_S)
    return entries


async def test_a_reader_gets_what_was_and_what_comes_as_it_was(here: Replica, there: Replica) -> None:
    turn_id = new_id()
    entries = [delta(turn_id, seq, f"é{seq}") for seq in range(4)]
    for entry in entries[:2]:
        here.tails.append(turn_id, entry)
    with there.tails.follow(turn_id, after=-1) as tail, there.tails.follow(turn_id, after=0) as other:
        assert await until(tail, 1) == entries[:2]
        assert await until(other, 1) == entries[1:2]
        here.tails.append(turn_id, entries[2])
        assert await until(tail, 2) == entries[2:3]
        end = LogEntry.of(TurnError(turn_id=turn_id, seq=3, code="internal", message=""))
        here.tails.append(turn_id, end)
        assert await until(tail, 3) == [end]
        assert await until(other, 3) == [entries[2], end]
        assert end.terminal


async def test_turns_are_read_apart(here: Replica, there: Replica) -> None:
    turn_ids = [new_id() for _ in range(20)]
    for turn_id in turn_ids:
        here.tails.append(turn_id, delta(turn_id, 0, turn_id.hex))
    for turn_id in turn_ids:
        with there.tails.follow(turn_id, after=-1) as tail:
            assert await until(tail, 0) == [delta(turn_id, 0, turn_id.hex)]


async def test_without_news_a_reader_waits_and_gets_nothing(there: Replica) -> None:
    with there.tails.follow(new_id(), after=-1) as tail:
        assert list(await tail.more(within_s=0.2)) == []


async def test_a_slow_reader_gets_all_and_keeps_little(here: Replica, there: Replica) -> None:
    turn_id, many = new_id(), 3 * turn_tails.MAX_UNREAD
    entries = [delta(turn_id, seq) for seq in range(many)]
    for entry in entries:
        here.tails.append(turn_id, entry)
    with there.tails.follow(turn_id, after=-1) as tail, there.tails.follow(turn_id, after=-1) as slow:
        assert await until(tail, many - 1) == entries
        first = await slow.more(within_s=COMES_WITHIN_S)
        assert len(first) <= turn_tails.MAX_UNREAD
        assert [*first, *await until(slow, many - 1)] == entries


async def test_a_tail_is_bounded_and_goes_after_a_while(here: Replica, valkey: ValkeyServer) -> None:
    turn_id, many = new_id(), 2 * turn_tails.MAX_EVENTS
    for seq in range(many):
        here.tails.append(turn_id, delta(turn_id, seq))
    with here.tails.follow(turn_id, after=many - 2) as tail:
        await until(tail, many - 1)
    async with valkey.client() as client:
        (key,) = await client.keys("*")
        assert await client.xlen(key) < turn_tails.MAX_EVENTS * 1.1
        assert 0 < await client.ttl(key) <= turn_tails.RETENTION_S


async def test_what_is_forgotten_is_gone(here: Replica, there: Replica, valkey: ValkeyServer) -> None:
    turn_id, other = new_id(), new_id()
    here.tails.append(turn_id, delta(turn_id, 0))
    here.tails.forget([turn_id])
    here.tails.append(other, delta(other, 0))
    with there.tails.follow(other, after=-1) as tail:
        await until(tail, 0)
    async with valkey.client() as client:
        assert [other.hex in key.decode() for key in await client.keys("*")] == [True]


async def test_an_attempt_that_died_is_not_heard_behind_the_next(here: Replica, there: Replica) -> None:
    turn_id = new_id()
    here.tails.append(turn_id, delta(turn_id, 1_000_000, "the next"))
    there.tails.append(turn_id, delta(turn_id, 5, "the dead one"))
    there.tails.append(turn_id, delta(turn_id, 1_000_001, "the next"))
    with here.tails.follow(turn_id, after=4) as tail:
        heard = await until(tail, 1_000_001)
    assert b"dead" not in b"".join(entry.data for entry in heard[1:])


async def test_hints_reach_all_others_and_not_whoever_told(
    here: Replica, there: Replica, valkey: ValkeyServer
) -> None:
    cancelled, heard = TurnsCancelled(turn_ids=[new_id()]), TurnHeard(turn_id=new_id())
    async with replica(valkey) as third, asyncio.timeout(COMES_WITHIN_S):
        await subscribed(valkey, 3)
        here.hints.tell(cancelled)
        there.hints.tell(heard)
        assert await there.told.get() == cancelled
        assert await here.told.get() == heard
        assert {type(await third.told.get()) for _ in range(2)} == {TurnsCancelled, TurnHeard}
        assert here.told.empty()
        assert there.told.empty()


async def test_what_is_no_hint_harms_nobody(here: Replica, there: Replica, valkey: ValkeyServer) -> None:
    async with asyncio.timeout(COMES_WITHIN_S):
        await subscribed(valkey, 2)
        async with valkey.client() as client:
            await client.publish("jarvis:hints", b"\xff rubbish")
        here.hints.tell(TurnHeard(turn_id=new_id()))
        assert isinstance(await there.told.get(), TurnHeard)


async def test_a_valkey_that_dies_costs_what_was_told_meanwhile(
    here: Replica, there: Replica, valkey: ValkeyServer
) -> None:
    turn_id = new_id()
    here.tails.append(turn_id, delta(turn_id, 0))
    with there.tails.follow(turn_id, after=-1) as tail:
        await until(tail, 0)
        await valkey.kill()
        assert list(await tail.more(within_s=0.2)) == []
        await valkey.start()
        async with asyncio.timeout(COMES_WITHIN_S):
            await subscribed(valkey, 2)
        await asyncio.gather(here.server.ping(), there.server.ping())
        here.tails.append(turn_id, delta(turn_id, 7))
        assert [entry.seq for entry in await until(tail, 7)] == [7]
        here.hints.tell(TurnHeard(turn_id=turn_id))
        async with asyncio.timeout(COMES_WITHIN_S):
            assert isinstance(await there.told.get(), TurnHeard)


async def test_a_listener_that_hears_nothing_any_more_listens_anew(
    here: Replica, there: Replica, valkey: ValkeyServer
) -> None:
    async with asyncio.timeout(4 * COMES_WITHIN_S):
        await subscribed(valkey, 2)
        valkey.freeze()
        await asyncio.sleep(3)  # longer than two silences: both listeners have given up by then
        valkey.thaw()
        await subscribed(valkey, 2)
        while there.told.empty():
            here.hints.tell(TurnHeard(turn_id=new_id()))
            await asyncio.sleep(0.05)


async def test_with_valkey_frozen_little_is_kept(here: Replica, valkey: ValkeyServer) -> None:
    turn_id, text = new_id(), "x" * 100_000
    valkey.freeze()
    try:
        for seq in range(2 * MAX_BYTES // len(text)):
            here.tails.append(turn_id, delta(turn_id, seq, text))
            here.hints.tell(TurnHeard(turn_id=turn_id))
        assert here.outbox.size <= MAX_BYTES
    finally:
        valkey.thaw()


async def subscribed(valkey: ValkeyServer, number: int) -> None:
    """Wait until so many listen."""

    async def all_listen() -> bool:
        ((_, listening),) = await client.pubsub_numsub("jarvis:hints")
        return listening >= number

    async with valkey.client() as client:
        await poll(all_listen, within_s=COMES_WITHIN_S)
