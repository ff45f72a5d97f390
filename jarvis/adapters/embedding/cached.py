"""An embedder that remembers: the same text is embedded once, as long as there is room."""

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence

from jarvis.core.ports import Embedder, Vector, VectorSpace

MAX_BYTES = 8 * 1024 * 1024
_ENTRY_BYTES = 250
"""What an entry takes beside its numbers, measured."""


class Cached:
    """Fills the Embedder port with what `embedder` gives; closing that is for its opener.

    It keeps hashes, no texts, and forgets everything when `space` tells that the model is another.
    """

    def __init__(self, embedder: Embedder, *, max_bytes: int = MAX_BYTES) -> None:
        self._embedder = embedder
        self._max_bytes = max_bytes
        self._space: VectorSpace | None = None
        self._kept = _Kept()

    async def space(self) -> VectorSpace:
        space = await self._embedder.space()
        if space != self._space:
            # Not emptied but replaced: a call that waits for the old model may still add to the old one.
            self._space, self._kept = space, _Kept()
        return space

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        kept = self._kept
        keys = [_key(text) for text in texts]
        vectors = {key: vector for key in set(keys) if (vector := kept.get(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}
        if missing:
            made = await self._embedder.embed(list(missing.values()))
            for key, vector in zip(missing, made, strict=True):
                vectors[key] = kept.add(key, vector, max_bytes=self._max_bytes)
        return [vectors[key] for key in keys]


class _Kept:
    """Vectors by the hash of their text, the least recently used first."""

    def __init__(self) -> None:
        self._vectors: OrderedDict[bytes, array[float]] = OrderedDict()
        self._size_bytes = 0

    def get(self, key: bytes) -> Vector | None:
        vector = self._vectors.get(key)
        if vector is not None:
            self._vectors.move_to_end(key)
        return vector

    def add(self, key: bytes, vector: Vector, *, max_bytes: int) -> Vector:
        added = array("f", vector)
        self._discard(key)
        self._vectors[key] = added
        self._size_bytes += _size_bytes(added)
        while self._size_bytes > max_bytes:
            self._discard(next(iter(self._vectors)))
        return added

    def _discard(self, key: bytes) -> None:
        vector = self._vectors.pop(key, None)
        if vector is not None:
            self._size_bytes -= _size_bytes(vector)


def _size_bytes(vector: "array[float]") -> int:
    return _ENTRY_BYTES + len(vector) * vector.itemsize


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
