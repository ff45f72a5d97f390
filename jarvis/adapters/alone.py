"""A process that has nobody to talk to: what others run beside it on the same database, rows tell."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

from jarvis.core.events import LogEntry
from jarvis.core.replicas import Hint


class NoHints:
    """Fills Hints."""

    def tell(self, hint: Hint) -> None:
        del hint

    async def run(self, obey: Callable[[Hint], None]) -> None:
        del obey


class NoTurnTails:
    """Fills TurnTails, and the Tail of every turn: nothing ever comes."""

    def append(self, turn_id: UUID, entry: LogEntry) -> None:
        del turn_id, entry

    def follow(self, turn_id: UUID, *, after: int) -> AbstractContextManager["NoTurnTails"]:
        del turn_id, after
        return nullcontext(self)

    async def more(self, *, within_s: float) -> Sequence[LogEntry]:
        await asyncio.sleep(within_s)
        return ()

    def forget(self, turn_ids: Iterable[UUID]) -> None:
        del turn_ids
