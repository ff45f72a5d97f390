"""Speech on request: recordings of every kind become text, texts become files of sound."""

import base64
import io
from typing import Any

import av
import httpx
import numpy as np
import pytest

from tests import sounds
from tests.clients import Json, bare_connection
from tests.running import Running
from tests.scripted_speech import WORD_S, ScriptedWyoming, hear
from tests.spoken import QUESTION, recording, s16, silence

SETTINGS = {"voice": "auto"}
TRANSCRIBE = "/api/voice/transcribe"
SYNTHESIZE = "/api/voice/synthesize"
SPOKEN = "Take an umbrella with you."
SPOKEN_S = len(SPOKEN.split()) * WORD_S
LIMIT_BYTES = 10 * 1024 * 1024

prefixes = pytest.mark.parametrize("prefix", ["/api", ""], ids=["/api", "no prefix"])


def at_rate(rate_hz: int) -> sounds.Samples:
    """Return the spoken question at another rate."""
    spoken = sounds.speech(QUESTION)
    at = np.arange(0, len(spoken) - 1, 16_000 / rate_hz)
    return np.interp(at, np.arange(len(spoken)), spoken).astype(np.float32)


def in_8_bits() -> bytes:
    return sounds.wav((at_rate(8_000) * 127 + 128).astype(np.uint8).tobytes(), bits=8, rate_hz=8_000)


def in_24_bits() -> bytes:
    return sounds.file("flac", "flac", rate_hz=96_000, sample_format="s32", sound=at_rate(96_000))


def recorded(container: str) -> bytes:
    options = {"webm": {"cluster_time_limit": "250", "live": "1"}, "ogg": {"page_duration": "200000"}}
    return sounds.file(container, "libopus", sound=at_rate(48_000), live=True, options=options[container])


FILES = {
    "WAV, 8 bits, 8 kHz": in_8_bits,
    "WAV, floats": lambda: sounds.wav(sounds.speech(QUESTION).tobytes(), bits=32, kind=3),
    "FLAC, 24 bits, 96 kHz": in_24_bits,
    "WebM/Opus, as recorded": lambda: recorded("webm"),
    "Ogg/Opus, as recorded": lambda: recorded("ogg"),
    "MP3": lambda: sounds.file("mp3", "libmp3lame", sound=at_rate(48_000)),
    "MP4/AAC": lambda: sounds.file("mp4", "aac", sound=at_rate(48_000)),
}


async def transcribe(
    server: Running, data: bytes, *, prefix: str = "/api", **fields: object
) -> httpx.Response:
    body = {"audio_data": base64.b64encode(data).decode(), **fields}
    return await server.http.post(f"{prefix}/voice/transcribe", json=body)


async def upload(
    server: Running,
    data: bytes,
    *,
    part: str = "file",
    name: str = "clip.wav",
    prefix: str = "/api",
    **fields: str,
) -> httpx.Response:
    files = {part: (name, data, "application/octet-stream")}
    return await server.http.post(f"{prefix}/voice/transcribe", files=files, data=fields)


def assert_refused(response: httpx.Response, status: int, code: str, field: str | None = None) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    if field is not None:
        assert [error["field"] for error in response.json()["errors"]] == [field]


def decoded(data: bytes) -> tuple[np.ndarray[Any, Any], int]:
    """Return the mono samples of a file, as an independent reader has them, and their rate."""
    file: Any = av.open(io.BytesIO(data))
    with file:
        frames = list(file.decode(audio=0))
    resampled = av.AudioResampler(format="flt", layout="mono")
    parts = [part for frame in [*frames, None] for part in resampled.resample(frame)]
    return np.concatenate([part.to_ndarray()[0] for part in parts]), frames[0].sample_rate


class TestTranscribing:
    @prefixes
    @pytest.mark.parametrize("way", ["json", "file", "audio"])
    async def test_each_way_to_send_it(
        self, server: Running, engines: ScriptedWyoming, prefix: str, way: str
    ) -> None:
        engines.said = QUESTION
        sent = recording()
        if way == "json":
            response = await transcribe(server, sent, prefix=prefix)
        else:
            response = await upload(server, sent, part=way, prefix=prefix)
        assert response.status_code == 200, response.text
        answer = response.json()
        secs = len(sounds.speech(QUESTION)) / 16_000
        assert answer["text"] == answer["transcript"] == QUESTION
        assert answer["duration_secs"] == answer["duration"] == pytest.approx(secs, abs=0.01)
        assert answer["duration_ms"] == pytest.approx(secs * 1000, abs=10)
        assert (answer["language"], answer["words"], answer["engine"]) == ("en", None, "wyoming")
        assert 0.5 < answer["confidence"] <= 1

    @pytest.mark.parametrize("name", FILES)
    async def test_every_format_is_heard_under_any_name(
        self, server: Running, engines: ScriptedWyoming, name: str
    ) -> None:
        engines.said = QUESTION
        secs = len(sounds.speech(QUESTION)) / 16_000
        data = FILES[name]()
        for response in (
            await transcribe(server, data),
            await transcribe(server, data, format="wav", sample_rate=44_100),
            await upload(server, data, name="holiday.jpeg", format="mp3"),
        ):
            assert response.status_code == 200, response.text
            assert response.json()["text"] == QUESTION
            assert response.json()["duration_secs"] == pytest.approx(secs, abs=0.1)
        assert [each.sound_s for each in engines.log.of("stt")] == pytest.approx([secs] * 3, abs=0.1)

    @pytest.mark.parametrize("format_", ["pcm_f32le", "pcm_s16le"])
    async def test_raw_samples_are_taken_for_what_they_are_called(
        self, server: Running, engines: ScriptedWyoming, format_: str
    ) -> None:
        engines.said = QUESTION
        spoken = at_rate(24_000)
        raw = spoken.tobytes() if format_ == "pcm_f32le" else s16(spoken)
        for response in (
            await transcribe(server, raw, format=format_, sample_rate=24_000),
            await upload(server, raw, format=format_, sample_rate="24000"),
        ):
            assert response.json()["text"] == QUESTION
            assert response.json()["duration_secs"] == pytest.approx(len(spoken) / 24_000, abs=0.01)
        assert_refused(await transcribe(server, raw, format=format_), 400, "invalid_request", "sample_rate")
        assert_refused(await transcribe(server, raw), 400, "invalid_audio")

    async def test_what_a_client_knows_is_passed_on(self, server: Running, engines: ScriptedWyoming) -> None:
        engines.said = QUESTION
        sent = recording()
        told = await transcribe(server, sent, language="fr-CA", prompt="Jarvis, Béatrice")
        await upload(server, sent, language="auto")
        assert told.json()["language"] == "fr"
        asked = [(each.language, each.prompt) for each in engines.log.of("stt")]
        assert asked == [("fr", "Jarvis, Béatrice"), (None, None)]

    @pytest.mark.parametrize("clip", [silence(3), sounds.wav(bytes(3_200))], ids=["3 s", "100 ms"])
    async def test_silence_has_no_text(self, server: Running, engines: ScriptedWyoming, clip: bytes) -> None:
        engines.said = "Thank you for watching!"  # what Whisper hears in silence
        answer = await transcribe(server, clip)
        assert (answer.status_code, answer.json()["text"]) == (200, "")
        assert engines.log.of("stt") == []

    async def test_of_a_cut_recording_what_is_there_is_heard(
        self, server: Running, engines: ScriptedWyoming
    ) -> None:
        engines.said = QUESTION
        for name in ("WebM/Opus, as recorded", "MP3", "FLAC, 24 bits, 96 kHz"):
            data = FILES[name]()
            response = await transcribe(server, data[: len(data) * 2 // 3])
            assert response.status_code == 200, response.text
            assert 0.3 < response.json()["duration_secs"] < len(sounds.speech(QUESTION)) / 16_000

    @pytest.mark.parametrize(
        "data",
        [b"", b"x", b"<html>" * 500, recording()[:44], recording()[:1000], sounds.film(), b"\xff" * 5_000],
        ids=["empty", "a byte", "text", "a head", "30 ms", "a film without sound", "0xff"],
    )
    async def test_what_is_no_sound(self, server: Running, engines: ScriptedWyoming, data: bytes) -> None:
        assert_refused(await transcribe(server, data), 400, "invalid_audio")
        assert_refused(await upload(server, data), 400, "invalid_audio")
        assert engines.log.of("stt") == []

    async def test_two_minutes_are_enough(self, server: Running, engines: ScriptedWyoming) -> None:
        engines.said = QUESTION
        longest = sounds.wav(bytes([128]) * 8_000 * 120, bits=8, rate_hz=8_000)
        longer = sounds.wav(bytes([128]) * 8_000 * 121, bits=8, rate_hz=8_000)
        assert (await transcribe(server, longest)).status_code == 200
        assert_refused(await transcribe(server, longer), 413, "too_large")
        assert_refused(await upload(server, longer), 413, "too_large")
        assert_refused(await upload(server, sounds.silent_flac(3_600)), 413, "too_large")

    async def test_ten_megabytes_are_enough(self, server: Running) -> None:
        fits = sounds.wav(bytes(LIMIT_BYTES - len(sounds.wav(b""))), rate_hz=96_000)
        answer = await upload(server, fits)
        assert (answer.status_code, answer.json()["text"]) == (200, "")
        assert_refused(await transcribe(server, fits + b"x"), 413, "too_large")
        assert_refused(await upload(server, fits + b"x"), 413, "too_large")

    @pytest.mark.parametrize(
        ("media_type", "most"),
        [("application/json", 14 * 2**20), ("multipart/form-data; boundary=x", 11 * 2**20)],
        ids=["json", "form"],
    )
    async def test_a_body_that_is_too_large_is_not_read(
        self, server: Running, media_type: str, most: int
    ) -> None:
        async with bare_connection(server) as connection:
            connection.begin(TRANSCRIBE, media_type, length=most + 1)
            assert (await connection.read_until(b"\r\n")).startswith(b"HTTP/1.1 413 ")

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"language": "klingon!"}, "language"),
            ({"sample_rate": 1}, "sample_rate"),
            ({"prompt": "x" * 1_001}, "prompt"),
            ({"format": 7}, "format"),
            ({"audio_data": "no base64!"}, "audio_data"),
        ],
        ids=["language", "rate", "prompt", "format", "base64"],
    )
    async def test_wrong_fields_are_named(self, server: Running, fields: Json, field: str) -> None:
        body = {"audio_data": base64.b64encode(recording()).decode()} | fields
        assert_refused(await server.http.post(TRANSCRIBE, json=body), 400, "invalid_request", field)

    async def test_a_form_needs_one_file(self, server: Running) -> None:
        clip = recording()
        response = await upload(server, clip, part="sound")
        assert_refused(response, 400, "invalid_request", "file")
        both = {"file": ("a", clip), "audio": ("b", clip)}
        assert_refused(await server.http.post(TRANSCRIBE, files=both), 400, "invalid_request", "file")
        parts = [("file", (f"{number}.wav", b"x")) for number in range(5_000)]
        assert_refused(await server.http.post(TRANSCRIBE, files=parts), 400, "invalid_request")

    async def test_other_bodies_are_refused(self, server: Running) -> None:
        response = await server.http.post(
            TRANSCRIBE, content=recording(), headers={"Content-Type": "audio/wav"}
        )
        assert_refused(response, 415, "unsupported_media_type")


class TestSynthesizing:
    @pytest.mark.parametrize("format_", ["wav", "mp3", "ogg", "flac"])
    async def test_each_format(self, server: Running, engines: ScriptedWyoming, format_: str) -> None:
        response = await server.http.post(SYNTHESIZE, json={"text": SPOKEN, "format": format_})
        assert response.status_code == 200, response.text
        answer = response.json()
        assert (answer["format"], answer["engine"]) == (format_, "wyoming")
        assert answer["voice"] == "en_US-tone-medium"
        assert answer["duration_secs"] == pytest.approx(SPOKEN_S, abs=0.01)
        assert answer["duration_ms"] == pytest.approx(SPOKEN_S * 1000, abs=10)
        samples, rate_hz = decoded(base64.b64decode(answer["audio_data"]))
        assert len(samples) / rate_hz == pytest.approx(SPOKEN_S, abs=0.1)
        if format_ in {"wav", "flac"}:
            assert rate_hz == answer["sample_rate"] == engines.rate_hz
            assert hear(samples, rate_hz) == SPOKEN

    @pytest.mark.parametrize(
        ("format_", "media_type"),
        [("wav", "audio/wav"), ("mp3", "audio/mpeg"), ("ogg", "audio/ogg"), ("flac", "audio/flac")],
    )
    async def test_bytes_for_who_accepts_them(
        self, server: Running, engines: ScriptedWyoming, format_: str, media_type: str
    ) -> None:
        del engines
        text = f"{SPOKEN} And a coat."
        response = await server.http.post(
            SYNTHESIZE, json={"text": text, "format": format_}, headers={"Accept": "audio/*"}
        )
        assert (response.status_code, response.headers["content-type"]) == (200, media_type)
        samples, rate_hz = decoded(response.content)
        assert len(samples) / rate_hz == pytest.approx(SPOKEN_S + 3 * WORD_S, abs=0.15)
        if format_ in {"wav", "flac"}:
            assert hear(samples, rate_hz) == text

    @prefixes
    async def test_json_is_the_answer_to_json(
        self, server: Running, engines: ScriptedWyoming, prefix: str
    ) -> None:
        del engines
        response = await server.http.post(
            f"{prefix}/voice/synthesize", json={"text": SPOKEN}, headers={"Accept": "application/json"}
        )
        assert response.headers["content-type"].startswith("application/json")
        assert base64.b64decode(response.json()["audio_data"]).startswith(b"RIFF")

    async def test_the_old_path_answers_with_a_file(self, server: Running, engines: ScriptedWyoming) -> None:
        del engines
        for headers in ({}, {"Accept": "audio/wav"}):
            response = await server.http.post("/voice/synthesize", json={"text": SPOKEN}, headers=headers)
            assert (response.status_code, response.headers["content-type"]) == (200, "audio/wav")
            samples, rate_hz = decoded(response.content)
            assert hear(samples, rate_hz) == SPOKEN
        refused = await server.http.post("/voice/synthesize", json={"text": ""})
        assert_refused(refused, 400, "invalid_request", "text")

    async def test_with_another_voice(self, server: Running, engines: ScriptedWyoming) -> None:
        response = await server.http.post(SYNTHESIZE, json={"text": SPOKEN, "voice": "fr_FR-ton-low#deux"})
        assert response.json()["voice"] == "fr_FR-ton-low#deux"
        assert [record.voice for record in engines.log.of("tts")] == ["fr_FR-ton-low#deux"]

    async def test_the_voice_is_of_the_texts_language(
        self, server: Running, engines: ScriptedWyoming
    ) -> None:
        del engines
        text = "Prenez un parapluie, il va pleuvoir ce soir dans toute la ville."
        response = await server.http.post(SYNTHESIZE, json={"text": text})
        assert response.json()["voice"] == "fr_FR-ton-low#un"

    @pytest.mark.parametrize("accept", ["application/json", "audio/*"])
    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"voice": "nobody"}, "voice"),
            ({"speed": 0.49}, "speed"),
            ({"speed": 2.01}, "speed"),
            ({"format": "aiff"}, "format"),
            ({"text": ""}, "text"),
            ({"text": "x" * 5_001}, "text"),
            ({"text": "```\nmake run\n```"}, "text"),
            ({"text": " \n "}, "text"),
            ({"text": 5}, "text"),
        ],
        ids=["voice", "too slow", "too fast", "format", "empty", "too long", "only code", "blank", "number"],
    )
    async def test_wrong_fields_are_named(
        self, server: Running, engines: ScriptedWyoming, fields: Json, field: str, accept: str
    ) -> None:
        response = await server.http.post(
            SYNTHESIZE, json={"text": SPOKEN} | fields, headers={"Accept": accept}
        )
        assert_refused(response, 400, "invalid_request", field)
        assert engines.log.of("tts") == []

    @pytest.mark.parametrize("speed", [0.5, 1, 2])
    async def test_the_speeds_there_are(
        self, server: Running, engines: ScriptedWyoming, speed: float
    ) -> None:
        del engines
        response = await server.http.post(SYNTHESIZE, json={"text": SPOKEN, "speed": speed})
        assert response.status_code == 200, response.text

    async def test_what_is_spoken_can_be_heard_again(self, server: Running, engines: ScriptedWyoming) -> None:
        """A long text, sentence by sentence, without its markup."""
        text = "# News\n\nIt is **warm** today. " + "Nobody knows why this is so. " * 20
        response = await server.http.post(SYNTHESIZE, json={"text": text})
        said = " ".join(record.text for record in engines.log.of("tts"))
        assert "*" not in said
        samples, rate_hz = decoded(base64.b64decode(response.json()["audio_data"]))
        assert hear(samples, rate_hz) == said


@prefixes
async def test_the_voices(server: Running, engines: ScriptedWyoming, prefix: str) -> None:
    del engines
    answer = (await server.http.get(f"{prefix}/voice/voices")).json()
    assert answer["count"] == len(answer["voices"]) == 3
    assert {voice["id"]: voice["language"] for voice in answer["voices"]} == {
        "en_US-tone-medium": "en",
        "fr_FR-ton-low#un": "fr",
        "fr_FR-ton-low#deux": "fr",
    }
    assert all(set(voice) == {"id", "name", "language", "gender", "quality"} for voice in answer["voices"])


@prefixes
async def test_the_languages(server: Running, engines: ScriptedWyoming, prefix: str) -> None:
    del engines
    answer = (await server.http.get(f"{prefix}/voice/languages")).json()
    assert answer == {
        "languages": [
            {"code": "en", "name": "English", "native": "English"},
            {"code": "fr", "name": "French", "native": "français"},
        ],
        "count": 2,
        "default": "auto",
    }
