"""The roles that services need filled; adapters fill them, and one contract suite per port keeps each honest.

Every method raises only `JarvisError`s. The ports to what lasts are in stores.py.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from jarvis.core.events import LogEntry, TurnEvent
from jarvis.core.types import (
    Role,
)


class PromptMessage(msgspec.Struct, frozen=True, kw_only=True):
    role: Role
    content: str


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to answer; `model` None is the adapter's default."""

    model: str | None = None
    temperature: float
    max_tokens: int


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """The model's own account of an answer; a count is None where the server does not say."""

    model: str
    prompt_tokens: int | None
    completion_tokens: int | None
    reason: str


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an answer; the last one of a stream carries `finish`, and no other does."""

    text: str = ""
    finish: Finish | None = None


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    size: int
    modified_at: datetime | None
    default: bool
    family: str | None = None
    loaded: bool | None = None


class LLM(Protocol):
    """A chat model that streams."""

    @property
    def model(self) -> str:
        """The model that answers where a request names none."""
        ...

    async def window_tokens(self, model: str | None = None) -> int:
        """Return how many tokens prompt and answer may have together.

        Raises Invalid("model", ...) for a model the server does not have, Unavailable or TimedOut.
        """
        ...

    async def continues(self, model: str | None = None) -> bool:
        """Tell whether the model goes on with the beginning of an answer (a prefill); raises as the above.

        True only where that is known of the server, and of the model: others begin a second answer.
        """
        ...

    def stream(self, prompt: Sequence[PromptMessage], options: Options) -> AsyncGenerator[Chunk]:
        """Yield chunks until the model stops; the last one carries `finish`.

        Where the prompt's last message is the assistant's, it is the beginning of the answer, and what comes
        goes behind it as it is: only where the model `continues`, and best without white space at its end.

        Closing the generator (or cancelling its reader) closes the connection to the model within 1 s,
        before the first chunk too. Raises Unavailable (refused, reset, 5xx, `{"error"}`, no proper end; also
        a default model that is missing), TimedOut (no chunk in time), Invalid("model", ...) for a model
        that the request named.
        A prompt that the server cut is not an error: compare `finish.prompt_tokens` with the estimate.
        """
        ...

    async def models(self) -> list[ModelInfo]:
        """Return what the server can answer with. Raises Unavailable or TimedOut."""
        ...

    async def ping(self) -> None:
        """Return when the server answers, without a generation. Raises Unavailable or TimedOut."""
        ...


class TurnLog(Protocol):
    """The live tail of every turn of this process; Postgres is the truth."""

    def append(self, event: TurnEvent) -> LogEntry:
        """Add an event; never waits. A turn's events come in the order of their `seq`."""
        ...

    def read(self, turn_id: UUID, *, after: int = -1) -> AsyncGenerator[LogEntry]:
        """Yield the events whose seq is above `after`, in order, as they come, up to the terminal one.

        Any number of readers; each gets every event. Raises NotFound("turn") where the log has
        (or keeps) nothing of this turn. Ends without a terminal event where the turn is handed over.
        """
        ...

    def hand_over(self, turn_id: UUID) -> None:
        """Keep no more of a turn that another process goes on with; whoever reads it has its end here."""
        ...

    def last_seq(self, turn_id: UUID) -> int | None:
        """Return the newest seq, or None where the log has nothing of this turn."""
        ...

    def forget(self, turn_ids: Iterable[UUID]) -> None:
        """Drop those of these turns that have ended, and the others as soon as they have.

        Whoever reads one of these already still gets all of it.
        """
        ...


Vector = Sequence[float]


class VectorSpace(msgspec.Struct, frozen=True, kw_only=True):
    """What makes vectors comparable: the same model, of the same version, gives as many dimensions."""

    model: str
    version: str
    dimensions: int


class Embedder(Protocol):
    """Turns texts into vectors that point the same way when the texts mean alike."""

    async def space(self) -> VectorSpace:
        """Return what its vectors can be compared with. Raises Unavailable("memory", ...)."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return a vector of length 1 for each text, in order; never blocks the loop for longer than 5 ms.

        Any number of texts, of any length: too long ones are cut. Raises Unavailable("memory", ...).
        """
        ...


class VectorPoint(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    vector: Vector


class Nearby(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    similarity: float
    """Cosine, -1 to 1."""


class VectorStore(Protocol):
    """Vectors of memories, each owned by one user; derived data that can be made again from Postgres.

    Every method but `open` works in the space that was opened, sees what earlier calls have put, and raises
    Unavailable("memory", ...) within 2 s (`open`, puts and deletions within 10 s) when the store is away,
    was not opened, or lost what was opened: then `open` again.
    """

    def name_of(self, space: VectorSpace) -> str:
        """Return a name for the vectors of that space in this store, which those of no other store have."""
        ...

    async def open(self, space: VectorSpace, *, anew: bool = False) -> bool:
        """Make ready for vectors of that space; return whether there are none yet.

        `anew`: what there is of that space is dropped. Vectors of another are left alone, whoever made them.
        """
        ...

    async def put(self, user_id: UUID, points: Sequence[VectorPoint]) -> None:
        """Add or replace, durable on return; what another user has under one of these ids stays as it is."""
        ...

    async def nearest(self, user_id: UUID, vector: Vector, *, limit: int) -> list[Nearby]:
        """Return the user's nearest vectors, the nearest first."""
        ...

    async def similarities(self, user_id: UUID, vector: Vector, ids: Sequence[UUID]) -> list[Nearby]:
        """Return how near these of the user's vectors are, in any order; without those not there."""
        ...

    async def delete(self, user_id: UUID, ids: Sequence[UUID]) -> None:
        """Drop these; those that are not there, or another's, are no error."""
        ...

    async def delete_user(self, user_id: UUID) -> None: ...

    async def purge(self) -> None:
        """Return when what was deleted or replaced is gone from the store's files too; within a minute."""
        ...

    async def drop_other_spaces(self) -> None:
        """Drop the vectors that Jarvis made of every other space, with their files; nobody else's."""
        ...

    async def ping(self) -> None:
        """Return when the store answers."""
        ...
