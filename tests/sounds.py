"""Sound for tests, made as it is needed: tones, speech, and files of any container that PyAV writes."""

import ctypes
import functools
import io
import struct
import subprocess
import sys
from array import array
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
TONE_HZ = 440


def tone(secs: float = 1.0, rate_hz: int = 48_000, *, hz: float = TONE_HZ) -> Samples:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(secs * rate_hz)) / rate_hz)).astype(np.float32)


def noise(secs: float, rate_hz: int = 16_000, *, level: float = 0.02) -> Samples:
    return (level * np.random.default_rng(7).standard_normal(round(secs * rate_hz))).astype(np.float32)


def file(
    container: str,
    codec: str,
    *,
    rate_hz: int = 48_000,
    sound: Samples | None = None,
    channels: int = 1,
    live: bool = False,
    options: dict[str, str] | None = None,
    sample_format: str | None = None,
) -> bytes:
    """Return `sound` (a second's tone) in a file; `live`: as one that is written while it is recorded."""
    mono = tone(1, rate_hz) if sound is None else sound
    written = io.BytesIO()
    layout = {1: "mono", 2: "stereo"}[channels]
    output: Any = av.open(
        _Forward(written) if live else written, "w", format=container, options=options or {}
    )
    with output:
        stream = output.add_stream(codec, rate=rate_hz, layout=layout)
        if sample_format is not None:
            stream.format = sample_format
        for first in range(0, len(mono), 10 * rate_hz):
            piece = np.repeat(mono[np.newaxis, first : first + 10 * rate_hz], channels, 0)
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
            frame.sample_rate = rate_hz
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return written.getvalue()


def recorded(secs: float = 1.0, container: str = "webm") -> bytes:
    """Return what a browser's MediaRecorder gives: Opus in clusters of 250 ms, no duration, no index."""
    options = {
        "webm": {"cluster_time_limit": "250", "live": "1"},
        "ogg": {"page_duration": "200000"},
    }[container]
    return file(container, "libopus", sound=tone(secs), live=True, options=options)


def wav(
    data: bytes,
    *,
    rate_hz: int = 16_000,
    bits: int = 16,
    channels: int = 1,
    kind: int = 1,
    size: int | None = None,
) -> bytes:
    """Return a WAV file of these very bytes, whose header may lie."""
    frame_bytes = bits // 8 * channels
    size = len(data) if size is None else size
    fmt = struct.pack(
        *("<HHIIHH", kind, channels, rate_hz, rate_hz * frame_bytes % 2**32, frame_bytes % 2**16, bits)
    )
    return b"".join(
        [
            *(b"RIFF", struct.pack("<I", min(size + 36, 2**32 - 1)), b"WAVE"),
            *(b"fmt ", struct.pack("<I", 16), fmt),
            *(b"data", struct.pack("<I", size), data),
        ]
    )


def with_picture(mp3: bytes, picture_bytes: int) -> bytes:
    """Return `mp3` behind an ID3v2.3 tag with a PNG picture."""
    picture = b"\0image/png\0\x03\0" + b"\x89PNG\r\n\x1a\n" + b"\0" * picture_bytes
    body = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + body + mp3


def silent_flac(secs: int) -> bytes:
    """Return silence at 8 kHz in the fewest bytes FLAC has for it: 14 for 8 s (RFC 9639, section 9)."""
    block, rate_hz = 65_535, 8_000
    told = rate_hz << 44 | 15 << 36 | secs * rate_hz
    info = struct.pack(">HH6xQ16x", block, block, told)
    frames = bytearray(b"fLaC\x80" + len(info).to_bytes(3) + info)
    for number in range(secs * rate_hz // block):
        head = b"\xff\xf8\x74\x08" + chr(number).encode() + struct.pack(">H", block - 1)
        frame = head + bytes([_crc(head, 8, 0x07)]) + bytes(3)
        frames += frame + struct.pack(">H", _crc(frame, 16, 0x8005))
    return bytes(frames)


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    held, top = 0, 1 << bits - 1
    for byte in data:
        held ^= byte << bits - 8
        for _ in range(8):
            held = (held << 1 ^ polynomial if held & top else held << 1) & (1 << bits) - 1
    return held


def flac_with_picture(picture_bytes: int) -> bytes:
    """Return a second of FLAC with a PNG in its header that says to be 30,000 pixels wide and high."""
    made = file("flac", "flac")
    ihdr = struct.pack(">I4sIIBBBBBI", 13, b"IHDR", 30_000, 30_000, 8, 6, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + ihdr + bytes(picture_bytes)
    picture = struct.pack(">II9sI", 3, 9, b"image/png", 0) + struct.pack(
        *(">IIIII", 30_000, 30_000, 32, 0, len(png))
    )
    body = picture + png
    streaminfo_end = 4 + 4 + 34
    return made[:streaminfo_end] + b"\x06" + len(body).to_bytes(3) + body + made[streaminfo_end:]


def film() -> bytes:
    """Return a film without sound."""
    written = io.BytesIO()
    output: Any = av.open(written, "w", format="matroska")
    with output:
        stream = output.add_stream("mpeg4", rate=25, width=64, height=64, pix_fmt="yuv420p")
        for _ in range(5):
            output.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        output.mux(stream.encode(None))
    return written.getvalue()


def mp4_that_claims(samples: int) -> bytes:
    """Return an MP4 of a few hundred bytes whose fragment says it has so many samples without any data."""
    track = file(
        "mp4",
        "aac",
        live=True,
        sound=tone(0.2),
        options={"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    )
    moof = track.index(b"moof") - 4
    run = box(b"trun", struct.pack(">II", 0, samples))  # codespell:ignore trun
    tfhd = box(b"tfhd", struct.pack(">IIIII", 0x020038, 1, 1, 0, 0))
    mfhd = box(b"mfhd", struct.pack(">II", 0, 1))
    return track[:moof] + box(b"moof", mfhd + box(b"traf", tfhd + run)) + box(b"mdat", b"\0" * 64)


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


class _Forward:
    def __init__(self, written: io.BytesIO) -> None:
        self._written = written

    def write(self, data: bytes) -> int:
        return self._written.write(data)


@functools.cache
def speech(text: str = "What is the weather like in Paris tomorrow, and do I need an umbrella?") -> Samples:
    """Return `text` at 16 kHz as espeak-ng says it; in a process of its own, for it is GPL-3."""
    said = subprocess.run([sys.executable, "-m", "tests.sounds", text], check=True, capture_output=True)
    spoken = np.frombuffer(said.stdout, "<i2").astype(np.float32) / 2**15
    # espeak-ng's own rate is 22.05 kHz: straight lines between the samples are good enough here.
    at = np.arange(0, len(spoken) - 1, 22_050 / 16_000)
    return np.interp(at, np.arange(len(spoken)), spoken).astype(np.float32)


def _speak(text: str) -> bytes:
    import espeakng_loader  # noqa: PLC0415 # in the child only

    said = array("h")

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def keep(samples: Any, count: int, _: Any) -> int:
        if samples and count > 0:
            said.frombytes(ctypes.string_at(samples, 2 * count))
        return 0

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Initialize(1, 0, espeakng_loader.get_data_path().encode(), 0)
    library.espeak_SetSynthCallback(keep)
    library.espeak_SetVoiceByName(b"en-us")
    data = text.encode()
    library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 0, 0, 1, None, None)
    library.espeak_Synchronize()
    return said.tobytes()


if __name__ == "__main__":
    sys.stdout.buffer.write(_speak(sys.argv[1]))
