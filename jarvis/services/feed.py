"""Tells whoever subscribes, to any process, what changes in a profile's conversations, and delays nobody."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal
from uuid import UUID

import msgspec

from jarvis.core.errors import JarvisError
from jarvis.core.events import ConversationEvent
from jarvis.core.replicas import ConversationChanged, Hints
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

    def __init__(self, store: ConversationReader, hints: Hints, reporter: Reporter) -> None:
        self._store = store
        self._hints = hints
        self._reporter = reporter
        self._subscribers: dict[UUID, list[Deliver]] = {}
        self._announced: dict[UUID, ConversationChanged] = {}
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
        is_new = turn.command.conversation_id is None and turn.last_seq < 0
        event = "created" if is_new else "updated"
        self.announce(turn.user, turn.conversation_id, event)

    def turn_ended(self, turn: Turn, status: MessageStatus, answer: str) -> None:
        del status, answer
        self.announce(turn.user, turn.conversation_id, "updated")

    def announce(self, user: User, conversation_id: UUID, event: Literal["created", "updated"]) -> None:
        """Tell that a conversation was made or changed; never waits."""
        self._announce(ConversationChanged(user=user, conversation_id=conversation_id, change=event))

    def announce_deleted(self, user: User, conversation: Conversation) -> None:
        """Tell that a conversation is gone, which is shown as it was last; never waits."""
        self._announce(
            ConversationChanged(
                user=user, conversation_id=conversation.id, change="deleted", last_seen=conversation
            )
        )

    def deliver(self, changed: ConversationChanged) -> None:
        """Tell the subscribers of this process; never waits."""
        if changed.user.id not in self._subscribers:
            return
        if changed.change == "deleted":
            self._announced[changed.conversation_id] = changed
        else:  # what waits already tells more: that it is new, or gone
            self._announced.setdefault(changed.conversation_id, changed)
        self._arrived.set()

    def _announce(self, changed: ConversationChanged) -> None:
        self.deliver(changed)
        self._hints.tell(changed)

    async def run(self) -> None:
        """Deliver for ever; to be cancelled."""
        while True:
            await self._arrived.wait()
            while self._announced:
                changed = self._announced.pop(next(iter(self._announced)))
                try:
                    await self._tell(changed)
                except JarvisError:
                    continue  # deleted since, which is told next; or the database is away, and says so itself
                except Exception:  # noqa: BLE001 one defect must not end the feed
                    self._reporter.exception("feed_defect")
            self._arrived.clear()

    async def _tell(self, changed: ConversationChanged) -> None:
        conversation = changed.last_seen or await self._store.get(changed.user, changed.conversation_id)
        data = _encode(ConversationEvent(event=changed.change, conversation=conversation))
        for deliver in list(self._subscribers.get(changed.user.id, ())):
            deliver(data)
