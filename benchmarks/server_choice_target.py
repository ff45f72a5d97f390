"""A server under comparison in its child process, and raw connections to it that can misbehave."""

import asyncio
import contextlib
import json
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect


class Target:
    """One server in a child process."""

    def __init__(self, variant: str) -> None:
        self.variant = variant
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        started = time.perf_counter()
        program = Path(__file__).with_name("server_choice_app.py")
        self.child = subprocess.Popen(
            [sys.executable, program, variant, str(self.port)], stderr=subprocess.DEVNULL
        )
        self.process = psutil.Process(self.child.pid)
        while not self._answers():
            time.sleep(0.002)
        self.boot_ms = (time.perf_counter() - started) * 1000
        self.boot_rss_mb = self.rss_mb()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            return client.recv(100).startswith(b"HTTP/1.1 200")
        return False

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    def rss_mb(self) -> float:
        return self.process.memory_info().rss / 1e6

    async def open(self, head: str = "", *, small_window: bool = False) -> "Peer":
        raw = socket.socket()
        if small_window:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port))
        peer = Peer(raw)
        if head:
            await peer.say(head)
        return peer

    async def state(self) -> dict[str, Any]:
        peer = await self.open("GET /state HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = await peer.hear(until_closed=True)
        peer.close()
        return json.loads(answer.partition(b"\r\n\r\n")[2])

    @contextlib.asynccontextmanager
    async def websocket(self, path: str) -> AsyncGenerator[ClientConnection]:
        url = f"ws://127.0.0.1:{self.port}{path}"
        async with connect(url, max_size=None, compression=None, ping_interval=None) as ws:
            yield ws

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()


class Peer:
    """A raw client connection that can misbehave."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw

    async def say(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        await asyncio.get_running_loop().sock_sendall(self.raw, data)

    async def hear(self, *, wait_s: float = 3.0, until_closed: bool = False, until: bytes = b"") -> bytes:
        """What arrives until `until` is in it, the peer closes, or `wait_s` passes."""
        heard = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(wait_s):
                while chunk := await asyncio.get_running_loop().sock_recv(self.raw, 65536):
                    heard += chunk
                    if not until_closed and until in heard:
                        break
                else:
                    heard += b"<closed>" if not until_closed else b""
        return heard

    def close(self) -> None:
        self.raw.close()

    def reset(self) -> None:
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.raw.close()

    def half_close(self) -> None:
        self.raw.shutdown(socket.SHUT_WR)


UPGRADE = (
    "GET {} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def get(path: str, *extra: str) -> str:
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: x", *extra, "", ""])


def status(answer: bytes) -> str:
    match = re.match(rb"HTTP/1\.[01] (\d+)", answer)
    return match[1].decode() if match else ("closed" if answer.endswith(b"<closed>") else "no answer")
