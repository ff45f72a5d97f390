"""People who talk to Jarvis whatever happens to it: what a patient client does, and what it is owed.

They note everything in the journal and never give up what has a key or was acknowledged.
"""

import asyncio
from collections.abc import Callable
from random import Random

import httpx
import msgspec

from tests.chaos.doors import DOORS, GONE, Door, Refused, Sent, is_end, resume, send
from tests.chaos.journal import Event, Journal, Wish

PAUSE_S = 0.05
"""Before a client comes back."""
PASSING = frozenset({"database_unavailable", "llm_unavailable", "overloaded", "draining"})
"""What a server may say while something is away or too much is asked of it."""


class Heard:
    """What a client has of one turn, across its connections; `wrong` is what its events broke."""

    def __init__(self) -> None:
        self.last_seq: int = -1
        self.text = ""
        self.end: Event | None = None
        self.resyncs = 0
        self._resynced_at = -1
        self.wrong: list[str] = []

    @property
    def resyncs_before_end(self) -> int:
        """How many there were besides the one that may come with the end of a turn, told from its row."""
        return self.resyncs - (self._resynced_at >= 0 and self._resynced_at == self.last_seq - 1)

    def take(self, event: Event) -> None:
        if "seq" in event:
            self._follow(event)
        if is_end(event):
            self.end = event
            if "seq" in event and event["type"] == "chat_response" and event["content"] != self.text:
                self.wrong.append(f"joined text of {len(self.text)} is not the content: {event['content']!r}")

    def _follow(self, event: Event) -> None:
        seq = event["seq"]
        if seq <= self.last_seq or (seq != self.last_seq + 1 and event["type"] != "resync"):
            self.wrong.append(f"{event['type']} {seq} came after {self.last_seq}")
        self.last_seq = seq
        match event["type"]:
            case "delta":
                self.text += event["text"]
            case "resync":
                self.text = event["text"]
                self.resyncs += 1
                self._resynced_at = seq
            case _:
                pass


class Talker(msgspec.Struct, kw_only=True):
    """Sends one message after the other, in its conversation or now and then in a new one."""

    come_by: Callable[[], str]
    """Says each time which server to come to."""
    name: str
    journal: Journal
    random: Random
    conversation_id: str
    words: int
    wrong: list[str] = []

    async def talk(self, stop: asyncio.Event) -> None:
        """Talk until told to stop, and hear the last answer out."""
        number = 0
        while not stop.is_set():
            number += 1
            text = " ".join([f"{self.name}.{number}", *(f"w{word}" for word in range(self.words))])
            wish = self.journal.send(
                text,
                conversation_id=self.conversation_id if self.random.random() < 0.8 else None,
                key=text.partition(" ")[0] if self.random.random() < 0.5 else None,
            )
            await self.have(wish)

    async def have(self, wish: Wish) -> None:
        """Send it, and come back until it is answered; without key or ack, once is all."""
        heard = Heard()
        while True:
            door = self.random.choice(DOORS)
            try:
                await self._hear(wish, heard, door)
            except Refused as refusal:
                if refusal.code not in PASSING:
                    self.wrong.append(f"refused: {wish.text[:12]!r} by {door}: {refusal.code}")
                    return
            except GONE:
                pass
            self.wrong += [f"{wish.text[:12]!r} by {door}: {wrong}" for wrong in heard.wrong]
            heard.wrong.clear()
            is_answered = heard.end is not None and (heard.end["type"] != "error" or wish.key is None)
            if is_answered or (wish.key is None and wish.acked_at is None):
                return
            await asyncio.sleep(PAUSE_S)

    async def _hear(self, wish: Wish, heard: Heard, door: Door) -> None:
        if wish.key is None and wish.acked_at is not None:
            (turn_id,) = wish.turn_ids
            events = resume(self.come_by(), turn_id, door, last_seq=heard.last_seq)
        else:
            heard.__init__()
            sent = Sent(text=wish.text, conversation_id=wish.conversation_id, key=wish.key)
            events = send(self.come_by(), sent, door)
        async for event in events:
            self.journal.note(wish, event)
            heard.take(event)


async def talkers(
    url: str,
    name: str,
    journal: Journal,
    random: Random,
    *,
    number: int,
    words: int,
    come_by: Callable[[Random], Callable[[], str]],
) -> list[Talker]:
    """Return people who talk two in a conversation, so that turns wait for turns."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
        talks = [
            (await http.post("/api/chat/conversation", json={})).json()["id"] for _ in range(number // 2)
        ]
    made: list[Talker] = []
    for each in range(number):
        own = Random(random.random())  # noqa: S311  chance that can be repeated
        made.append(
            Talker(
                come_by=come_by(own),
                name=f"{name}.{each}",
                journal=journal,
                random=own,
                conversation_id=talks[each // 2],
                words=words,
            )
        )
    return made
