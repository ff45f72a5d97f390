"""Clients of the chaos tests: they begin a turn over SSE or a WebSocket and note all that comes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.running import JarvisProcess

Event = dict[str, Any]
Way = Literal["sse", "websocket"]

POLL_S = 0.02
"""Between two looks at another process, of which there is no event to wait for."""


class Listener:
    """One client; `events` grows until its connection ends, `close_code` is the WebSocket's."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.close_code: int | None = None
        self._changed = asyncio.Condition()
        self._over = False

    @property
    def ack(self) -> Event:
        return self.events[0]

    @property
    def text(self) -> str:
        return "".join(event["text"] for event in self.events if event["type"] == "delta")

    @property
    def status(self) -> str:
        """How the turn ended, by its terminal event; "" without one."""
        match self.events[-1]:
            case {"type": "chat_response" | "error", "status": str(status)}:
                return status
            case _:
                return ""

    async def until(self, reached: Callable[["Listener"], bool], *, within_s: float = 10.0) -> None:
        """Wait for events; raises TimeoutError, or ConnectionError when the connection ends before."""
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: self._over or reached(self))
        if not reached(self):
            raise ConnectionError(f"the connection ended after {self.events}")

    async def until_over(self, *, within_s: float = 10.0) -> None:
        """Wait until the connection has ended."""
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: self._over)

    async def note(self, event: Event) -> None:
        async with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    async def end(self) -> None:
        async with self._changed:
            self._over = True
            self._changed.notify_all()


@asynccontextmanager
async def listening(
    jarvis: JarvisProcess, message: str, way: Way, *, conversation_id: str | None = None
) -> AsyncGenerator[Listener]:
    """Begin a turn and listen to it beside the test; at the end the client leaves."""
    listener = Listener()
    listen = _over_sse if way == "sse" else _over_websocket
    task = asyncio.create_task(listen(jarvis, message, conversation_id, listener))
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _over_sse(
    jarvis: JarvisProcess, message: str, conversation_id: str | None, listener: Listener
) -> None:
    body = {"message": message, "conversation_id": conversation_id, "stream": True}
    try:
        async with jarvis.http.stream("POST", "/api/chat", json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    await listener.note(msgspec.json.decode(line.removeprefix("data: ")))
    except httpx.TransportError:
        pass  # the server was killed: the test looks at what came
    finally:
        await listener.end()


async def _over_websocket(
    jarvis: JarvisProcess, message: str, conversation_id: str | None, listener: Listener
) -> None:
    frame: Event = {"type": "chat_message", "content": message}
    if conversation_id is not None:
        frame["conversation_id"] = conversation_id
    try:
        async with connect(jarvis.ws_url, proxy=None) as socket:
            await socket.send(msgspec.json.encode(frame).decode())
            try:
                while True:
                    await listener.note(msgspec.json.decode(await socket.recv()))
            except ConnectionClosed:
                listener.close_code = socket.close_code
    finally:
        await listener.end()


def has_text(text: str) -> Callable[[Listener], bool]:
    return lambda listener: listener.text == text


def has_ack(listener: Listener) -> bool:
    return bool(listener.events)


async def poll(true: Callable[[], Awaitable[bool]], *, within_s: float) -> None:
    """Ask until it is so; raises TimeoutError. A server that does not listen yet is "not so"."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                if await true():
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(POLL_S)


async def poll_ready(
    jarvis: JarvisProcess, status: str, *, failed: list[str] | None = None, within_s: float = 6.0
) -> None:
    """Ask /ready until it has that status, and exactly these failed checks."""
    said: list[Any] = []

    async def so() -> bool:
        answer = await jarvis.http.get("/ready")
        said[:] = [answer.status_code, answer.json()]
        body = answer.json()
        assert answer.status_code == (503 if body["failed_checks"] else 200)
        return body["status"] == status and body["failed_checks"] == (failed or [])

    try:
        await poll(so, within_s=within_s)
    except TimeoutError:
        raise AssertionError(f"/ready did not become {status} in {within_s} s; it says {said}") from None
