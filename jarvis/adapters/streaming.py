"""Requests to a model in tasks of their own, with deadlines; knows no protocol.

httpcore closes the connection of a cancelled task while it waits, and its shield holds against anyio's
cancellation only: a second `Task.cancel()` in that moment would leave the connection open, and its place in
the pool taken, for ever. So whoever asks may be cancelled any number of times, and the task that talks to
the server is cancelled once.
"""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, Generic, TypeVar

from jarvis.core.errors import JarvisError, TimedOut, Unavailable

T = TypeVar("T")

METADATA_S = 5.0
PING_S = 1.0
READ_AHEAD = 64
_DRAIN_S = 0.25
_CLOSE_S = 1.0


class Requests:
    """Owns the tasks of one adapter; `aclose` ends them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def aclose(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            _cancel_once(task)
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)

    async def answer(self, asking: Coroutine[Any, Any, T], *, limit_s: float) -> T:
        """Return what `asking` returns; raise TimedOut and cancel it where that takes longer."""
        task = self._start(asking)
        try:
            await asyncio.wait({task}, timeout=limit_s)
        except asyncio.CancelledError:
            await _end(task)
            raise
        if not task.done():
            await _end(task)
            raise TimedOut("llm", f"The language model did not answer within {limit_s:g} s.")
        if task.cancelled():
            raise Unavailable("llm", "The connection to the language model is being closed.")
        return task.result()

    async def stream(
        self, items: AsyncGenerator[T], *, first_s: float, between_s: float
    ) -> AsyncGenerator[T]:
        """Yield what `items` yields; raise TimedOut where it is silent too long.

        Up to READ_AHEAD items are read ahead of the caller, whose own time never counts. `items` is closed
        when this generator is.
        """
        reading = _Reading(items, first_s=first_s, between_s=between_s)
        task = self._start(reading.run())
        task.add_done_callback(reading.end)
        try:
            while await reading.more():
                yield reading.take()
        finally:
            await _end(task)

    def _start(self, asking: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(asking)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved here for askers who left; those who stayed get it too


class _Reading(Generic[T]):
    """One stream on its way from the task that reads the socket to the one that asked."""

    def __init__(self, items: AsyncGenerator[T], *, first_s: float, between_s: float) -> None:
        self._items = items
        self._first_s = first_s
        self._between_s = between_s
        self._loop = asyncio.get_running_loop()
        self._due_s = self._loop.time() + first_s
        self._timer = self._loop.call_at(self._due_s, self._check)
        self._begun = False
        self._ready: deque[T] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._over = False
        self._failure: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        self._task = asyncio.current_task()
        try:
            async with contextlib.aclosing(self._items):
                async for item in self._items:
                    self._ready.append(item)
                    self._news.set()
                    if len(self._ready) >= READ_AHEAD:
                        await self._wait_for_room()
                    self._due_s = self._loop.time() + self._between_s
                    if not self._begun:
                        self._begin()
        except Exception as exc:  # noqa: BLE001 # whatever it is, it is raised to the one who asked
            self._failure = self._failure or exc

    def end(self, _: asyncio.Task[None]) -> None:
        """Tell the reader; called for a task that was cancelled before its first step too."""
        self._timer.cancel()
        self._over = True
        self._news.set()

    async def more(self) -> bool:
        """Wait for an item; False at the end. Raises what ended the stream, after its last item."""
        while not self._ready:
            if self._over:
                if self._failure is not None:
                    raise self._failure
                return False
            self._news.clear()
            await self._news.wait()
        return True

    def take(self) -> T:
        self._room.set()
        return self._ready.popleft()

    async def _wait_for_room(self) -> None:
        self._due_s = math.inf
        self._room.clear()
        await self._room.wait()

    def _begin(self) -> None:
        self._begun = True
        self._timer.cancel()
        self._timer = self._loop.call_at(self._loop.time() + self._between_s, self._check)

    def _check(self) -> None:
        """Run once a limit, not once an item: an item only moves `_due_s`."""
        now_s = self._loop.time()
        if now_s < self._due_s:
            self._timer = self._loop.call_at(min(self._due_s, now_s + self._between_s), self._check)
            return
        what, limit_s = ("go on with", self._between_s) if self._begun else ("begin", self._first_s)
        self._failure = TimedOut("llm", f"The language model did not {what} its answer within {limit_s:g} s.")
        if self._task is not None:
            _cancel_once(self._task)


async def drain(items: AsyncGenerator[object]) -> None:
    """Read on to the end of the HTTP body, which lets the connection be used again; give up soon."""
    with contextlib.suppress(JarvisError, TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in items:
                pass


def _cancel_once(task: asyncio.Task[Any]) -> None:
    if not task.done() and not task.cancelling():
        task.cancel()


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel, and wait until the connection is closed; cut short, the task still ends by itself."""
    _cancel_once(task)
    if not task.done():
        await asyncio.wait({task}, timeout=_CLOSE_S)
