"""All open WebSockets of the process, so that they can be counted and closed together."""

from typing import Protocol

import anyio


class Closable(Protocol):
    async def close(self, code: int) -> None:
        """Close with that code, after what waits has been sent or a deadline has passed."""
        ...


class Sockets:
    """A registry; each socket adds and discards itself."""

    def __init__(self) -> None:
        self._open: set[Closable] = set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, socket: Closable) -> None:
        self._open.add(socket)

    def discard(self, socket: Closable) -> None:
        self._open.discard(socket)

    async def close_all(self, code: int) -> None:
        """Close every socket; returns when all have begun to close."""
        async with anyio.create_task_group() as tasks:
            for socket in list(self._open):
                tasks.start_soon(socket.close, code)
