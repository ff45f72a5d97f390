"""The beginning of an answer that a model goes on with, and the echo of it that some servers send. Pure."""

from collections.abc import Sequence

from jarvis.core.ports import PromptMessage

SHORTEST_ECHO_CHARS = 8
"""A shorter beginning that comes again may be the model's own word: "ha" goes on with "ha"."""


def prefill_of(prompt: Sequence[PromptMessage]) -> str:
    """Return the beginning of the answer; "" where the prompt has none."""
    return prompt[-1].content if prompt and prompt[-1].role == "assistant" else ""


class Continuation:
    """Passes on what comes behind a beginning, without the beginning itself where a server repeats it first.

    What may be such an echo is held back until it is one, or is none.
    """

    def __init__(self, prefill: str) -> None:
        self._awaited = prefill if len(prefill) >= SHORTEST_ECHO_CHARS else ""
        self._held = ""

    def take(self, text: str) -> str:
        """Return what of the answer is certain by now."""
        if not self._awaited:
            return text
        self._held += text
        if len(self._held) < len(self._awaited) and self._awaited.startswith(self._held):
            return ""
        certain = self._held.removeprefix(self._awaited)
        self._awaited = self._held = ""
        return certain

    def rest(self) -> str:
        """Return what was held back, once the answer has ended."""
        return self._held
