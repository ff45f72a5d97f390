"""Hostile recordings, sent to a Jarvis of its own process: they are refused, and it hardly grows."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests import sounds
from tests.postgres import PostgresServer
from tests.running import JarvisProcess, in_one_task, jarvis_process
from tests.scripted_model import ScriptedModel
from tests.scripted_speech import ScriptedWyoming
from tests.spoken import recording

PATH = "/api/voice/transcribe"
MOST_MB = 32
DAY_S = 24 * 3600
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def jarvis(postgres: PostgresServer, migrated_template: str) -> AsyncGenerator[JarvisProcess]:
    """A server that has heard a few things already: what it loads once is loaded."""
    name = await postgres.new_database(template=migrated_template)
    async with in_one_task(ScriptedModel()) as model, in_one_task(ScriptedWyoming()) as engines:
        engines.said = "Hello."
        environment = {
            "DATABASE_URL": postgres.url(name),
            "LLM_BACKEND": "ollama",
            "OLLAMA_URL": model.url,
            "VOICE": "auto",
            "STT_URL": engines.uri,
            "TTS_URL": engines.uri,
        }
        async with in_one_task(jarvis_process(environment)) as server:
            async with asyncio.timeout(10):  # another process is bringing its engines up
                while (await server.http.post(PATH, files={"file": recording()})).status_code == 503:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            for clip in (recording(), sounds.recorded(0.2), sounds.silent_flac(60)):
                assert (await server.http.post(PATH, files={"file": clip})).status_code == 200
            yield server
    await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


def bomb() -> bytes:
    """Return a day of silence in about 2 MB: padding (RFC 9639, section 8.3) makes up for its few frames."""
    flac = sounds.silent_flac(DAY_S)
    padding_bytes = 2 * 10**6 - len(flac)
    head = 4 + 4 + 34
    first = b"\0" + flac[5:head]  # STREAMINFO is not the last block any more
    return flac[:4] + first + b"\x81" + padding_bytes.to_bytes(3) + bytes(padding_bytes) + flac[head:]


def parts(count: int) -> bytes:
    one = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nx\r\n'
    return one * count + b"--x--\r\n"


def headers(size: int) -> bytes:
    """Return a form whose only part has a head that never ends."""
    return b'--x\r\nContent-Disposition: form-data; name="' + b"a" * size


TOO_LARGE = (413, "too_large")
NO_FORM = (400, "invalid_request")
NO_AUDIO = (400, "invalid_audio")
ATTACKS: dict[str, tuple[tuple[int, str | None], Callable[[], dict[str, Any]]]] = {
    "a day of silence": (TOO_LARGE, lambda: {"files": {"file": bomb()}}),
    "a day of silence, as JSON": (
        TOO_LARGE,
        lambda: {"json": {"audio_data": base64.b64encode(bomb()).decode()}},
    ),
    "5,000 parts": (NO_FORM, lambda: {"content": parts(5_000), "headers": MULTIPART}),
    "a head of 10 MB": (NO_FORM, lambda: {"content": headers(10 * 2**20), "headers": MULTIPART}),
    "a boundary in every line": (NO_FORM, lambda: {"content": b"\r\n--x" * 10**6, "headers": MULTIPART}),
    "an MP4 that claims an hour": (
        NO_AUDIO,
        lambda: {"files": {"file": sounds.mp4_that_claims(3_600 * 48_000)}},
    ),
    "a picture of 30,000 by 30,000": (
        (200, None),
        lambda: {"files": {"file": sounds.flac_with_picture(5_000)}},
    ),
}


def status_mb(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name + ":"))


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # see proc(5)


@pytest.mark.parametrize("name", ATTACKS)
async def test_it_is_refused_and_costs_little(jarvis: JarvisProcess, name: str) -> None:
    expected, make = ATTACKS[name]
    request = make()
    before_mb = status_mb(jarvis.process.pid, "VmRSS")
    forget_peak(jarvis.process.pid)
    for _ in range(5):
        answer = await jarvis.http.post(PATH, **request)
        assert (answer.status_code, answer.json().get("code")) == expected, answer.text
    assert status_mb(jarvis.process.pid, "VmHWM") - before_mb < MOST_MB
    assert (await jarvis.http.post(PATH, files={"file": recording()})).json()["text"] == "Hello."
    assert jarvis.process.returncode is None
