"""The ways into Jarvis that a message can take, each told as the same events: JSON, SSE and the WebSocket.

A client here knows the contract alone. It waits for nothing longer than QUIET_S: then it gives up, as one
does whose network has gone silent.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal, TypeAlias

import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from tests.chaos.journal import Event

Door: TypeAlias = Literal["json", "sse", "websocket"]
DOORS: tuple[Door, ...] = ("json", "sse", "websocket")
QUIET_S = 30.0
GONE = (httpx.TransportError, OSError, WebSocketException, InvalidHandshake, EOFError, TimeoutError)
"""How a client learns that its connection is gone, or as good as gone."""


class Refused(Exception):
    """The server said no and stored nothing; `code` is the contract's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, whichever way."""

    text: str
    conversation_id: str | None = None
    key: str | None = None


async def send(url: str, sent: Sent, door: Door, *, quiet_s: float = QUIET_S) -> AsyncGenerator[Event]:
    """Send a message and yield what is heard of its turn, the terminal event last.

    JSON has but one event, made of its body. Raises Refused, and one of GONE when the connection ends before.
    """
    match door:
        case "json":
            yield await _by_json(url, sent, quiet_s)
        case "sse":
            body = {"message": sent.text, "conversation_id": sent.conversation_id, "stream": True}
            async with aclosing(_by_sse("POST", f"{url}/api/chat", quiet_s, body, _keyed(sent))) as events:
                async for event in events:
                    yield event
        case "websocket":
            frame: Event = {"type": "chat_message", "content": sent.text, "idempotency_key": sent.key}
            frame["conversation_id"] = sent.conversation_id
            async with aclosing(_by_websocket(url, frame, quiet_s)) as events:
                async for event in events:
                    yield event


async def resume(
    url: str, turn_id: str, door: Door, *, last_seq: int, quiet_s: float = QUIET_S
) -> AsyncGenerator[Event]:
    """Yield what was missed of a turn, and the rest as it comes. Raises as `send`."""
    if door == "websocket":
        events = _by_websocket(url, {"type": "resume", "turn_id": turn_id, "last_seq": last_seq}, quiet_s)
    else:
        address = f"{url}/api/chat/turns/{turn_id}/events"
        from_there = {"Last-Event-ID": str(last_seq)} if last_seq >= 0 else {}
        events = _by_sse("GET", address, quiet_s, None, from_there)
    async with aclosing(events):
        async for event in events:
            yield event


def is_end(event: Event) -> bool:
    return event["type"] in {"chat_response", "error"}


async def _by_json(url: str, sent: Sent, quiet_s: float) -> Event:
    body = {"message": sent.text, "conversation_id": sent.conversation_id}
    async with _client(quiet_s) as http:
        answer = await http.post(f"{url}/api/chat", json=body, headers=_keyed(sent))
        if answer.status_code == 200:
            return {"type": "chat_response", "bytes": answer.content, **answer.json()}
        return _failed(answer)


async def _by_sse(
    method: str, url: str, quiet_s: float, body: Event | None, headers: dict[str, str]
) -> AsyncGenerator[Event]:
    async with _client(quiet_s) as http, http.stream(method, url, json=body, headers=headers) as answer:
        if answer.status_code != 200:
            await answer.aread()
            yield _failed(answer)
            return
        data = ""
        # An event counts when its blank line has come: what is cut before that was never heard.
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                data = line.removeprefix("data: ")
            elif not line and data:
                event = msgspec.json.decode(data)
                data = ""
                yield event
                if is_end(event):
                    return
    raise EOFError("the stream ended before the turn did")


async def _by_websocket(url: str, frame: Event, quiet_s: float) -> AsyncGenerator[Event]:
    address = f"{url.replace('http', 'ws', 1)}/ws"
    sent = {name: value for name, value in frame.items() if value is not None}
    async with connect(address, proxy=None, open_timeout=quiet_s, close_timeout=0.1) as socket:
        await socket.send(msgspec.json.encode(sent).decode())
        while True:
            async with asyncio.timeout(quiet_s):
                event = msgspec.json.decode(await socket.recv())
            if "turn_id" not in event:
                raise Refused(event["code"])
            yield event
            if is_end(event):
                return


def _failed(answer: httpx.Response) -> Event:
    """Return the problem as the event it stands for; raise Refused where nothing was stored."""
    problem = answer.json()
    if "turn_id" not in problem:
        raise Refused(problem["code"])
    return {**problem, "type": "error", "status": "failed"}


def _keyed(sent: Sent) -> dict[str, str]:
    return {} if sent.key is None else {"Idempotency-Key": sent.key}


def _client(quiet_s: float) -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=quiet_s, trust_env=False)
