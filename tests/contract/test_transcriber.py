"""What the Transcriber port promises, on every adapter that fills it, against servers that obey."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from jarvis.adapters.speech.openai_audio import OpenAITranscriber, key_for
from jarvis.adapters.speech.wyoming import WyomingTranscriber
from jarvis.core.errors import InvalidAudio, TimedOut, Unavailable, Unreachable
from jarvis.core.speech import HEARD_HZ, Transcriber, Transcript
from tests.scripted_speech import Fault, ScriptedSpeechHttp, ScriptedWyoming, speak
from tests.scripted_speech.stand import DIALECTS, Dialect, Stand, standing

TEXT = "le secret est gardé"
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


def sound_of(text: str) -> bytes:
    return speak(text, HEARD_HZ).tobytes()


async def in_pieces(samples: bytes, *, size: int = 512) -> AsyncGenerator[bytes]:
    for begin in range(0, len(samples), 4 * size):
        yield samples[begin : begin + 4 * size]


async def told(
    transcriber: Transcriber, samples: bytes, *, language: str | None = None, prompt: str | None = None
) -> list[Transcript]:
    answer = transcriber.transcribe(in_pieces(samples), language=language, prompt=prompt)
    async with contextlib.aclosing(answer) as transcripts:
        return [transcript async for transcript in transcripts]


async def test_tells_what_was_said(stand: Stand) -> None:
    [transcript] = await told(stand.transcriber, sound_of(TEXT))
    assert transcript.text == TEXT
    assert transcript.final


@pytest.mark.parametrize("size", [1, 333, 100_000])
async def test_takes_pieces_of_any_size(stand: Stand, size: int) -> None:
    answer = stand.transcriber.transcribe(in_pieces(sound_of("one"), size=size))
    assert [transcript.text async for transcript in answer] == ["one"]


async def test_tells_the_engine_the_language(stand: Stand) -> None:
    [transcript] = await told(stand.transcriber, sound_of(TEXT), language="fr")
    assert transcript.language == "fr"
    assert stand.server.log.records[0].language == "fr"


async def test_lets_the_engine_find_the_language(stand: Stand) -> None:
    [transcript] = await told(stand.transcriber, sound_of(TEXT))
    assert stand.server.log.records[0].language is None
    assert transcript.language in {"en", None}


@pytest.mark.parametrize("seconds", [0, 1])
async def test_silence_is_an_empty_text(stand: Stand, seconds: int) -> None:
    [transcript] = await told(stand.transcriber, np.zeros(seconds * HEARD_HZ, "<f4").tobytes())
    assert transcript.text == ""


async def test_what_is_no_number_is_silence(stand: Stand) -> None:
    broken = np.full(HEARD_HZ, np.nan, "<f4")
    [transcript] = await told(stand.transcriber, broken.tobytes() + sound_of("one"))
    assert transcript.text == "one"


async def test_takes_off_the_spaces(stand: Stand) -> None:
    stand.server.said = "  as Whisper writes \n"
    [transcript] = await told(stand.transcriber, sound_of(TEXT))
    assert transcript.text == "as Whisper writes"


@pytest.mark.parametrize("fault", ["reset", "cut", "error", "rubbish", "huge"])
async def test_a_failure_is_the_recognitions(stand: Stand, fault: Fault) -> None:
    stand.server.fault = fault
    with pytest.raises(Unavailable) as failed:
        await told(stand.transcriber, sound_of(TEXT))
    assert failed.value.code == "stt_unavailable"
    assert "language model" not in failed.value.detail
    assert "secret" not in failed.value.detail


async def test_a_text_beyond_all_speech_is_none(stand: Stand) -> None:
    stand.server.said = "x" * 70_000
    with pytest.raises(Unavailable):
        await told(stand.transcriber, sound_of(TEXT))


async def test_says_that_nobody_is_there(stand: Stand) -> None:
    await stand.server.go_away()
    with pytest.raises(Unreachable) as failed:
        await told(stand.transcriber, sound_of(TEXT))
    assert failed.value.code == "stt_unavailable"


async def test_works_again_when_the_server_is_back(stand: Stand) -> None:
    await told(stand.transcriber, sound_of(TEXT))
    await stand.server.go_away()
    with pytest.raises(Unavailable):
        await told(stand.transcriber, sound_of(TEXT))
    await stand.server.come_back()
    [transcript] = await told(stand.transcriber, sound_of(TEXT))
    assert transcript.text == TEXT


@pytest.mark.parametrize("fault", ["hang", "hang_midway"])
async def test_leaving_ends_the_request(stand: Stand, fault: Fault) -> None:
    stand.server.fault = fault
    listening = asyncio.create_task(told(stand.transcriber, sound_of(TEXT)))
    await stand.server.log.wait_for(lambda log: log.of("stt") and log.of("stt")[0].text == TEXT)
    left_s = time.monotonic()
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    record = stand.server.log.records[0]
    await stand.server.log.wait_for(lambda _: record.outcome == "client_left")
    assert record.ended_s is not None
    assert record.ended_s - left_s < CLOSED_WITHIN_S


async def test_what_ends_the_speech_is_passed_on(stand: Stand) -> None:
    async def unreadable() -> AsyncGenerator[bytes]:
        yield sound_of("one")
        raise InvalidAudio("This is not sound.")

    with pytest.raises(InvalidAudio):
        await anext(stand.transcriber.transcribe(unreadable()))


async def test_tells_its_languages(stand: Stand) -> None:
    languages = await stand.transcriber.languages()
    assert languages[0] == "en"
    assert "fr" in languages


async def test_ping_tells_whether_it_is_there(stand: Stand) -> None:
    await stand.transcriber.ping()
    await stand.server.go_away()
    with pytest.raises(Unreachable):
        await stand.transcriber.ping()


async def test_has_a_name(stand: Stand) -> None:
    assert stand.transcriber.name == stand.dialect


class TestWyoming:
    async def test_sends_speech_while_it_still_comes(self, wyoming: ScriptedWyoming) -> None:
        async def speech() -> AsyncGenerator[bytes]:
            yield sound_of("one")
            await wyoming.log.wait_for(lambda log: any(each.sound_s for each in log.records))
            yield sound_of("two")

        answer = WyomingTranscriber(wyoming.uri).transcribe(speech())
        assert [transcript.text async for transcript in answer] == ["one two"]

    async def test_tells_what_was_understood_so_far(self, wyoming: ScriptedWyoming) -> None:
        wyoming.streams = True
        *partial, last = await told(WyomingTranscriber(wyoming.uri), sound_of("one two three"))
        assert [each.text for each in partial] == ["one", "one two", "one two three"]
        assert not any(each.final for each in partial)
        assert last.text == "one two three"
        assert last.final

    async def test_tells_it_before_the_speech_is_over(self, wyoming: ScriptedWyoming) -> None:
        wyoming.streams, wyoming.early = True, "one"
        more = asyncio.Event()

        async def speech() -> AsyncGenerator[bytes]:
            for _ in range(10_000):
                yield sound_of("one")[:2048]
                if more.is_set():
                    return
                await asyncio.sleep(0)

        answer = WyomingTranscriber(wyoming.uri).transcribe(speech())
        async with contextlib.aclosing(answer):
            assert (await anext(answer)).text == "one"
            more.set()
            assert [each.final async for each in answer][-1]

    async def test_an_engine_may_end_before_the_speech(self, wyoming: ScriptedWyoming) -> None:
        wyoming.early = "enough"

        async def speech() -> AsyncGenerator[bytes]:
            while True:
                yield sound_of("one")[:2048]
                await asyncio.sleep(0)

        async with asyncio.timeout(5):
            heard = [each async for each in WyomingTranscriber(wyoming.uri).transcribe(speech())]
        assert [(each.text, each.final) for each in heard] == [("enough", True)]

    async def test_sends_a_prompt_as_terms(self, wyoming: ScriptedWyoming) -> None:
        await told(WyomingTranscriber(wyoming.uri), sound_of("one"), prompt="Jarvis, Zoë ,, ")
        assert wyoming.log.records[0].prompt == "Jarvis, Zoë"

    async def test_a_peer_that_takes_nothing_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("jarvis.adapters.speech.wyoming_wire.WRITE_S", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            address = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
            with pytest.raises(Unavailable, match="does not take"):
                await told(WyomingTranscriber(address), bytes(4 * HEARD_HZ * 600))

    async def test_a_ping_that_is_not_answered_ends(
        self, wyoming: ScriptedWyoming, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jarvis.adapters.speech.wyoming.DESCRIBE_S", 0.1)
        wyoming.deaf = True
        with pytest.raises(TimedOut) as failed:
            await WyomingTranscriber(wyoming.uri).ping()
        assert failed.value.code == "stt_timeout"


class TestOpenAI:
    async def test_tells_words_and_how_sure_it_is(self, http: ScriptedSpeechHttp) -> None:
        async with OpenAITranscriber(http.openai_url) as transcriber:
            [transcript] = await told(transcriber, sound_of("one two"), language="fr")
        assert transcript.confidence == pytest.approx(np.exp(-0.4))
        assert transcript.words is not None
        assert [(word.word, word.start_time) for word in transcript.words] == [("one", 0.0), ("two", 0.4)]
        assert transcript.language == "fr"

    async def test_does_without_where_a_model_has_none(self, http: ScriptedSpeechHttp) -> None:
        http.verbose = False
        async with OpenAITranscriber(http.openai_url) as transcriber:
            for _ in range(2):
                [transcript] = await told(transcriber, sound_of("one two"))
                assert (transcript.text, transcript.words) == ("one two", None)
        assert len(http.log.records) == 3, "what it cannot do is asked once"

    async def test_sends_key_and_prompt(self, http: ScriptedSpeechHttp) -> None:
        async with OpenAITranscriber(http.openai_url, api_key="sk-1") as transcriber:
            await told(transcriber, sound_of("one"), prompt="Jarvis")
        assert http.log.records[0].key == "Bearer sk-1"
        assert http.log.records[0].prompt == "Jarvis"

    @pytest.mark.parametrize(
        ("url", "key"),
        [
            ("https://api.example/v1", "sk-1"),
            ("https://api.example/v1/other", "sk-1"),
            ("https://API.example/v1", "sk-1"),
            ("http://api.example/v1", None),
            ("https://api.example:8443/v1", None),
            ("https://api.example.evil/v1", None),
            ("https://api.example@evil/v1", None),
        ],
    )
    def test_a_key_goes_to_its_own_server_only(self, url: str, key: str | None) -> None:
        assert key_for(url, openai_base_url="https://api.example/v1", openai_api_key="sk-1") == key

    def test_there_may_be_no_key(self) -> None:
        assert key_for("https://a/v1", openai_base_url="https://a/v1", openai_api_key="") is None
        assert key_for("https://a/v1", openai_base_url="", openai_api_key="sk-1") is None
