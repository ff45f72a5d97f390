"""One engine among several: whether it works, what it offers, and how both are found out."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Generic, Literal, Protocol, TypeVar

import anyio

from jarvis.core.breaker import Breaker
from jarvis.core.errors import TimedOut, Unavailable, Unreachable

PING_S = 2.0
CHECK_PERIOD_S = 3.5
"""How often an engine is asked whether it works: with a check's limit, silence must be known within 6 s."""
RECHECK_S = 1.0
"""How soon one that was silent is asked again."""
LIST_S = 5.0
LISTED_S = 60.0
Role = Literal["stt", "tts"]
CALLED: dict[Role, str] = {"stt": "speech recognition", "tts": "speech synthesis"}
Failure = Unavailable | TimedOut


class Engine(Protocol):
    @property
    def name(self) -> str: ...

    async def ping(self) -> None: ...


E = TypeVar("E", bound=Engine)
L = TypeVar("L")


class WatchedEngine(Generic[E, L]):
    """`engine` with what is known of it; `ask_list` tells what it offers. Nothing here raises."""

    def __init__(
        self, engine: E, role: Role, ask_list: Callable[[E], Awaitable[list[L]]], clock: Callable[[], float]
    ) -> None:
        self.engine = engine
        self.failure: Failure | None = None
        """The last."""
        self.listed: list[L] | None = None
        """What it was last known to offer; None: it has never told."""
        self.busy = 0
        """How many requests it is working on."""
        self.silent = False
        """Whether it failed to answer the last check."""
        self._role: Role = role
        self._ask_list = ask_list
        self._clock = clock
        self._breaker = Breaker()
        self._news = asyncio.Event()
        self._listed_s = 0.0
        self._list_wanted = False
        self._listing = asyncio.Lock()
        self._checked_s = -math.inf
        self._checking: asyncio.Event | None = None

    @property
    def works(self) -> bool:
        """Whether it may be asked, as far as is known."""
        return self._breaker.closed

    def served(self) -> None:
        """Note a request that was served."""
        self._breaker.served()
        self.silent = False

    def failed(self, failure: Failure) -> None:
        """Note a request that failed; the next check comes as soon as it may."""
        self.failure = failure
        self._breaker.failed(self._clock(), reached=not isinstance(failure, Unreachable))
        self._news.set()

    def want_list(self) -> None:
        """Have the list renewed in the background where it is older than LISTED_S."""
        if self.listed is not None and self._clock() - self._listed_s > LISTED_S:
            self._list_wanted = True
            self._news.set()

    async def watch(self) -> None:
        """Check for ever: when it is due after failures, and in between; to be cancelled."""
        while True:
            due_s = self._breaker.due_s
            if due_s is None or self._clock() >= due_s:
                await self.check()
            if self._list_wanted and self.works:
                self._list_wanted = False
                await self.renew_list()
            due_s = self._breaker.due_s
            pause_s = RECHECK_S if self.silent else CHECK_PERIOD_S
            if due_s is not None:
                pause_s = max(0.0, due_s - self._clock())
            self._news.clear()
            with anyio.move_on_after(pause_s):
                await self._news.wait()

    async def check(self, *, known_s: float = 0.0) -> None:
        """Ask whether it works, unless a check of the last `known_s` tells.

        While it works on a request, silence is noted and no more: the work may be all that it can do.
        """
        if self._checking is not None:
            await self._checking.wait()
            return
        if self._clock() - self._checked_s < known_s:
            return
        at_work = self.works and self.busy > 0
        self._checking = asyncio.Event()
        try:
            failure = await self._failure_of(self.engine.ping, limit_s=PING_S)
            self.silent = failure is not None
            if failure is None:
                self._breaker.check_passed()
            elif not at_work:
                self._note(failure)
        finally:
            self._checked_s = self._clock()
            self._checking.set()
            self._checking = None

    async def renew_list(self) -> None:
        """Ask what it offers; what was known stays where it does not tell."""
        known = self.listed

        async def ask() -> None:
            async with self._listing:
                if self.listed is known:  # else somebody else has asked meanwhile
                    self.listed = await self._ask_list(self.engine)
                    self._listed_s = self._clock()

        failure = await self._failure_of(ask, limit_s=LIST_S)
        if failure is not None:
            self._note(failure)

    async def _failure_of(self, ask: Callable[[], Awaitable[None]], *, limit_s: float) -> Failure | None:
        try:
            with anyio.fail_after(limit_s):
                await ask()
        except (Unavailable, TimedOut) as exc:
            return exc
        except TimeoutError:
            return out_of_time(self._role)
        except Exception as exc:  # noqa: BLE001 a defect in a check must not end the server
            return Unavailable(self._role, f"The check itself failed ({type(exc).__name__}).")
        return None

    def _note(self, failure: Failure) -> None:
        self.failure = failure
        self._breaker.check_failed(self._clock(), reached=not isinstance(failure, Unreachable))


def out_of_time(role: Role) -> TimedOut:
    return TimedOut(role, f"The {CALLED[role]} did not answer in time.")
