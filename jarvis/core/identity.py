"""Who may ask: accounts, sessions and keys, what is kept of them, and the ports that keep and check them.

A credential is a session, begun by signing in and carried on by refresh tokens, or an API key; its id names
it. Of a secret only a digest is stored.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from jarvis.core.types import User

UserRole = Literal["member", "owner"]
UserStatus = Literal["active", "suspended"]
AuditEvent = Literal[
    "user_added",
    "user_suspended",
    "user_resumed",
    "password_changed",
    "signed_up",
    "signed_in",
    "sign_in_failed",
    "signed_out",
    "refresh_token_reused",
    "key_added",
    "key_deleted",
]

MAX_PASSWORD_BYTES = 1024
"""In UTF-8: a bound on what is normalised and hashed, not on what somebody may think of."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user, as signing in and the administrator see him.

    `password_hash` is a PHC string; None: a profile of AUTH_MODE=local, as which nobody can sign in.
    """

    user: User
    role: UserRole
    status: UserStatus
    password_hash: str | None
    created_at: datetime


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a credential is that counts."""

    credential_id: UUID
    user: User
    role: UserRole


class SecretToken(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a secret: `digest` is its SHA-256; `expires_at` None: never."""

    id: UUID
    digest: bytes
    expires_at: datetime | None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret; `prefix` is the part of it that may be shown."""

    id: UUID
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None


class IdentityStore(Protocol):
    """Accounts and credentials, as a server needs them. Each change writes the audit log in its transaction.

    `address` is the client's, for that log; empty: unknown.
    """

    async def account(self, name: str) -> Account | None:
        """Return the account or profile of exactly that name."""
        ...

    async def add_account(
        self, name: str, password_hash: str, *, user_id: UUID, address: str
    ) -> Account | None:
        """Make the account of somebody who signs himself up; the first account of all is the owner's.

        None, and nothing is made, where a user has that name already, also in other capitals, or as a profile
        without a password.
        """
        ...

    async def rehash(self, account: Account, password_hash: str) -> None:
        """Keep the same password under another hash; nothing is kept if it has been changed meanwhile."""
        ...

    async def note(self, event: AuditEvent, *, user: User | None, address: str) -> None:
        """Write to the audit log what changes nothing else: a sign-in that failed, and whose it would be."""
        ...

    async def begin_session(
        self, account: Account, session_id: UUID, token: SecretToken, *, address: str
    ) -> None:
        """Begin a session, with its first refresh token.

        Raises Unauthenticated where the account is suspended, or has another password hash, by now.
        """
        ...

    async def renew_session(self, digest: bytes, token: SecretToken, *, address: str) -> Standing | None:
        """Put `token` in the place of the refresh token with that digest; return whose session it is.

        None where it does not count: unknown, expired, ended, or of a suspended user. One that was exchanged
        before ends its session. Of two at the same time only one gets the new token.
        """
        ...

    async def end_sessions(
        self, user: User, session_ids: Sequence[UUID], *, digest: bytes | None, address: str
    ) -> list[UUID]:
        """End sessions of the user, and the one that the refresh token with that digest belongs to.

        Return those that are ended by it; what is another's, or has ended, is left alone.
        """
        ...

    async def standings(self, credential_ids: Sequence[UUID]) -> list[Standing]:
        """Return those of the credentials that count now: neither ended nor expired, of an active user."""
        ...

    async def key_of(self, digest: bytes) -> UUID | None:
        """Return the id of the API key with that digest, whether it counts or not."""
        ...

    async def keys(self, user: User) -> list[ApiKey]:
        """Return the user's keys that have not expired, the oldest first."""
        ...

    async def add_key(self, user: User, key: ApiKey, digest: bytes, *, most: int, address: str) -> None:
        """Raises Conflict when he has `most` already, and Unauthenticated when he is suspended by now."""
        ...

    async def delete_key(self, user: User, key_id: UUID, *, address: str) -> None:
        """Raises NotFound("key")."""
        ...

    async def sweep(self, *, audit_days: int) -> None:
        """Forget refresh tokens and keys that expired a day ago, and what the audit log has for longer."""
        ...


class AccountRegister(Protocol):
    """Everybody's accounts, for the administrator of this machine. Each change is in the audit log."""

    async def add(
        self, name: str, password_hash: str, *, role: UserRole | None, user_id: UUID
    ) -> tuple[Account, bool]:
        """Make an account; or give a profile without a password one, which is what True says.

        The first account of all is the owner's; later ones are members where `role` is None. Raises
        Conflict where there is an account of that name, also in other capitals.
        """
        ...

    async def all(self) -> list[Account]:
        """Return every user, profiles without a password too, by name."""
        ...

    async def set_status(self, name: str, status: UserStatus) -> None:
        """Suspend, which ends all sessions and deletes all keys for good, or resume.

        Raises NotFound("user"), and Conflict for a profile without a password.
        """
        ...

    async def set_password(self, name: str, password_hash: str) -> None:
        """Change the password, which ends all sessions; keys stay. Raises as `set_status`."""
        ...


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What an access token says; `expires_at` in seconds since 1970."""

    user_id: UUID
    session_id: UUID
    expires_at: float


class AccessTokens(Protocol):
    """Short-lived tokens that prove a session without asking anybody."""

    @property
    def lifetime_s(self) -> int: ...

    def issue(self, user_id: UUID, session_id: UUID) -> str: ...

    def read(self, token: str) -> Claims:
        """Raises Unauthenticated for whatever is no such token, made with one of our keys, in force now."""
        ...


class PasswordHasher(Protocol):
    """Slow on purpose, and never in the event loop."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Tell whether it is the password. None is nobody's, and takes as long to find out."""
        ...

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether `hash` would make it with other parameters by now."""
        ...


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """At most `requests` in `window_s` seconds, all at once if need be."""

    requests: int
    window_s: float


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one more may be done, and how many after it; when the next (0: now), and when all of them."""

    granted: bool
    remaining: int
    retry_after_s: float
    full_after_s: float


class RateLimiter(Protocol):
    """Counts what is done in anybody's name: the generic cell rate algorithm, one cell for each key."""

    async def take(self, key: str, rate: Rate) -> Allowance:
        """Count one more against `key`, unless that would be too much; what is refused does not count."""
        ...
