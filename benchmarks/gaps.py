"""How long a server lets its callers wait: /health again and again, asked by a process of its own."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from benchmarks.peer import get
from benchmarks.report import at_share

PERIOD_S = 0.005


class Gaps:
    """`waits_s` are there once `asking_health` is left."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []

    def at_ms(self, share: float) -> float:
        return at_share(self.waits_s, share) * 1000


@asynccontextmanager
async def asking_health(port: int) -> AsyncGenerator[Gaps]:
    """Ask every PERIOD_S, or as soon as the answer is there, as long as the context is open."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.gaps", str(port)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    gaps = Gaps()
    try:
        yield gaps
        told, _ = await process.communicate(b"")
        gaps.waits_s = msgspec.json.decode(told, type=list[float])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def main() -> None:
    """Ask until the standard input ends; then print what each answer took, in seconds."""
    port = int(sys.argv[1])
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    request, waits_s = get(port, "/health"), list[float]()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        while not over.wait(PERIOD_S):
            asked_s = time.perf_counter()
            connection.sendall(request)
            if b"200 OK" not in connection.recv(65_536)[:64]:
                raise RuntimeError("no answer to /health")
            waits_s.append(time.perf_counter() - asked_s)
    sys.stdout.buffer.write(msgspec.json.encode(waits_s))


if __name__ == "__main__":
    main()
