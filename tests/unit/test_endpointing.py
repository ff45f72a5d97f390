"""When somebody begins to speak and when they have ended, by scripted probabilities of speech."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.core.speaking.endpointing import CHUNK_SAMPLES, Began, Ended, Endpointing, EndpointingSettings

_CHUNK_MS = 32
_SPEECH, _UNSURE, _SILENCE = 0.9, 0.4, 0.1


def samples(chunks: int, plus_ms: int = 0) -> int:
    return chunks * CHUNK_SAMPLES + plus_ms * 16


def heard(
    *trace: tuple[float, int], endpointing: Endpointing | None = None
) -> list[tuple[int, Began | Ended]]:
    """Return what is told, each with the number of the chunk that made it certain (from 1)."""
    endpointing = endpointing or Endpointing()
    probabilities = [probability for probability, chunks in trace for _ in range(chunks)]
    told = ((chunk, endpointing.hear(probability)) for chunk, probability in enumerate(probabilities, 1))
    return [(chunk, what) for chunk, what in told if what is not None]


def test_an_utterance_has_what_is_just_before_and_after_the_speech() -> None:
    start, end = samples(20, -300), samples(50, 200)
    assert heard((_SILENCE, 20), (_SPEECH, 30), (_SILENCE, 40)) == [
        (25, Began(start=start)),  # after 160 ms of speech
        (50 + 22, Ended(start=start, end=end, reason="silence")),  # after 700 ms of silence, in whole chunks
    ]


def test_there_is_nothing_before_the_stream() -> None:
    assert heard((_SPEECH, 5)) == [(5, Began(start=0))]


@pytest.mark.parametrize(
    "trace",
    [
        [(_SILENCE, 100)],
        [(_UNSURE, 100)],
        [(_SPEECH, 4), (_SILENCE, 50)],
        [(_SPEECH, 3), (_SILENCE, 3)] * 20,
        [(float("nan"), 100)],
    ],
    ids=["silence", "unsure", "a click", "clicks", "no probability"],
)
def test_what_is_not_speech_for_long_enough_is_nothing(trace: list[tuple[float, int]]) -> None:
    endpointing = Endpointing()
    assert heard(*trace, endpointing=endpointing) == []
    assert endpointing.close() is None


def test_a_beginning_has_short_gaps() -> None:
    assert [chunk for chunk, _ in heard((_SPEECH, 3), (_SILENCE, 2), (_SPEECH, 2))] == [7]


def test_between_the_thresholds_what_was_goes_on() -> None:
    assert [type(told) for _, told in heard((_SPEECH, 2), (_UNSURE, 100))] == [Began]
    unsure_silence = heard((_SPEECH, 10), (_SILENCE, 1), (_UNSURE, 21))
    assert unsure_silence[-1] == (32, Ended(start=0, end=samples(10, 200), reason="silence"))


def test_a_pause_does_not_end_an_utterance() -> None:
    pause = (_SILENCE, 700 // _CHUNK_MS)
    told = heard((_SPEECH, 10), pause, (_SPEECH, 1), pause, (_SPEECH, 1), (_SILENCE, 30))
    assert [what for _, what in told] == [
        Began(start=0),
        Ended(start=0, end=samples(12 + 2 * pause[1], 200), reason="silence"),
    ]


def test_an_endless_utterance_is_cut_and_goes_on_as_the_next() -> None:
    limits = EndpointingSettings(longest_utterance_ms=3_200)
    told = heard((_SPEECH, 105), endpointing=Endpointing(limits))
    assert told == [
        (5, Began(start=0)),
        (100, Ended(start=0, end=samples(100), reason="too_long")),
        (105, Began(start=samples(100))),
    ]
    assert EndpointingSettings().longest_utterance_ms == 120_000


def test_the_end_of_the_stream_ends_the_utterance() -> None:
    endpointing = Endpointing()
    heard((_SPEECH, 10), (_SILENCE, 3), endpointing=endpointing)
    assert endpointing.close() == Ended(start=0, end=samples(13), reason="closed")
    assert endpointing.close() is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([_SPEECH, _UNSURE, _SILENCE]), st.integers(1, 40)), max_size=40))
def test_utterances_alternate_and_never_overlap_nor_need_what_was_let_go(
    trace: list[tuple[float, int]],
) -> None:
    endpointing = Endpointing(msgspec.structs.replace(EndpointingSettings(), longest_utterance_ms=5_000))
    begun, free, kept, heard_samples = None, 0, 0, 0
    for probability in (probability for probability, chunks in trace for _ in range(chunks)):
        told = endpointing.hear(probability)
        heard_samples += CHUNK_SAMPLES
        match told:
            case Began():
                assert begun is None
                assert max(free, kept) <= told.start < heard_samples
                begun = told.start
            case Ended():
                assert told.start == begun
                assert told.start < told.end <= heard_samples
                begun, free = None, told.end
            case None:
                pass
        assert kept <= endpointing.keep_from <= heard_samples
        kept = endpointing.keep_from
