"""Nobody is given what is another's, whatever both do."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from tests.clients import Json
from tests.running import Running, running
from tests.scripted_model import Record, ScriptedModel

OPERATIONS_EACH = 500


class Visitor:
    """A user who does anything at random; each answer is looked through for the other's words."""

    def __init__(self, server: Running, name: str, other: str, chance: random.Random) -> None:
        self.name = name
        self.conversations: list[str] = []
        self.seen = 0
        self._http = server.http
        self._other = f"canary{other}"
        self._chance = chance
        self._said = 0

    async def do_something(self) -> None:
        todo: list[Callable[[], Awaitable[None]]] = [
            *[self.add] * 5,
            *[self.say] * 4,
            *[self.search] * 6,
            *[self.look] * 4,
            *[self.export] * 2,
            *[self.forget_one] * 2,
            self.forget_conversation,
        ]
        if self._chance.random() < 1 / 100:
            todo = [self.forget_all]
        await self._chance.choice(todo)()

    def sentence(self) -> str:
        """Say nearly the same as the other says, but for one word."""
        self._said += 1
        thing = self._chance.choice(("boiler", "ferret", "piano", "garden", "bicycle"))
        return f"My {thing} is called canary{self.name} and was number {self._said % 40} in March."

    async def add(self) -> None:
        await self.ask("POST", "/api/memory/add", {"content": self.sentence(), "user_id": self.name})

    async def say(self) -> None:
        message = {"message": self.sentence(), "user_id": self.name}
        if self.conversations and self._chance.random() < 1 / 2:
            message["conversation_id"] = self._chance.choice(self.conversations)
        answer = await self.ask("POST", "/api/chat", message)
        if answer["conversation_id"] not in self.conversations:
            self.conversations.append(answer["conversation_id"])

    async def search(self) -> None:
        query = self._chance.choice(("What is my boiler called?", "canaryanna canaryben", "ferret March"))
        found = await self.ask(
            "POST", "/api/memory/search", {"query": query, "user_id": self.name, "limit": 50}
        )
        self.seen += len(found["results"])

    async def look(self) -> None:
        path = self._chance.choice(
            ("/api/memory/list", "/api/chat/conversations", "/api/chat/search?q=canaryanna+or+canaryben")
        )
        await self.ask("GET", f"{path}{'&' if '?' in path else '?'}user_id={self.name}")

    async def export(self) -> None:
        if self.conversations:
            await self.ask("GET", f"/api/chat/conversation/{self._chance.choice(self.conversations)}/export")

    async def forget_one(self) -> None:
        memories = await self.ask("GET", f"/api/memory/list?user_id={self.name}")
        if memories:
            await self.ask("DELETE", f"/api/memory/{self._chance.choice(memories)['id']}")

    async def forget_conversation(self) -> None:
        if self.conversations:
            gone = self.conversations.pop(self._chance.randrange(len(self.conversations)))
            await self.ask("DELETE", f"/api/chat/conversation/{gone}")

    async def forget_all(self) -> None:
        await self.ask("DELETE", f"/api/memory?user_id={self.name}")

    async def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        response = await self._http.request(method, path, json=body)
        assert response.status_code == 200, response.text
        # What one asks for oneself comes back in no answer of these.
        assert self._other not in response.text.lower(), f"{self.name} was given: {response.text}"
        return response.json()


def is_of_both(record: Record) -> bool:
    prompt = str(record.messages).lower()
    return "canaryanna" in prompt and "canaryben" in prompt


async def test_nobody_is_given_what_is_anothers_whatever_both_do(
    database_url: str, model: ScriptedModel
) -> None:
    seed = random.randrange(2**32)  # noqa: S311 to be printed
    print(f"seed {seed}")  # noqa: T201 what a failure is repeated with
    chance = random.Random(seed)  # noqa: S311 likewise
    async with running(database_url, model.url) as server:
        anna = Visitor(server, "anna", "ben", chance)
        ben = Visitor(server, "ben", "anna", chance)
        for _ in range(OPERATIONS_EACH):
            await asyncio.gather(anna.do_something(), ben.do_something())
        assert anna.seen, "nothing was ever found"
        assert ben.seen, "nothing was ever found"
    prompts = model.log.generating
    assert any("canaryanna" in str(record.messages).lower() for record in prompts)
    assert [record.id for record in prompts if is_of_both(record)] == []
