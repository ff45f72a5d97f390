"""Whole clips to sound, in a small pool of threads."""

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor

from jarvis.adapters.audio.containers import decode_file, decode_raw
from jarvis.adapters.audio.mp4 import check_mp4
from jarvis.adapters.audio.sniffing import HEAD_BYTES, TAKEN, id3_bytes, sniff
from jarvis.core.errors import InvalidAudio, Overloaded
from jarvis.core.speech import HEARD_HZ, Pcm, RawFormat

MAX_SECS = 120.0
MIN_SECS = 0.1
THREADS = 2
MAX_WAITING = 64


class Stopped(Exception):
    """Nobody waits for this sound any more."""


class Decoder:
    """Decodes off the event loop, THREADS clips at a time; close it with `close`."""

    def __init__(self, *, max_secs: float = MAX_SECS) -> None:
        self._max_secs = max_secs
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="audio")
        self._waiting = 0

    async def decode(self, data: bytes, *, declared: RawFormat | None = None) -> Pcm:
        """Return what `decode` does. Cancelled, its thread stops within a frame or two.

        Raises as `decode`; Overloaded: MAX_WAITING clips are being decoded or wait for it.
        """
        if self._waiting >= MAX_WAITING:
            raise Overloaded("Too much audio is waiting to be decoded; try again in a moment.")
        stop = threading.Event()
        self._waiting += 1
        try:
            # Kept in no variable: with its traceback, its error would hold the clip until a collection.
            return await asyncio.wrap_future(
                self._pool.submit(decode, data, declared=declared, max_secs=self._max_secs, stop=stop)
            )
        finally:
            stop.set()
            self._waiting -= 1

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def decode(
    data: bytes, *, declared: RawFormat | None, max_secs: float, stop: threading.Event | None = None
) -> Pcm:
    """Return the sound in `data`: raw samples where `declared`, else whatever its first bytes say.

    Of a clip that was cut or is broken, what decodes. Blocking. Raises InvalidAudio: not audio, or less than
    MIN_SECS of it; TooLarge: more than `max_secs`; Stopped: `stop` was set.
    """
    if not data:
        raise InvalidAudio(f"The audio is empty. {TAKEN}")
    stop = stop or threading.Event()
    if declared is not None:
        pieces = decode_raw(_Clip(data, stop), declared, max_secs=max_secs)
    else:
        begin = 0
        while tag := id3_bytes(data[begin : begin + HEAD_BYTES]):
            begin += tag
        data = data[begin:]
        container = sniff(data[:HEAD_BYTES])
        if container is None:
            raise InvalidAudio(f"This is not audio of a kind that is taken. {TAKEN}")
        if container == "mp4":
            check_mp4(data)
        pieces = decode_file(_Clip(data, stop), container, max_secs=max_secs)
    sound = bytearray()
    for piece in pieces:
        if stop.is_set():
            raise Stopped
        sound += piece
    pcm = Pcm(samples=bytes(sound), sample_rate_hz=HEARD_HZ)
    if pcm.duration_s < MIN_SECS:
        raise InvalidAudio(
            f"There are {pcm.duration_s * 1000:.0f} ms of sound in the audio: send 100 or more."
        )
    return pcm


class _Clip(io.BytesIO):
    """The bytes of a clip, which stop being read when `stop` is set."""

    def __init__(self, data: bytes, stop: threading.Event) -> None:
        super().__init__(data)
        self._stop = stop

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stop.is_set():
            raise Stopped
        return super().read(size)
