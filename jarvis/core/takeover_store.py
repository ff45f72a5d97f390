"""The port to turns that a process left when it died, for the next one; by the rules of stores.py."""

from typing import Protocol
from uuid import UUID

from jarvis.core.types import Turn, User

SEQ_GAP = 1_000_000
"""Added to the checkpointed seq of a turn whose process died. An attempt cannot have used so many:
an answer has at most 2**18 bytes, and an event at least one of them."""


class TakeoverStore(Protocol):
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
