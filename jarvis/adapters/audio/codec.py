"""All that reads and writes sound, in one; FFmpeg, which takes 22 MB, is loaded when it is first needed."""

import asyncio
import math
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from jarvis.core.errors import TooLarge
from jarvis.core.speech import AudioFormat, GrowingFile, Pcm, RawFormat, SoundStream

if TYPE_CHECKING:
    from jarvis.adapters.audio.decoding import Decoder
    from jarvis.adapters.audio.encoding import Encoder
    from jarvis.adapters.audio.streams import Streams


class AudioCodec:
    """Fills the Codec port, within these bounds of what is taken."""

    def __init__(self, *, max_bytes: int, max_secs: float) -> None:
        self._max_bytes = max_bytes
        self._max_secs = max_secs
        self._decoder: Decoder | None = None
        self._streams: Streams | None = None
        self._endless: Streams | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for streams in (self._streams, self._endless):
            if streams is not None:
                await streams.aclose()
        if self._decoder is not None:
            self._decoder.close()

    async def decode(self, data: bytes, *, declared: RawFormat | None = None) -> Pcm:
        if len(data) > self._max_bytes:
            raise TooLarge(f"The audio has more than {self._max_bytes} bytes.")
        if self._decoder is None:
            self._decoder = await asyncio.to_thread(_decoder, self._max_secs)
        return await self._decoder.decode(data, declared=declared)

    async def stream(self, declared: RawFormat | None = None, *, endless: bool = False) -> SoundStream:
        if self._streams is None or self._endless is None:
            self._streams = await asyncio.to_thread(_streams, self._max_bytes, self._max_secs)
            self._endless = await asyncio.to_thread(_streams, math.inf, math.inf)
        return (self._endless if endless else self._streams).open(declared)

    async def encode(self, pieces: Sequence[Pcm], to: AudioFormat) -> bytes:
        return await asyncio.to_thread(_encoded, pieces, to)

    async def grow(self, to: AudioFormat, sample_rate_hz: int) -> GrowingFile:
        return _Growing(await asyncio.to_thread(_encoder, to, sample_rate_hz))


class _Growing:
    def __init__(self, encoder: "Encoder") -> None:
        self._encoder = encoder

    async def write(self, pcm: Pcm) -> bytes:
        return await asyncio.to_thread(self._encoder.write, pcm)

    async def finish(self) -> bytes:
        return await asyncio.to_thread(self._encoder.finish)


def _decoder(max_secs: float) -> "Decoder":
    from jarvis.adapters.audio.decoding import Decoder  # noqa: PLC0415 see the module

    return Decoder(max_secs=max_secs)


def _streams(max_bytes: float, max_secs: float) -> "Streams":
    from jarvis.adapters.audio.streams import Streams  # noqa: PLC0415 likewise

    return Streams(max_bytes=max_bytes, max_secs=max_secs)


def _encoder(to: AudioFormat, sample_rate_hz: int) -> "Encoder":
    from jarvis.adapters.audio.encoding import Encoder  # noqa: PLC0415 likewise

    return Encoder(to, sample_rate_hz)


def _encoded(pieces: Sequence[Pcm], to: AudioFormat) -> bytes:
    from jarvis.adapters.audio.encoding import encode  # noqa: PLC0415 likewise
    from jarvis.adapters.audio.resampling import at_one_rate  # noqa: PLC0415 likewise

    return encode(at_one_rate(pieces), to)
