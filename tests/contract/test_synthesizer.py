"""What the Synthesizer port promises, on every adapter that fills it, against servers that obey."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from jarvis.adapters.audio.tempo import stretched
from jarvis.adapters.speech.openai_audio import STANDARD_VOICES, OpenAISynthesizer
from jarvis.adapters.speech.wyoming import WyomingSynthesizer
from jarvis.core.errors import TimedOut, Unavailable, Unreachable
from jarvis.core.speech import Pcm, Synthesizer, Voice
from tests.scripted_speech import WORD_S, Fault, ScriptedSpeechHttp, ScriptedWyoming, hear
from tests.scripted_speech.stand import DIALECTS, Dialect, Stand, standing

TEXT = "le secret est gardé"
WORDS = 4
CLOSED_WITHIN_S = 1.0


@pytest.fixture(params=DIALECTS)
async def stand(request: pytest.FixtureRequest) -> AsyncGenerator[Stand]:
    dialect: Dialect = request.param
    async with standing(dialect) as made:
        yield made


@pytest.fixture
async def wyoming() -> AsyncGenerator[ScriptedWyoming]:
    async with ScriptedWyoming() as server:
        yield server


@pytest.fixture
async def http() -> AsyncGenerator[ScriptedSpeechHttp]:
    async with ScriptedSpeechHttp() as server:
        yield server


async def spoken(
    synthesizer: Synthesizer, text: str = TEXT, *, voice: str | None = None, speed: float = 1.0
) -> list[Pcm]:
    async with contextlib.aclosing(synthesizer.synthesize(text, voice=voice, speed=speed)) as pieces:
        return [piece async for piece in pieces]


def joined(pieces: list[Pcm]) -> Pcm:
    assert len({piece.sample_rate_hz for piece in pieces}) == 1
    samples = b"".join(piece.samples for piece in pieces)
    return Pcm(samples=samples, sample_rate_hz=pieces[0].sample_rate_hz)


def heard(sound: Pcm) -> str:
    return hear(np.frombuffer(sound.samples, "<f4"), sound.sample_rate_hz)


async def test_speaks_the_text(stand: Stand) -> None:
    sound = joined(await spoken(stand.synthesizer))
    assert heard(sound) == TEXT
    assert sound.duration_s == pytest.approx(WORDS * WORD_S, abs=0.001)


async def test_gives_no_empty_piece(stand: Stand) -> None:
    assert all(piece.samples for piece in await spoken(stand.synthesizer))


async def test_speaks_with_the_voice_that_is_asked_for(stand: Stand) -> None:
    await spoken(stand.synthesizer, voice="fr_FR-ton-low")
    assert stand.server.log.records[0].voice == "fr_FR-ton-low"


async def test_speaks_with_a_voice_of_its_own_choice(stand: Stand) -> None:
    await spoken(stand.synthesizer)
    default = {"wyoming": None, "openai": "alloy", "bridges": "en_US-tone-medium"}
    assert stand.server.log.records[0].voice == default[stand.dialect]


@pytest.mark.parametrize("speed", [0.5, 2.0])
async def test_speaks_slower_and_faster(stand: Stand, speed: float) -> None:
    sound = joined(await spoken(stand.synthesizer, speed=speed))
    assert sound.duration_s == pytest.approx(WORDS * WORD_S / speed, rel=0.05)


@pytest.mark.parametrize("fault", ["reset", "cut", "error", "rubbish", "huge", "silent", "wrong_format"])
async def test_a_failure_is_the_syntheses(stand: Stand, fault: Fault) -> None:
    stand.server.fault = fault
    with pytest.raises(Unavailable) as failed:
        await spoken(stand.synthesizer)
    assert failed.value.code == "tts_unavailable"
    assert "language model" not in failed.value.detail
    assert "secret" not in failed.value.detail


async def test_says_that_nobody_is_there(stand: Stand) -> None:
    await stand.server.go_away()
    with pytest.raises(Unreachable) as failed:
        await spoken(stand.synthesizer)
    assert failed.value.code == "tts_unavailable"


@pytest.mark.parametrize("fault", ["hang", "hang_midway"])
async def test_leaving_ends_the_request(stand: Stand, fault: Fault) -> None:
    stand.server.fault = fault
    listening = asyncio.create_task(spoken(stand.synthesizer))
    await stand.server.log.wait_for(lambda log: log.of("tts"))
    left_s = time.monotonic()
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    record = stand.server.log.records[0]
    await stand.server.log.wait_for(lambda _: record.outcome == "client_left")
    assert record.ended_s is not None
    assert record.ended_s - left_s < CLOSED_WITHIN_S


async def test_tells_its_voices(stand: Stand) -> None:
    voices = await stand.synthesizer.voices()
    languages = {voice.id: voice.language for voice in voices}
    if stand.dialect == "openai":
        assert tuple(languages) == STANDARD_VOICES
    else:
        assert languages["en_US-tone-medium"] == "en"
    assert "de_DE-missing-low" not in languages


async def test_ping_tells_whether_it_is_there(stand: Stand) -> None:
    await stand.synthesizer.ping()
    await stand.server.go_away()
    with pytest.raises(Unreachable):
        await stand.synthesizer.ping()


@pytest.mark.parametrize("dialect", ["wyoming", "openai"])
async def test_gives_sound_while_the_engine_still_speaks(dialect: Dialect) -> None:
    async with standing(dialect) as stand:
        stand.server.fault = "hang_midway"
        async with contextlib.aclosing(stand.synthesizer.synthesize(TEXT)) as pieces:
            async with asyncio.timeout(5):
                first = await anext(pieces)
        assert 0 < first.duration_s < WORDS * WORD_S


class TestWyoming:
    async def test_sound_without_end_is_ended(
        self, wyoming: ScriptedWyoming, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jarvis.adapters.speech.wyoming.MAX_SOUND_S", 3.5 * WORD_S)
        assert heard(joined(await spoken(WyomingSynthesizer(wyoming.uri), "one two three")))
        with pytest.raises(Unavailable):
            await spoken(WyomingSynthesizer(wyoming.uri), "one two three four")

    async def test_names_voices_and_their_speakers(self, wyoming: ScriptedWyoming) -> None:
        assert await WyomingSynthesizer(wyoming.uri).voices() == [
            Voice(id="en_US-tone-medium", name="tone (medium)", language="en", quality="medium"),
            Voice(id="fr_FR-ton-low#un", name="ton (low), un", language="fr", quality="low"),
            Voice(id="fr_FR-ton-low#deux", name="ton (low), deux", language="fr", quality="low"),
        ]

    async def test_offers_what_it_is_told_in_that_order(self, wyoming: ScriptedWyoming) -> None:
        offered = ["fr_FR-ton-low", "xx_XX-none-low", "en_US-tone-medium"]
        voices = await WyomingSynthesizer(wyoming.uri, offered=offered).voices()
        assert [voice.id for voice in voices] == [
            "fr_FR-ton-low#un",
            "fr_FR-ton-low#deux",
            "en_US-tone-medium",
        ]

    async def test_asks_for_a_speaker(self, wyoming: ScriptedWyoming) -> None:
        await spoken(WyomingSynthesizer(wyoming.uri), voice="fr_FR-ton-low#deux")
        assert wyoming.log.records[0].voice == "fr_FR-ton-low#deux"

    @pytest.mark.parametrize("width", [1, 2, 4])
    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize("rate_hz", [16_000, 44_100])
    async def test_understands_every_format(self, width: int, channels: int, rate_hz: int) -> None:
        async with ScriptedWyoming(rate_hz=rate_hz, width=width, channels=channels) as server:
            sound = joined(await spoken(WyomingSynthesizer(server.uri), "one two"))
        assert sound.sample_rate_hz == rate_hz
        assert heard(sound) == "one two"
        assert np.max(np.abs(np.frombuffer(sound.samples, "<f4"))) == pytest.approx(0.5, abs=0.01)

    async def test_a_ping_that_is_not_answered_ends(
        self, wyoming: ScriptedWyoming, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jarvis.adapters.speech.wyoming.DESCRIBE_S", 0.1)
        wyoming.deaf = True
        with pytest.raises(TimedOut) as failed:
            await WyomingSynthesizer(wyoming.uri).ping()
        assert failed.value.code == "tts_timeout"


class TestOpenAI:
    @pytest.mark.parametrize("formats", [{"wav"}, {"pcm"}])
    async def test_takes_what_the_server_has(self, http: ScriptedSpeechHttp, formats: set[str]) -> None:
        http.formats = formats
        async with OpenAISynthesizer(http.openai_url) as synthesizer:
            for _ in range(2):
                assert heard(joined(await spoken(synthesizer))) == TEXT
        assert len(http.log.records) == 2 + ("wav" not in formats), "what it has not is asked for once"

    async def test_without_either_it_failed(self, http: ScriptedSpeechHttp) -> None:
        http.formats = {"mp3"}
        async with OpenAISynthesizer(http.openai_url) as synthesizer:
            with pytest.raises(Unavailable):
                await spoken(synthesizer)

    @pytest.mark.parametrize(
        "listed",
        [
            {"voices": ["af_heart", "ff_siwis"]},
            ["af_heart", "ff_siwis"],
            {"voices": [{"id": "af_heart", "name": "Heart"}, {"voice_id": "ff_siwis", "language": "fr-FR"}]},
        ],
        ids=["names", "bare", "objects"],
    )
    async def test_reads_a_list_of_voices(self, http: ScriptedSpeechHttp, listed: object) -> None:
        http.voices = listed
        async with OpenAISynthesizer(http.openai_url) as synthesizer:
            voices = await synthesizer.voices()
            await spoken(synthesizer)
        assert [(voice.id, voice.language) for voice in voices] == [("af_heart", "en"), ("ff_siwis", "fr")]
        assert http.log.records[0].voice == "af_heart"

    async def test_sends_the_key(self, http: ScriptedSpeechHttp) -> None:
        async with OpenAISynthesizer(http.openai_url, api_key="sk-1") as synthesizer:
            await spoken(synthesizer)
        assert http.log.records[0].key == "Bearer sk-1"


class TestTempo:
    @pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2.0])
    async def test_keeps_the_pitch(self, speed: float) -> None:
        rate_hz, seconds, pitch_hz = 22_050, 2, 440
        times_s = np.arange(seconds * rate_hz) / rate_hz
        sound = (0.5 * np.sin(2 * np.pi * pitch_hz * times_s)).astype("<f4")

        async def pieces() -> AsyncGenerator[Pcm]:
            for piece in np.array_split(sound, 37):
                yield Pcm(samples=piece.tobytes(), sample_rate_hz=rate_hz)

        made = joined([piece async for piece in stretched(pieces(), speed)])
        assert made.duration_s == pytest.approx(seconds / speed, rel=0.02)
        spectrum = np.abs(np.fft.rfft(np.frombuffer(made.samples, "<f4")))
        assert np.argmax(spectrum) / made.duration_s == pytest.approx(pitch_hz, abs=2)

    async def test_leaves_sound_at_its_own_speed_as_it_is(self) -> None:
        sound = Pcm(samples=bytes(400), sample_rate_hz=16_000)

        async def pieces() -> AsyncGenerator[Pcm]:
            yield sound

        assert [piece async for piece in stretched(pieces(), 1.0)] == [sound]

    async def test_closing_it_closes_the_engines(self) -> None:
        closed: list[bool] = []

        async def pieces() -> AsyncGenerator[Pcm]:
            try:
                while True:
                    yield Pcm(samples=bytes(40_000), sample_rate_hz=16_000)
            finally:
                closed.append(True)

        answer = stretched(pieces(), 2.0)
        await anext(answer)
        await answer.aclose()
        assert closed == [True]
