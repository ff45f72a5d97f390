"""Silero's voice activity model: how likely each 32 ms of sound are speech.

One thread follows all streams, without the interpreter's lock: a chunk takes 0.1 ms alone, 0.7 among twenty.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from jarvis.adapters.audio.silero_models import Model, load_model
from jarvis.core.errors import Overloaded
from jarvis.core.speech import SAMPLE_BYTES, Pcm, SpeechShare

CHUNK_SAMPLES = 512
"""The only window of the model at HEARD_HZ."""
_CHUNK_BYTES = CHUNK_SAMPLES * SAMPLE_BYTES
MAX_STREAMS = 64
MAX_IDLE = 8
"""Models kept for the next streams: one takes 9 MB, and 0.2 s to load."""
LIKELY = 0.5
"""The threshold of the model's own examples."""
_BATCH = 64
"""Chunks in one turn of the thread: 7 ms, that a long clip does not hold up those who speak."""


class Silero:
    """Owns the thread and the models; streams share them. Close it with `close`."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="silero")
        self._idle: list[Model] = []
        self._listening = 0

    def listen(self) -> "VoiceActivity":
        """Return what follows one stream; close it. Raises Overloaded: MAX_STREAMS are followed already."""
        if self._listening >= MAX_STREAMS:
            raise Overloaded("Too many are speaking at once; try again in a moment.")
        self._listening += 1
        return VoiceActivity(self)

    async def share_of(self, pcm: Pcm) -> SpeechShare:
        """Judge a whole clip at HEARD_HZ, 4 to 20 ms of CPU for each second of it. Raises Overloaded."""
        with self.listen() as listening:
            found = await listening.probabilities(pcm.samples)
        likely = [probability for probability in found if probability >= LIKELY]
        if not likely:
            return SpeechShare(share=0.0, confidence=0.0)
        return SpeechShare(share=len(likely) / len(found), confidence=sum(likely) / len(likely))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._idle.clear()

    async def judge(self, stream: "VoiceActivity", samples: bytes) -> list[float]:
        """Return the probabilities of the whole chunks in `samples`, which follow those before."""
        loop = asyncio.get_running_loop()
        if stream.model is None:  # loaded elsewhere, so that nobody who speaks already waits for it
            stream.model = self._idle.pop() if self._idle else await asyncio.to_thread(load_model)
            loop.run_in_executor(self._thread, stream.model.reset)  # after whoever had it before
        return await loop.run_in_executor(self._thread, _judge, stream.model, samples)

    def leave(self, stream: "VoiceActivity") -> None:
        """Take back the model of a stream that is closed; its thread may still be at it, and goes first."""
        self._listening -= 1
        if stream.model is not None and len(self._idle) < MAX_IDLE:
            self._idle.append(stream.model)


def _judge(model: Model, samples: bytes) -> list[float]:
    view = memoryview(bytearray(samples)).cast("f")
    return [model.probability(view[at : at + CHUNK_SAMPLES]) for at in range(0, len(view), CHUNK_SAMPLES)]


class VoiceActivity:
    """The probabilities of one stream, in order. Not for two tasks at once; close it, or use `with`."""

    def __init__(self, owner: Silero) -> None:
        self.model: Model | None = None
        """Belongs to the owner's thread."""
        self._owner = owner
        self._rest = b""
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def probabilities(self, samples: bytes) -> list[float]:
        """Return one for each whole chunk of 32 ms so far; the remainder is kept for the next call.

        `samples` are float32 at HEARD_HZ, a whole number of them.
        """
        held = self._rest + samples
        whole = len(held) - len(held) % _CHUNK_BYTES
        self._rest = held[whole:]
        found: list[float] = []
        for at in range(0, whole, _BATCH * _CHUNK_BYTES):
            found += await self._owner.judge(self, held[at : min(at + _BATCH * _CHUNK_BYTES, whole)])
        return found

    def close(self) -> None:
        """Give the place back; again: nothing happens."""
        if not self._closed:
            self._closed = True
            self._owner.leave(self)
