"""Conversations as things of their own: made, changed, deleted, exported and imported.

What is said in them is for turns.py; whoever only reads them asks the store.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec

from jarvis.core.errors import Overloaded
from jarvis.core.stores import ConversationEdit, ConversationStore
from jarvis.core.transcripts import Transcript, message_count_of, next_position_after
from jarvis.core.types import Conversation, Message, User
from jarvis.services.feed import ConversationFeed
from jarvis.services.turns import Turns

EXPORTED_POSITIONS = 50
"""Read at a time: with their longest texts about 12 MiB."""

IMPORT_PATIENCE_S = 10.0
"""How long an import waits for the one before."""


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation, and its messages page by page, in order, alternatives included.

    `pages` raises NotFound when it is deleted meanwhile.
    """

    conversation: Conversation
    pages: AsyncGenerator[list[Message]]


class Conversations:
    """Every method acts for its user; what belongs to another raises NotFound("conversation")."""

    def __init__(
        self,
        *,
        store: ConversationStore,
        turns: Turns,
        feed: ConversationFeed,
        import_patience_s: float = IMPORT_PATIENCE_S,
    ) -> None:
        self._store = store
        self._turns = turns
        self._feed = feed
        self._importing = asyncio.Lock()
        self._import_patience_s = import_patience_s

    async def create(
        self, user: User, *, title: str | None, model: str | None, system_prompt: str | None
    ) -> Conversation:
        """Raises Invalid("model") for a model that there is not; one that is away is found out later."""
        await self._turns.check_model(model)
        conversation = await self._store.create(user, title=title, model=model, system_prompt=system_prompt)
        self._feed.announce(user, conversation.id, "created")
        return conversation

    async def edit(self, user: User, conversation_id: UUID, edit: ConversationEdit) -> Conversation:
        """Raises Invalid("model") as `create` does."""
        if isinstance(edit.model, str):
            await self._turns.check_model(edit.model)
        edited = await self._store.edit(user, conversation_id, edit)
        if edited.changed:
            self._feed.announce(user, conversation_id, "updated")
        return edited.conversation

    async def delete(self, user: User, conversation_id: UUID) -> int:
        """End what runs or waits in it, then delete all of it; return how many messages there were."""
        await self._turns.end_conversation(user, conversation_id)
        deleted = await self._store.delete(user, conversation_id)
        await self._turns.end_conversation(user, conversation_id)  # what had begun between the two
        self._turns.forget(deleted.turn_ids)
        self._feed.announce_deleted(user, deleted.conversation)
        return deleted.messages

    async def export(self, user: User, conversation_id: UUID) -> Export:
        """Begin to read a conversation as it is now; what is asked later is not in it."""
        start = await self._store.transcript_start(user, conversation_id)
        return Export(
            conversation=start.conversation, pages=self._pages(user, conversation_id, start.end_position)
        )

    async def _pages(
        self, user: User, conversation_id: UUID, end_position: int
    ) -> AsyncGenerator[list[Message]]:
        for first in range(0, end_position, EXPORTED_POSITIONS):
            yield await self._store.transcript_page(
                user,
                conversation_id,
                first_position=first,
                end_position=min(first + EXPORTED_POSITIONS, end_position),
            )

    @asynccontextmanager
    async def importing(self) -> AsyncGenerator[None]:
        """Hold the only place for an import, whose document may take a lot of memory. Raises Overloaded."""
        try:
            async with asyncio.timeout(self._import_patience_s):
                await self._importing.acquire()
        except TimeoutError:
            raise Overloaded("Another import is running; send this one again later.") from None
        try:
            yield
        finally:
            self._importing.release()

    async def add(self, user: User, transcript: Transcript) -> UUID:
        """Store an imported conversation whole, or nothing of it; return its id."""
        conversation_id = await self._store.add_transcript(
            user,
            transcript.conversation,
            zip(transcript.places, transcript.messages, strict=True),
            next_position=next_position_after(transcript.places),
            message_count=message_count_of(transcript.places),
        )
        self._feed.announce(user, conversation_id, "created")
        return conversation_id
