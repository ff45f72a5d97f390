"""The turn log of a single process: events in memory, readers woken as they come."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from uuid import UUID

from jarvis.core.errors import NotFound
from jarvis.core.events import AudioResponse, LogEntry, TurnEvent, without_sound

RETENTION_S = 600.0
"""How long a turn can be read after its end (the contract's section 3)."""
MAX_ENDED_BYTES = 4 * 1024 * 1024
"""Ended turns beyond this are forgotten before their time; their rows still tell how they ended."""
TURN_BYTES = 400
ENTRY_BYTES = 140
"""What an ended turn takes besides its entries, and an entry besides its data (by tracemalloc)."""
MAX_SOUND_BYTES = 4 * 1024 * 1024
"""Of one turn, about a minute: who reads the log again later than that gets the words of it, and no sound."""


class _Tail:
    """The events of one turn; `grown` is replaced at each event, so that every reader sees it set once."""

    __slots__ = (
        "ended_at",
        "entries",
        "grown",
        "is_forgotten",
        "is_handed_over",
        "size",
        "sound_bytes",
        "sounding",
    )

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.grown = asyncio.Event()
        self.size = TURN_BYTES
        self.ended_at: float | None = None
        self.is_forgotten = False
        self.is_handed_over = False
        self.sounding: list[int] = []
        self.sound_bytes = 0

    def add(self, entry: LogEntry, *, sounds: bool) -> None:
        self.entries.append(entry)
        self.size += len(entry.data) + ENTRY_BYTES
        if sounds:
            self.sounding.append(len(self.entries) - 1)
            self.sound_bytes += len(entry.data)
            while self.sound_bytes > MAX_SOUND_BYTES and len(self.sounding) > 1:
                self._quieten(self.sounding.pop(0))

    def _quieten(self, index: int) -> None:
        entry = self.entries[index]
        quiet = self.entries[index] = without_sound(entry)
        self.size += len(quiet.data) - len(entry.data)
        self.sound_bytes -= len(entry.data)


class InProcessTurnLog:
    """A TurnLog for one process. Entries lie in the order of `seq`, without gaps but for a `resync`'s."""

    def __init__(self) -> None:
        self._tails: dict[UUID, _Tail] = {}
        self._ended: OrderedDict[UUID, _Tail] = OrderedDict()
        self._ended_bytes = 0
        self._over = asyncio.Event()
        """Stands in every ended turn: of their own, each would keep 0.7 KB, and nobody waits for one."""

    @property
    def ended_bytes(self) -> int:
        """What ended turns take: at most MAX_ENDED_BYTES, unless the newest alone takes more."""
        return self._ended_bytes

    def append(self, event: TurnEvent) -> LogEntry:
        tail = self._tails.get(event.turn_id)
        if tail is None:
            tail = self._tails[event.turn_id] = _Tail()
        entry = LogEntry.of(event)
        tail.add(entry, sounds=isinstance(event, AudioResponse))
        tail.grown.set()
        if entry.terminal:
            tail.grown = self._over
            tail.ended_at = asyncio.get_running_loop().time()
            self._ended[event.turn_id] = tail
            self._ended_bytes += tail.size
            self._forget_old()
            if tail.is_forgotten:
                self.forget([event.turn_id])
        else:
            tail.grown = asyncio.Event()
        return entry

    async def read(self, turn_id: UUID, *, after: int = -1) -> AsyncGenerator[LogEntry]:
        tail = self._tails.get(turn_id)
        if tail is None:
            raise NotFound("turn")
        index = 0
        try:
            while True:
                grown = tail.grown
                while index < len(tail.entries):
                    entry = tail.entries[index]
                    index += 1
                    if entry.seq > after:
                        yield entry
                if tail.ended_at is not None or tail.is_handed_over:
                    return
                await grown.wait()
        finally:
            # Where this was cancelled, its frame stays with the traceback until the collector comes.
            del tail

    def last_seq(self, turn_id: UUID) -> int | None:
        tail = self._tails.get(turn_id)
        return tail.entries[-1].seq if tail is not None else None

    def hand_over(self, turn_id: UUID) -> None:
        tail = self._tails.pop(turn_id, None)
        if tail is not None:
            tail.is_handed_over = True
            tail.grown.set()

    def forget(self, turn_ids: Iterable[UUID]) -> None:
        for turn_id in turn_ids:
            tail = self._tails.get(turn_id)
            if tail is None:
                continue
            tail.is_forgotten = True
            if tail.ended_at is not None:
                del self._tails[turn_id], self._ended[turn_id]
                self._ended_bytes -= tail.size

    def _forget_old(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._ended:
            turn_id, tail = next(iter(self._ended.items()))
            due = tail.ended_at is not None and now - tail.ended_at > RETENTION_S
            too_much = self._ended_bytes > MAX_ENDED_BYTES and len(self._ended) > 1
            if not due and not too_much:
                return
            self.forget([turn_id])
