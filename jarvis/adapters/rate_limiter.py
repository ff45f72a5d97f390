"""The rates of one process, in memory."""

import heapq
import time
from collections.abc import Callable

from jarvis.core.gcra import step
from jarvis.core.identity import Allowance, Rate

MAX_KEYS = 100_000
FORGET_AT_ONCE = 4
"""For each key that comes or moves; more than one, so that they get fewer once they are full again."""


class InProcessRateLimiter:
    """Fills RateLimiter. A key that is full again is as one never heard of, and is forgotten.

    Where `max_keys` are in use, the one that is nearest to full (to a second) makes room for a new one: it
    gains least by it, and one that has used up its rate is the last to.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, max_keys: int = MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._arrivals: dict[str, float] = {}
        self._full_by: dict[int, dict[str, None]] = {}
        self._seconds: list[int] = []

    def __len__(self) -> int:
        return len(self._arrivals)

    async def take(self, key: str, rate: Rate) -> Allowance:
        now_s = self._clock()
        before_s = self._arrivals.get(key)
        allowance, arrival_s = step(before_s, now_s, rate)
        if allowance.granted:
            self._keep(key, before_s, arrival_s, now_s)
        return allowance

    def _keep(self, key: str, before_s: float | None, arrival_s: float, now_s: float) -> None:
        second = int(arrival_s)
        if before_s is not None:
            if int(before_s) == second:
                self._arrivals[key] = arrival_s
                return
            del self._full_by[int(before_s)][key]
        elif len(self._arrivals) >= self._max_keys:
            self._forget_nearest()
        self._arrivals[key] = arrival_s
        keys = self._full_by.get(second)
        if keys is None:
            keys = self._full_by[second] = {}
            heapq.heappush(self._seconds, second)
        keys[key] = None
        self._forget_full(now_s)

    def _forget_full(self, now_s: float) -> None:
        """Forget at most FORGET_AT_ONCE, so that nobody waits for the many that are full at the same time."""
        for _ in range(FORGET_AT_ONCE):
            if self._seconds[0] + 1 > now_s:
                return
            self._forget_first()

    def _forget_nearest(self) -> None:
        while len(self._arrivals) >= self._max_keys:
            self._forget_first()

    def _forget_first(self) -> None:
        """Forget a key of the first second, or that second where no key is left in it."""
        keys = self._full_by[self._seconds[0]]
        if keys:
            key, _ = keys.popitem()
            del self._arrivals[key]
        else:
            del self._full_by[heapq.heappop(self._seconds)]
