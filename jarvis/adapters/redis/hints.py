"""Hints between processes, over Redis' publish and subscribe."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from jarvis.adapters.redis.outbox import Outbox
from jarvis.adapters.redis.server import RedisServer
from jarvis.core.errors import Unavailable
from jarvis.core.replicas import Hint
from jarvis.core.types import new_id

CHANNEL = "jarvis:hints"
PING_S = 1.0
"""A channel that was silent for so long is asked whether it still hears; after as long again it is left."""
RETRY_S = 0.5


class _Told(msgspec.Struct, frozen=True, array_like=True):
    by: str
    hint: Hint


class RedisHints:
    """Fills Hints."""

    def __init__(self, server: RedisServer, outbox: Outbox) -> None:
        self._server = server
        self._outbox = outbox
        self._name = new_id().hex
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(_Told).decode

    def tell(self, hint: Hint) -> None:
        data = self._encode(_Told(self._name, hint))
        self._outbox.put(partial(_publish, data), len(data))

    async def run(self, obey: Callable[[Hint], None]) -> None:
        while True:
            try:
                async with (
                    self._server.listening(patience_s=PING_S) as client,
                    client.pubsub() as channel,
                ):
                    await self._listen(channel, obey)
            except Unavailable:
                await asyncio.sleep(RETRY_S)

    async def _listen(self, channel: Any, obey: Callable[[Hint], None]) -> None:
        await channel.subscribe(CHANNEL)
        await self._server.ping()  # who always listens is the first to know that it is back
        is_asked = False
        while True:
            message = await channel.get_message(timeout=PING_S)
            if message is not None:
                is_asked = False
                if message["type"] == "message":
                    self._obey(message["data"], obey)
            elif is_asked:
                raise TimeoutError
            else:
                await channel.ping()
                is_asked = True

    def _obey(self, data: bytes, obey: Callable[[Hint], None]) -> None:
        try:
            told = self._decode(data)
        except msgspec.MsgspecError:
            return  # of another version of Jarvis
        if told.by != self._name:
            obey(told.hint)


def _publish(data: bytes, pipeline: Any) -> None:
    pipeline.publish(CHANNEL, data)
