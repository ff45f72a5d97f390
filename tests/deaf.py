"""Clients that ask and never read what comes, by either door: theirs is what a slow reader may cost."""

import asyncio
import json
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Literal, TypeAlias, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

StreamedDoor: TypeAlias = Literal["sse", "websocket"]
STREAMED: tuple[StreamedDoor, ...] = ("sse", "websocket")
RECEIVED_BYTES = 64 * 1024
"""What the system takes for such a client: what is not read waits at the server's end."""


class Deaf(asyncio.Protocol):
    """One client, of the profile `name`, that comes back when it is ended: see `connections`."""

    def __init__(self, door: StreamedDoor, port: int, name: str) -> None:
        self.asked = 0
        self.connections = 0
        self._door = door
        self._port = port
        self._name = name
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.connections += 1
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        # Not at once: before Python 3.11.5 asyncio begins to read behind this all the same.
        asyncio.get_running_loop().call_soon(self._transport.pause_reading)
        self._transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, RECEIVED_BYTES)
        if self._door == "websocket":
            uri = parse_uri(f"ws://127.0.0.1:{self._port}/ws")
            self._transport.write(ClientProtocol(uri).connect().serialize())

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None

    async def ask(self, message: str) -> None:
        """Send a message; that the connection is gone is noticed at the second one after."""
        if self._transport is None:
            await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)
        assert self._transport is not None
        self._transport.write(self._question(message))
        self.asked += 1

    def leave(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _question(self, message: str) -> bytes:
        if self._door == "websocket":
            frame = {"type": "chat_message", "content": message, "user_id": self._name}
            return Frame(Opcode.TEXT, json.dumps(frame).encode()).serialize(mask=True)
        body = json.dumps({"message": message, "user_id": self._name, "stream": True}).encode()
        head = (
            f"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
