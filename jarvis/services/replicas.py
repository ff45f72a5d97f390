"""Acts on what other processes tell."""

from collections.abc import Callable, Iterable
from uuid import UUID

from jarvis.core.replicas import ConversationChanged, Hint, Hints, TurnHeard, TurnsCancelled, TurnsForgotten
from jarvis.services.feed import ConversationFeed
from jarvis.services.turns import Turns


class Replicas:
    def __init__(
        self,
        hints: Hints,
        *,
        turns: Turns,
        feed: ConversationFeed,
        forget_here: Callable[[Iterable[UUID]], None],
    ) -> None:
        self._hints = hints
        self._turns = turns
        self._feed = feed
        self._forget_here = forget_here

    async def run(self) -> None:
        """Obey for ever; to be cancelled."""
        await self._hints.run(self._obey)

    def _obey(self, hint: Hint) -> None:
        match hint:
            case TurnsCancelled(turn_ids=turn_ids):
                self._turns.end(turn_ids)
            case TurnHeard(turn_id=turn_id):
                self._turns.heard(turn_id)
            case TurnsForgotten(turn_ids=turn_ids):
                self._forget_here(turn_ids)
            case ConversationChanged():
                self._feed.deliver(hint)
