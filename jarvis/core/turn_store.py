"""The ports to turns: what lasts of them, and who answers for them. More of ports.py, by its rules.

A store's method raises Unavailable("database", ...) when Postgres is away, and its transaction is rolled back
when the caller is cancelled.
"""

from typing import Protocol
from uuid import UUID

import msgspec

from jarvis.core.types import (
    AgainCommand,
    ChatCommand,
    ContextReport,
    History,
    Message,
    MessageMetadata,
    MessageStatus,
    Once,
    Turn,
    TurnStatus,
    Usage,
    User,
)

SEQ_GAP = 1_000_000
"""Added to the checkpointed seq of a turn whose process died. An attempt cannot have used so many:
an answer has at most 2**18 bytes, and an event at least one of them."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn's row remembers, so that its answer can be told again."""

    model: str
    usage: Usage
    response_time_ms: int
    memory_saved: bool
    context: ContextReport


class TurnOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a turn ended; `ending` is None where the process that ran it is gone."""

    status: MessageStatus
    text: str
    last_seq: int
    """The terminal event's; the row keeps it as `checkpoint_seq`."""
    metadata: MessageMetadata | None
    error: dict[str, str] | None = None
    ending: Ending | None = None


class StoredTurn(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    user: User
    conversation_id: UUID
    user_message_id: UUID
    status: TurnStatus
    partial_text: str
    checkpoint_seq: int
    """The newest seq at the last checkpoint; of a turn that has ended, its terminal event's."""
    message: Message | None
    """The answer, once the turn has ended."""
    error: dict[str, str] | None
    ending: Ending | None


class KnownTurn(msgspec.Struct, frozen=True, kw_only=True):
    """The turn that an idempotency key was used for; `answer` is its first answer's body, if it is kept."""

    turn_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    status: TurnStatus
    answer: bytes | None


class TurnRef(msgspec.Struct, frozen=True, kw_only=True):
    turn_id: UUID
    user: User


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """Of the turns whose leases were to be renewed: those that somebody asked to cancel, and those that could
    not be, since they have ended, are deleted, or were taken over.
    """

    cancelled: list[UUID]
    lost: list[UUID]


class TurnStore(Protocol):
    """Turns and the two messages of each."""

    async def begin(
        self,
        user: User,
        command: ChatCommand,
        *,
        turn_id: UUID,
        owner: str,
        lease_s: float,
        waiting: bool,
        history_limit: int = 0,
        once: Once | None = None,
    ) -> Turn | KnownTurn:
        """Commit the user's message, the turn and both places, making the conversation where none is named.

        The conversation's places are given in the order in which begins commit. `owner` names the process
        that answers for the turn until `lease_s` from now; `waiting` stores it `queued`, else `running`.
        A turn that does not wait brings its `history`, where a limit is given: for later it would be too old.
        Where `once` is known already, nothing is stored, and what it was used for is returned: of any number
        of begins with one key, in any process, one stores a turn. Raises as `known`, and
        NotFound("conversation"): also for another user's.
        """
        ...

    async def begin_again(
        self,
        user: User,
        command: AgainCommand,
        *,
        turn_id: UUID,
        owner: str,
        lease_s: float,
        waiting: bool,
        history_limit: int = 0,
        once: Once | None = None,
    ) -> Turn | KnownTurn:
        """Commit a turn that answers the last user message again, and otherwise do as `begin`.

        Raises NotFound("conversation"), and Conflict where nobody has said anything.
        """
        ...

    async def known(self, user: User, once: Once) -> KnownTurn | None:
        """Return what the key was used for by this user.

        Raises Mismatch where that was another wish, and NotFound("conversation") where it is deleted.
        """
        ...

    async def try_again(
        self,
        user: User,
        turn_id: UUID,
        *,
        owner: str,
        lease_s: float,
        waiting: bool,
        history_limit: int = 0,
    ) -> Turn | None:
        """Begin another attempt of a turn that failed, on the same message, and otherwise do as `begin`.

        None where it has not failed, or somebody else has begun one.
        """
        ...

    async def forget_keys(self, *, kept_s: float) -> None:
        """Forget, of everybody, keys that are older, and the answers that were kept for them."""
        ...

    async def keep_answer(self, user: User, turn_id: UUID, answer: bytes) -> None:
        """Keep the body of a turn's first answer, to be given again as it is."""
        ...

    async def start(self, user: User, turn_id: UUID, *, owner: str) -> None:
        """Turn `queued` into `running`, unless another process than `owner` answers for it by now."""
        ...

    async def history(self, turn: Turn, *, limit: int) -> History:
        """Read the newest `limit` messages before the turn's own, without earlier alternatives."""
        ...

    async def checkpoint(self, user: User, turn_id: UUID, *, text: str, seq: int, owner: str) -> None:
        """Keep the text so far, in case this process dies.

        Does nothing to a turn that has ended, or that another process than `owner` answers for by now.
        """
        ...

    async def finish(self, user: User, turn_id: UUID, outcome: TurnOutcome, *, owner: str) -> StoredTurn:
        """Commit the answer and the turn's end in one transaction.

        Where the user's message has an answer, that becomes an alternative of the new one; a new one that
        failed or is empty becomes an alternative of it instead, unless that failed or is empty too.
        Idempotent: of a turn that has ended already, the stored end is returned and nothing is changed.
        Likewise of one that another process than `owner` answers for by now: then it may not have ended.
        """
        ...

    async def shorten(self, user: User, turn_id: UUID, text: str) -> StoredTurn:
        """Cut the answer of a turn that was spoken to what was heard of it: the turn counts as cancelled.

        Where `text` is not how the answer begins, or a turn has no answer, nothing is changed.
        Raises NotFound("turn").
        """
        ...

    async def get(self, user: User, turn_id: UUID) -> StoredTurn:
        """Raises NotFound("turn")."""
        ...


class TurnLeases(Protocol):
    """Which process answers for which turn, until when, and what others ask of it."""

    async def request_cancel(self, user: User, turn_id: UUID) -> None:
        """Ask the turn's owner, whichever process it is, to end it. Raises NotFound("turn")."""
        ...

    async def cancel_in(self, user: User, conversation_id: UUID, *, but: Once | None = None) -> list[UUID]:
        """Ask the owners of all that runs or waits in a conversation to end it; return these turns.

        The turn that was begun with the key of `but` is not among them.
        """
        ...

    async def is_busy_elsewhere(
        self, user: User, conversation_id: UUID, *, owner: str, lease_s: float, before: UUID | None = None
    ) -> bool:
        """Tell whether a turn of another than `owner` runs or waits in a conversation, and its owner lives.

        An owner lives whose lease will last for `lease_s`. `before`: only a turn that began before that one.
        """
        ...

    async def renew(self, owner: str, live: list[UUID], lease_s: float) -> Renewal:
        """Lengthen the leases of `live`, as far as these turns are `owner`'s and have not ended."""
        ...

    async def abandoned(
        self, owner: str, live: list[UUID], *, predecessors: str, limit: int
    ) -> list[TurnRef]:
        """Take over turns that nobody runs any more, but none of `live`.

        They are those whose lease has ended, and those of other owners whose name starts with `predecessors`.
        They are leased to `owner` for a while, so that two sweepers never share one.
        """
        ...

    async def take_over(
        self,
        user: User,
        turn_id: UUID,
        *,
        said: str,
        seq: int,
        owner: str,
        lease_s: float,
        waiting: bool,
    ) -> Turn | None:
        """Begin to go on with a turn whose lease `owner` took, and otherwise do as TurnStore's `begin`.

        From then on `said` is its text so far, told in a `resync` of that `seq`, and the row says so: should
        this process die too, the next one knows.
        None where it is not to be gone on with: it is not `owner`'s, has ended, or is to be cancelled; it is
        spoken; or an earlier attempt has failed or was gone on with, so that a turn that brings every process
        down does so twice at most.
        """
        ...
