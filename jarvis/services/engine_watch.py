"""One engine among several: whether it works, what it offers, and how both are found out."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Generic, Literal, Protocol, TypeVar

import anyio

from jarvis.core.breaker import Breaker
from jarvis.core.errors import TimedOut, Unavailable, Unreachable

PING_S = 1.0
CHECK_PERIOD_S = 4.5
"""How often an engine that works and is idle is asked whether it still does."""
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
        """Check for ever: when it is due after failures, and every CHECK_PERIOD_S; to be cancelled."""
        while True:
            due_s = self._breaker.due_s
            if due_s is None or self._clock() >= due_s:
                await self.check()
            if self._list_wanted and self.works:
                self._list_wanted = False
                await self.renew_list()
            due_s = self._breaker.due_s
            pause_s = CHECK_PERIOD_S if due_s is None else max(0.0, due_s - self._clock())
            self._news.clear()
            with anyio.move_on_after(pause_s):
                await self._news.wait()

    async def check(self, *, known_s: float = 0.0) -> None:
        """Ask whether it works, unless work under way tells, or a check of the last `known_s`."""
        if self._checking is not None:
            await self._checking.wait()
            return
        if (self.works and self.busy) or self._clock() - self._checked_s < known_s:
            return
        self._checking = asyncio.Event()
        try:
            if await self._goes_well(self.engine.ping, limit_s=PING_S):
                self._breaker.check_passed()
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

        await self._goes_well(ask, limit_s=LIST_S)

    async def _goes_well(self, ask: Callable[[], Awaitable[None]], *, limit_s: float) -> bool:
        try:
            with anyio.fail_after(limit_s):
                await ask()
        except (Unavailable, TimedOut) as exc:
            failure: Failure = exc
        except TimeoutError:
            failure = out_of_time(self._role)
        except Exception as exc:  # noqa: BLE001 a defect in a check must not end the server
            failure = Unavailable(self._role, f"The check itself failed ({type(exc).__name__}).")
        else:
            return True
        self.failure = failure
        self._breaker.check_failed(self._clock(), reached=not isinstance(failure, Unreachable))
        return False


def out_of_time(role: Role) -> TimedOut:
    return TimedOut(role, f"The {CALLED[role]} did not answer in time.")
