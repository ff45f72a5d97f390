"""A turn as it is told: its events as they come, from wherever a reader left off; its end; how it stands."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from uuid import UUID

from jarvis.core.endings import retell
from jarvis.core.errors import NotFound
from jarvis.core.events import LogEntry, Terminal, decode_terminal
from jarvis.core.ports import TurnLog
from jarvis.core.turn_store import TurnStore
from jarvis.core.types import TurnView, User
from jarvis.services.elsewhere import Elsewhere
from jarvis.services.live import LiveTurn
from jarvis.services.speaking import audible


class TurnReader:
    """Reads turns of this process from `live` and the log, others from `elsewhere`.

    Every method acts for its user; what belongs to another does not exist.
    """

    def __init__(
        self, *, store: TurnStore, log: TurnLog, live: Mapping[UUID, LiveTurn], elsewhere: Elsewhere
    ) -> None:
        self._store = store
        self._log = log
        self._live = live
        self._elsewhere = elsewhere

    async def follow(self, user: User, turn_id: UUID, *, after: int = -1) -> AsyncGenerator[LogEntry]:
        """Yield the turn's events above `after` as they come, the terminal one last.

        What no log has any more is told from the row: a `resync`, then the terminal event. The terminal
        event comes even where `after` is not below it. Raises NotFound("turn").
        """
        live = self._live.get(turn_id)
        if live is not None:
            if live.turn.user.id != user.id:
                raise NotFound("turn")
            live.listeners += 1
            try:
                async with aclosing(audible(live, self._log, after=min(after, live.seq))) as entries:
                    async for entry in entries:
                        yield entry
                        if entry.terminal:
                            return
                        after = entry.seq
            finally:
                live.listeners -= 1
                live.unheard_since = time.perf_counter()
        stored = await self._store.get(user, turn_id)
        if stored.message is None:  # another process runs it, or died and the sweep will end it
            entries = self._elsewhere.follow(user, turn_id, after=after)
        elif self._log.last_seq(turn_id) == stored.checkpoint_seq:
            entries = self._log.read(turn_id, after=min(after, stored.checkpoint_seq - 1))
        else:  # it ended in another process, or long ago
            for entry in retell(stored, stored.message, after):
                yield entry
            return
        async with aclosing(entries):
            async for entry in entries:
                yield entry

    async def terminal(self, user: User, turn_id: UUID) -> Terminal:
        """Wait for the turn's end and return its last event: for those who need none of the others.

        Raises NotFound("turn").
        """
        live = self._live.get(turn_id)
        if live is not None and live.turn.user.id == user.id:
            live.listeners += 1
            try:
                await live.ended.wait()
            finally:
                live.listeners -= 1
                live.unheard_since = time.perf_counter()
            if live.terminal is not None:
                return live.terminal
        async with aclosing(self.follow(user, turn_id)) as entries:
            last = [entry async for entry in entries][-1]
        return decode_terminal(last.data)

    async def view(self, user: User, turn_id: UUID) -> TurnView:
        """Raises NotFound("turn")."""
        live = self._live.get(turn_id)
        if live is not None and live.turn.user.id == user.id:
            return TurnView(
                turn_id=turn_id,
                status="running" if live.running else "queued",
                conversation_id=live.turn.conversation_id,
                text=live.told,
                last_seq=live.seq,
            )
        stored = await self._store.get(user, turn_id)
        return TurnView(
            turn_id=turn_id,
            status=stored.status,
            conversation_id=stored.conversation_id,
            text=stored.message.content if stored.message else stored.partial_text,
            last_seq=stored.checkpoint_seq,
            error=stored.error,
        )

    async def retold(self, user: User, turn_id: UUID) -> list[LogEntry]:
        """Return the short form of a turn that has ended: its text and its terminal event; else nothing.

        Raises NotFound("turn").
        """
        if turn_id in self._live:
            return []
        stored = await self._store.get(user, turn_id)
        return [] if stored.message is None else retell(stored, stored.message, -1)
