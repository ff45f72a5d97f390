"""On whose behalf a request is done, and how somebody becomes known: what every AUTH_MODE has to fill."""

from collections.abc import Hashable, Mapping
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from jarvis.core.identity import Allowance, ApiKey, UserRole
from jarvis.core.types import User

Budget = Literal["chat", "voice", "login", "reads"]
"""What is counted apart: turns, speech, signing in, and everything else."""


class Caller(Protocol):
    """Whoever asks. It is he for whom everything is done that a request or a socket asks for."""

    @property
    def role(self) -> UserRole: ...

    @property
    def session_id(self) -> UUID | None:
        """The session that he asks in; None: by a key, or where nobody signs in."""
        ...

    @property
    def sockets(self) -> Mapping[Hashable, int]:
        """What his open sockets are counted by, with the most that there may be of it."""
        ...

    async def take(self, budget: Budget) -> Allowance:
        """Count one more request of his; one that is not granted is to be refused."""
        ...

    async def left(self) -> None:
        """Return within 1 s of the end of what he signed in with."""
        ...

    async def profile(self, name: str | None) -> User:
        """Return the user to act for, where nothing that exists says it; None is the default one."""
        ...

    async def owner_of_conversation(self, conversation_id: UUID) -> User:
        """Return the user to act for in that conversation. May raise NotFound("conversation")."""
        ...

    async def owner_of_turn(self, turn_id: UUID) -> User:
        """May raise NotFound("turn")."""
        ...

    async def owner_of_memory(self, memory_id: UUID) -> User:
        """May raise NotFound("memory")."""
        ...

    def remember(self, owned_id: UUID, user: User) -> None:
        """Note the owner of what has just been made, so that nobody need look it up."""
        ...


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody gets who signs in: an access token for `expires_in_s`, and one to get the next with."""

    access_token: str
    refresh_token: str
    expires_in_s: int
    user: User
    role: UserRole


class Accounts(Protocol):
    """How somebody signs in and out, and his keys. `address` is the client's, for the audit log."""

    async def caller(self, token: str) -> Caller:
        """Return whose an access token or an API key is. Raises Unauthenticated."""
        ...

    async def sign_in(self, name: str, password: str, *, address: str) -> Session:
        """Raises Unauthenticated, Forbidden for a suspended account, RateLimited."""
        ...

    async def sign_up(self, name: str, password: str, *, address: str) -> Session:
        """Raises Forbidden where that is not allowed, Conflict for a name that is taken, Invalid."""
        ...

    async def renew(self, refresh_token: str, *, address: str) -> Session:
        """Exchange a refresh token, which counts no more, for the next. Raises Unauthenticated."""
        ...

    async def sign_out(self, caller: Caller, refresh_token: str | None, *, address: str) -> None:
        """End the caller's session, and that of the token where it is his. Raises Conflict for a key."""
        ...

    async def keys(self, user: User) -> list[ApiKey]: ...

    async def add_key(self, user: User, name: str, *, days: int | None, address: str) -> tuple[ApiKey, str]:
        """Return the key and its secret, which nobody can tell again. Raises Conflict for one too many."""
        ...

    async def delete_key(self, user: User, key_id: UUID, *, address: str) -> None:
        """Raises NotFound("key")."""
        ...
