"""What people do with Jarvis while something is away, and how it ends for them, in a few words.

An outcome is what a client is told: a status with its code, "stored" where the message is committed, and
the notices of what an answer lacked.
"""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import httpx
import msgspec
from httpx_sse import EventSource
from websockets.asyncio.client import connect

from tests.chaos.outages.table import Use
from tests.clients import Json
from tests.running import JarvisProcess
from tests.spoken import recording

MEMORY = "My cat is called Mistral and she hates the rain."
FORGETFUL = "somebody-without-memories"
NEVER_S = 60.0
"""Longer than any deadline; whoever waits so long is kept waiting for ever."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a conversation and a memory of their own.

    Unless `minds_memory`, it is no matter that an answer lacked meanings: a turn gives them half a second,
    which a machine that has much to do may not keep.
    """

    jarvis: JarvisProcess
    conversation_id: str
    minds_memory: bool

    async def use(self, use: Use) -> str:
        """Return the outcome; "hangs" where nothing came in NEVER_S, "breaks off" without a proper end."""
        try:
            async with asyncio.timeout(NEVER_S):
                outcome = await _USES[use](self)
        except TimeoutError:
            return "hangs"
        except (httpx.TransportError, ConnectionError):
            return "breaks off"
        return outcome if self.minds_memory else re.sub(", (memory_unavailable|by words)", "", outcome)


async def settle(jarvis: JarvisProcess, *, minds_memory: bool) -> Client:
    """Have a conversation and a memory that is found by its meaning."""
    answer = await jarvis.http.post("/api/chat", json={"message": "Hello"})
    added = await jarvis.http.post("/api/memory/add", json={"content": MEMORY})
    assert (answer.status_code, added.status_code) == (200, 200)
    conversation_id = answer.json()["conversation_id"]
    return Client(jarvis=jarvis, conversation_id=conversation_id, minds_memory=minds_memory)


async def _send(client: Client) -> str:
    message = f"Is anybody there? {uuid4().hex}"
    answer = await client.jarvis.http.post("/api/chat", json={"message": message}, timeout=NEVER_S)
    if answer.status_code == 200 and answer.json()["status"] == "complete":
        return _with_notices("200", answer.json())
    told = _refused(answer)
    return f"stored, {told}" if "turn_id" in answer.json() else told


async def _stream(client: Client) -> str:
    body = {"message": f"Is anybody there? {uuid4().hex}", "stream": True}
    jarvis = client.jarvis
    async with jarvis.http.stream("POST", "/api/chat", json=body, timeout=NEVER_S) as answer:
        if answer.status_code != 200:
            await answer.aread()
            return _refused(answer)
        events = [json.loads(sent.data) async for sent in EventSource(answer).aiter_sse() if sent.data]
    assert events[0]["type"] == "ack"
    return _ended(events[-1])


async def _history(client: Client) -> str:
    answer = await client.jarvis.http.get(f"/api/chat/history/{client.conversation_id}", timeout=NEVER_S)
    if answer.status_code != 200:
        return _refused(answer)
    assert answer.json()[0]["content"] == "Hello"
    return "200"


async def _search(client: Client) -> str:
    """Search in other words than the memory's, of which some are the same."""
    jarvis = client.jarvis
    body = {"query": f"cat {uuid4().hex}"}
    answer = await jarvis.http.post("/api/memory/search", json=body, timeout=NEVER_S)
    if answer.status_code != 200:
        return _refused(answer)
    (found,) = [each for each in answer.json()["results"] if each["content"] == MEMORY]
    return "200" if found["why"]["closeness"] else "200, by words"


async def _hear(client: Client) -> str:
    jarvis = client.jarvis
    sound = {"file": recording()}
    answer = await jarvis.http.post("/api/voice/transcribe", files=sound, timeout=NEVER_S)
    return "200" if answer.status_code == 200 and answer.json()["text"] else _refused(answer)


async def _speak(client: Client) -> str:
    body = {"text": f"This is {uuid4().hex}."}
    answer = await client.jarvis.http.post("/api/voice/synthesize", json=body, timeout=NEVER_S)
    return "200" if answer.status_code == 200 else _refused(answer)


async def _talk(client: Client) -> str:
    """Say something over a WebSocket, and hear the answer: one sentence, unless a memory comes to mind.

    The model says again what it was sent, and each sentence of that waits for speech that is slow.
    """
    clip = base64.b64encode(recording()).decode()
    frame = {"type": "audio_data", "data": clip, "format": "wav", "speak": True}
    if not client.minds_memory:
        frame["user_id"] = FORGETFUL
    frames: list[Json] = []
    async with connect(client.jarvis.ws_url, proxy=None, max_size=None) as connection:
        await connection.send(json.dumps(frame))
        while not frames or frames[-1]["type"] not in {"chat_response", "error"}:
            frames.append(json.loads(await connection.recv()))
    end = frames[-1]
    if end["type"] == "error" and "turn_id" not in end:
        return str(end["code"])
    is_heard = any(each["type"] == "audio_response" for each in frames)
    return _ended(end) + ("" if is_heard or end["type"] == "error" else ", unheard")


def _ended(event: Json) -> str:
    if event["type"] == "error":
        return f"stored, {event['code']}"
    return _with_notices(str(event["status"]), event)


def _with_notices(outcome: str, answer: Mapping[str, Any]) -> str:
    return ", ".join([outcome, *answer["context"]["notices"]])


def _refused(answer: httpx.Response) -> str:
    if answer.status_code == 503:
        assert 1 <= int(answer.headers["retry-after"]) <= 30
    return f"{answer.status_code} {answer.json().get('code')}"


_USES: dict[Use, Callable[[Client], Awaitable[str]]] = {
    "send": _send,
    "stream": _stream,
    "history": _history,
    "search": _search,
    "hear": _hear,
    "speak": _speak,
    "talk": _talk,
}
