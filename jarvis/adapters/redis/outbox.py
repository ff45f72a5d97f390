"""What is to be written to Redis: put at once, sent in order and in batches, and dropped while it is away."""

import asyncio
from collections.abc import Callable
from typing import Any

from jarvis.adapters.redis.server import RedisServer
from jarvis.core.errors import Unavailable

MAX_BYTES = 8 * 1024 * 1024
"""Of what waits while Redis is slow; what comes then is dropped."""
MAX_BATCH = 1000

Command = Callable[[Any], object]
"""Adds itself to a pipeline."""


class Outbox:
    """Nobody waits for Redis: one batch is under way, and what comes meanwhile is the next."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._waiting: list[tuple[Command, int]] = []
        self.size = 0
        """Bytes that wait."""
        self._arrived = asyncio.Event()

    def put(self, command: Command, size: int) -> None:
        """Send `command`, of about `size` bytes, after what was put before."""
        if self.size + size <= MAX_BYTES:
            self._waiting.append((command, size))
            self.size += size
            self._arrived.set()

    async def run(self) -> None:
        """Send for ever; to be cancelled."""
        while True:
            await self._arrived.wait()
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                self.size -= sum(size for _, size in batch)
                await self._send([command for command, _ in batch])
            self._arrived.clear()

    async def _send(self, commands: list[Command]) -> None:
        try:
            async with self._server.asking() as client, client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    command(pipeline)
                # One that is refused (an entry older than the newest) costs the others nothing.
                await pipeline.execute(raise_on_error=False)
        except Unavailable:
            return  # rows tell what is lost
