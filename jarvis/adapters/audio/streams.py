"""Sound that is decoded while it comes in: each stream has a thread, which FFmpeg reads and waits in."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Final

from jarvis.adapters.audio.containers import decode_file, decode_raw
from jarvis.adapters.audio.decoding import MAX_SECS, Stopped
from jarvis.adapters.audio.raw import read_exactly
from jarvis.adapters.audio.sniffing import HEAD_BYTES, TAKEN, id3_bytes, sniff
from jarvis.core.errors import InvalidAudio, JarvisError, Overloaded, TooLarge
from jarvis.core.speech import RawFormat

MAX_STREAMS = 64
MAX_BYTES = 10 * 1024 * 1024
UNREAD_BYTES = 256 * 1024
"""What a stream holds of its input before `feed` waits."""
UNHEARD_PIECES = 64
"""What a stream holds of its output before its thread waits."""
_CLOSE_S = 1.0


class Streams:
    """Opens streams, at most MAX_STREAMS at a time. A bound of `math.inf` is none."""

    def __init__(self, *, max_bytes: float = MAX_BYTES, max_secs: float = MAX_SECS) -> None:
        self._max_bytes = max_bytes
        self._max_secs = max_secs
        self._open: set[StreamDecoder] = set()

    def open(self, declared: RawFormat | None = None) -> "StreamDecoder":
        """Return a stream, whose `aclose` gives its place back. Raises Overloaded: there is none."""
        if len(self._open) >= MAX_STREAMS:
            raise Overloaded("Too many are speaking at once; try again in a moment.")
        stream = StreamDecoder(
            declared, max_bytes=self._max_bytes, max_secs=self._max_secs, ended=self._open.discard
        )
        self._open.add(stream)
        return stream

    async def aclose(self) -> None:
        await asyncio.gather(*(stream.aclose() for stream in set(self._open)))


class StreamDecoder:
    """One stream: bytes of any format go in by `feed`, sound comes out of `pieces`.

    Raw samples where `declared`, else what the first bytes say. MP4 needs all of its bytes and is refused:
    send it as a clip.
    """

    def __init__(
        self,
        declared: RawFormat | None,
        *,
        max_bytes: float,
        max_secs: float,
        ended: Callable[["StreamDecoder"], object],
    ) -> None:
        """Begin to listen; `ended` is called in the loop when the thread is gone. Needs a running loop."""
        self._declared = declared
        self._max_bytes = max_bytes
        self._max_secs = max_secs
        self._tell_ended = ended
        self._loop = asyncio.get_running_loop()
        self._pipe: Final = _Pipe(lambda: self._in_loop(self._room.set))
        self._fed_bytes = 0
        self._room = asyncio.Event()
        self._pieces: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._places = threading.Semaphore(UNHEARD_PIECES)
        self._over = asyncio.Event()
        self._failure: JarvisError | None = None
        threading.Thread(target=self._run, name="audio-stream", daemon=True).start()

    async def feed(self, data: bytes) -> None:
        """Take the next bytes; waits while UNREAD_BYTES are unread, and so while `pieces` is not read.

        Nothing happens where the stream has ended or is closed: `pieces` tells why. Raises TooLarge: more
        than `max_bytes` came in all.
        """
        self._fed_bytes += len(data)
        if self._fed_bytes > self._max_bytes:
            raise TooLarge(f"The audio has more than {self._max_bytes} bytes.")
        self._pipe.write(data)
        while self._pipe.unread_bytes > UNREAD_BYTES and not self._over.is_set():
            self._room.clear()
            await self._room.wait()

    def finish(self) -> None:
        """No more bytes come: `pieces` ends after what is left."""
        self._pipe.finish()

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the sound, float32 at HEARD_HZ, each piece as soon as it can be decoded; read it once.

        Raises InvalidAudio: not audio, or of a kind that is not taken; TooLarge: more than `max_secs`. A
        stream that is broken later just ends.
        """
        while True:
            self._news.clear()
            while self._pieces:
                self._places.release()
                yield self._pieces.popleft()
            if self._over.is_set() and not self._pieces:
                break
            await self._news.wait()
        if self._failure is not None:
            raise self._failure

    async def aclose(self) -> None:
        """End the stream and its thread; `pieces` and `feed` end too. Again: nothing happens."""
        self._pipe.close()
        self._places.release(UNHEARD_PIECES)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._over.wait()

    def _run(self) -> None:
        failure: JarvisError | None = None
        try:
            self._decode()
        except Stopped:
            pass
        except JarvisError as exc:
            failure = exc
        finally:
            self._pipe.close()
            self._in_loop(lambda: self._end(failure))

    def _decode(self) -> None:
        if self._declared is not None:
            pieces = decode_raw(self._pipe, self._declared, max_secs=self._max_secs)
        else:
            while tag := id3_bytes(self._pipe.peek(HEAD_BYTES)):
                read_exactly(self._pipe, tag)
            head = self._pipe.peek(HEAD_BYTES)
            if not head:
                return
            container = sniff(head)
            if container is None:
                raise InvalidAudio(f"This is not audio of a kind that is taken. {TAKEN}")
            if container == "mp4":
                raise InvalidAudio("MP4 cannot be understood as it comes: send WebM, or all of it at once.")
            pieces = decode_file(self._pipe, container, max_secs=self._max_secs)
        for piece in pieces:
            self._places.acquire()
            self._pipe.check()
            self._in_loop(lambda piece=piece: self._hand_over(piece))

    def _hand_over(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._news.set()

    def _end(self, failure: JarvisError | None) -> None:
        self._failure = failure
        self._over.set()
        self._news.set()
        self._room.set()
        self._tell_ended(self)

    def _in_loop(self, call: Callable[[], object]) -> None:
        # The loop may be gone before the thread: then nobody is left to be told.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)


class _Pipe:
    """Bytes from the loop to a thread; only its `read` and `peek` wait, for `write`, `finish` or `close`."""

    def __init__(self, drained: Callable[[], object]) -> None:
        """`drained` is called by the reading thread whenever no more than UNREAD_BYTES are left."""
        self._drained = drained
        self._buffer = bytearray()
        self._finished = False
        self._closed = False
        self._changed = threading.Condition()

    @property
    def unread_bytes(self) -> int:
        return len(self._buffer)

    def write(self, data: bytes) -> None:
        with self._changed:
            if not self._closed and not self._finished:
                self._buffer += data
                self._changed.notify()

    def finish(self) -> None:
        with self._changed:
            self._finished = True
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._buffer.clear()
            self._changed.notify()

    def check(self) -> None:
        """Raise Stopped where it is closed."""
        if self._closed:
            raise Stopped

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes without taking them, fewer at the end."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._buffer) >= size or self._finished or self._closed)
            self.check()
            return bytes(self._buffer[:size])

    def read(self, size: int) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._buffer or self._finished or self._closed)
            self.check()
            taken = bytes(self._buffer[:size])
            del self._buffer[:size]
        if len(self._buffer) <= UNREAD_BYTES < len(self._buffer) + len(taken):
            self._drained()
        return taken
