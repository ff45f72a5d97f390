"""Speech heard and made on request; spoken turns are the socket's."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import anyio
import msgspec
from litestar import Request, get, post
from litestar.types import ASGIApp

from jarvis.core.language_names import Language
from jarvis.core.speech import AudioFormat, Voice, Word
from jarvis.services.voice import Heard
from jarvis.web import context
from jarvis.web.asgi import Receive, Scope
from jarvis.web.body import check_json_headers, read_body
from jarvis.web.context import bounds_of, services_of
from jarvis.web.decoding import decode_json
from jarvis.web.downloads import Download
from jarvis.web.forms import is_form, read_form
from jarvis.web.responses import Body
from jarvis.web.voice_requests import SynthesizeRequest, TranscribeFields, TranscribeRequest

FILE_NAMES = ("file", "audio")
AS_FORM, AS_JSON = 1.1, 1.4
"""How much larger than the sound a body may be (the contract's section 1)."""
MEDIA_TYPES: dict[AudioFormat, bytes] = {
    "wav": b"audio/wav",
    "mp3": b"audio/mpeg",
    "ogg": b"audio/ogg",
    "flac": b"audio/flac",
}

_encoder = msgspec.json.Encoder()


class TranscriptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard, with each fact under every name that some generation of clients reads.

    `confidence` is the engine's own, or, where it has none, how sure it is that somebody speaks at all.
    """

    text: str
    transcript: str
    language: str
    confidence: float
    duration_secs: float
    duration: float
    duration_ms: int
    words: list[Word] | None
    engine: str

    @classmethod
    def of(cls, heard: Heard) -> "TranscriptAnswer":
        duration_s = round(heard.duration_s, 3)
        return cls(
            text=heard.text,
            transcript=heard.text,
            language=heard.language,
            confidence=round(heard.confidence, 4),
            duration_secs=duration_s,
            duration=duration_s,
            duration_ms=round(duration_s * 1000),
            words=heard.words,
            engine=heard.engine,
        )


class SynthesisAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`audio_data` is a whole file of that format, in base64."""

    audio_data: bytes
    format: AudioFormat
    sample_rate: int
    duration_secs: float
    duration_ms: int
    voice: str
    engine: str


class VoicesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    voices: list[Voice]
    count: int


class LanguagesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    languages: list[Language]
    count: int
    default: str = "auto"


@post("/api/voice/transcribe")
async def transcribe(request: Request[Any, Any, Any]) -> ASGIApp:
    """Return what is said in a recording: JSON, or a form with a file named `file` or `audio`.

    The sound is known by its first bytes, whatever it is called. Silence has an empty text.
    """
    services, bounds = services_of(request), bounds_of(request)
    scope, receive = cast("Scope", request.scope), cast("Receive", request.receive)
    content_type = request.headers.get("content-type", "")
    as_form = is_form(content_type)
    if not as_form:
        check_json_headers(scope)
    body = await read_body(
        scope,
        receive,
        max_bytes=round(bounds.max_audio_bytes * (AS_FORM if as_form else AS_JSON)),
        deadline_s=bounds.body_deadline_s,
    )
    wanted, sound = await anyio.to_thread.run_sync(_recording, body, content_type if as_form else None)
    heard = await services.voice.transcribe(
        sound, raw=wanted.raw(), language=wanted.language_code, prompt=wanted.prompt
    )
    return Body(_encoder.encode(TranscriptAnswer.of(heard)))


def _recording(body: bytes, form_type: str | None) -> tuple[TranscribeFields, bytes]:
    """Return what is wanted and the sound. Raises Invalid."""
    if form_type is None:
        request = decode_json(body, TranscribeRequest)
        return request, request.audio_data
    form = read_form(body, form_type, file_names=FILE_NAMES)
    return form.decode(TranscribeFields), form.file


@post("/api/voice/synthesize")
async def synthesize(request: Request[Any, Any, Any]) -> ASGIApp:
    """Speak a text: as JSON, or, with `Accept: audio/*`, as a file that comes sentence by sentence."""
    wanted = await context.read_body(request, SynthesizeRequest)
    if "audio/" in request.headers.get("accept", ""):
        return await streamed(request, wanted)
    return await whole(request, wanted)


async def streamed(request: Request[Any, Any, Any], wanted: SynthesizeRequest) -> ASGIApp:
    """Answer with the bytes as they are made; what fails before the first is a problem document."""
    spoken = services_of(request).voice.synthesize_growing(
        wanted.text, voice=wanted.voice, speed=wanted.speed, format=wanted.format
    )
    first = await anext(spoken)

    async def chunks() -> AsyncGenerator[bytes]:
        async with aclosing(spoken):
            yield first
            async for chunk in spoken:
                yield chunk

    return Download(chunks(), media_type=MEDIA_TYPES[wanted.format], held_bytes=1)


async def whole(request: Request[Any, Any, Any], wanted: SynthesizeRequest, *, bare: bool = False) -> ASGIApp:
    """Answer once all is made: as JSON, or as the file alone."""
    made = await services_of(request).voice.synthesize(
        wanted.text, voice=wanted.voice, speed=wanted.speed, format=wanted.format
    )
    if bare:
        return Body(made.file, media_type=MEDIA_TYPES[wanted.format])
    duration_s = round(made.duration_s, 3)
    answer = SynthesisAnswer(
        audio_data=made.file,
        format=wanted.format,
        sample_rate=made.sample_rate_hz,
        duration_secs=duration_s,
        duration_ms=round(duration_s * 1000),
        voice=made.voice,
        engine=made.engine,
    )
    return Body(_encoder.encode(answer))


@get("/api/voice/voices")
async def voices(request: Request[Any, Any, Any]) -> ASGIApp:
    """List the voices there are."""
    known = await services_of(request).voice.voices()
    return Body(_encoder.encode(VoicesAnswer(voices=known, count=len(known))))


@get("/api/voice/languages")
async def languages(request: Request[Any, Any, Any]) -> ASGIApp:
    """List the languages that are understood."""
    known = await services_of(request).voice.languages()
    return Body(_encoder.encode(LanguagesAnswer(languages=known, count=len(known))))
