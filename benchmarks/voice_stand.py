"""Jarvis with a voice, to be measured: engines and a model that answer at once, clients with microphones.

Engines and model run in this process, so that their logs are at hand; Jarvis in its own.
"""

import asyncio
import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from time import monotonic, perf_counter
from typing import Any

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.peer import Peer, post
from benchmarks.servers import JARVIS, Cpus, Server, serving
from benchmarks.stand import Stand
from tests.scripted_model import Record, Script, ScriptedModel
from tests.scripted_speech import ScriptedWyoming
from tests.scripted_speech.tones import Sound
from tests.spoken import recording

QUESTION = "What is the weather like?"
TITLE = "Write a title"
"""How Jarvis begins to ask the model for one."""
FRAME_S = 0.032
FRAME_BYTES = round(16_000 * FRAME_S) * 2
PATIENCE_S = 60.0
POLL_S = 0.2
SPOKEN_S = 2.0
_TONE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000 * 10) / 22_050)).astype(np.float32)


class Frame(msgspec.Struct, frozen=True):
    """What came on a socket; times are `time.monotonic()`, which the scripted servers' are too."""

    type: str
    came_s: float
    data: bytes

    def decoded(self) -> Any:
        return msgspec.json.decode(self.data)


class _Head(msgspec.Struct):
    type: str


class Caller:
    """One client: sends sound, and notes when each frame came, also while it is still sending."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._came: asyncio.Queue[Frame] = asyncio.Queue()

    async def listen(self) -> None:
        """Take what comes, until the connection is closed."""
        with suppress(ConnectionClosed):
            while True:
                data = await self._connection.recv(decode=False)
                came_s = monotonic()
                type_ = msgspec.json.decode(data, type=_Head).type
                self._came.put_nowait(Frame(type=type_, came_s=came_s, data=data))

    async def send(self, type_: str, **fields: object) -> float:
        """Send a text frame; return when."""
        await self._connection.send(msgspec.json.encode({"type": type_, **fields}).decode())
        return monotonic()

    async def send_clip(self, wav: bytes, **fields: object) -> float:
        return await self.send(
            "audio_data", data=base64.b64encode(wav).decode(), format="wav", speak=True, **fields
        )

    async def begin_stream(self) -> None:
        """Begin to send what a microphone hears: 16-bit samples at 16 kHz."""
        await self.send("audio_start", format="pcm_s16le", sample_rate=16_000, vad=True, speak=True)

    async def stream(self, samples: bytes) -> list[float]:
        """Send it as fast as it was spoken, FRAME_S in each frame; return when each was sent."""
        begun_s = monotonic()
        sent_s: list[float] = []
        for index, at in enumerate(range(0, len(samples), FRAME_BYTES)):
            await asyncio.sleep(max(0.0, begun_s + index * FRAME_S - monotonic()))
            await self._connection.send(samples[at : at + FRAME_BYTES])
            sent_s.append(monotonic())
        return sent_s

    async def next(self) -> Frame:
        async with asyncio.timeout(PATIENCE_S):
            frame = await self._came.get()
        if frame.type == "error":
            raise RuntimeError(frame.data.decode())
        return frame

    async def until(self, type_: str) -> list[Frame]:
        """Return the frames up to the first of that type."""
        frames = [await self.next()]
        while frames[-1].type != type_:
            frames.append(await self.next())
        return frames


class VoiceStand(msgspec.Struct, frozen=True, kw_only=True):
    cpus: Cpus
    server: Server
    model: ScriptedModel
    engines: ScriptedWyoming

    def script(self, script: Script) -> None:
        """Have the next questions answered so."""
        script_answers(self.model, script)

    @property
    def answering(self) -> Record:
        return newest_answer(self.model)

    @asynccontextmanager
    async def caller(self) -> AsyncGenerator[Caller]:
        async with calling(self.server) as caller:
            yield caller


def script_answers(model: ScriptedModel, script: Script) -> None:
    """Have questions answered so, and nothing else: titles are written by the model too."""
    model.clear_scripts()
    model.script(script)
    model.script(Script(text="A title"), match=TITLE)


def newest_answer(model: ScriptedModel) -> Record:
    return next(record for record in reversed(model.log.generating) if TITLE not in record.last_user_message)


@asynccontextmanager
async def calling(server: Server) -> AsyncGenerator[Caller]:
    uri = f"ws://127.0.0.1:{server.port}/ws"
    async with connect(uri, proxy=None, compression=None, max_size=None, max_queue=None) as connection:
        caller = Caller(connection)
        listening = asyncio.create_task(caller.listen())
        yield caller
        listening.cancel()


@asynccontextmanager
async def voice_stand(built: Stand) -> AsyncGenerator[VoiceStand]:
    """Start Jarvis with scripted engines: every question is QUESTION, every sentence SPOKEN_S long."""
    async with ScriptedModel() as model, ScriptedWyoming() as engines:
        engines.said = QUESTION
        engines.speaks = _speak
        settings = {"STT_URL": engines.uri, "TTS_URL": engines.uri}
        async with speaking_server(built, model, settings) as server:
            server.pin(built.cpus.servers)
            yield VoiceStand(cpus=built.cpus, server=server, model=model, engines=engines)


@asynccontextmanager
async def speaking_server(
    built: Stand, model: ScriptedModel, settings: Mapping[str, str], *, within_s: float = 30.0
) -> AsyncGenerator[Server]:
    """Start Jarvis, and wait until it hears and speaks."""
    all_settings = (
        built.settings
        | {"OLLAMA_URL": model.url, "JARVIS_DATA_DIR": str(built.folder / "voice"), "VOICE": "auto"}
        | dict(settings)
    )
    async with serving(JARVIS, all_settings) as server:
        waiting_s = perf_counter()
        while not await _hears_and_speaks(server):
            if perf_counter() - waiting_s > within_s:
                raise TimeoutError("Jarvis got no voice")
            await asyncio.sleep(POLL_S)
        yield server


async def _hears_and_speaks(server: Server) -> bool:
    sound = base64.b64encode(recording()).decode()
    peer = await Peer.open(server.port)
    heard = await peer.ask(post(server.port, "/api/voice/transcribe", {"audio_data": sound}))
    spoken = await peer.ask(post(server.port, "/api/voice/synthesize", {"text": "Hello."}))
    peer.close()
    return all(answer.data.startswith(b"HTTP/1.1 200") for answer in (heard, spoken))


def _speak(text: str, rate_hz: int) -> Sound:
    return _TONE[: round(SPOKEN_S * rate_hz)] if text else _TONE[:0]
