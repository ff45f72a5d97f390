"""What clients do to a server all day: ask by any door, leave in the middle, cancel, come back, delete; and a
model that fails now and then.

Everything is chosen by the `Random` that is given. Nothing here judges an answer: the server is looked at
when all have gone.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from random import Random
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.scripted_model import Garbage, Hang, MissingEnd, Refuse, Reset, Rule, Script, StreamError

Event = dict[str, Any]

TOKENS = 12
TOKENS_PER_S = 200.0
"""A short answer takes 0.06 s, so that there is a middle to leave in."""
FAULTS: dict[str, Script] = {
    "reset": Script(tokens=TOKENS, fault=Reset(at_token=0)),
    "break": Script(tokens=TOKENS, tokens_per_s=TOKENS_PER_S, fault=Reset(at_token=5)),
    "fail": Script(tokens=TOKENS, tokens_per_s=TOKENS_PER_S, fault=StreamError(at_token=5)),
    "babble": Script(tokens=TOKENS, fault=Garbage(at_token=3)),
    "unending": Script(tokens=TOKENS, fault=MissingEnd()),
    "refuse": Script(fault=Refuse(status=503)),
    "hang": Script(tokens=TOKENS, fault=Hang(at_token=0)),
    "stall": Script(tokens=TOKENS, tokens_per_s=TOKENS_PER_S, fault=Hang(at_token=5)),
}
RULES = [
    Rule(script=Script(tokens=TOKENS, tokens_per_s=TOKENS_PER_S)),
    *(Rule(match=word, script=script) for word, script in FAULTS.items()),
]
"""For the scripted model, in this order."""
SETTINGS = {"llm_max_concurrency": "8", "llm_first_token_secs": "1", "llm_inter_token_secs": "1"}
"""Of the server: one that hangs is given up soon."""
FAULTY = 0.08
LEAVES = 0.3
COMES_BACK = 0.5
KNOWN_TALKS = 4
LEFT = (httpx.TransportError, OSError, WebSocketException, TimeoutError)


async def make_mischief(url: str, *, deeds: int, clients: int, seed: str) -> Counter[str]:
    """Have so many clients do so many things in all; return what was done, once all of them have left."""
    people = [Mischief(url, Random(f"{seed}/{number}")) for number in range(clients)]  # noqa: S311  repeatable
    left = iter(range(deeds))
    async with asyncio.TaskGroup() as tasks:
        for one in people:
            tasks.create_task(one.keep_on(lambda: next(left, None) is None))
    return sum((one.done for one in people), Counter[str]())


class Mischief:
    """One client. `done` counts its deeds; those that a server refuses count too."""

    def __init__(self, url: str, random: Random) -> None:
        self.done: Counter[str] = Counter()
        self._url = url
        self._random = random
        self._talks: list[str] = []
        self._http = httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)
        self._socket: ClientConnection | None = None

    async def keep_on(self, enough: Callable[[], bool]) -> None:
        """Do one thing after the other until it is enough; then leave for good."""
        deeds: tuple[tuple[Callable[[], Awaitable[None]], int], ...] = (
            (self.ask_for_json, 3),
            (self.listen_to_events, 4),
            (self.talk_on_a_socket, 4),
            (self.ask_twice_with_a_key, 1),
            (self.regenerate, 1),
            (self.delete, 1),
        )
        try:
            while not enough():
                (deed,) = self._random.choices([deed for deed, _ in deeds], [often for _, often in deeds])
                self.done[deed.__name__] += 1
                try:
                    await deed()
                except LEFT as exc:
                    self.done[type(exc).__name__] += 1
        finally:
            await self._leave_socket()
            await self._http.aclose()

    async def ask_for_json(self) -> None:
        """Wait for the answer, or leave before it comes."""
        patience_s = self._random.uniform(0, 0.1) if self._random.random() < LEAVES else 30
        async with asyncio.timeout(patience_s):
            answer = await self._http.post("/api/chat", json=self._question("message"))
        if answer.status_code == 200:
            self._know(answer.json()["conversation_id"])

    async def listen_to_events(self) -> None:
        body = self._question("message") | {"stream": True}
        await self._hear(self._events("POST", "/api/chat", json=body))

    async def talk_on_a_socket(self) -> None:
        if self._socket is None:
            self._socket = await connect(f"{self._url.replace('http', 'ws', 1)}/ws", proxy=None)
        try:
            frame = {"type": "chat_message"} | self._question("content")
            await self._socket.send(msgspec.json.encode(frame).decode())
            await self._hear(_frames(self._socket), leave=self._leave_socket)
        except LEFT:
            self._socket = None
            raise

    async def ask_twice_with_a_key(self) -> None:
        """Two at once have one answer; so has who comes later."""
        body, headers = self._question("message"), {"Idempotency-Key": f"{self._random.getrandbits(64):x}"}
        both = [self._http.post("/api/chat", json=body, headers=headers) for _ in range(2)]
        await asyncio.gather(*both, return_exceptions=True)
        await self._http.post("/api/chat", json=body, headers=headers)

    async def regenerate(self) -> None:
        if self._talks:
            talk = self._random.choice(self._talks)
            await self._http.post(f"/api/chat/conversation/{talk}/regenerate", json={})

    async def delete(self) -> None:
        """With what runs in it."""
        if self._talks:
            talk = self._talks.pop(self._random.randrange(len(self._talks)))
            await self._http.delete(f"/api/chat/conversation/{talk}")

    async def _hear(
        self, events: AsyncGenerator[Event], leave: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Hear a turn to its end, or to an event of chance: then leave, cancel, or leave and come back."""
        leaves_at = self._random.randrange(6) if self._random.random() < LEAVES else None
        turn_id, seq = "", -1
        async with aclosing(events):
            async for event in events:
                turn_id, seq = event.get("turn_id", turn_id), event.get("seq", seq)
                if event["type"] == "ack":
                    self._know(event["conversation_id"])
                if event["type"] in {"chat_response", "error"}:
                    return
                if leaves_at is not None and seq >= leaves_at:
                    break
        if leave is not None:
            await leave()
        if not turn_id:
            return
        if self._random.random() < COMES_BACK:
            path = f"/api/chat/turns/{turn_id}/events"
            async with aclosing(self._events("GET", path, params={"after": seq})) as rest:
                async for event in rest:
                    self.done[f"resumed to {event['type']}"] += event["type"] in {"chat_response", "error"}
        else:
            await self._http.post(f"/api/chat/turns/{turn_id}/cancel")

    async def _events(self, method: str, path: str, **request: Any) -> AsyncGenerator[Event]:
        async with self._http.stream(method, path, **request) as answer:
            if answer.status_code != 200:
                await answer.aread()
                self.done[f"status {answer.status_code}"] += 1
                return
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield msgspec.json.decode(line.removeprefix("data: "))

    async def _leave_socket(self) -> None:
        """Without a word, or properly."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if self._random.random() < 0.5:
            socket.transport.abort()
        await socket.close()

    def _question(self, field: str) -> Event:
        word = self._random.choice(list(FAULTS)) if self._random.random() < FAULTY else "say"
        question: Event = {field: f"{word} {self._random.getrandbits(32):x}"}
        if self._talks and self._random.random() < 0.5:
            question["conversation_id"] = self._random.choice(self._talks)
        if self._random.random() < 0.1:
            question["if_busy"] = self._random.choice(["reject", "interrupt"])
        return question

    def _know(self, conversation_id: str) -> None:
        if conversation_id not in self._talks:
            self._talks = [*self._talks[-KNOWN_TALKS:], conversation_id]


async def _frames(socket: ClientConnection) -> AsyncGenerator[Event]:
    while True:
        async with asyncio.timeout(30):
            yield msgspec.json.decode(await socket.recv())
