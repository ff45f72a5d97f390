"""Requests in tasks of their own: deadlines, reading ahead, and cancellation that cannot break in twice."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from jarvis.adapters.streaming import READ_AHEAD, Requests
from jarvis.core.errors import TimedOut, Unavailable

FOREVER_S = 60.0


class Source:
    """Gives numbers up to `count`, then waits; says what became of it."""

    def __init__(self, count: int) -> None:
        self.given = 0
        self.waiting = asyncio.Event()
        self.closing = asyncio.Event()
        self.may_close = asyncio.Event()
        self.closed = asyncio.Event()
        self._count = count

    async def items(self) -> AsyncGenerator[int]:
        try:
            while self.given < self._count:
                self.given += 1
                yield self.given
            self.waiting.set()
            await asyncio.Event().wait()
        finally:
            self.closing.set()
            # Closing takes a while, as a socket's does.
            await self.may_close.wait()
            self.closed.set()


async def read(
    requests: Requests, source: Source, *, first_s: float = FOREVER_S, between_s: float = FOREVER_S
) -> None:
    async for _ in requests.stream(source.items(), first_s=first_s, between_s=between_s):
        pass


async def test_a_second_cancellation_does_not_stop_the_closing() -> None:
    requests, source = Requests(), Source(1)
    reader = asyncio.ensure_future(read(requests, source))
    await source.waiting.wait()
    for _ in range(3):
        reader.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert not source.closed.is_set()
    source.may_close.set()
    await asyncio.wait_for(source.closed.wait(), 1)


async def test_leaving_a_stream_that_timed_out_does_not_stop_the_closing() -> None:
    requests, source = Requests(), Source(0)
    reader = asyncio.ensure_future(read(requests, source, first_s=0.01))
    await source.closing.wait()
    for _ in range(3):
        reader.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await reader
    source.may_close.set()
    await asyncio.wait_for(source.closed.wait(), 1)


async def test_what_is_not_read_is_not_asked_for() -> None:
    requests, source = Requests(), Source(1000)
    source.may_close.set()
    async with contextlib.aclosing(
        requests.stream(source.items(), first_s=FOREVER_S, between_s=FOREVER_S)
    ) as items:
        assert await anext(items) == 1
        for _ in range(200):
            await asyncio.sleep(0)
        assert source.given <= READ_AHEAD + 1
        assert [await anext(items) for _ in range(999)] == list(range(2, 1001))
    assert source.closed.is_set()


@pytest.mark.parametrize(("count", "words"), [(0, "begin"), (3, "go on")], ids=["at first", "between"])
async def test_silence_ends_a_stream_and_closes_it(count: int, words: str) -> None:
    requests, source = Requests(), Source(count)
    source.may_close.set()
    first_s, between_s = (0.05, FOREVER_S) if count == 0 else (FOREVER_S, 0.05)
    with pytest.raises(TimedOut, match=words):
        await read(requests, source, first_s=first_s, between_s=between_s)
    assert source.closed.is_set()


async def test_an_answer_late_is_given_up_and_its_task_ended() -> None:
    requests, ended = Requests(), asyncio.Event()

    async def ask() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimedOut):
        await requests.answer(ask(), limit_s=0.01)
    assert ended.is_set()


async def test_closing_ends_what_is_under_way() -> None:
    requests, source = Requests(), Source(0)
    source.may_close.set()
    reader = asyncio.ensure_future(read(requests, source))
    asking = asyncio.ensure_future(requests.answer(asyncio.Event().wait(), limit_s=FOREVER_S))
    await source.waiting.wait()
    await requests.aclose()
    await asyncio.wait_for(reader, 1)
    with pytest.raises(Unavailable):
        await asking


async def test_closing_before_the_first_step_leaves_no_reader_waiting() -> None:
    requests, source = Requests(), Source(0)
    source.may_close.set()
    reader = asyncio.ensure_future(read(requests, source))
    await asyncio.sleep(0)
    await requests.aclose()
    await asyncio.wait_for(reader, 1)


async def test_a_failure_comes_after_the_items_before_it() -> None:
    async def failing() -> AsyncGenerator[int]:
        yield 1
        yield 2
        raise Unavailable("llm", "gone")

    items = Requests().stream(failing(), first_s=FOREVER_S, between_s=FOREVER_S)
    assert [await anext(items), await anext(items)] == [1, 2]
    with pytest.raises(Unavailable, match="gone"):
        await anext(items)
