"""What of an answer is stored when its playback was interrupted."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.core.speaking.durations import duration_ms
from jarvis.core.speaking.heard import Spoken, heard
from jarvis.core.speaking.sentences import Sentences


def spoken(answer: str, *durations_ms: float) -> list[Spoken]:
    sentences = Sentences()
    pieces = [*sentences.feed(answer), *sentences.finish()]
    assert len(pieces) == len(durations_ms)
    return [Spoken(piece=piece, duration_ms=ms) for piece, ms in zip(pieces, durations_ms, strict=True)]


_ANSWER = "Do **it now**. Then `stop` [here](http://x.org)!\n\n```\ncode\n```\n1. Go on\n"


@pytest.mark.parametrize(
    ("played_ms", "text"),
    [
        (-1, ""),
        (0, ""),
        (30, ""),
        (450, "Do **it"),
        (1_000, "Do **it now**."),
        (1_050, "Do **it now**."),
        (1_800, "Do **it now**. Then `stop`"),
        (3_000, "Do **it now**. Then `stop` [here](http://x.org)!"),
        (4_000, _ANSWER.rstrip()),
        (1e9, _ANSWER.rstrip()),
    ],
)
def test_the_text_is_cut_at_the_word_last_heard(played_ms: float, text: str) -> None:
    assert heard(_ANSWER, spoken(_ANSWER, 1_000, 2_000, 1_000), played_ms) == text


def test_what_was_not_synthesized_was_not_heard() -> None:
    assert heard(_ANSWER, spoken(_ANSWER, 1_000, 2_000, 1_000)[:1], 60_000) == "Do **it now**."
    assert not heard(_ANSWER, [], 60_000)


def test_a_word_counts_when_more_than_half_of_it_was_played() -> None:
    answer = "extraordinary extraordinary"
    said = spoken(answer, 2_000)
    heard_at = [ms for ms in range(2_001) if heard(answer, said, ms) == answer]
    assert 1_300 < heard_at[0] < 1_500  # the second begins in the middle, and some silence is at the end


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab .,*`[]()\n1", max_size=200), st.lists(st.floats(0, 5_000), min_size=2))
def test_it_is_a_prefix_that_grows_with_the_time(answer: str, times: list[float]) -> None:
    sentences = Sentences()
    pieces = [*sentences.feed(answer), *sentences.finish()]
    said = [Spoken(piece=piece, duration_ms=400) for piece in pieces]
    texts = [heard(answer, said, ms) for ms in sorted(times)]
    assert all(answer.startswith(text) and text == text.rstrip() for text in texts)
    assert [len(text) for text in texts] == sorted(len(text) for text in texts)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("with", "wind"),
        ("12", "77"),
        ("2000", "2026"),
        ("word", "word,"),
        ("nasa", "NASA"),
        ("2,000,000", "299,792,458"),
        ("7", "0.75"),
        ("5", "$5"),
    ],
    ids=str,
)
def test_what_takes_longer_to_say_is_given_longer(short: str, long: str) -> None:
    assert duration_ms(short) < duration_ms(long)


@pytest.mark.parametrize(
    ("text", "ends_ms", "duration"),
    [  # where Piper (en_US-joe-medium) has each word end, by the alignment of its phonemes
        (
            "The speed of light is 299,792,458 metres per second.",
            [116, 430, 592, 940, 1091, 5770, 6142, 6316, 6803],
            6908,
        ),
        (
            "Remember to save your work before you restart the computer.",
            [476, 673, 894, 1033, 1324, 1649, 1788, 2241, 2345, 2856],
            2984,
        ),
        (
            "Big dogs eat much more food than small cats do.",
            [186, 592, 871, 1126, 1370, 1614, 1800, 2125, 2496, 2786],
            3007,
        ),
        ("Thank you, that was very kind of you.", [255, 441, 940, 1115, 1382, 1707, 1811, 1962], 2148),
        (
            "No, I don't think that would be a good idea.",
            [395, 813, 1033, 1207, 1370, 1533, 1649, 1765, 1927, 2368],
            2566,
        ),
    ],
    ids=str,
)
def test_a_moment_is_matched_to_the_word_said_then(text: str, ends_ms: list[int], duration: int) -> None:
    sentences = Sentences()
    assert sentences.feed(text) == []
    said = [Spoken(piece=piece, duration_ms=duration) for piece in sentences.finish()]
    assert len(said) == 1
    for count, (begins_ms, end_ms) in enumerate(pairwise([0, *ends_ms])):
        heard_words = heard(text, said, (begins_ms + end_ms) / 2).split()
        assert abs(len(heard_words) - count) <= 1
