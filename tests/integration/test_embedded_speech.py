"""A speech engine as a supervised child: eSpeak NG, which is small and needs no weights."""

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from wyoming.server import AsyncServer

from jarvis.adapters.speech.wyoming import WyomingSynthesizer
from jarvis.core.errors import Unavailable
from jarvis.core.speech import Pcm
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import PartUnavailable
from jarvis.embedded.espeak import ESPEAK, start_espeak
from jarvis.embedded.espeak_process import MAX_TEXT_CHARS, VOICES, Espeak, EspeakHandler, EspeakVoice
from jarvis.embedded.running import running_engine
from jarvis.embedded.speech import RunningEngine, socket_of, start_engine
from jarvis.embedded.supervisor import Phase, Supervisor

ENGLISH = "One two three, this is a sentence."
FRENCH = "Bonjour, je m'appelle Jarvis."


class Speaking(msgspec.Struct):
    engine: RunningEngine
    synthesizer: WyomingSynthesizer
    data_dir: DataDir


@pytest.fixture(scope="module")
async def espeak(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Speaking]:
    with DataDir(tmp_path_factory.mktemp("data")) as data_dir:
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            engine = await start_espeak(supervisor, data_dir)
            synthesizer = WyomingSynthesizer(engine.uri)
            yield Speaking(engine=engine, synthesizer=synthesizer, data_dir=data_dir)


async def spoken(espeak: Speaking, text: str, voice: str | None = None) -> Pcm:
    pieces = [piece async for piece in espeak.synthesizer.synthesize(text, voice=voice)]
    assert {piece.sample_rate_hz for piece in pieces} == {22_050}
    return Pcm(samples=b"".join(piece.samples for piece in pieces), sample_rate_hz=22_050)


async def test_every_voice_speaks_and_no_two_alike(espeak: Speaking) -> None:
    offered = await espeak.synthesizer.voices()
    assert [voice.id for voice in offered] == [voice.name for voice in VOICES]
    assert {"en", "fr", "de", "es", "it"} <= {voice.language for voice in offered}
    sounds = {voice.id: await spoken(espeak, "radio 1 2 3 information", voice.id) for voice in offered}
    assert len({sound.samples for sound in sounds.values()}) == len(offered)
    for sound in sounds.values():
        assert 1.0 < sound.duration_s < 5.0
        assert np.abs(np.frombuffer(sound.samples, np.float32)).max() > 0.1


async def test_more_text_takes_longer(espeak: Speaking) -> None:
    once = await spoken(espeak, ENGLISH)
    thrice = await spoken(espeak, " ".join([ENGLISH] * 3))
    assert 2.5 < thrice.duration_s / once.duration_s < 4.0


async def test_texts_at_the_same_time_do_not_mix(espeak: Speaking) -> None:
    wanted = [(ENGLISH, "espeak-en"), (FRENCH, "espeak-fr"), (ENGLISH * 3, "espeak-de"), ("Sì.", "espeak-it")]
    alone = [await spoken(espeak, text, voice) for text, voice in wanted]
    together = await asyncio.gather(*(spoken(espeak, text, voice) for text, voice in wanted))
    # Not the same samples: its breath is random.
    assert [sound.duration_s for sound in together] == pytest.approx(
        [sound.duration_s for sound in alone], rel=0.02
    )


class Endless(Espeak):
    """Speaks until it is told that nobody listens."""

    def __init__(self) -> None:
        self.sample_rate_hz = 22_050
        self.ended = threading.Event()

    def speak(self, voice: EspeakVoice, text: str, on_sound: Callable[[bytes], bool]) -> None:
        del voice, text
        while on_sound(bytes(4410)):
            time.sleep(0.001)
        self.ended.set()


async def test_who_leaves_ends_the_making(tmp_path: Path) -> None:
    endless = Endless()
    server = AsyncServer.from_uri(f"unix://{tmp_path}/uds")
    with ThreadPoolExecutor(max_workers=1) as worker:
        await server.start(partial(EspeakHandler, endless, worker))
        synthesizer = WyomingSynthesizer(f"unix://{tmp_path}/uds")
        async with contextlib.aclosing(synthesizer.synthesize(ENGLISH)) as pieces:
            await anext(pieces)
            assert not endless.ended.is_set()
        assert await asyncio.to_thread(endless.ended.wait, 10.0)
        await server.stop()


ABORTED = """
from jarvis.embedded.espeak_process import Espeak, VOICES

pieces = []
Espeak().speak(VOICES[0], "This is a sentence. " * 100, lambda piece: pieces.append(piece) or len(pieces) < 3)
print(len(pieces))
"""


def test_the_library_stops_when_it_is_told_to() -> None:
    ran = subprocess.run([sys.executable, "-c", ABORTED], capture_output=True, check=True, text=True)
    assert ran.stdout.split() == ["3"]


@pytest.mark.parametrize("text", ["\0", "🙂", "<speak>Hello</speak>", "日本語", "\n\n", "a" * MAX_TEXT_CHARS])
async def test_odd_texts_do_no_harm(espeak: Speaking, text: str) -> None:
    pid = espeak.engine.supervised.state.pid
    with contextlib.suppress(Unavailable):  # where there is nothing to say
        await spoken(espeak, text)
    assert (await spoken(espeak, ENGLISH)).duration_s > 1.0
    assert espeak.engine.supervised.state.pid == pid


@pytest.mark.parametrize(
    ("text", "voice"),
    [("crocodile" * 600, None), ("crocodile", "espeak-klingon")],
    ids=["too long", "no such voice"],
)
async def test_what_it_cannot_do_it_refuses_and_logs_no_word(
    espeak: Speaking, text: str, voice: str | None
) -> None:
    with pytest.raises(Unavailable):
        await spoken(espeak, text, voice)
    assert "crocodile" not in (espeak.data_dir.logs_dir / "espeak.log").read_text()
    await espeak.synthesizer.ping()


async def test_nobody_else_can_reach_it(espeak: Speaking) -> None:
    uds = socket_of(ESPEAK, espeak.data_dir.run_dir)
    assert stat.S_IMODE(uds.parent.stat().st_mode) == 0o700
    assert running_engine(espeak.data_dir.path, ESPEAK) == uds


async def test_killed_it_comes_back(espeak: Speaking) -> None:
    supervised = espeak.engine.supervised
    first = supervised.state.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(30):
        async for state in supervised.watch():
            if state.phase is Phase.RUNNING and state.pid != first:
                break
    assert (await spoken(espeak, ENGLISH)).duration_s > 1.0


async def test_without_its_package_it_says_what_to_do(tmp_path: Path) -> None:
    lacking = msgspec.structs.replace(ESPEAK, package="no_such_package")
    expected = pytest.raises(PartUnavailable, match=r"no_such_package is not installed.*TTS_URL")
    with DataDir(tmp_path / "data") as data_dir, expected:
        async with Supervisor(log_dir=data_dir.logs_dir, run_dir=data_dir.run_dir) as supervisor:
            await start_engine(lacking, (), supervisor=supervisor, data_dir=data_dir)
