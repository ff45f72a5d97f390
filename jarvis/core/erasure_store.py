"""The port behind which what was forgotten leaves the database's files. More of stores.py, by its rules."""

from typing import Protocol

import msgspec


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What one rewriting came to."""

    is_done: bool
    """Nothing is left for the next one: no table was busy, nobody may still see what was deleted."""
    left: list[str]
    """Tables that the administrator has to rewrite: too large to do it unseen, or another role's."""


class ErasureStore(Protocol):
    async def rewrite(self) -> Erased:
        """Rewrite the tables that held what was deleted, so that no byte of it stays in their files.

        Each is locked for at most some seconds, that of memories for half a minute; cancelling ends that at
        once, and changes nothing. At most one process at a time does it. Raises Unavailable.
        """
        ...
