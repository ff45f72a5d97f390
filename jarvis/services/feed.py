"""Tells whoever subscribes what changes in a profile's conversations, and delays nobody who changes them."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal
from uuid import UUID

import msgspec

from jarvis.core.errors import JarvisError
from jarvis.core.events import ConversationEvent
from jarvis.core.stores import ConversationReader
from jarvis.core.types import Conversation, MessageStatus, Turn, User
from jarvis.services.sweeper import Reporter
from jarvis.services.watching import TurnWatcher

Deliver = Callable[[bytes], None]
"""Takes one event's JSON, and never waits."""

_encode = msgspec.json.Encoder().encode


class ConversationFeed(TurnWatcher):
    """Reads what was announced and delivers it, encoded once, to every subscriber of that user.

    A conversation's events come in the order of their happening; those that nobody could have been told of
    yet are told as one, with the conversation as it is by then. Nothing is read while nobody subscribes.
    """

    def __init__(self, store: ConversationReader, reporter: Reporter) -> None:
        self._store = store
        self._reporter = reporter
        self._subscribers: dict[UUID, list[Deliver]] = {}
        self._announced: dict[UUID, tuple[User, Literal["created", "updated"] | Conversation]] = {}
        self._arrived = asyncio.Event()

    @property
    def subscribers(self) -> int:
        return sum(map(len, self._subscribers.values()))

    @contextmanager
    def subscribed(self, user: User, deliver: Deliver) -> Generator[None]:
        """Have all changes from now on delivered, until this is left."""
        self._subscribers.setdefault(user.id, []).append(deliver)
        try:
            yield
        finally:
            remaining = self._subscribers[user.id]
            remaining.remove(deliver)
            if not remaining:
                del self._subscribers[user.id]

    def turn_began(self, turn: Turn) -> None:
        event = "created" if turn.command.conversation_id is None else "updated"
        self.announce(turn.user, turn.conversation_id, event)

    def turn_ended(self, turn: Turn, status: MessageStatus, answer: str) -> None:
        del status, answer
        self.announce(turn.user, turn.conversation_id, "updated")

    def announce(self, user: User, conversation_id: UUID, event: Literal["created", "updated"]) -> None:
        """Tell that a conversation was made or changed; never waits."""
        if user.id in self._subscribers:
            # What waits already tells more: that it is new, or gone.
            self._announced.setdefault(conversation_id, (user, event))
            self._arrived.set()

    def announce_deleted(self, user: User, conversation: Conversation) -> None:
        """Tell that a conversation is gone, which is shown as it was last; never waits."""
        if user.id in self._subscribers:
            self._announced[conversation.id] = (user, conversation)
            self._arrived.set()

    async def run(self) -> None:
        """Deliver for ever; to be cancelled."""
        while True:
            await self._arrived.wait()
            while self._announced:
                conversation_id = next(iter(self._announced))
                user, change = self._announced.pop(conversation_id)
                try:
                    await self._tell(user, conversation_id, change)
                except JarvisError:
                    continue  # deleted since, which is told next; or the database is away, and says so itself
                except Exception:  # noqa: BLE001 one defect must not end the feed
                    self._reporter.exception("feed_defect")
            self._arrived.clear()

    async def _tell(
        self, user: User, conversation_id: UUID, change: Literal["created", "updated"] | Conversation
    ) -> None:
        if isinstance(change, Conversation):
            event = ConversationEvent(event="deleted", conversation=change)
        else:
            conversation = await self._store.get(user, conversation_id)
            event = ConversationEvent(event=change, conversation=conversation)
        data = _encode(event)
        for deliver in list(self._subscribers.get(user.id, ())):
            deliver(data)
