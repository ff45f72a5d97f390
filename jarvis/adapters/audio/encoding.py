"""Sound to files a client can play, whole or as they grow.

Ogg holds Opus: the wheel of PyAV has no libvorbis, and FFmpeg's own Vorbis encoder is experimental.
"""

import struct
from typing import Any

import av
import numpy as np

from jarvis.adapters.audio.raw import Samples
from jarvis.adapters.audio.resampling import Resampler, frame_of
from jarvis.core.speech import AudioFormat, Pcm

_CODECS: dict[AudioFormat, str] = {"mp3": "libmp3lame", "ogg": "libopus", "flac": "flac"}
_RATES_HZ: dict[AudioFormat, tuple[int, ...]] = {
    "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "ogg": (8_000, 12_000, 16_000, 24_000, 48_000),
}
"""The rates of MPEG audio (all versions) and of Opus; the others take any."""
_BIT_RATE = 64_000
"""Clear speech, mono, in MP3; Opus needs less and takes what it needs of it."""
_GROWING_BYTES = 0xFFFFFFFF
"""What a WAV file says of its sizes before they are known, as FFmpeg and browsers do and take it."""
_WAV_HEAD_BYTES = 44


def encode(pcm: Pcm, to: AudioFormat) -> bytes:
    """Return a whole file, with its exact size or duration in it. Blocking: see Encoder for how long."""
    if to == "wav":
        samples = _to_16_bit(np.frombuffer(pcm.samples, np.float32))
        return _wav_head(pcm.sample_rate_hz, len(samples)) + samples
    output = _Seekable()
    encoder = _Coded(to, pcm.sample_rate_hz, output)
    encoder.write(np.frombuffer(pcm.samples, np.float32))
    encoder.finish()
    return bytes(output.data)


class Encoder:
    """A file that grows: what `write` and `finish` return, joined. Of one rate, whatever the pieces have.

    Blocking, 1 to 15 ms of CPU for a second of sound: for a thread. Not for two threads at once.
    """

    def __init__(self, to: AudioFormat, sample_rate_hz: int) -> None:
        self._resampler = Resampler(sample_rate_hz)
        self._rate_hz = sample_rate_hz
        self._output = _Growing()
        self._coded = None if to == "wav" else _Coded(to, sample_rate_hz, self._output)
        self._begun = False

    def write(self, pcm: Pcm) -> bytes:
        """Return the bytes that are ready; codecs keep back up to 100 ms, FLAC and Ogg pages up to 200."""
        return self._encode(self._resampler.push(np.frombuffer(pcm.samples, np.float32), pcm.sample_rate_hz))

    def finish(self) -> bytes:
        """Return the rest of the file."""
        rest = self._encode(self._resampler.finish())
        if self._coded is None:
            return rest
        self._coded.finish()
        return rest + self._output.taken()

    def _encode(self, mono: Samples) -> bytes:
        if self._coded is not None:
            self._coded.write(mono)
            return self._output.taken()
        head = b"" if self._begun else _wav_head(self._rate_hz, None)
        self._begun = True
        return head + _to_16_bit(mono)


class _Growing:
    """What a muxer writes, without a way back."""

    def __init__(self) -> None:
        self._ready = bytearray()

    def write(self, data: bytes) -> int:
        self._ready += data
        return len(data)

    def taken(self) -> bytes:
        taken, self._ready = bytes(self._ready), bytearray()
        return taken


class _Seekable:
    """What a muxer writes and, once it knows how much, corrects."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._at = 0

    def write(self, data: bytes) -> int:
        self.data[self._at : self._at + len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int) -> int:
        self._at = offset + (0, self._at, len(self.data))[whence]
        return self._at

    def tell(self) -> int:
        return self._at


class _Coded:
    """A codec and its muxer, writing to `output`."""

    def __init__(self, to: AudioFormat, rate_hz: int, output: _Growing | _Seekable) -> None:
        self._rate_hz = rate_hz
        coded_hz = _coded_hz(to, rate_hz)
        self._resampler = Resampler(coded_hz)
        self._coded_hz = coded_hz
        # Pages of 200 ms, that a stream of Ogg is heard as it comes; no tag, for it would say nothing.
        options = {"ogg": {"page_duration": "200000"}, "mp3": {"id3v2_version": "0"}}.get(to, {})
        if to == "mp3" and isinstance(output, _Growing):
            options["write_xing"] = "0"
        # Any: PyAV's stubs of writing are incomplete.
        self._file: Any = av.open(output, "w", format=to, options=options)
        self._stream: Any = self._file.add_stream(_CODECS[to], rate=coded_hz, layout="mono")
        if to != "flac":
            self._stream.bit_rate = _BIT_RATE
        self._file.start_encoding()  # a file without sound has its header too

    def write(self, mono: Samples) -> None:
        self._push(self._resampler.push(mono, self._rate_hz))

    def finish(self) -> None:
        self._push(self._resampler.finish())
        self._file.mux(self._stream.encode(None))
        self._file.close()

    def _push(self, mono: Samples) -> None:
        if len(mono):
            self._file.mux(self._stream.encode(frame_of(mono, self._coded_hz)))


def _coded_hz(to: AudioFormat, rate_hz: int) -> int:
    """Return the next rate that loses nothing, else the highest there is."""
    rates = _RATES_HZ.get(to, (rate_hz,))
    return next((rate for rate in rates if rate >= rate_hz), rates[-1])


def _to_16_bit(mono: Samples) -> bytes:
    return np.round(np.clip(mono, -1, 1) * 32767).astype("<i2").tobytes()


def _wav_head(rate_hz: int, data_bytes: int | None) -> bytes:
    size = _GROWING_BYTES if data_bytes is None else data_bytes
    whole = _GROWING_BYTES if data_bytes is None else data_bytes + _WAV_HEAD_BYTES - 8
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", whole, b"WAVE"),
        *(b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16),
        *(b"data", size),
    )
