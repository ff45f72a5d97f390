"""A turn while it lives in this process: what it has said so far, and how to end it."""

import asyncio
import time
from collections.abc import Callable

from anyio import CancelScope

from jarvis.core.errors import JarvisError
from jarvis.core.events import Terminal
from jarvis.core.ports import Finish
from jarvis.core.types import ContextReport, HistoryReport, MessageStatus, Turn
from jarvis.services.memory import Recollection
from jarvis.services.spoken import SpokenAnswer

DELTA_DELAY_S = 0.03
DELTA_MAX_CHUNKS = 64


class LiveTurn:
    """A turn that is queued or runs in this process.

    `scope` covers its waiting and its generation, never its storing: cancelling it ends the turn with
    the `verdict`, and what it had said so far is kept. `storing` covers the rest. `recalling` is there if
    it was begun before the turn was stored.
    """

    __slots__ = (
        "_seq",
        "_text",
        "_verdict",
        "checkpoint_seq",
        "ended",
        "error",
        "finish",
        "listeners",
        "recalling",
        "report",
        "running_since",
        "scope",
        "speech",
        "started_at",
        "storing",
        "terminal",
        "text_chars",
        "told_chars",
        "turn",
        "unheard_since",
    )

    def __init__(self, turn: Turn, recalling: asyncio.Future[Recollection] | None = None) -> None:
        self.turn = turn
        self.recalling = recalling
        self.scope = CancelScope()
        self.storing = CancelScope(shield=True)
        self.ended = asyncio.Event()
        self.running_since: float | None = None
        self.started_at = time.perf_counter()
        self.listeners = 0
        self.unheard_since = self.started_at
        self.error: JarvisError | None = None
        self.report = ContextReport(
            budget_tokens=0, prompt_tokens=0, history=HistoryReport(sent=0, summarised=0, dropped=0)
        )
        self.finish: Finish | None = None
        self.speech: SpokenAnswer | None = None
        self.terminal: Terminal | None = None
        self.checkpoint_seq = -1
        said = turn.said or ""
        self.text_chars = len(said)
        self.told_chars = len(said)
        """How much of the text is in events up to `seq`; the rest is about to be."""
        self._text = [said]
        self._seq = -1
        self._verdict: MessageStatus | None = None

    @property
    def text(self) -> str:
        """All that was said so far."""
        if len(self._text) > 1:
            self._text = ["".join(self._text)]
        return self._text[0] if self._text else ""

    @property
    def told(self) -> str:
        """What the events up to `seq` say of it, joined."""
        return self.text[: self.told_chars]

    @property
    def seq(self) -> int:
        """The newest event's."""
        return self._seq

    @property
    def running(self) -> bool:
        """Whether it has its place, that is, waits no more."""
        return self.running_since is not None

    @property
    def verdict(self) -> MessageStatus | None:
        return self._verdict

    @property
    def adds_nothing(self) -> bool:
        """Whether an answer that a process left when it died is no longer yet."""
        return bool(self.turn.said) and self.text == self.turn.said

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def go_on_after(self, seq: int) -> None:
        """Number the next event above `seq`."""
        self._seq = max(self._seq, seq)

    def say(self, text: str) -> None:
        self._text.append(text)
        self.text_chars += len(text)

    def cut(self, text: str) -> None:
        """Have `text` stand for all that was said."""
        self._text = [text]
        self.text_chars = self.told_chars = len(text)

    def close(self) -> None:
        """Say that it has ended and is stored."""
        if self.recalling is not None:
            self.recalling.cancel()  # it may have ended before it was told anything
        self.ended.set()

    def end(self, verdict: MessageStatus) -> None:
        """End it from outside; the first verdict counts, and a turn that is being stored is left alone."""
        if self._verdict is None:
            self._verdict = verdict
            self.scope.cancel()


class Deltas:
    """Joins the model's chunks: the first goes out at once, later ones within DELTA_DELAY_S."""

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._pending: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._flushed_at = -DELTA_DELAY_S

    def write(self, text: str) -> None:
        self._pending.append(text)
        due = self._flushed_at + DELTA_DELAY_S
        if len(self._pending) >= DELTA_MAX_CHUNKS or self._loop.time() >= due:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_at(due, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            text = "".join(self._pending)
            self._pending.clear()
            self._flushed_at = self._loop.time()
            self._emit(text)
