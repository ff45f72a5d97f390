"""What of an answer was heard before it was interrupted. Pure."""

from collections.abc import Sequence

import msgspec

from jarvis.core.speaking.durations import PAUSE_MS, SILENCE_AT_THE_END_MS, duration_ms, is_before_pause
from jarvis.core.speaking.sentences import Piece


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """A piece, and how long its sound is."""

    piece: Piece
    duration_ms: float


def heard(answer: str, spoken: Sequence[Spoken], played_ms: float) -> str:
    """Return the start of `answer` that was heard of `spoken`, which is its pieces in order, in `played_ms`.

    It ends with the word last heard, of which more than half was played, with the punctuation and markup that
    end there too. It is always a prefix, so emphasis that the interruption leaves open stays open: no mark is
    invented, and a text without the opening one would be another than the model's.
    """
    end, left_ms = 0, played_ms
    for said in spoken:
        if left_ms <= 0:
            break
        if left_ms < said.duration_ms:
            end = _heard_within(said, left_ms) or end
        elif said.piece.marks:
            end = said.piece.marks[-1][1]
        left_ms -= said.duration_ms
    return answer[:end].rstrip()


def _heard_within(said: Spoken, played_ms: float) -> int | None:
    """Return where in the answer the last word heard ends; None: not one was."""
    times: list[tuple[float, float]] = []  # when a word begins, and how long it takes, by the fit's clock
    at_ms, start = 0.0, 0
    for chars, _ in said.piece.marks:
        word = said.piece.text[start:chars].strip()
        start = chars
        takes_ms = duration_ms(word)
        times.append((at_ms, takes_ms))
        at_ms += takes_ms + PAUSE_MS * is_before_pause(word)
    if not times:
        return None
    begins_ms, takes_ms = times[-1]
    pace = said.duration_ms / (begins_ms + takes_ms + SILENCE_AT_THE_END_MS)
    ends = [
        source
        for (_, source), (begins_ms, takes_ms) in zip(said.piece.marks, times, strict=True)
        if (begins_ms + takes_ms / 2) * pace < played_ms
    ]
    return ends[-1] if ends else None
