"""All open WebSockets of the process, so that they can be counted and closed together."""

from collections import Counter
from collections.abc import Generator, Hashable, Mapping
from contextlib import contextmanager
from typing import Protocol

import anyio

CLOSE_WITHIN_S = 2.0
"""The time a socket takes at most to send what waits, and then its close frame."""
MAX_SOCKETS = 2_000
"""Open at once in the process: at 152 KB each (docs/decisions.md) they take 300 MB."""


class Closable(Protocol):
    async def close(self, code: int) -> None:
        """Close with that code, after what waits has been sent or a deadline has passed."""
        ...


class TooManySockets(Exception):
    """As many are open as may be, in all or of one owner."""


class Sockets:
    """A registry, by whom they belong to."""

    def __init__(self) -> None:
        self._open: set[Closable] = set()
        self._of: Counter[Hashable] = Counter()
        self._emptied = anyio.Event()

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def kept(self, socket: Closable, most_of: Mapping[Hashable, int]) -> Generator[None]:
        """Keep a socket while it is open; it counts for each of `most_of`, which says how many each may have.

        Raises TooManySockets.
        """
        full = any(self._of[whose] >= most for whose, most in most_of.items())
        if full or len(self._open) >= MAX_SOCKETS:
            raise TooManySockets
        self._open.add(socket)
        self._of.update(most_of.keys())
        try:
            yield
        finally:
            self._open.discard(socket)
            self._of.subtract(most_of.keys())
            self._of = +self._of
            if not self._open:
                self._emptied.set()

    async def close_all(self, code: int) -> None:
        """Close every socket; returns when all have closed, or when CLOSE_WITHIN_S have passed."""
        if not self._open:
            return
        self._emptied = anyio.Event()
        with anyio.move_on_after(CLOSE_WITHIN_S):
            async with anyio.create_task_group() as tasks:
                for socket in list(self._open):
                    tasks.start_soon(socket.close, code)
            await self._emptied.wait()
