"""A Wyoming server over eSpeak NG: languages the English voice does not speak. Nothing else imports this.

eSpeak NG is under the GPL: its library is loaded in this process only.
"""

import argparse
import asyncio
import contextlib
import ctypes
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata

import espeakng_loader
import msgspec
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.server import AsyncEventHandler, AsyncServer
from wyoming.tts import Synthesize, SynthesizeVoice

from jarvis.embedded.engine_process import settle

MAX_TEXT_CHARS = 5000
"""Bounds what is held too: about 15 MB of sound."""
PIECE_MS = 100

# From speak_lib.h, whose numbers are part of the library's binary interface.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_GO_ON, _ABORT = 0, 1
_OnSound = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class EspeakVoice(msgspec.Struct, frozen=True):
    """`file` is the library's name of the voice."""

    file: str
    language: str
    label: str

    @property
    def name(self) -> str:
        return f"espeak-{self.file.lower()}"


# A choice among its 130 languages; the first speaks where none is asked for.
VOICES: Sequence[EspeakVoice] = (
    EspeakVoice("en", "en", "English (Great Britain)"),
    EspeakVoice("en-US", "en", "English (America)"),
    EspeakVoice("fr", "fr", "Français"),
    EspeakVoice("fr-BE", "fr", "Français (Belgique)"),
    EspeakVoice("fr-CH", "fr", "Français (Suisse)"),
    EspeakVoice("de", "de", "Deutsch"),
    EspeakVoice("es", "es", "Español (España)"),
    EspeakVoice("es-419", "es", "Español (Latinoamérica)"),
    EspeakVoice("it", "it", "Italiano"),
    EspeakVoice("pt", "pt", "Português (Portugal)"),
    EspeakVoice("pt-BR", "pt", "Português (Brasil)"),
    EspeakVoice("nl", "nl", "Nederlands"),
    EspeakVoice("sv", "sv", "Svenska"),
    EspeakVoice("da", "da", "Dansk"),
    EspeakVoice("nb", "no", "Norsk"),
    EspeakVoice("fi", "fi", "Suomi"),
    EspeakVoice("pl", "pl", "Polski"),
    EspeakVoice("cs", "cs", "Čeština"),
    EspeakVoice("ro", "ro", "Română"),
    EspeakVoice("el", "el", "Ελληνικά"),
    EspeakVoice("tr", "tr", "Türkçe"),
    EspeakVoice("ru", "ru", "Русский"),
    EspeakVoice("uk", "uk", "Українська"),
)


class UnknownVoice(Exception): ...


class Espeak:
    """The library, loaded. It keeps its state in globals: only one thread may speak, one text at a time."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate_hz: int = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, PIECE_MS, data, _INITIALIZE_DONT_EXIT
        )
        if self.sample_rate_hz <= 0:
            raise RuntimeError("eSpeak NG could not be initialized: its data is missing")

    def speak(self, voice: EspeakVoice, text: str, on_sound: Callable[[bytes], bool]) -> None:
        """Give `on_sound` s16 samples piece by piece, and stop once that returns False."""

        def take(samples: int | None, count: int, _events: int | None) -> int:
            if samples is None or count <= 0:
                return _GO_ON
            return _GO_ON if on_sound(ctypes.string_at(samples, count * 2)) else _ABORT

        self._check(self._library.espeak_SetVoiceByName(voice.file.encode()))
        callback = _OnSound(take)  # the library keeps no reference; this one lives until it returns
        self._library.espeak_SetSynthCallback(callback)
        # A NUL would end the text there. The size counts the one that ends it.
        encoded = text.replace("\0", " ").encode()
        size = ctypes.c_size_t(len(encoded) + 1)
        flags = ctypes.c_uint(_CHARS_UTF8)
        self._check(self._library.espeak_Synth(encoded, size, 0, _POS_CHARACTER, 0, flags, None, None))

    def _check(self, code: int) -> None:
        if code != 0:
            raise RuntimeError(f"eSpeak NG answered {code}")


class EspeakHandler(AsyncEventHandler):
    """One client's connection."""

    def __init__(self, espeak: Espeak, worker: ThreadPoolExecutor, *streams: object) -> None:
        super().__init__(*streams)  # pyright: ignore[reportArgumentType]  whatever the server passes
        self._espeak = espeak
        self._worker = worker

    async def handle_event(self, event: Event) -> bool:
        if Describe.is_type(event.type):
            await self.write_event(information().event())
        elif Synthesize.is_type(event.type):
            wanted = Synthesize.from_event(event)
            try:
                voice = find_voice(wanted.voice)
            except UnknownVoice:
                await self.write_event(Error(text="There is no such voice.", code="voice").event())
                return True
            if len(wanted.text) > MAX_TEXT_CHARS:
                await self.write_event(Error(text="The text is too long.", code="text").event())
                return True
            await self._speak(voice, wanted.text)
        return True

    async def _speak(self, voice: EspeakVoice, text: str) -> None:
        """Send sound while more is made; a client that leaves ends that.

        It is made as fast as the processor can, however slowly the client reads: others wait for the library.
        """
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[bytes] = asyncio.Queue()  # bounded by MAX_TEXT_CHARS
        left = threading.Event()

        def take(piece: bytes) -> bool:
            loop.call_soon_threadsafe(pieces.put_nowait, piece)
            return not left.is_set()

        rate = self._espeak.sample_rate_hz
        made = loop.run_in_executor(self._worker, self._espeak.speak, voice, text, take)
        made.add_done_callback(lambda _: pieces.put_nowait(b""))
        with contextlib.suppress(ConnectionError):  # whoever leaves
            try:
                await self.write_event(AudioStart(rate=rate, width=2, channels=1).event())
                while piece := await pieces.get():
                    await self.write_event(AudioChunk(rate=rate, width=2, channels=1, audio=piece).event())
            finally:
                left.set()
                await made
            await self.write_event(AudioStop().event())


def find_voice(wanted: SynthesizeVoice | None) -> EspeakVoice:
    """The voice of that name, else of that language (en, or en-GB); the first without either.

    Raises UnknownVoice.
    """
    if wanted is None:
        return VOICES[0]
    for voice in VOICES:
        if wanted.name in {voice.name, voice.file} or (
            wanted.name is None and wanted.language and wanted.language[:2].lower() == voice.language
        ):
            return voice
    raise UnknownVoice


def information() -> Info:
    attribution = Attribution(name="eSpeak NG", url="https://github.com/espeak-ng/espeak-ng")
    voices = [
        TtsVoice(
            name=voice.name,
            description=voice.label,
            attribution=attribution,
            installed=True,
            version=None,
            languages=[voice.language],
        )
        for voice in VOICES
    ]
    return Info(
        tts=[
            TtsProgram(
                name="espeak-ng",
                description="eSpeak NG",
                attribution=attribution,
                installed=True,
                version=metadata.version("espeakng-loader"),
                voices=voices,
            )
        ]
    )


async def serve(uri: str) -> None:
    espeak = Espeak()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="espeak") as worker:
        await AsyncServer.from_uri(uri).run(partial(EspeakHandler, espeak, worker))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uri", required=True)
    settle()
    asyncio.run(serve(parser.parse_args().uri))


if __name__ == "__main__":
    main()
