"""Several engines in one role: which is asked, for how long, and what becomes of one that fails.

An engine that fails is let alone by its breaker and healed by checks in the background: no request is the one
that finds out that it is still away.
"""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import ClassVar, Generic, Self, TypeVar

import anyio
import msgspec
from anyio.abc import TaskGroup

from jarvis.core.errors import TimedOut, Unavailable
from jarvis.services.deadlines import Budget, OutOfTime
from jarvis.services.engine_watch import CALLED, Engine, Failure, Role, WatchedEngine, out_of_time

WHOLE_S = 30.0
SETTLE_S = 1.0
"""Where every engine is away, how long requests take what a check found for true."""

E = TypeVar("E", bound=Engine)
L = TypeVar("L")
T = TypeVar("T")
Ask = tuple[WatchedEngine[E, L], Callable[[], AsyncGenerator[T]]]


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """`serving`: it is the first that is asked. `silent`: it did not answer the last check.

    `error` is for people.
    """

    name: str
    works: bool
    serving: bool
    silent: bool
    error: str | None = None


class Answer(Generic[T]):
    """Pieces of an answer as they come; close it. `engine` names who gives it, "" before the first."""

    def __init__(self, pieces: "Callable[[Answer[T]], AsyncGenerator[T]]") -> None:
        self.engine = ""
        self._pieces = pieces(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """End the request to the engine."""
        await self._pieces.aclose()


class Engines(ABC, Generic[E, L]):
    """Engines in the order in which they are asked; L is what each keeps a list of.

    An answer may be waited for `whole_s` in all, its first piece `first_s`; the time that the taker spends
    between pieces does not count. Somebody runs `run`: it heals what failed.
    """

    role: ClassVar[Role]

    def __init__(
        self,
        engines: Sequence[E],
        *,
        first_s: float = WHOLE_S,
        whole_s: float = WHOLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_s = first_s
        self._whole_s = whole_s
        self._clock = clock
        self._engines = [self._watched(engine) for engine in engines]
        self._tasks: TaskGroup | None = None

    @property
    def serving(self) -> str | None:
        """The name of the engine that is asked first now."""
        return next((each.engine.name for each in self._engines if each.works), None)

    def states(self) -> list[EngineState]:
        """Return what is known of each, in order."""
        first = next((each for each in self._engines if each.works), None)
        return [
            EngineState(
                name=each.engine.name,
                works=each.works,
                serving=each is first,
                silent=each.silent,
                error=None if each.works or each.failure is None else each.failure.detail,
            )
            for each in self._engines
        ]

    async def ping(self) -> None:
        """Return where an engine works, as far as is known; asks none. Raises Unavailable, TimedOut."""
        if self.serving is None:
            raise self._away()

    async def run(self) -> None:
        """Watch every engine for ever; to be cancelled."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            for each in self._engines:
                tasks.start_soon(each.watch)
            await anyio.sleep_forever()

    def add(self, engine: E) -> None:
        """Ask another one too, after all others."""
        each = self._watched(engine)
        self._engines.append(each)
        if self._tasks is not None:
            self._tasks.start_soon(each.watch)

    def _watched(self, engine: E) -> WatchedEngine[E, L]:
        return WatchedEngine(engine, self.role, self._list, self._clock)

    async def check(self, *, known_s: float = 0.0) -> None:
        """Ask every engine now, side by side, but those asked within `known_s`.

        For whoever knows that something has changed: that an engine has arrived.
        """
        async with anyio.create_task_group() as tasks:
            for each in self._engines:
                tasks.start_soon(partial(each.check, known_s=known_s))

    @abstractmethod
    async def _list(self, engine: E) -> list[L]:
        """Return what `engine` offers."""

    async def _lists(self) -> list[tuple[WatchedEngine[E, L], list[L]]]:
        """Return what each engine is known to offer; raise where nothing is known."""
        if self.serving is None and all(each.listed is None for each in self._engines):
            await self.check(known_s=SETTLE_S)
        async with anyio.create_task_group() as tasks:
            for each in self._engines:
                if each.listed is None and each.works:
                    tasks.start_soon(each.renew_list)
                each.want_list()
        known = [(each, each.listed) for each in self._engines if each.listed is not None]
        if not known:
            raise self._away()
        return known

    async def _askable(self) -> list[WatchedEngine[E, L]]:
        """Return who may be asked, in order; where nobody may, ask them whether they are back."""
        if self.serving is None:
            await self.check(known_s=SETTLE_S)
        able = [each for each in self._engines if each.works]
        if not able:
            raise self._away()
        return able

    async def _answer(
        self,
        answer: Answer[T],
        asks: Sequence[Ask[E, L, T]],
        budget: Budget,
        *,
        may_repeat: Callable[[int], bool],
    ) -> AsyncGenerator[T]:
        """Yield what the first gives that does not fail; `may_repeat` is told how many pieces came so far.

        The time that is left is shared among those left to ask.
        """
        failure = self._away()
        for left, (asked, begin) in zip(range(len(asks), 0, -1), asks, strict=True):
            came = 0
            reserve_s = budget.left_s - min(self._first_s, budget.left_s / left)
            asked.busy += 1
            try:
                async with contextlib.aclosing(begin()) as pieces:
                    while True:
                        kept_s = reserve_s if may_repeat(came) else 0.0
                        piece = await self._next(pieces, budget, reserve_s=kept_s)
                        if piece is None:
                            break
                        came += 1
                        answer.engine = asked.engine.name
                        yield piece
            except (Unavailable, TimedOut) as exc:
                failure = exc
            else:
                asked.served()
                return
            finally:
                asked.busy -= 1
            asked.failed(failure)
            if not may_repeat(came):
                break
        raise failure

    async def _next(self, pieces: AsyncGenerator[T], budget: Budget, *, reserve_s: float) -> T | None:
        """Return the next piece, None after the last; leave at least `reserve_s` of the budget."""
        try:
            async with budget.waiting(budget.left_s - reserve_s):
                return await anext(pieces, None)
        except OutOfTime:
            raise out_of_time(self.role) from None

    def _away(self) -> Failure:
        """Return anew what the last engine in order failed with."""
        failure = next((each.failure for each in reversed(self._engines) if each.failure), None)
        if failure is None:
            return Unavailable(self.role, f"No {CALLED[self.role]} is set up.")
        kind = TimedOut if isinstance(failure, TimedOut) else Unavailable
        return kind(failure.dependency, failure.detail)
