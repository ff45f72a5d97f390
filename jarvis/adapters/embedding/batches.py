"""What embedding servers share: batches within a deadline, answers checked, failures as the memory's."""

import asyncio
import contextlib
import math
from array import array
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any

from jarvis.adapters import model_http, streaming
from jarvis.core.errors import JarvisError, Unavailable
from jarvis.core.ports import Vector

BATCH = 32
"""Texts in one request: decoding more vectors at once would hold up the loop (of 4,096 dimensions: 5 ms)."""

BATCH_S = 10.0
MAX_CHARS = 8_000
_BLANK = "-"
"""Stands for a text without words: OpenAI refuses an empty one, Ollama leaves it out of its answer."""


async def embed_in_batches(
    requests: streaming.Requests,
    texts: Sequence[str],
    ask: Callable[[list[str]], Coroutine[Any, Any, Sequence[Sequence[float]]]],
    *,
    batch_s: float,
) -> list[Vector]:
    vectors: list[Vector] = []
    for first in range(0, len(texts), BATCH):
        batch = [text[:MAX_CHARS] if text.strip() else _BLANK for text in texts[first : first + BATCH]]
        with embedding_errors():
            answer = await requests.answer(ask(batch), limit_s=batch_s)
            await asyncio.sleep(0)
            vectors += _checked(answer, len(batch))
    return vectors


@contextlib.contextmanager
def embedding_errors() -> Generator[None]:
    """Turn everything that can go wrong with a server into Unavailable("memory", ...)."""
    try:
        with model_http.model_errors():
            yield
    except JarvisError as exc:
        # What model_http and streaming say of a language model is true of this one.
        raise Unavailable("memory", exc.detail.replace("language model", "embedding model")) from exc


def unit(values: Sequence[float]) -> Vector:
    """Return the vector of length 1 that points the same way. Raises ValueError where there is none."""
    length = math.hypot(*values)
    if not 0 < length < math.inf:
        raise ValueError("no direction")
    return array("f", [value / length for value in values])


def _checked(answer: Sequence[Sequence[float]], count: int) -> list[Vector]:
    vectors = [unit(values) for values in answer]
    if len(vectors) != count or len({len(vector) for vector in vectors}) != 1:
        raise model_http.garbled()
    return vectors
