"""One request as both dialects mean it: who is asked, with what words, under which options. Pure data."""

import math
import re
from typing import Literal

import msgspec

Kind = Literal[
    "chat", "generate", "embed", "tags", "show", "version", "ps", "pull", "models", "health", "props", "other"
]
GENERATING: frozenset[Kind] = frozenset({"chat", "generate"})


class Message(msgspec.Struct, frozen=True, kw_only=True):
    role: str
    content: str = ""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """`options` are as received: Ollama's `options`, or OpenAI's fields other than the messages."""

    kind: Kind
    path: str
    model: str = ""
    messages: tuple[Message, ...] = ()
    inputs: tuple[str, ...] = ()
    options: dict[str, object] = {}
    max_tokens: int | None = None
    num_ctx: int | None = None
    dimensions: int | None = None
    stream: bool = False
    prefill: str = ""
    """The beginning of the answer, where the request has it go on with one."""
    body: dict[str, object] = {}

    @property
    def last_user_message(self) -> str:
        for message in reversed(self.messages):
            if message.role == "user":
                return message.content
        return " ".join(self.inputs)


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    prompt_tokens: int
    completion_tokens: int
    done_reason: str


def tokenise(text: str) -> tuple[str, ...]:
    """Split into words, each with the white space before it; the pieces joined are the text."""
    return tuple(re.findall(r"\s*\S+|\s+$", text))


def numbered_words(count: int) -> tuple[str, ...]:
    return tuple(f" w{number}" if number else "w0" for number in range(count))


def estimate_prompt_tokens(call: Call, bytes_per_token: float) -> int:
    """Return four tokens a message and one for each `bytes_per_token`, at most the window asked for."""
    size_bytes = sum(len(message.content.encode()) for message in call.messages)
    size_bytes += sum(len(text.encode()) for text in call.inputs)
    count = 4 * len(call.messages) + math.ceil(size_bytes / bytes_per_token)
    return count if call.num_ctx is None else min(count, call.num_ctx)
