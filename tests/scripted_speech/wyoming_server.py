"""A Wyoming server on the official package: speaks and hears tones, faults on command."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import (
    AsrModel,
    AsrProgram,
    Attribution,
    Describe,
    Info,
    TtsProgram,
    TtsVoice,
    TtsVoiceSpeaker,
)
from wyoming.server import AsyncEventHandler, AsyncTcpServer
from wyoming.tts import Synthesize

from tests.scripted_speech.log import SLOW_S, Fault, Log, Outcome, Record
from tests.scripted_speech.tones import Sound, from_s16, hear, speak

NOBODY = Attribution(name="nobody", url="")
DTYPES = {1: ("i1", 127), 2: ("<i2", 32767), 4: ("<i4", 2**31 - 1)}


class ScriptedWyoming:
    """Transcribes and synthesizes in one server. Use as an async context manager.

    `said` (or what it returns) is answered instead of what is heard; `speaks` makes the sound: tones are no
    speech to a detector. `streams`: transcripts come word by word before the whole, with `early` as soon as
    the first sound comes.
    """

    def __init__(self, *, rate_hz: int = 22_050, width: int = 2, channels: int = 1) -> None:
        self.log = Log()
        self.fault: Fault | None = None
        self.deaf = False
        """Not even a `describe` is answered."""
        self.said: str | Callable[[], str] | None = None
        self.speaks: Callable[[str, int], Sound] = speak
        self.streams = False
        self.early: str | None = None
        self.rate_hz = rate_hz
        self.width = width
        self.channels = channels
        self.languages = ["en", "fr"]
        self.connections = 0
        self._port = free_port()
        self._server: AsyncTcpServer | None = None
        self._handlers: set[_Handler] = set()
        self._left = asyncio.Event()

    @property
    def uri(self) -> str:
        return f"tcp://127.0.0.1:{self._port}"

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
        self._server = AsyncTcpServer("127.0.0.1", self._port)
        await self._server.start(self._handle)

    async def go_away(self) -> None:
        """Refuse connections, and end those there are."""
        if self._server is not None:
            await self._server.stop()
        for handler in tuple(self._handlers):
            handler.writer.transport.abort()
        while self._handlers:
            self._left.clear()
            await self._left.wait()

    def info(self) -> Info:
        model = AsrModel(
            name="tones",
            attribution=NOBODY,
            installed=True,
            description=None,
            version=None,
            languages=self.languages,
        )
        hearing = AsrProgram(
            name="tones",
            attribution=NOBODY,
            installed=True,
            description=None,
            version=None,
            models=[model],
            supports_transcript_streaming=self.streams,
        )
        voices = [
            _voice("en_US-tone-medium", "en_US", "tone (medium)"),
            _voice("fr_FR-ton-low", "fr_FR", "ton (low)", speakers=["un", "deux"]),
            _voice("de_DE-missing-low", "de_DE", "missing", installed=False),
        ]
        speaking = TtsProgram(
            name="tones", attribution=NOBODY, installed=True, description=None, version=None, voices=voices
        )
        return Info(asr=[hearing], tts=[speaking])

    def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncEventHandler:
        handler = _Handler(self, reader, writer)
        self._handlers.add(handler)
        self.connections += 1
        return handler

    def forget(self, handler: "_Handler") -> None:
        self._handlers.discard(handler)
        self._left.set()


class _Handler(AsyncEventHandler):
    def __init__(
        self, server: ScriptedWyoming, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(reader, writer)
        self._server = server
        self._record: Record | None = None
        self._heard = bytearray()

    async def handle_event(self, event: Event) -> bool:
        if self._server.deaf:
            await self._hang()
            return False
        if Describe.is_type(event.type):
            await self.write_event(self._server.info().event())
        elif Transcribe.is_type(event.type):
            asked = Transcribe.from_event(event)
            terms = asked.transcript_terms
            self._record = self._server.log.start(
                Record(kind="stt", language=asked.language, prompt=", ".join(terms or []) or None)
            )
        elif AudioChunk.is_type(event.type):
            await self._take(AudioChunk.from_event(event))
        elif AudioStop.is_type(event.type):
            if self._record is not None:
                self._record.asked_s = time.monotonic()
            await self._answer(self._transcribe())
        elif Synthesize.is_type(event.type):
            asked = Synthesize.from_event(event)
            voice = asked.voice and "#".join(filter(None, (asked.voice.name, asked.voice.speaker)))
            self._record = self._server.log.start(Record(kind="tts", text=asked.text, voice=voice))
            await self._answer(self._synthesize(asked.text))
        return True

    async def run(self) -> None:
        # A reset or an abort by either side is what some tests are about.
        with contextlib.suppress(ConnectionError):
            await super().run()

    async def disconnect(self) -> None:
        self._end("client_left")
        self._server.forget(self)

    async def _take(self, chunk: AudioChunk) -> None:
        if self._record is not None:
            self._record.sound_s += chunk.seconds
            self._server.log.tell()
        self._heard += chunk.audio
        if self._server.early is not None and self._server.streams:
            for word in self._server.early.split():
                await self.write_event(TranscriptChunk(text=f"{word} ").event())
            self._server.early = None
        elif self._server.early is not None:
            await self._answer([Transcript(text=self._server.early).event()])

    def _transcribe(self) -> list[Event]:
        text = self._understood()
        language = None if self._record is None else self._record.language
        if self._record is not None:
            self._record.text = text
        whole = Transcript(text=text, language=language).event()
        if not self._server.streams:
            return [whole]
        words = [TranscriptChunk(text=f"{word} ").event() for word in text.split()]
        return [TranscriptStart(language=language).event(), *words, whole, TranscriptStop().event()]

    def _understood(self) -> str:
        match self._server.said:
            case None:
                return hear(from_s16(bytes(self._heard)), 16_000)
            case str(said):
                return said
            case say:
                return say()

    def _synthesize(self, text: str) -> list[Event]:
        server = self._server
        silent = server.fault == "silent"
        sound = server.speaks("" if silent else text, server.rate_hz)
        shape = {"rate": server.rate_hz, "width": server.width, "channels": server.channels}
        if server.fault == "wrong_format":
            shape["rate"] = 1
        pieces = np.array_split(sound, max(1, len(text.split()))) if len(sound) else []
        chunks = [AudioChunk(audio=self._encode(piece), **shape).event() for piece in pieces]
        return [AudioStart(**shape).event(), *chunks, AudioStop().event()]

    def _encode(self, sound: Sound) -> bytes:
        kind, scale = DTYPES[self._server.width]
        values = np.rint(sound.astype(np.float64) * scale).astype(kind)
        return np.repeat(values, self._server.channels).tobytes()

    async def _answer(self, events: list[Event]) -> None:
        fault = self._server.fault
        if fault == "hang":
            await self._hang()
            return
        if fault in {"error", "rubbish", "huge"}:
            self._end("fault")
            await self._say_wrong(fault)
            return
        midway = max(1, len(events) // 2)
        for index, event in enumerate(events):
            if fault == "slow":
                await asyncio.sleep(SLOW_S)
            if index == midway or (len(events) == 1 and fault in {"hang_midway", "reset", "cut"}):
                if fault == "hang_midway":
                    await self._hang()
                    return
                if fault in {"reset", "cut"}:
                    self._end("fault")
                    self._close(with_reset=fault == "reset")
                    return
            await self.write_event(event)
        self._end("complete")

    async def _say_wrong(self, fault: Fault) -> None:
        if fault == "error":
            await self.write_event(Error(text="secret of the server", code="secret").event())
            return
        line = (
            b"<html>it works!</html>\n"
            if fault == "rubbish"
            else b'{"type":"x","payload_length":9999999999}\n'
        )
        self.writer.write(line)
        await self.writer.drain()

    def _close(self, *, with_reset: bool) -> None:
        if with_reset:
            peer = self.writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def _hang(self) -> None:
        while await self.reader.read(65_536):
            pass

    def _end(self, outcome: Outcome) -> None:
        if self._record is not None and self._record.outcome is None:
            self._server.log.end(self._record, outcome)


def _voice(
    name: str, language: str, description: str, *, speakers: list[str] | None = None, installed: bool = True
) -> TtsVoice:
    return TtsVoice(
        name=name,
        attribution=NOBODY,
        installed=installed,
        description=description,
        version=None,
        languages=[language],
        speakers=None if speakers is None else [TtsVoiceSpeaker(name=speaker) for speaker in speakers],
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
