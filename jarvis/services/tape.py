"""Speech that can be heard again from its beginning, while it still comes."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable


class Tape:
    """Records what is played of `speech`, up to `max_bytes`; played by one listener at a time.

    `on_end` is called when the speech is over, once.
    """

    def __init__(self, speech: AsyncIterable[bytes], *, max_bytes: int, on_end: Callable[[], None]) -> None:
        self._rest = aiter(speech)
        self._max_bytes = max_bytes
        self._on_end = on_end
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._ended = False
        self.whole = True
        """False: there was more than is kept, and what was played cannot be played again."""

    async def play(self) -> AsyncGenerator[bytes]:
        """Yield all of the speech from its beginning; closing this leaves the rest to the next player."""
        for piece in list(self._kept):
            yield piece
        while not self._ended:
            try:
                piece = await anext(self._rest)
            except StopAsyncIteration:
                self._ended = True
                self._on_end()
                return
            self._keep(piece)
            yield piece

    def _keep(self, piece: bytes) -> None:
        self._kept_bytes += len(piece)
        if self._kept_bytes > self._max_bytes:
            self.whole = False
            self._kept.clear()
        else:
            self._kept.append(piece)
