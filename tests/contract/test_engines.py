"""Several engines in one role, on real scripted servers: who is asked, who answers, and who heals."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from jarvis.core.errors import Invalid, InvalidAudio, TimedOut, Unavailable
from jarvis.core.speech import HEARD_HZ, Pcm, Transcript
from jarvis.services.engines import Answer
from jarvis.services.synthesizers import Synthesizers
from jarvis.services.transcribers import Transcribers
from tests.scripted_speech import Fault, ScriptedWyoming, hear, speak
from tests.scripted_speech.stand import Stand, standing

TEXT = "le secret est gardé"
SOUND = speak(TEXT, HEARD_HZ).tobytes()
Stands = tuple[Stand, Stand]


@pytest.fixture
async def stands() -> AsyncGenerator[Stands]:
    async with standing("wyoming", name="first") as first, standing("bridges", name="second") as second:
        yield first, second


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.core.breaker.FIRST_WAIT_S", 0.02)
    monkeypatch.setattr("jarvis.core.breaker.LONGEST_WAIT_S", 0.1)
    monkeypatch.setattr("jarvis.services.engine_watch.CHECK_PERIOD_S", 0.05)


def hearing(stands: Stands, *, whole_s: float = 30.0) -> Transcribers:
    return Transcribers([stand.transcriber for stand in stands], whole_s=whole_s)


def speaking(stands: Stands, *, first_s: float = 30.0, whole_s: float = 30.0) -> Synthesizers:
    return Synthesizers([stand.synthesizer for stand in stands], first_s=first_s, whole_s=whole_s)


@contextlib.asynccontextmanager
async def watched(engines: Transcribers | Synthesizers) -> AsyncGenerator[None]:
    watching = asyncio.create_task(engines.run())
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def until_serving(engines: Transcribers | Synthesizers, name: str | None) -> None:
    async with asyncio.timeout(5):
        while engines.serving != name:  # noqa: ASYNC110 a state that is asked for: nothing tells of it
            await asyncio.sleep(0.01)


async def in_pieces(samples: bytes = SOUND) -> AsyncGenerator[bytes]:
    for begin in range(0, len(samples), 2048):
        yield samples[begin : begin + 2048]


async def text_of(answer: Answer[Transcript]) -> tuple[str, str]:
    async with contextlib.aclosing(answer):
        *_, last = [transcript async for transcript in answer]
    assert last.final
    return last.text, answer.engine


async def sound_of(answer: Answer[Pcm]) -> tuple[str, str]:
    async with contextlib.aclosing(answer):
        pieces = [piece async for piece in answer]
    samples = np.frombuffer(b"".join(piece.samples for piece in pieces), "<f4")
    return hear(samples, pieces[0].sample_rate_hz), answer.engine


class TestFailingOver:
    async def test_the_first_answers(self, stands: Stands) -> None:
        assert await text_of(hearing(stands).transcribe(in_pieces())) == (TEXT, "first")
        assert await sound_of(speaking(stands).synthesize(TEXT)) == (TEXT, "first")
        assert not stands[1].server.log.records

    @pytest.mark.parametrize("fault", ["reset", "cut", "error", "rubbish", "huge"])
    async def test_the_next_hears_everything(self, stands: Stands, fault: Fault) -> None:
        stands[0].server.fault = fault
        assert await text_of(hearing(stands).transcribe(in_pieces())) == (TEXT, "second")

    async def test_the_next_speaks(self, stands: Stands) -> None:
        stands[0].server.fault = "error"
        assert await sound_of(speaking(stands).synthesize(TEXT)) == (TEXT, "second")

    async def test_what_was_understood_so_far_may_be_revised(self, stands: Stands) -> None:
        first = stands[0].server
        assert isinstance(first, ScriptedWyoming)
        first.streams, first.fault = True, "reset"
        answer = hearing(stands).transcribe(in_pieces())
        transcripts = [transcript async for transcript in answer]
        assert [transcript.final for transcript in transcripts] == [False] * (len(transcripts) - 1) + [True]
        assert len(transcripts) > 1
        assert transcripts[-1].text == TEXT

    async def test_sound_that_was_heard_is_not_begun_again(self, stands: Stands) -> None:
        stands[0].server.fault = "reset"
        with pytest.raises(Unavailable) as failed:
            await sound_of(speaking(stands).synthesize(TEXT))
        assert failed.value.code == "tts_unavailable"
        assert not stands[1].server.log.records

    async def test_speech_that_is_not_kept_is_not_begun_again(
        self, stands: Stands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jarvis.services.transcribers._KEPT_BYTES", len(SOUND) - 4)
        engines = hearing(stands)
        assert await text_of(engines.transcribe(in_pieces())) == (TEXT, "first")
        stands[0].server.fault = "error"
        with pytest.raises(Unavailable):
            await text_of(engines.transcribe(in_pieces()))
        assert not stands[1].server.log.records

    async def test_what_is_wrong_with_the_speech_is_nobodys_fault(self, stands: Stands) -> None:
        async def unreadable() -> AsyncGenerator[bytes]:
            yield SOUND
            raise InvalidAudio("This is not sound.")

        engines = hearing(stands)
        for _ in range(3):
            with pytest.raises(InvalidAudio):
                await text_of(engines.transcribe(unreadable()))
        assert engines.serving == "first"

    async def test_nobody_at_all(self) -> None:
        with pytest.raises(Unavailable, match="set up") as failed:
            await text_of(Transcribers([]).transcribe(in_pieces()))
        assert failed.value.code == "stt_unavailable"
        with pytest.raises(Unavailable):
            await Synthesizers([]).voices()


class TestDeadlines:
    async def test_one_that_hangs_leaves_time_for_the_next(self, stands: Stands) -> None:
        stands[0].server.fault = "hang"
        begun_s = time.monotonic()
        assert await text_of(hearing(stands, whole_s=1).transcribe(in_pieces())) == (TEXT, "second")
        assert await sound_of(speaking(stands, whole_s=1).synthesize(TEXT)) == (TEXT, "second")
        assert 1 <= time.monotonic() - begun_s < 2, "half of each"

    async def test_all_that_hang_end_in_time(self, stands: Stands) -> None:
        for stand in stands:
            stand.server.fault = "hang"
        begun_s = time.monotonic()
        with pytest.raises(TimedOut) as deaf:
            await text_of(hearing(stands, whole_s=0.4).transcribe(in_pieces()))
        with pytest.raises(TimedOut) as dumb:
            await sound_of(speaking(stands, whole_s=0.4).synthesize(TEXT))
        assert (deaf.value.code, dumb.value.code) == ("stt_timeout", "tts_timeout")
        assert 0.8 <= time.monotonic() - begun_s < 1.6

    async def test_the_first_sound_has_its_own(self, stands: Stands) -> None:
        stands[0].server.fault = "hang"
        async with asyncio.timeout(5):
            sound = await sound_of(speaking(stands, first_s=0.1).synthesize(TEXT))
        assert sound == (TEXT, "second")

    async def test_one_that_hangs_midway_ends_in_time(self, stands: Stands) -> None:
        stands[0].server.fault = "hang_midway"
        async with asyncio.timeout(5):
            with pytest.raises(TimedOut):
                await sound_of(speaking(stands, whole_s=0.3).synthesize(TEXT))

    async def test_speech_may_take_its_time(self, stands: Stands) -> None:
        async def slow() -> AsyncGenerator[bytes]:
            for piece in (SOUND[:8192], SOUND[8192:]):
                await asyncio.sleep(0.4)
                yield piece

        assert await text_of(hearing(stands, whole_s=0.6).transcribe(slow())) == (TEXT, "first")

    async def test_the_takers_time_does_not_count(self, stands: Stands) -> None:
        answer = speaking(stands, whole_s=0.6).synthesize(TEXT)
        count = 0
        async with contextlib.aclosing(answer):
            async for _ in answer:
                count += 1
                await asyncio.sleep(0.3)
        assert count == 4

    async def test_leaving_ends_the_request_and_blames_nobody(self, stands: Stands) -> None:
        stands[0].server.fault = "hang_midway"
        engines = speaking(stands)
        for count in (1, 2, 3):
            answer = engines.synthesize(TEXT)
            await anext(answer)
            await answer.aclose()
            record = (await stands[0].server.log.wait_for(lambda log: log.of("tts")))[count - 1]
            await stands[0].server.log.wait_for(lambda _, record=record: record.outcome == "client_left")
        assert engines.serving == "first"


class TestHealing:
    async def test_one_that_is_away_is_let_alone(self, stands: Stands) -> None:
        engines = hearing(stands)
        await stands[0].server.go_away()
        assert await text_of(engines.transcribe(in_pieces())) == (TEXT, "second")
        await stands[0].server.come_back()
        asked = stands[0].server.connections
        assert await text_of(engines.transcribe(in_pieces())) == (TEXT, "second")
        assert stands[0].server.connections == asked
        assert [(state.name, state.works, state.serving) for state in engines.states()] == [
            ("first", False, False),
            ("second", True, True),
        ]
        assert engines.states()[0].error == "The speech recognition cannot be reached."

    async def test_one_failure_is_forgiven_two_are_not(self, stands: Stands) -> None:
        engines = hearing(stands)
        stands[0].server.fault = "error"
        for serving in ("first", "second"):
            await text_of(engines.transcribe(in_pieces()))
            assert engines.serving == serving

    @pytest.mark.usefixtures("short_waits")
    async def test_heals_in_the_background(self, stands: Stands) -> None:
        engines = hearing(stands)
        async with watched(engines):
            await stands[0].server.go_away()
            await text_of(engines.transcribe(in_pieces()))
            assert engines.serving == "second"
            await stands[0].server.come_back()
            await until_serving(engines, "first")
            assert await text_of(engines.transcribe(in_pieces())) == (TEXT, "first")

    @pytest.mark.usefixtures("short_waits")
    async def test_an_idle_one_that_goes_away_is_noticed(self, stands: Stands) -> None:
        engines = hearing(stands)
        async with watched(engines):
            await stands[0].server.go_away()
            await until_serving(engines, "second")
            await stands[1].server.go_away()
            await until_serving(engines, None)
            with pytest.raises(Unavailable):
                await engines.ping()

    @pytest.mark.usefixtures("short_waits")
    async def test_one_at_work_may_be_silent(self, stands: Stands) -> None:
        stands[0].server.fault = "hang"
        engines = hearing(stands)
        listening = asyncio.create_task(text_of(engines.transcribe(in_pieces())))
        await stands[0].server.log.wait_for(lambda log: log.of("stt"))
        stands[0].server.deaf = True  # as wyoming-piper is while it speaks
        for _ in range(3):
            await engines.check()
        assert engines.serving == "first"
        assert [state.silent for state in engines.states()] == [True, False]
        stands[0].server.deaf = False
        await engines.check()
        assert [state.silent for state in engines.states()] == [False, False]
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening

    async def test_when_all_are_away_who_asks_finds_them_back(
        self, stands: Stands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jarvis.services.engines.SETTLE_S", 0.0)
        engines = hearing(stands)
        for stand in stands:
            await stand.server.go_away()
        with pytest.raises(Unavailable) as failed:
            await text_of(engines.transcribe(in_pieces()))
        assert failed.value.code == "stt_unavailable"
        for stand in stands:
            await stand.server.come_back()
        assert await text_of(engines.transcribe(in_pieces())) == (TEXT, "first")

    async def test_whoever_knows_that_one_is_back_may_say_so(self, stands: Stands) -> None:
        engines = hearing(stands)
        await stands[0].server.go_away()
        await engines.check()
        assert engines.serving == "second"
        await stands[0].server.come_back()
        await engines.check()
        assert engines.serving == "first"

    async def test_many_who_ask_then_ask_once(self, stands: Stands, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("jarvis.services.engine_watch.PING_S", 0.2)
        engines = speaking(stands)
        for stand in stands:
            await stand.server.go_away()
        with pytest.raises(Unavailable):
            await sound_of(engines.synthesize(TEXT))
        for stand in stands:
            stand.server.deaf = True
            await stand.server.come_back()
        asked = [stand.server.connections for stand in stands]
        begun_s = time.monotonic()
        outcomes = await asyncio.gather(
            *(sound_of(engines.synthesize(TEXT)) for _ in range(20)), return_exceptions=True
        )
        assert all(isinstance(outcome, TimedOut) for outcome in outcomes)
        assert time.monotonic() - begun_s < 1
        assert [stand.server.connections for stand in stands] == [count + 1 for count in asked]

    @pytest.mark.usefixtures("short_waits")
    async def test_one_that_answers_checks_only_is_given_one_chance(self, stands: Stands) -> None:
        engines = hearing(stands)
        stands[0].server.fault = "error"
        for _ in range(2):
            await text_of(engines.transcribe(in_pieces()))
        async with watched(engines):
            await until_serving(engines, "first")
        await text_of(engines.transcribe(in_pieces()))
        assert engines.serving == "second"


class TestVoices:
    async def test_are_those_of_all_each_once(self, stands: Stands) -> None:
        voices = await speaking(stands).voices()
        assert [voice.id for voice in voices] == [
            "en_US-tone-medium",
            "fr_FR-ton-low#un",
            "fr_FR-ton-low#deux",
            "fr_FR-ton-low",
        ]

    async def test_are_asked_for_once(self, stands: Stands) -> None:
        engines = speaking(stands)
        await engines.voices()
        asked = stands[0].server.connections
        await stands[0].server.go_away()
        assert len(await engines.voices()) == 4
        assert stands[0].server.connections == asked

    async def test_are_renewed_in_the_background(
        self, stands: Stands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engines = hearing(stands)
        await engines.languages()
        first = stands[0].server
        assert isinstance(first, ScriptedWyoming)
        first.languages = ["tlh"]
        monkeypatch.setattr("jarvis.services.engine_watch.LISTED_S", 0.0)
        async with watched(engines), asyncio.timeout(5):
            while (await engines.languages())[0] != "tlh":  # noqa: ASYNC110 likewise
                await asyncio.sleep(0)

    async def test_of_one_that_hangs_do_not_hold_up_the_others(
        self, stands: Stands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jarvis.services.engine_watch.LIST_S", 0.2)
        stands[0].server.deaf = True
        async with asyncio.timeout(2):
            voices = await speaking(stands).voices()
        assert [voice.id for voice in voices] == ["en_US-tone-medium", "fr_FR-ton-low"]

    async def test_of_engines_that_come_late_are_found_by_who_asks(
        self, stands: Stands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jarvis.services.engines.SETTLE_S", 0.0)
        engines = speaking(stands)
        for stand in stands:
            await stand.server.go_away()
        with pytest.raises(Unavailable):
            await engines.voices()
        for stand in stands:
            await stand.server.come_back()
        assert len(await engines.voices()) == 4

    async def test_who_has_the_voice_speaks(self, stands: Stands) -> None:
        answer = speaking(stands).synthesize(TEXT, voice="fr_FR-ton-low")
        assert await sound_of(answer) == (TEXT, "second")
        assert stands[1].server.log.records[0].voice == "fr_FR-ton-low"

    async def test_without_it_one_of_its_language_speaks(self, stands: Stands) -> None:
        engines = speaking(stands)
        await engines.voices()
        await stands[1].server.go_away()
        assert await sound_of(engines.synthesize(TEXT, voice="fr_FR-ton-low")) == (TEXT, "first")
        assert stands[0].server.log.records[0].voice == "fr_FR-ton-low#un"

    async def test_one_that_nobody_has_is_the_clients_mistake(self, stands: Stands) -> None:
        with pytest.raises(Invalid) as wrong:
            await sound_of(speaking(stands).synthesize(TEXT, voice="nobody"))
        assert wrong.value.errors[0].field == "voice"

    async def test_one_of_an_engine_that_is_away_is_not(self, stands: Stands) -> None:
        await stands[1].server.go_away()
        with pytest.raises(Unavailable):
            await sound_of(speaking(stands).synthesize(TEXT, voice="fr_FR-ton-low"))

    async def test_languages_are_those_of_all(self, stands: Stands) -> None:
        languages = await hearing(stands).languages()
        assert languages[:3] == ["en", "fr", "zh"]
        assert len(languages) == len(set(languages))
