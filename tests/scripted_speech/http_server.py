"""The old bridge's HTTP API and OpenAI's audio API in one server: tones, faults on command."""

import asyncio
import base64
import io
import wave
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from tests.scripted_model import wire
from tests.scripted_model.connection import Connection
from tests.scripted_model.wire import Request
from tests.scripted_speech.log import SLOW_S, Fault, Log, Outcome, Record
from tests.scripted_speech.tones import Sound, from_s16, hear, speak
from tests.scripted_speech.wyoming_server import free_port

JSON = "application/json"
RATE_HZ = 24_000
PARTS = 4


class ScriptedSpeechHttp:
    """Listens for both APIs. Use as an async context manager.

    `said` is answered instead of what is heard. `formats` are those that OpenAI's speech is given in,
    `verbose`: whether its transcripts can have words; `voices` None: there is no list of them.
    """

    def __init__(self) -> None:
        self.log = Log()
        self.fault: Fault | None = None
        self.deaf = False
        """Nothing is answered, not even /health."""
        self.said: str | None = None
        self.formats = {"wav", "pcm"}
        self.verbose = True
        self.voices: object = None
        self.bridge_voices = {"en_US-tone-medium": "Tone", "fr_FR-ton-low": "Ton"}
        self.connections = 0
        self._port = free_port()
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        await self.go_away()

    async def come_back(self) -> None:
        """Listen, at the same address as ever."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self._serve, self._tasks), "127.0.0.1", self._port
        )

    async def go_away(self) -> None:
        """Refuse connections, and end those there are."""
        if self._listener is not None:
            self._listener.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, connection: Connection) -> None:
        self.connections += 1
        record: Record | None = None
        try:
            while True:
                request = await connection.next_request()
                if self.deaf:
                    await asyncio.Event().wait()
                record = self._record(request)
                outcome = await self._answer(connection, request, record)
                self._end(record, outcome)
                if outcome == "fault":
                    return
        except asyncio.CancelledError:
            self._end(record, "client_left")
            connection.abort()
        finally:
            connection.close()

    def _end(self, record: Record | None, outcome: Outcome) -> None:
        if record is not None and record.outcome is None:
            self.log.end(record, outcome)

    def _record(self, request: Request) -> Record | None:
        key = request.headers.get("authorization")
        match request.path:
            case "/v1/audio/transcriptions":
                fields = multipart(request.body)
                sound = _from_wav(fields["file"])
                language = fields.get("language", b"").decode() or None
                prompt = fields.get("prompt", b"").decode() or None
                return self._heard(sound, language=language, prompt=prompt, key=key)
            case "/api/stt/transcribe":
                body = msgspec.json.decode(request.body)
                sound = np.frombuffer(base64.b64decode(body["audio_data"]), "<f4")
                return self._heard(sound, language=body.get("language"), prompt=None, key=key)
            case "/v1/audio/speech" | "/api/tts/synthesize":
                body = msgspec.json.decode(request.body)
                text = body.get("input") or body.get("text")
                return self.log.start(
                    Record(kind="tts", text=text, voice=body["voice"], speed=body["speed"], key=key)
                )
            case _:
                return None

    def _heard(self, sound: Sound, *, language: str | None, prompt: str | None, key: str | None) -> Record:
        text = hear(sound, 16_000) if self.said is None else self.said
        return self.log.start(
            Record(
                kind="stt", text=text, language=language, prompt=prompt, key=key, sound_s=len(sound) / 16_000
            )
        )

    async def _answer(self, connection: Connection, request: Request, record: Record | None) -> Outcome:
        if record is None:
            status, body = self._about(request.path)
            return await self._say(connection, body, status=status, fault=None)
        if self.fault == "hang":
            await asyncio.Event().wait()
        if self.fault == "error":
            return await self._say(connection, b'{"error": "secret of the server"}', status=500, fault=None)
        if self.fault == "rubbish":
            return await self._say(connection, b"<html>it works!</html>", fault=None)
        if self.fault == "huge":
            return await self._pour(connection)
        if record.kind == "stt":
            status, body = self._transcript(request, record)
        else:
            status, body = self._speech(request, record)
        return await self._say(connection, body, status=status, fault=self.fault)

    def _about(self, path: str) -> tuple[int, bytes]:
        match path:
            case "/health":
                return 200, b'{"status": "ok"}'
            case "/v1/models":
                return 200, b'{"data": []}'
            case "/api/tts/voices":
                return 200, msgspec.json.encode({"voices": self.bridge_voices})
            case "/v1/audio/voices" if self.voices is not None:
                return 200, msgspec.json.encode(self.voices)
            case _:
                return 404, b"{}"

    def _transcript(self, request: Request, record: Record) -> tuple[int, bytes]:
        if request.path == "/api/stt/transcribe":
            told: dict[str, object] = {
                "text": record.text,
                "language": record.language or "en",
                "confidence": 0.9,
                "duration_ms": 1000 * record.sound_s,
                "segments": [],
            }
            return 200, msgspec.json.encode(told)
        if b"verbose_json" not in request.body:
            return 200, msgspec.json.encode({"text": record.text})
        if not self.verbose:
            return 400, b'{"error": {"message": "response_format is not compatible"}}'
        words = [
            {"word": word, "start": 0.4 * index, "end": 0.4 * (index + 1)}
            for index, word in enumerate(record.text.split())
        ]
        verbose: dict[str, object] = {
            "task": "transcribe",
            "text": record.text,
            "language": "french" if record.language == "fr" else "english",
            "segments": [{"avg_logprob": -0.5}, {"avg_logprob": -0.3}],
            "words": words,
        }
        return 200, msgspec.json.encode(verbose)

    def _speech(self, request: Request, record: Record) -> tuple[int, bytes]:
        rate_hz = 1 if self.fault == "wrong_format" else RATE_HZ
        sound = speak("" if self.fault == "silent" else record.text, RATE_HZ)
        sound = sound[np.arange(0, len(sound), record.speed).astype(int)]
        if request.path == "/api/tts/synthesize":
            told = {
                "audio_data": base64.b64encode(sound.tobytes()).decode(),
                "sample_rate": rate_hz,
                "duration_ms": 1000 * len(sound) / RATE_HZ,
                "voice": record.voice,
            }
            return 200, msgspec.json.encode(told)
        asked = msgspec.json.decode(request.body)["response_format"]
        if asked not in self.formats:
            return 400, b'{"error": {"message": "unsupported response_format"}}'
        raw = np.rint(sound * 32767).astype("<i2").tobytes()
        return 200, _as_wav(raw, rate_hz) if asked == "wav" else raw

    async def _say(
        self, connection: Connection, body: bytes, *, status: int = 200, fault: Fault | None
    ) -> Outcome:
        connection.write(wire.head(status, JSON, body_bytes=None))
        size = max(1, len(body) // PARTS)
        for index, begin in enumerate(range(0, len(body), size)):
            if index == 1 and fault == "hang_midway":
                await asyncio.Event().wait()
            if index == 1 and fault == "reset":
                connection.reset()
                return "fault"
            if index == 1 and fault == "cut":
                return "fault"
            if fault == "slow":
                await asyncio.sleep(SLOW_S)
            connection.write(wire.chunk(body[begin : begin + size]))
            await connection.drain()
        connection.write(wire.LAST_CHUNK)
        return "complete"

    async def _pour(self, connection: Connection) -> Outcome:
        """Send without end; whoever reads all of it has no bound."""
        connection.write(wire.head(200, JSON, body_bytes=None))
        wav = self.log.records[-1].kind == "tts"
        connection.write(wire.chunk(_as_wav(b"", RATE_HZ) if wav else b'{"text": "'))
        while True:
            connection.write(wire.chunk(b"a" * 262_144))
            await connection.drain()


def multipart(body: bytes) -> dict[str, bytes]:
    """Return the parts of a form by name; the last of one name wins."""
    boundary = body.partition(b"\r\n")[0]
    fields: dict[str, bytes] = {}
    for part in body.split(boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = head.split(b'name="', 1)[1].split(b'"', 1)[0].decode()
        fields[name] = content.removesuffix(b"\r\n")
    return fields


def _from_wav(file: bytes) -> Sound:
    with wave.open(io.BytesIO(file)) as reader:
        assert (reader.getframerate(), reader.getsampwidth(), reader.getnchannels()) == (16_000, 2, 1)
        return from_s16(reader.readframes(reader.getnframes()))


def _as_wav(raw: bytes, rate_hz: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(raw)
    return file.getvalue()
