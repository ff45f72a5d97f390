"""How long an answer may be waited for: its own time only, not that of whoever takes it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator


class OutOfTime(Exception):
    """What was allowed has been spent."""


class Budget:
    """Runs out when `whole_s` were spent `waiting` since `begin`; waiting before that is free."""

    def __init__(self, whole_s: float) -> None:
        self.left_s = whole_s
        self._begun = False
        self._since_s = 0.0
        self._limit: asyncio.Timeout | None = None
        self._allowed_s = 0.0

    def begin(self) -> None:
        """Let time count from now on, within a wait that is under way too."""
        self._begun = True
        if self._limit is not None:
            self._start(self._limit)

    @contextlib.asynccontextmanager
    async def waiting(self, allowed_s: float) -> AsyncGenerator[None]:
        """Spend what the body takes; raise OutOfTime where that is more than `allowed_s`."""
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._limit, self._allowed_s = limit, allowed_s
                if self._begun:
                    self._start(limit)
                yield
        except TimeoutError:
            if limit.expired():
                raise OutOfTime from None
            raise
        finally:
            self._limit = None
            if self._begun:
                self.left_s -= asyncio.get_running_loop().time() - self._since_s

    def _start(self, limit: asyncio.Timeout) -> None:
        self._since_s = asyncio.get_running_loop().time()
        limit.reschedule(self._since_s + max(0.0, self._allowed_s))
