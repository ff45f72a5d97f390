"""What a test tells the model to do: scripts, faults, and which request gets which script.

Data and choice only; delivery.py acts on it.
"""

from collections import deque
from typing import TypeAlias

import msgspec

from tests.scripted_model.call import GENERATING, Call, Kind


class Hang(msgspec.Struct, frozen=True, kw_only=True, tag="hang"):
    """Says nothing more from token `at_token` on, until `release()` or the client leaves.

    At token 0 not even the response head is sent, as Ollama does while it evaluates a prompt.
    """

    at_token: int = 0


class Reset(msgspec.Struct, frozen=True, kw_only=True, tag="reset"):
    """Sends a TCP RST before token `at_token`; at 0 without a response head."""

    at_token: int = 0


class StreamError(msgspec.Struct, frozen=True, kw_only=True, tag="stream_error"):
    """An error object inside a stream with status 200; a 500 where no stream was asked for."""

    at_token: int = 0
    message: str = "an error was encountered while running the model: unexpected EOF"


class Garbage(msgspec.Struct, frozen=True, kw_only=True, tag="garbage"):
    """A line that is no JSON before token `at_token`, then a proper end of the HTTP body."""

    at_token: int = 0
    text: str = "<html>it works!</html>"


class MissingEnd(msgspec.Struct, frozen=True, kw_only=True, tag="missing_end"):
    """The connection closes without the objects that end a stream (`done`; finish, usage, `[DONE]`).

    `drop` says how many of them, from the last; None means all. With `cut_http` the last HTTP chunk is
    missing too. An answer that is no stream loses the second half of its body.
    """

    drop: int | None = None
    cut_http: bool = False


class ByteByByte(msgspec.Struct, frozen=True, kw_only=True, tag="byte_by_byte"):
    """Every body byte in its own TCP write, and HTTP chunk in a stream: characters arrive split."""


class TwoPerChunk(msgspec.Struct, frozen=True, kw_only=True, tag="two_per_chunk"):
    """Two stream objects in each HTTP chunk."""


class Refuse(msgspec.Struct, frozen=True, kw_only=True, tag="refuse"):
    """An HTTP error in the endpoint's own wording: 404 as for an unknown model, 500, 503, ..."""

    status: int = 503
    message: str | None = None


class SlowHead(msgspec.Struct, frozen=True, kw_only=True, tag="slow_head"):
    """The response head one byte each `byte_interval_s`."""

    byte_interval_s: float = 0.01


Fault: TypeAlias = (
    Hang | Reset | StreamError | Garbage | MissingEnd | ByteByByte | TwoPerChunk | Refuse | SlowHead
)


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one request is answered.

    The text is `text`, else `tokens` words "w0 w1 ...", else "You said: <last user message>". A token
    is a word with the white space before it. `tokens_per_s` None is as fast as possible. The stream waits at
    `gate` before token `gate_at_token`. Positions beyond the last token mean after it.
    A request with the text's beginning gets what is behind that, and positions count from there; one with
    another beginning gets all of the text.
    """

    text: str | None = None
    tokens: int | None = None
    tokens_per_s: float | None = None
    first_token_delay_s: float = 0.0
    head_first: bool = False
    """Sends the response head at once, as vLLM does, not with the first token."""
    gate: str | None = None
    gate_at_token: int = 0
    prompt_tokens: int | None = None
    """Reported instead of the estimate, for instance to show a prompt cut by the model."""
    done_reason: str | None = None
    fault: Fault | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a script is for: a substring of the last user message (or of the input to embed), a kind.

    Without a kind it is for requests that generate text. `once` ends the rule with its first use.
    """

    script: Script
    match: str = ""
    kind: Kind | None = None
    once: bool = False

    def fits(self, call: Call) -> bool:
        right_kind = call.kind in GENERATING if self.kind is None else call.kind == self.kind
        return right_kind and self.match in call.last_user_message


class Playbook:
    """Chooses: rules for one use as given, then the newest standing rule that fits, then the default."""

    def __init__(self, default: Script) -> None:
        self._default = default
        self._once: list[Rule] = []
        self._standing: deque[Rule] = deque()

    def add(self, rule: Rule) -> None:
        if rule.once:
            self._once.append(rule)
        else:
            self._standing.appendleft(rule)

    def clear(self) -> None:
        self._once.clear()
        self._standing.clear()

    def choose(self, call: Call) -> Script:
        for position, rule in enumerate(self._once):
            if rule.fits(call):
                del self._once[position]
                return rule.script
        for rule in self._standing:
            if rule.fits(call):
                return rule.script
        return self._default if call.kind in GENERATING else PLAIN


PLAIN = Script()
