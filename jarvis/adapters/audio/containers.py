"""Files and streams of sound to pieces of mono float32 at HEARD_HZ, whatever is in them.

Blocking, for threads. FFmpeg is told which demuxer and which codecs: it never probes its way to a playlist or
to a picture, and opens nothing by name.
"""

import contextlib
from collections.abc import Generator, Iterator
from typing import Any

import av
import av.logging
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from numpy.typing import NDArray

from jarvis.adapters.audio.raw import (
    Readable,
    Samples,
    check_format,
    frame_bytes,
    mean_of,
    read_wav_header,
    to_mono,
)
from jarvis.adapters.audio.resampling import Resampler
from jarvis.adapters.audio.sniffing import Container
from jarvis.core.errors import InvalidAudio, TooLarge
from jarvis.core.speech import HEARD_HZ, RawFormat

_DEMUXERS: dict[Container, str] = {
    "flac": "flac",
    "mp3": "mp3",
    "mp4": "mov,mp4,m4a,3gp,3g2,mj2",
    "ogg": "ogg",
    "webm": "matroska,webm",
}
_CODECS = ("aac", "alac", "flac", "mp3", "mp3float", "opus", "vorbis", "pcm_f32le", "pcm_s16le")
_OPTIONS = {
    "codec_whitelist": ",".join(_CODECS),  # no other decoder runs, of an attached picture for one
    "format_whitelist": ",".join(_DEMUXERS.values()),
    "protocol_whitelist": "none",
    "max_streams": "16",
    # Nothing is read ahead to guess at streams: their headers tell, and a stream is heard as it comes.
    "probesize": "32",
}
_BUFFER_BYTES = 4096
"""Of PyAV's reads, and of a block of raw samples: small, that a stream is heard as it comes."""
_PACKETS_PER_S = 400
"""Opus's shortest packets are 2.5 ms; a file of shorter ones only costs time."""
_MAX_BROKEN = 500
"""Packets that cannot be decoded, of which a sound may lose some."""

_ROUNDING_S = 1e-6
"""What a sum of thousands of frames may be off."""

av.logging.set_level(None)  # what FFmpeg says may quote the file; it is not asked
_BROKEN = (FFmpegError, ValueError, OverflowError, MemoryError)
"""What PyAV raises on a broken file, apart from the errors that a `read` raised."""


def decode_raw(file: Readable, raw: RawFormat, *, max_secs: float) -> Iterator[bytes]:
    """Yield what `file` holds from here on; a last incomplete frame is left out. Raises as `decode_file`."""
    check_format(raw)
    return _heard(_raw_frames(file, raw), max_secs)


def decode_file(file: Readable, container: Container, *, max_secs: float) -> Iterator[bytes]:
    """Yield the first stream of sound until it ends or breaks off, float32 at HEARD_HZ.

    `file` is at its beginning, and may have `seek` and `tell`. What its `read` raises comes out of here.
    Raises InvalidAudio: FFmpeg cannot open it; TooLarge: there was more than `max_secs`, as far as it was
    decoded (a header's word is not taken, for a recording that was cut has a false one).
    """
    if container == "wav":
        return decode_raw(file, read_wav_header(file), max_secs=max_secs)
    return _heard(_coded_frames(file, container, max_packets=max_secs * _PACKETS_PER_S), max_secs)


def _heard(frames: Iterator[tuple[Samples, int]], max_secs: float) -> Iterator[bytes]:
    resampler = Resampler(HEARD_HZ)
    decoded_s = 0.0
    for mono, rate_hz in frames:
        decoded_s += len(mono) / rate_hz
        if decoded_s > max_secs + _ROUNDING_S:
            raise TooLarge(f"The audio lasts longer than {max_secs:g} s.")
        if len(piece := resampler.push(mono, rate_hz)):
            yield piece.tobytes()
    if len(piece := resampler.finish()):
        yield piece.tobytes()


def _raw_frames(file: Readable, raw: RawFormat) -> Iterator[tuple[Samples, int]]:
    rest = b""
    while block := file.read(max(_BUFFER_BYTES, frame_bytes(raw))):
        held = rest + block if rest else block
        whole = len(held) - len(held) % frame_bytes(raw)
        rest = held[whole:]
        if whole:
            yield to_mono(held[:whole], raw), raw.sample_rate_hz


def _coded_frames(
    file: Readable, container: Container, *, max_packets: float
) -> Iterator[tuple[Samples, int]]:
    with _opened(file, container) as (opened, stream):
        packets = opened.demux(stream)
        count = broken = 0
        while count < max_packets:
            count += 1
            try:
                frames = next(packets).decode()
            except StopIteration:
                return
            except InvalidDataError:
                broken += 1
                if broken > _MAX_BROKEN:
                    return
                continue
            except _BROKEN:
                return
            for frame in frames:
                yield _mono(frame), frame.sample_rate
    raise InvalidAudio("The audio is cut into more packets than speech has.")


@contextlib.contextmanager
def _opened(file: Readable, container: Container) -> Generator[tuple[InputContainer, AudioStream]]:
    try:
        opened = av.open(
            file,
            "r",
            format=_DEMUXERS[container],
            options=_OPTIONS,
            metadata_errors="replace",
            buffer_size=_BUFFER_BYTES,
        )
    except _BROKEN as exc:
        raise InvalidAudio(f"The {container} file is broken or not complete enough to be opened.") from exc
    with opened:
        stream = next(iter(opened.streams.audio), None)
        if stream is None:
            raise InvalidAudio(f"There is no sound in the {container} file.")
        # Without a decoder there is no context, whatever the stubs say.
        if getattr(stream.codec_context, "name", None) not in _CODECS:
            raise InvalidAudio(f"The sound in the {container} file is coded in a way that is not taken.")
        stream.codec_context.thread_count = 1
        yield opened, stream


def _mono(frame: av.AudioFrame) -> Samples:
    channels = frame.layout.nb_channels
    check_format(RawFormat(encoding="f32", sample_rate_hz=frame.sample_rate, channels=channels))
    values: NDArray[Any] = frame.to_ndarray()
    if values.dtype.kind == "i":
        values = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    elif values.dtype.kind == "u":
        values = (values.astype(np.float32) - 128) / 128
    if frame.format.is_planar:
        return mean_of(values, axis=0)
    return mean_of(values.reshape(-1, channels), axis=1)
