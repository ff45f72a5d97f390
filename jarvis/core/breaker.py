"""When what failed is let alone, and when it is looked at again. Pure: the clock is the caller's."""

FAILURES = 2
"""In a row; one may be the request's own fault, or a moment's."""
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 30.0


class Breaker:
    """Closed: requests pass. Open: none does, and after a wait a check is due, then every FIRST_WAIT_S.

    A check that goes well closes it on probation: one failure opens it again, for a wait that doubles each
    time, so that what answers checks but no requests is not tried every two seconds. A request that is served
    clears all.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._wait_s = FIRST_WAIT_S
        self._due_s: float | None = None

    @property
    def closed(self) -> bool:
        return self._due_s is None

    @property
    def due_s(self) -> float | None:
        """When the next check is due; None while closed."""
        return self._due_s

    def served(self) -> None:
        """Note a request that was served."""
        self._failures = 0
        self._wait_s = FIRST_WAIT_S
        self._due_s = None

    def failed(self, now_s: float, *, reached: bool = True) -> None:
        """Note a request that failed; one that `reached` nobody opens at once."""
        self._failures += 1
        if self.closed and (self._failures >= FAILURES or not reached):
            self._open(now_s)

    def check_failed(self, now_s: float, *, reached: bool = True) -> None:
        """Note a check that failed: while closed it counts as a request does."""
        if self.closed:
            self.failed(now_s, reached=reached)
        else:
            self._due_s = now_s + FIRST_WAIT_S

    def check_passed(self) -> None:
        """Note a check that went well."""
        if not self.closed:
            self._due_s = None
            self._failures = FAILURES - 1

    def _open(self, now_s: float) -> None:
        self._due_s = now_s + self._wait_s
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
