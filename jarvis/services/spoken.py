"""One answer that is spoken: what was said aloud of it, what was taken of that, and how much was heard."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from jarvis.core.speaking.heard import Spoken, heard
from jarvis.core.speaking.sentences import Piece

AHEAD = 2
"""Sentences that are spoken before somebody has taken the ones before (the contract's section 4)."""
UNHEARD_S = 2.0
"""How long a sentence waits while nobody listens at all; then the rest of the answer stays unspoken."""
UNTAKEN_S = 10.0
"""How long it waits for somebody who listens and takes nothing."""


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence, as a whole WAV file."""

    wav: bytes
    sample_rate_hz: int
    duration_ms: int


Say = Callable[[str], Awaitable[Sound]]
"""Returns the sound of a sentence; of nothing, a moment of silence. Raises Unavailable or TimedOut."""


class SpokenAnswer:
    """What was said aloud of one answer, what was taken of that, and whether more may come."""

    def __init__(self) -> None:
        self.is_stopped = False
        self.is_complete = False
        """All of it was spoken, or no more will be."""
        self._sentences: list[Spoken] = []
        self._seqs: list[int] = []
        self._taken_seq = -1
        self._begun_at: float | None = None
        self._played_ms: int | None = None
        self._is_held = False
        self._changed = asyncio.Event()

    @property
    def duration_ms(self) -> int:
        return round(sum(sentence.duration_ms for sentence in self._sentences))

    @property
    def sentences(self) -> int:
        return len(self._sentences)

    @property
    def is_playing(self) -> bool:
        """Whether somebody probably hears it now: by the clock, where the client does not say."""
        if self._begun_at is None or self.is_stopped:
            return False
        return not self.is_complete or self._position_ms() < self.duration_ms

    def say(self, piece: Piece, sound: Sound, seq: int) -> None:
        """Note that a sentence was told as the event `seq`."""
        self._sentences.append(Spoken(piece=piece, duration_ms=sound.duration_ms))
        self._seqs.append(seq)

    def take(self, seq: int) -> None:
        """Note that somebody has taken the sentence that was told as the event `seq`."""
        if self._begun_at is None:
            self._begun_at = time.perf_counter()
        self._taken_seq = max(self._taken_seq, seq)
        self._wake()

    def play(self, played_ms: int) -> None:
        """Note how much the client has played, of all sentences one after the other."""
        self._played_ms = played_ms

    def hold(self) -> None:
        """Let no more through until `release` or `stop`: somebody speaks, and may mean to interrupt."""
        self._is_held = True

    def release(self) -> None:
        self._is_held = False
        self._wake()

    def stop(self, played_ms: int | None = None) -> None:
        """Let no more through; `played_ms` is how much was heard, where the client says. Idempotent."""
        if played_ms is not None:
            self._played_ms = played_ms
        elif self._played_ms is None:
            self._played_ms = self._position_ms()
        self.is_stopped = True
        self._is_held = False
        self._wake()

    def heard(self, answer: str) -> str:
        """Return how `answer` begins, as far as it was heard."""
        return heard(answer, self._sentences, self._position_ms())

    async def room(self, is_heard: Callable[[], bool]) -> bool:
        """Wait until the next sentence may be spoken; False: it is not to be any more."""
        waited_s = 0.0
        while not self.is_stopped and sum(seq > self._taken_seq for seq in self._seqs) >= AHEAD:
            changed = self._changed
            try:
                async with asyncio.timeout(UNHEARD_S):
                    await changed.wait()
                waited_s = 0.0
            except TimeoutError:
                waited_s += UNHEARD_S
                if waited_s >= UNTAKEN_S or not is_heard():
                    return False
        return not self.is_stopped

    async def passes(self) -> bool:
        """Wait while it is held; False: it was stopped."""
        while self._is_held:
            await self._changed.wait()
        return not self.is_stopped

    def _position_ms(self) -> int:
        if self._played_ms is not None:
            return self._played_ms
        if self._begun_at is None:
            return 0
        return min(self.duration_ms, round((time.perf_counter() - self._begun_at) * 1000))

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
