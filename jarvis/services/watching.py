"""Who is told what becomes of turns."""

from jarvis.core.types import MessageStatus, Turn


class TurnWatcher:
    """Is told of every turn of this process, in order; overrides what it wants to know. No call may wait."""

    def turn_began(self, turn: Turn) -> None:
        """Its message is committed, and the model will be wanted."""

    def turn_ended(self, turn: Turn, status: MessageStatus, answer: str) -> None:
        """Its end is stored, or was given up, or is another process' now; `answer` is all that was said."""

    def all_ended(self) -> None:
        """No turn runs or waits any more."""
