"""What waits to be sent on one WebSocket: bounded by bytes, so that a slow reader costs little."""

import asyncio
from collections import deque

MAX_BYTES = 1024 * 1024
"""Text that may wait for a slow reader (the contract's section 4)."""


class SlowReader(Exception):
    """The peer reads too slowly: MAX_BYTES wait already."""


class Outbox:
    """A queue of text frames, in the order they were put, for one consumer."""

    def __init__(self) -> None:
        self._frames: deque[tuple[bytes, int]] = deque()
        self._bytes = 0
        self._sending_bytes = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def put(self, frame: bytes, *, is_sound: bool = False) -> None:
        """Queue UTF-8 text; never waits. Raises SlowReader, and queues nothing, when too much waits.

        A sound counts for nothing: whoever puts one waits until it was sent.
        """
        counted = 0 if is_sound else len(frame)
        if self._bytes + counted > MAX_BYTES and self._bytes:
            raise SlowReader
        # The log's own bytes: as text, one emoji makes a frame four times as large.
        self._frames.append((frame, counted))
        self._bytes += counted
        self._filled.set()
        self._emptied.clear()

    async def get(self) -> str:
        """Wait for the next frame, the caller's alone; it counts as waiting until `sent` is called."""
        while not self._frames:
            self._filled.clear()
            await self._filled.wait()
        frame, self._sending_bytes = self._frames.popleft()
        return frame.decode()

    def sent(self) -> None:
        """Count the frame that `get` returned no more."""
        self._bytes -= self._sending_bytes
        if not self._frames:
            self._emptied.set()

    def clear(self) -> None:
        """Let go of all that waits: nobody will send it."""
        self._frames.clear()
        self._bytes = self._sending_bytes = 0
        self._emptied.set()

    async def flushed(self) -> None:
        """Wait until all that was put has been sent."""
        await self._emptied.wait()
