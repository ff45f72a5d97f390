"""Every failure a client can be told of, and the one table of their codes.

JarvisError
├── Invalid            400  the request itself is wrong; carries the field
├── InvalidAudio       400  what was sent holds no sound that can be decoded
├── Unauthenticated    401  nobody, or nobody we know
├── Forbidden          403  somebody who may not do this
├── NotFound           404  also for what belongs to someone else
├── Conflict           409  what is asked does not fit what is there
├── Busy               409  the conversation is answering already
├── Mismatch           422  the idempotency key was used for another request
├── TooLarge           413  more bytes or seconds of sound than are taken
├── RateLimited        429  too often, by the same user or from the same address
├── Overloaded         503  a bounded queue is full
├── Draining           503  the process is about to end
├── Unavailable        503  something Jarvis depends on is away
│   ├── Unreachable         nobody answers at its address
│   └── InDoubt             the database, while it committed
└── TimedOut           504  something Jarvis depends on did not answer in time
Refused                     what the HTTP edge turns away (405, 413, 415, ...)

Adapters translate their own exceptions into these at the border; nothing above an adapter names an
SDK's error.
"""

import math
from collections.abc import Sequence
from typing import Literal, Self

import msgspec

Dependency = Literal["database", "llm", "memory", "stt", "tts", "cache"]

PROBLEMS: dict[str, tuple[int, str]] = {
    "invalid_request": (400, "The request is not valid"),
    "message_too_large": (400, "The message does not fit the model's window"),
    "invalid_audio": (400, "The audio is not understood"),
    "unauthenticated": (401, "Sign in first"),
    "forbidden": (403, "This is not allowed"),
    "origin_not_allowed": (403, "This origin is not allowed"),
    "host_not_allowed": (403, "This host name is not allowed"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "This method is not allowed here"),
    "conflict": (409, "Conflict"),
    "conversation_busy": (409, "The conversation is busy"),
    "too_large": (413, "The request is too large"),
    "uri_too_long": (414, "The address is too long"),
    "unsupported_media_type": (415, "The content type is not supported"),
    "idempotency_mismatch": (422, "The key was used for another request"),
    "headers_too_large": (431, "The headers are too large"),
    "rate_limited": (429, "Too many requests"),
    "internal": (500, "Internal error"),
    "overloaded": (503, "Too much is waiting already"),
    "draining": (503, "The server is shutting down"),
    "database_unavailable": (503, "The database is not available"),
    "llm_unavailable": (503, "The language model is not available"),
    "memory_unavailable": (503, "The memory is not available"),
    "stt_unavailable": (503, "Speech recognition is not available"),
    "tts_unavailable": (503, "Speech synthesis is not available"),
    "llm_timeout": (504, "The language model took too long"),
    "stt_timeout": (504, "Speech recognition took too long"),
    "tts_timeout": (504, "Speech synthesis took too long"),
}
"""code -> (HTTP status, title); the contract's section 1, as far as it is built."""


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    field: str
    message: str


class JarvisError(Exception):
    """A failure with a stable code. `detail` is for people and names no id, path or host."""

    code: str = "internal"
    retry_after_s: int | None = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    @property
    def status(self) -> int:
        return PROBLEMS[self.code][0]

    @property
    def title(self) -> str:
        return PROBLEMS[self.code][1]


class Invalid(JarvisError):
    code = "invalid_request"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.errors = [FieldError(field=field, message=message)]

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> Self:
        """Tell of several fields at once; the first is the `detail`."""
        made = cls(errors[0].field, errors[0].message)
        made.errors = list(errors)
        return made


class MessageTooLarge(JarvisError):
    code = "message_too_large"


class InvalidAudio(JarvisError):
    code = "invalid_audio"


class Unauthenticated(JarvisError):
    code = "unauthenticated"

    def __init__(self, detail: str = "Send an access token or an API key that is in force.") -> None:
        super().__init__(detail)


class Forbidden(JarvisError):
    code = "forbidden"


class NotFound(JarvisError):
    code = "not_found"

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no such {what}.")


class Conflict(JarvisError):
    code = "conflict"


class Busy(JarvisError):
    code = "conversation_busy"

    def __init__(self) -> None:
        super().__init__("The conversation is answering already; wait, or send if_busy: interrupt.")


class Mismatch(JarvisError):
    code = "idempotency_mismatch"

    def __init__(self) -> None:
        super().__init__("This idempotency key was sent with another request before; make a new one.")


class TooLarge(JarvisError):
    code = "too_large"


class RateLimited(JarvisError):
    code = "rate_limited"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Too many requests; wait, and send this one again.")
        self.retry_after_s = math.ceil(retry_after_s)


class Overloaded(JarvisError):
    code = "overloaded"
    retry_after_s = 5


class Draining(JarvisError):
    code = "draining"
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__("The server is shutting down; send the request again.")


class Unavailable(JarvisError):
    """A dependency is away, or answered with something that is not an answer."""

    retry_after_s = 5

    def __init__(self, dependency: Dependency, detail: str) -> None:
        super().__init__(detail)
        self.dependency: Dependency = dependency
        self.code = f"{dependency}_unavailable"


class InDoubt(Unavailable):
    """The database left while it committed: what was written may be stored or not."""

    def __init__(self, detail: str) -> None:
        super().__init__("database", detail)


class Unreachable(Unavailable):
    """Nobody answers at its address: nothing was asked, and asking again at once is of no use."""


class TimedOut(JarvisError):
    """A dependency did not answer within its deadline."""

    def __init__(self, dependency: Dependency, detail: str) -> None:
        super().__init__(detail)
        self.dependency: Dependency = dependency
        self.code = f"{dependency}_timeout"


class Refused(JarvisError):
    """The HTTP edge turns a request away before any service sees it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
