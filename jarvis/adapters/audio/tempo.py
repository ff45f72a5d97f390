"""Speech faster or slower at the same pitch, for engines that cannot do it themselves."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator

from jarvis.core.speech import Pcm


async def stretched(pieces: AsyncGenerator[Pcm], speed: float) -> AsyncGenerator[Pcm]:
    """Yield `pieces` so that they take 1/`speed` (0.5 to 2) of their time; closes `pieces` when closed.

    The first sound comes about 0.1 s of sound later; the work is done in threads.
    """
    tempo: _Tempo | None = None
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if speed == 1:
                yield piece
                continue
            tempo = tempo or await asyncio.to_thread(_Tempo, piece.sample_rate_hz, speed)
            if samples := await asyncio.to_thread(tempo.feed, piece.samples):
                yield Pcm(samples=samples, sample_rate_hz=piece.sample_rate_hz)
    if tempo is not None and (samples := await asyncio.to_thread(tempo.finish)):
        yield Pcm(samples=samples, sample_rate_hz=tempo.sample_rate_hz)


class _Tempo:
    """FFmpeg's `atempo`: overlaps waveforms where they are alike (WSOLA)."""

    def __init__(self, sample_rate_hz: int, speed: float) -> None:
        from av.filter import Graph  # noqa: PLC0415 30 MB, of use only where somebody asks for another speed

        self.sample_rate_hz = sample_rate_hz
        self._fed = 0
        self._graph = Graph()
        source = self._graph.add_abuffer(sample_rate=sample_rate_hz, format="flt", layout="mono")
        stretch = self._graph.add("atempo", str(speed))
        source.link_to(stretch)
        stretch.link_to(self._graph.add("abuffersink"))
        self._graph.configure()

    def feed(self, samples: bytes) -> bytes:
        import numpy as np  # noqa: PLC0415 likewise
        from av import AudioFrame  # noqa: PLC0415 likewise

        values = np.frombuffer(samples, "<f4").reshape(1, -1)
        frame = AudioFrame.from_ndarray(values, format="flt", layout="mono")
        frame.sample_rate = self.sample_rate_hz
        frame.pts = self._fed
        self._fed += values.shape[1]
        self._graph.push(frame)
        return b"".join(self._ready())

    def finish(self) -> bytes:
        self._graph.push(None)
        return b"".join(self._ready())

    def _ready(self) -> Iterator[bytes]:
        from av.error import BlockingIOError as NothingYet  # noqa: PLC0415 likewise
        from av.error import EOFError as NothingMore  # noqa: PLC0415 likewise

        while True:
            try:
                frame = self._graph.pull()
            except (NothingYet, NothingMore):
                return
            yield frame.to_ndarray().tobytes()
