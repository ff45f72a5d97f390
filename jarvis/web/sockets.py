"""All open WebSockets of the process, so that they can be counted and closed together."""

from typing import Protocol

import anyio

CLOSE_WITHIN_S = 2.0
"""The time a socket takes at most to send what waits, and then its close frame."""


class Closable(Protocol):
    async def close(self, code: int) -> None:
        """Close with that code, after what waits has been sent or a deadline has passed."""
        ...


class Sockets:
    """A registry; each socket adds and discards itself."""

    def __init__(self) -> None:
        self._open: set[Closable] = set()
        self._emptied = anyio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, socket: Closable) -> None:
        self._open.add(socket)

    def discard(self, socket: Closable) -> None:
        self._open.discard(socket)
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
