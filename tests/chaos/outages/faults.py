"""Six ways in which something goes away: what each does to the proxy before it, or to its process."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import assert_never

import msgspec

from tests.chaos.outages.table import Fault
from tests.chaos.proxy import FAIR, HALF_OPEN, Cut, Proxy, Weather

SLOW = Weather(latency_s=1.5)
"""Each way: an answer takes 3 s more."""
UP_S, DOWN_S = 0.4, 0.6


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something that Jarvis reaches through `proxy` only.

    `freeze` stops its processes, `thaw` lets them go on; `cut_at` is within its shortest reply.
    """

    proxy: Proxy
    freeze: Callable[[], None]
    thaw: Callable[[], None]
    cut_at: int


@asynccontextmanager
async def suffering(part: Part, fault: Fault) -> AsyncGenerator[None]:
    """Have the fault until this is left; connections that it has broken stay so."""
    proxy = part.proxy
    async with AsyncExitStack() as stack:
        match fault:
            case "refused":
                proxy.refuse()
                stack.push_async_callback(proxy.listen)
            case "stopped":
                part.freeze()
                stack.callback(part.thaw)
            case "slow":
                proxy.change(SLOW)
                stack.callback(proxy.change, FAIR)
            case "reset":
                proxy.change(Weather(cut=Cut(at_byte=part.cut_at, how="reset")))
                stack.callback(proxy.change, FAIR)
            case "half_open":
                proxy.change(HALF_OPEN)
                stack.callback(setattr, proxy, "weather", FAIR)  # nobody remembers the connections there were
            case "flapping":
                tasks = await stack.enter_async_context(asyncio.TaskGroup())
                over = asyncio.Event()
                tasks.create_task(_flap(proxy, until=over))
                stack.callback(over.set)
            case _:
                assert_never(fault)
        yield


async def _flap(proxy: Proxy, *, until: asyncio.Event) -> None:
    """Be away and back by turns; in the end back, unless this is cancelled on its way there."""
    while not until.is_set():
        proxy.refuse()
        await _wait(until, DOWN_S)
        await proxy.listen()
        await _wait(until, UP_S)


async def _wait(event: asyncio.Event, at_most_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await event.wait()
