"""The proxy does what it is told: what passes it, and how a connection through it ends."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from tests.chaos.proxy import FAIR, Cut, How, Proxy, Weather

REPLY = bytes(range(256)) * 4
PATIENCE_S = 5.0
SILENCE_S = 0.2


@asynccontextmanager
async def _answering() -> AsyncGenerator[tuple[str, int]]:
    """Answers each line with REPLY."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readline():
                writer.write(REPLY)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[:2]


async def _ask(proxy: Proxy, *lines: bytes, patience_s: float = PATIENCE_S) -> tuple[bytes, str]:
    """Ask each when the one before is answered; return what came and how it ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    came = b""
    left = deque(lines)
    try:
        async with asyncio.timeout(None) as patience:
            while True:
                if len(came) == len(REPLY) * (len(lines) - len(left)):
                    writer.write(left.popleft() + b"\n") if left else writer.write_eof()
                patience.reschedule(asyncio.get_running_loop().time() + patience_s)
                data = await reader.read(len(REPLY))
                if not data:
                    return came, "end"
                came += data
    except TimeoutError:
        return came, "silence"
    except ConnectionError:
        return came, "reset"
    finally:
        writer.transport.abort()


async def test_in_fair_weather_everything_passes() -> None:
    async with _answering() as upstream, Proxy(upstream) as proxy:
        assert await _ask(proxy, b"one", b"two") == (REPLY * 2, "end")
        assert proxy.cuts == 0


@pytest.mark.parametrize(
    ("how", "ends"),
    [("close", "end"), ("reset", "reset"), ("blackhole", "silence"), ("truncate", "silence")],
)
@pytest.mark.parametrize("at_byte", [0, 1, 700, len(REPLY) + 5])
async def test_a_cut_comes_at_its_byte(how: How, ends: str, at_byte: int) -> None:
    async with _answering() as upstream, Proxy(upstream) as proxy:
        proxy.next(Weather(cut=Cut(at_byte=at_byte, how=how)), FAIR)
        patience_s = SILENCE_S if ends == "silence" else PATIENCE_S
        came, end = await _ask(proxy, b"one", b"two", b"three", patience_s=patience_s)
        assert end == ends
        if how != "reset":  # which overtakes bytes
            assert came == (REPLY * 2)[:at_byte]
        assert await _ask(proxy, b"one") == (REPLY, "end")  # only this connection
        assert proxy.cuts == 1


async def test_the_end_of_a_server_that_said_nothing_passes() -> None:
    async with (
        await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as silent,
        Proxy(silent.sockets[0].getsockname()[:2]) as proxy,
    ):
        proxy.weather = Weather(cut=Cut(at_byte=0, how="truncate"))
        assert await _ask(proxy, b"one") == (b"", "end")


async def test_a_cut_waits_for_what_is_asked() -> None:
    async with _answering() as upstream, Proxy(upstream) as proxy:
        proxy.weather = Weather(cut=Cut(at_byte=0, how="close", once_asked=(b"two", b"COMMIT")))
        came, end = await _ask(proxy, b"COMMIT", b"one, two", b"three", b"COMMIT", b"four")
        assert (came, end) == (REPLY * 3, "end")


async def test_all_can_be_reset() -> None:
    async with _answering() as upstream, Proxy(upstream) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"one\n")
        await reader.readexactly(len(REPLY))
        proxy.reset_all()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_latency_and_rate_take_their_time() -> None:
    async with _answering() as upstream, Proxy(upstream) as proxy:
        proxy.weather = Weather(latency_s=0.1, rate_bytes_per_s=len(REPLY) / 0.2)
        begun_at = time.monotonic()
        assert await _ask(proxy, b"one") == (REPLY, "end")
        assert time.monotonic() - begun_at >= 0.4  # each way, the pace of the reply, and the end's way
