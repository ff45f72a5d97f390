"""Who hears an answer may interrupt it: what he did not hear is taken out of it."""

from collections.abc import Callable, Sequence
from uuid import UUID

from jarvis.core.turn_store import TurnStore
from jarvis.core.types import User
from jarvis.services.feed import ConversationFeed
from jarvis.services.speaking import Speaking
from jarvis.services.spoken import SpokenAnswer
from jarvis.services.turns import Turns


class Interruptions:
    """Every method raises NotFound("turn") for an answer that is not spoken, or was long ago."""

    def __init__(
        self,
        *,
        turns: Turns,
        speaking: Speaking,
        store: TurnStore,
        forget_turns: Callable[[Sequence[UUID]], None],
        feed: ConversationFeed,
    ) -> None:
        self._turns = turns
        self._speaking = speaking
        self._store = store
        self._forget_turns = forget_turns
        self._feed = feed

    def answer(self, user: User, turn_id: UUID) -> SpokenAnswer:
        return self._speaking.answer(user, turn_id)

    async def barge_in(self, user: User, turn_id: UUID, *, played_ms: int | None = None) -> None:
        """Stop an answer and cut it to what was heard of it; `played_ms`: how much that is, if one knows.

        Where the turn has ended, what is stored is cut, and who reads its log is told anew from there.
        """
        answer = self._speaking.answer(user, turn_id)
        answer.stop(played_ms)
        ended = await self._turns.cancel(user, turn_id)
        heard = answer.heard(ended.text)
        if heard == ended.text.rstrip():
            return
        await self._store.shorten(user, turn_id, heard)
        self._forget_turns([turn_id])
        self._feed.announce(user, ended.conversation_id, "updated")
