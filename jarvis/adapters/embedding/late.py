"""The embedder that is still being chosen: away until it arrives, then out of the way."""

from collections.abc import Sequence

from jarvis.core.errors import Unavailable
from jarvis.core.ports import Embedder, Vector, VectorSpace


class LateEmbedder:
    """Forwards to the embedder that arrived; before, everything raises Unavailable."""

    def __init__(self) -> None:
        self._embedder: Embedder | None = None

    def arrive(self, embedder: Embedder) -> None:
        """Forward to `embedder` from now on."""
        self._embedder = embedder

    async def space(self) -> VectorSpace:
        return await self._arrived().space()

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        return await self._arrived().embed(texts)

    def _arrived(self) -> Embedder:
        if self._embedder is None:
            raise Unavailable("memory", "What compares meanings is being started.")
        return self._embedder
