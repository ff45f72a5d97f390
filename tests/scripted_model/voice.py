"""What delivery.py needs of a dialect: bytes for tokens, ends, whole answers and errors."""

from typing import Protocol

import msgspec

from tests.scripted_model.call import Usage


class Wording(Protocol):
    """How a dialect words errors."""

    def refusal(self, status: int, message: str | None, model: str) -> bytes:
        """Return the body of an HTTP error; without a message the product's own for that status."""
        ...

    def stream_error(self, message: str) -> bytes: ...

    def garbage(self, text: str) -> bytes: ...


class Voice(Protocol):
    """One answer in one dialect."""

    @property
    def content_type(self) -> str:
        """Return the type of a stream; a whole answer is application/json."""
        ...

    @property
    def wording(self) -> Wording: ...

    def token(self, piece: str) -> bytes: ...

    def end(self, usage: Usage) -> list[bytes]: ...

    def whole(self, pieces: tuple[str, ...], usage: Usage) -> bytes: ...


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no text of a model: its body is the same whatever the script says."""

    body: bytes
    wording: Wording
    content_type: str = "application/json"

    def token(self, piece: str) -> bytes:
        return piece.encode()

    def end(self, usage: Usage) -> list[bytes]:
        del usage
        return []

    def whole(self, pieces: tuple[str, ...], usage: Usage) -> bytes:
        del pieces, usage
        return self.body
