"""The turn log of this process, of which the other processes are told too."""

from collections.abc import AsyncGenerator, Iterable
from uuid import UUID

from jarvis.core.events import AudioResponse, LogEntry, TurnEvent, without_sound
from jarvis.core.ports import TurnLog
from jarvis.core.replicas import Hints, TurnsForgotten, TurnTails


class SharedTurnLog:
    """Fills TurnLog: who reads here reads what lies here, whatever becomes of the rest.

    Sound stays here: whoever follows a spoken answer from another process reads its words.
    """

    def __init__(self, log: TurnLog, *, tails: TurnTails, hints: Hints) -> None:
        self._log = log
        self._tails = tails
        self._hints = hints

    def append(self, event: TurnEvent) -> LogEntry:
        entry = self._log.append(event)
        self._tails.append(event.turn_id, without_sound(entry) if isinstance(event, AudioResponse) else entry)
        return entry

    def read(self, turn_id: UUID, *, after: int = -1) -> AsyncGenerator[LogEntry]:
        return self._log.read(turn_id, after=after)

    def last_seq(self, turn_id: UUID) -> int | None:
        return self._log.last_seq(turn_id)

    def hand_over(self, turn_id: UUID) -> None:
        self._log.hand_over(turn_id)  # its tail is the other process' by now

    def forget(self, turn_ids: Iterable[UUID]) -> None:
        """Forget them in every process."""
        ids = list(turn_ids)
        if ids:
            self._log.forget(ids)
            self._tails.forget(ids)
            self._hints.tell(TurnsForgotten(turn_ids=ids))

    def forget_here(self, turn_ids: Iterable[UUID]) -> None:
        """Forget them as another process asked."""
        self._log.forget(turn_ids)
