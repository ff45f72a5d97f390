"""One spoken answer: how far ahead it is spoken, what passes, and how much of it was heard."""

import asyncio

import pytest

from jarvis.core.speaking.sentences import Piece, Sentences
from jarvis.services.spoken import AHEAD, Sound, SpokenAnswer

TEXT = "One two three four. Five six seven eight. Nine ten eleven twelve."
SENTENCE_MS = 1_600


def nobody() -> bool:
    return False


def somebody() -> bool:
    return True


def pieces() -> list[Piece]:
    sentences = Sentences()
    return [*sentences.feed(TEXT), *sentences.finish()]


def spoken(count: int = 3) -> SpokenAnswer:
    """Return an answer of which so many sentences were told, as the events 10, 20, ..."""
    answer = SpokenAnswer()
    for number, piece in enumerate(pieces()[:count], start=1):
        answer.say(piece, Sound(wav=b"", sample_rate_hz=16_000, duration_ms=SENTENCE_MS), 10 * number)
    return answer


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.services.spoken.UNHEARD_S", 0.01)
    monkeypatch.setattr("jarvis.services.spoken.UNTAKEN_S", 0.03)


class TestRoom:
    async def test_two_sentences_are_ahead(self) -> None:
        answer = spoken(AHEAD - 1)
        assert await answer.room(somebody)
        answer = spoken(AHEAD)
        waiting = asyncio.ensure_future(answer.room(somebody))
        await asyncio.sleep(0)
        assert not waiting.done()
        answer.take(10)
        assert await waiting

    async def test_taking_later_ones_takes_the_earlier(self) -> None:
        answer = spoken(3)
        answer.take(30)
        answer.take(10)
        assert await answer.room(somebody)

    @pytest.mark.usefixtures("short_waits")
    @pytest.mark.parametrize("is_heard", [nobody, somebody], ids=["nobody", "somebody who takes nothing"])
    async def test_nobody_waits_for_ever(self, is_heard: object) -> None:
        assert callable(is_heard)
        assert not await spoken(AHEAD).room(lambda: bool(is_heard()))

    async def test_what_is_stopped_needs_no_room(self) -> None:
        answer = spoken(AHEAD)
        waiting = asyncio.ensure_future(answer.room(somebody))
        await asyncio.sleep(0)
        answer.stop()
        assert not await waiting
        assert not await spoken_and_stopped().room(somebody)


def spoken_and_stopped() -> SpokenAnswer:
    answer = spoken(1)
    answer.stop()
    return answer


class TestPassing:
    async def test_what_is_not_held_passes(self) -> None:
        assert await spoken().passes()

    @pytest.mark.parametrize("goes_on", [True, False], ids=["released", "stopped"])
    async def test_what_is_held_waits(self, goes_on: object) -> None:
        answer = spoken()
        answer.hold()
        waiting = asyncio.ensure_future(answer.passes())
        await asyncio.sleep(0)
        assert not waiting.done()
        if goes_on:
            answer.release()
        else:
            answer.stop()
        assert await waiting is bool(goes_on)

    async def test_what_is_stopped_does_not(self) -> None:
        assert not await spoken_and_stopped().passes()


class TestHeard:
    async def test_what_was_told_to_nobody_was_not(self) -> None:
        answer = spoken()
        answer.stop()
        assert answer.heard(TEXT) == ""

    async def test_the_client_knows_best(self) -> None:
        answer = spoken()
        answer.take(10)
        answer.play(2 * SENTENCE_MS)
        answer.stop()
        assert answer.heard(TEXT) == "One two three four. Five six seven eight."

    async def test_what_comes_with_the_stop_is_newer(self) -> None:
        answer = spoken()
        answer.play(2 * SENTENCE_MS)
        answer.stop(SENTENCE_MS)
        assert answer.heard(TEXT) == "One two three four."

    async def test_stopping_again_without_a_time_changes_nothing(self) -> None:
        answer = spoken()
        answer.stop(SENTENCE_MS)
        answer.stop()
        assert answer.heard(TEXT) == "One two three four."

    async def test_by_the_clock_no_more_than_was_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now_s = 100.0
        monkeypatch.setattr("jarvis.services.spoken.time.perf_counter", lambda: now_s)
        answer = spoken()
        answer.take(10)
        now_s = 100.0 + SENTENCE_MS / 1000
        assert answer.heard(TEXT) == "One two three four."
        now_s = 1_000.0
        assert answer.heard(TEXT) == TEXT

    async def test_it_plays_from_when_it_is_taken_until_it_is_over(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now_s = 100.0
        monkeypatch.setattr("jarvis.services.spoken.time.perf_counter", lambda: now_s)
        answer = spoken()
        assert not answer.is_playing
        answer.take(10)
        now_s = 1_000.0
        assert answer.is_playing  # more is to come
        answer.is_complete = True
        assert not answer.is_playing
        now_s = 101.0
        assert answer.is_playing
        answer.stop()
        assert not answer.is_playing
