"""The live tails of turns in Redis Streams: one each, bounded, expiring, for readers in other processes."""

import asyncio
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import anyio

from jarvis.adapters.redis.outbox import Outbox
from jarvis.adapters.redis.server import Client, RedisServer
from jarvis.core.errors import Unavailable
from jarvis.core.events import TERMINAL_TYPES, LogEntry

RETENTION_S = 600
MAX_EVENTS = 4096
"""Of one turn, about: who comes for older ones begins with what the row has."""
BLOCK_S = 0.1
"""How long a read may wait for news; for so long, too, the first one of a new reader may be late."""
COUNT = 500
RETRY_S = 0.5
MAX_UNREAD = 2 * COUNT
"""Entries that a slow reader leaves here; more are fetched when it has taken these."""


def _key(turn_id: UUID) -> str:
    return f"jarvis:turn:{turn_id.hex}"


class RedisTail:
    """Fills Tail. `last_seq` is the newest that came."""

    def __init__(self, turn_id: UUID, after: int) -> None:
        self.turn_id = turn_id
        self.last_seq = after
        self._unread: list[LogEntry] = []
        self._arrived = asyncio.Event()

    @property
    def is_full(self) -> bool:
        return len(self._unread) >= MAX_UNREAD

    def take(self, entry: LogEntry) -> None:
        if entry.seq > self.last_seq and not self.is_full:
            self.last_seq = entry.seq
            self._unread.append(entry)
            self._arrived.set()

    async def more(self, *, within_s: float) -> Sequence[LogEntry]:
        if not self._unread:
            with anyio.move_on_after(within_s):
                await self._arrived.wait()
        self._arrived.clear()
        entries, self._unread = self._unread, []
        return entries


class RedisTurnTails:
    """Fills TurnTails. One connection writes and one reads, however many turns and readers there are.

    An entry's id is its `seq` and 1: Redis takes none that is 0, nor one that is not above the newest.
    """

    def __init__(self, server: RedisServer, outbox: Outbox) -> None:
        self._server = server
        self._outbox = outbox
        self._tails: set[RedisTail] = set()
        self._followed = asyncio.Event()

    def append(self, turn_id: UUID, entry: LogEntry) -> None:
        self._outbox.put(partial(_add, _key(turn_id), entry), len(entry.data))

    @contextmanager
    def follow(self, turn_id: UUID, *, after: int) -> Generator[RedisTail]:
        tail = RedisTail(turn_id, after)
        self._tails.add(tail)
        self._followed.set()
        try:
            yield tail
        finally:
            self._tails.discard(tail)

    def forget(self, turn_ids: Iterable[UUID]) -> None:
        keys = [_key(turn_id) for turn_id in turn_ids]
        if keys:
            self._outbox.put(partial(_delete, keys), len(keys) * len(keys[0]))

    async def run(self) -> None:
        while True:
            await self._followed.wait()
            try:
                async with self._server.listening(patience_s=BLOCK_S) as client:
                    while self._tails:
                        await self._read(client)
                    self._followed.clear()
            except Unavailable:
                await asyncio.sleep(RETRY_S)

    async def _read(self, client: Client) -> None:
        """Give each reader what there is above what it has; wait a moment where there is nothing."""
        readers: dict[bytes, list[RedisTail]] = {}
        for tail in self._tails:
            if not tail.is_full:
                readers.setdefault(_key(tail.turn_id).encode(), []).append(tail)
        if not readers:
            await asyncio.sleep(BLOCK_S)
            return
        oldest = {key: f"{min(tail.last_seq for tail in tails) + 1}-0" for key, tails in readers.items()}
        found: list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]] = await client.xread(
            oldest, count=COUNT, block=round(BLOCK_S * 1000)
        )
        for key, entries in found:
            for entry_id, fields in entries:
                entry = _entry(entry_id, fields)
                for tail in readers[key]:
                    tail.take(entry)


def _add(key: str, entry: LogEntry, pipeline: Any) -> None:
    fields = {"type": entry.type, "data": entry.data}
    pipeline.xadd(key, fields, id=f"{entry.seq + 1}-0", maxlen=MAX_EVENTS, approximate=True)
    pipeline.expire(key, RETENTION_S)


def _delete(keys: Sequence[str], pipeline: Any) -> None:
    pipeline.unlink(*keys)


def _entry(entry_id: bytes, fields: dict[bytes, bytes]) -> LogEntry:
    kind = fields[b"type"].decode()
    return LogEntry(
        seq=int(entry_id.partition(b"-")[0]) - 1,
        type=kind,
        data=fields[b"data"],
        terminal=kind in TERMINAL_TYPES,
    )
