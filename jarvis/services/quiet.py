"""What is done in the background while no turn runs: a turn that begins comes first."""

import asyncio
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from uuid import UUID

import anyio

from jarvis.core.errors import JarvisError
from jarvis.core.types import Turn
from jarvis.services.sweeper import Reporter
from jarvis.services.watching import TurnWatcher

MAX_WAITING = 100
"""Of more wishes the oldest go."""

T = TypeVar("T")
W = TypeVar("W")


class Quiet(TurnWatcher):
    """It is quiet when no turn has run for `quiet_s`."""

    def __init__(self, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        self._quiet_at = 0.0
        self._no_turn_runs = asyncio.Event()
        self._no_turn_runs.set()
        self._working = anyio.CancelScope()

    def turn_began(self, turn: Turn) -> None:
        """End what is under way, also in the middle."""
        del turn
        self._no_turn_runs.clear()
        self._working.cancel()

    def all_ended(self) -> None:
        """Go on after a while of quiet."""
        self._quiet_at = anyio.current_time() + self._quiet_s
        self._no_turn_runs.set()

    async def no_turn_runs(self) -> None:
        """Wait for that, which is not yet the quiet."""
        await self._no_turn_runs.wait()

    async def in_quiet(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Return what `work` does once it is quiet; None where a turn runs, or begins before the end."""
        if not self._no_turn_runs.is_set():
            return None
        with anyio.CancelScope() as self._working:
            await anyio.sleep_until(self._quiet_at)
            return await work()
        return None


class Wishes(Quiet, ABC, Generic[W]):
    """What is wanted for conversations, done one at a time, the oldest wish first.

    What fails is given up: the conversation's next turn wishes for it again.
    """

    def __init__(self, *, quiet_s: float, defect: str, reporter: Reporter) -> None:
        super().__init__(quiet_s)
        self._defect = defect
        self._reporter = reporter
        self._wishes: OrderedDict[UUID, W] = OrderedDict()
        self._wished = asyncio.Event()

    def wish_of(self, conversation_id: UUID) -> W | None:
        return self._wishes.get(conversation_id)

    def want(self, conversation_id: UUID, wish: W) -> None:
        """Take the place of the conversation's earlier wish, if there is one; never waits."""
        self._wishes[conversation_id] = wish
        if len(self._wishes) > MAX_WAITING:
            self._wishes.popitem(last=False)
        self._wished.set()

    async def run(self) -> None:
        """Fulfil wishes for ever; to be cancelled."""
        while True:
            await self._wished.wait()
            conversation_id, wish = next(iter(self._wishes.items()))
            try:
                is_done = await self.go_on(conversation_id, wish)
            except JarvisError:
                is_done = True  # the model or the database is away
            except Exception:  # noqa: BLE001 one defect must not end the fulfilling of wishes
                self._reporter.exception(self._defect)
                is_done = True
            if is_done and self._wishes.get(conversation_id) is wish:
                del self._wishes[conversation_id]
            if not self._wishes:
                self._wished.clear()

    @abstractmethod
    async def go_on(self, conversation_id: UUID, wish: W) -> bool:
        """Do some of what is wished for; return whether nothing of it is left."""
