"""Somebody who does anything, and what he is given: for machines of hypothesis, hence without coroutines."""

import contextlib
import json
from collections.abc import Sequence
from typing import Any, Self

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.clients import PATIENCE_S, Json
from tests.isolation.probes import ids_in
from tests.people import Person

Ids = dict[str, list[str]]


class Visitor:
    """One user on one socket, whose name is a canary that he puts into all he says.

    What anybody may name is in `known`, by what it is. Use as a context manager.
    """

    def __init__(self, url: str, ws_url: str, person: Person, known: Ids) -> None:
        self.name = person.name
        self.canary = person.name
        self.given: list[str] = []
        self.conversations: list[str] = []
        self._known = known
        self._http = httpx.Client(base_url=url, headers=person.headers, timeout=PATIENCE_S, trust_env=False)
        self._stack = contextlib.ExitStack()
        self._connect = lambda: connect(
            ws_url, additional_headers=person.headers, proxy=None, compression=None, max_size=None
        )

    def __enter__(self) -> Self:
        self._stack.enter_context(self._http)
        self._socket: ClientConnection = self._stack.enter_context(self._connect())
        self._send({"type": "subscribe", "channels": ["conversations", "status"]})
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def sentence(self, thing: str) -> str:
        """Say nearly the same as the others, but for one word."""
        return f"My {thing} is called {self.canary} since March."

    def say(self, thing: str, conversation: str | None, **fields: object) -> None:
        body = {"message": self.sentence(thing), "context": f"{self.canary} is near.", **fields}
        if conversation is not None:
            body["conversation_id"] = conversation
        answer = self.ask("POST", "/api/chat", json=body)
        if answer.status_code == 200 and not body.get("stream"):
            self._learn("turn", answer.json()["turn_id"])
            self._learn_conversation(answer.json()["conversation_id"])

    def say_on_socket(self, thing: str, conversation: str | None, *, old: bool) -> None:
        words = self.sentence(thing)
        said: Json = {"message": words} if old else {"type": "chat_message", "content": words}
        self._send(said | ({} if conversation is None else {"conversation_id": conversation}))
        while not {"response", "error"} & (told := self._take()).keys():
            pass
        if "turn_id" in told:
            self._learn("turn", told["turn_id"])

    def begin(self, thing: str, conversation: str | None) -> None:
        """Ask for a long answer, and leave once it has begun."""
        # What is remembered of it would come back in what is said later, and slow that down.
        body: Json = {"message": f"Slowly. {self.sentence(thing)}", "stream": True, "save_memory": False}
        if conversation is not None:
            body["conversation_id"] = conversation
        with self._http.stream("POST", "/api/chat", json=body) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    self.given.append(line)
                    self._learn("turn", json.loads(line.removeprefix("data: "))["turn_id"])
                    return

    def create(self, thing: str) -> None:
        new = {"title": f"{self.canary} {thing}", "system_prompt": f"You know {self.canary}."}
        self._learn_conversation(self.ask("POST", "/api/chat/conversation", json=new).json()["id"])

    def remember(self, thing: str) -> None:
        added = self.ask("POST", "/api/memory/add", json={"content": self.sentence(thing)})
        self._learn("memory", added.json()["id"])

    def make_key(self, thing: str) -> None:
        made = self.ask("POST", "/api/auth/keys", json={"name": f"{self.canary} {thing}"})
        if made.status_code == 200:
            self._learn("key", made.json()["id"])

    def import_(self, thing: str) -> None:
        ids = self._known.get("message", [])
        at = {"created_at": "2026-01-01T00:00:00Z"}
        said = {"role": "user", "content": self.sentence(thing), **at}
        messages = [said | {"id": one} for one in set(ids[-2:])]
        document = {"conversation": {"title": self.canary, **at}, "messages": messages}
        made = self.ask("POST", "/api/chat/import", json=document)
        self._learn_conversation(made.json()["conversation_id"])

    def search(self, thing: str, other: str) -> None:
        """Look for what everybody has, by words that nobody else says."""
        self.ask(
            "POST", "/api/memory/search", json={"query": f"What is my {thing} called?", "user_id": other}
        )
        self.ask("GET", "/api/chat/search", params={"q": f"{thing} March", "user_id": other})

    def look(self, other: str) -> None:
        for path in ("/api/memory/list", "/api/chat/conversations", "/api/chat/history", "/api/auth/keys"):
            answer = self.ask("GET", path, params={"user_id": other, "limit": 200})
            if path.endswith("history"):
                for message in answer.json()["messages"]:
                    self._learn("message", message["id"])

    def ask_by_id(self, method: str, path: str, one: str) -> None:
        body: Json = {"title": f"{self.canary} took it", "content": self.sentence("stolen")}
        sent: Json = {"json": body} if method in {"PATCH", "POST"} else {}
        self.ask(method, path.format(one), **sent)

    def name_on_socket(self, kind: str, one: str) -> None:
        self._send({"type": kind, "turn_id": one, "last_seq": 0, "played_ms": 0})

    def ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        answer = self._http.request(method, path, **sent)
        assert answer.status_code < 500, answer.text
        self.given += [answer.text, str(answer.headers)]
        return answer

    def catch_up(self, *, whole: bool = False) -> Sequence[str]:
        """Return all that was given since the last time; `whole`: what the server has still to send too."""
        if whole:
            self._send({"type": "ping"})
            while self._take() != {"type": "pong"}:
                pass
        with contextlib.suppress(TimeoutError):
            while True:
                self._take(timeout_s=0)
        given, self.given = self.given, []
        return given

    def _send(self, frame: Json) -> None:
        self._socket.send(json.dumps(frame))

    def _take(self, timeout_s: float = PATIENCE_S) -> Json:
        text = self._socket.recv(timeout=timeout_s)
        self.given.append(str(text))
        return json.loads(text)

    def _learn(self, kind: str, one: str) -> None:
        assert ids_in(one) == {one}
        self._known.setdefault(kind, []).append(one)

    def _learn_conversation(self, one: str) -> None:
        if one not in self.conversations:
            self.conversations.append(one)
            self._learn("conversation", one)
