"""Hears from a stream of speech probabilities when somebody begins to speak and has ended. Pure."""

from typing import Literal

import msgspec

CHUNK_SAMPLES = 512
"""What one probability is about: 32 ms at 16 kHz, the only window of Silero's model at that rate."""
_SAMPLES_A_MS = 16


class EndpointingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When speech begins and ends.

    The two thresholds are those of Silero's own VADIterator (.5, and .15 less): between them the model is
    unsure, and what was goes on, speech or silence. `silence_ms`: between speakers a gap is about 200 ms long
    because they foresee the end, while to plan an answer takes over 600 ms (Levinson and Torreira, Frontiers
    in Psychology 6:731, 2015); who goes by silence alone has to outwait the pauses of somebody who plans how
    to go on. It is not shortened after long utterances, for those have such pauses.
    """

    begin_probability: float = 0.5
    end_probability: float = 0.35
    shortest_speech_ms: int = 160
    """Less is a click, a cough, a key. Barging in is heard this much after the first sound."""
    longest_gap_ms: int = 96
    """Of a beginning that is not sure yet: the closed lips of a p are no end."""
    silence_ms: int = 700
    pre_roll_ms: int = 300
    """Kept from before the first sure sound: soft ones (f, h, s) come before it."""
    post_roll_ms: int = 200
    longest_utterance_ms: int = 120_000


class Began(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody speaks. `start`, as all positions, is in samples from the start of the stream."""

    start: int


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The utterance is the samples `start` to `end`, exclusive. The next one will not begin before `end`."""

    start: int
    end: int
    reason: Literal["silence", "too_long", "closed"]


class Endpointing:
    """Fed with every chunk of a stream, in order. Began and Ended alternate; utterances do not overlap."""

    def __init__(self, settings: EndpointingSettings | None = None) -> None:
        self._settings = settings or EndpointingSettings()
        self._at = 0  # samples heard
        self._free = 0  # where the next utterance may begin
        self._is_speech = False  # the last chunk
        self._onset: int | None = None
        self._speech_end = 0  # of what is surely speech
        self._speech = 0  # samples of it since the onset
        self._begun: int | None = None

    @property
    def keep_from(self) -> int:
        """The first sample that an utterance now or later can still need."""
        if self._begun is not None:
            return self._begun
        return self._with_pre_roll(self._at if self._onset is None else self._onset)

    @property
    def spoken_ms(self) -> float:
        """How long somebody has spoken, from the first sure sound to the last; 0 where nobody does."""
        return 0.0 if self._onset is None else (self._speech_end - self._onset) / _SAMPLES_A_MS

    def hear(self, probability: float) -> Began | Ended | None:
        """Take the probability of the next chunk, and tell what it made certain."""
        chunk_start = self._at
        self._at += CHUNK_SAMPLES
        if probability >= self._settings.begin_probability:
            self._is_speech = True
        elif probability < self._settings.end_probability:
            self._is_speech = False
        if self._is_speech:
            if self._onset is None:
                self._onset, self._speech = chunk_start, 0
            self._speech += CHUNK_SAMPLES
            self._speech_end = self._at
        return self._begin() if self._begun is None else self._end(self._begun)

    def close(self) -> Ended | None:
        """End the utterance that is going on: the stream is over."""
        return None if self._begun is None else self._ended(self._begun, self._at, "closed")

    def _begin(self) -> Began | None:
        if self._onset is None:
            return None
        if self._speech >= self._settings.shortest_speech_ms * _SAMPLES_A_MS:
            self._begun = self._with_pre_roll(self._onset)
            return Began(start=self._begun)
        if self._at - self._speech_end >= self._settings.longest_gap_ms * _SAMPLES_A_MS:
            self._onset = None
        return None

    def _end(self, start: int) -> Ended | None:
        if self._at - self._speech_end >= self._settings.silence_ms * _SAMPLES_A_MS:
            end = min(self._speech_end + self._settings.post_roll_ms * _SAMPLES_A_MS, self._at)
            return self._ended(start, end, "silence")
        if self._at - start >= self._settings.longest_utterance_ms * _SAMPLES_A_MS:
            return self._ended(start, self._at, "too_long")
        return None

    def _ended(self, start: int, end: int, reason: Literal["silence", "too_long", "closed"]) -> Ended:
        self._free, self._begun, self._onset = end, None, None
        return Ended(start=start, end=end, reason=reason)

    def _with_pre_roll(self, onset: int) -> int:
        return max(onset - self._settings.pre_roll_ms * _SAMPLES_A_MS, self._free)
