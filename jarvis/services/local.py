"""AUTH_MODE=local: one trusted owner, who signs in nowhere and has named profiles."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Hashable, Mapping
from types import MappingProxyType
from typing import TypeVar
from uuid import UUID

from jarvis.core.errors import Conflict, Forbidden, NotFound
from jarvis.core.identity import Allowance, ApiKey, UserRole
from jarvis.core.stores import UserStore
from jarvis.core.types import User
from jarvis.services.identity import Budget, Caller, Session
from jarvis.services.recent import Recent

DEFAULT_PROFILE = "default"
TOKENS_LAST_S = 900
"""As those of AUTH_MODE=jwt, for clients that renew by the clock; here it means nothing."""
UNLIMITED = Allowance(granted=True, remaining=0, retry_after_s=0, full_after_s=0)
NO_KEYS = "Nobody signs in here (AUTH_MODE=local), so no key is of any use."

K = TypeVar("K", bound=Hashable)


class LocalOwner:
    """The Caller of every request: acts as the profile that is named, or that the thing asked for belongs to.

    What was found is remembered: a profile's id never changes, and neither does an owner.
    """

    role: UserRole = "owner"
    session_id: UUID | None = None
    sockets: Mapping[Hashable, int] = MappingProxyType({})

    def __init__(self, users: UserStore) -> None:
        self._users = users
        self._profiles: Recent[str, User] = Recent()
        self._owners: Recent[UUID, User] = Recent()

    async def take(self, budget: Budget) -> Allowance:
        del budget
        return UNLIMITED

    async def left(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def profile(self, name: str | None) -> User:
        """Return the profile of that name, made on first use."""
        name = name or DEFAULT_PROFILE
        return await _remembered(self._profiles, name, lambda: self._users.profile(name))

    async def owner_of_conversation(self, conversation_id: UUID) -> User:
        """Raises NotFound("conversation")."""
        return await _remembered(
            self._owners, conversation_id, lambda: self._conversation_owner(conversation_id)
        )

    async def owner_of_turn(self, turn_id: UUID) -> User:
        """Raises NotFound("turn")."""
        return await _remembered(self._owners, turn_id, lambda: self._turn_owner(turn_id))

    async def owner_of_memory(self, memory_id: UUID) -> User:
        """Raises NotFound("memory")."""
        return await _remembered(self._owners, memory_id, lambda: self._memory_owner(memory_id))

    def remember(self, owned_id: UUID, user: User) -> None:
        self._owners.put(owned_id, user)

    async def _conversation_owner(self, conversation_id: UUID) -> User:
        user = await self._users.owner_of_conversation(conversation_id)
        if user is None:
            raise NotFound("conversation")
        return user

    async def _turn_owner(self, turn_id: UUID) -> User:
        user = await self._users.owner_of_turn(turn_id)
        if user is None:
            raise NotFound("turn")
        return user

    async def _memory_owner(self, memory_id: UUID) -> User:
        user = await self._users.owner_of_memory(memory_id)
        if user is None:
            raise NotFound("memory")
        return user


class LocalAccounts:
    """Fills Accounts where there are none: everybody is the owner, and gets tokens that are worth nothing."""

    def __init__(self, owner: LocalOwner) -> None:
        self._owner = owner

    async def caller(self, token: str) -> Caller:
        del token
        return self._owner

    async def sign_in(self, name: str, password: str, *, address: str) -> Session:
        del name, password, address
        return await self._session()

    async def sign_up(self, name: str, password: str, *, address: str) -> Session:
        del name, password, address
        raise Forbidden("Nobody signs up here (AUTH_MODE=local).")

    async def renew(self, refresh_token: str, *, address: str) -> Session:
        del refresh_token, address
        return await self._session()

    async def sign_out(self, caller: Caller, refresh_token: str | None, *, address: str) -> None:
        """Do nothing: nobody has signed in."""

    async def keys(self, user: User) -> list[ApiKey]:
        del user
        return []

    async def add_key(self, user: User, name: str, *, days: int | None, address: str) -> tuple[ApiKey, str]:
        del user, name, days, address
        raise Conflict(NO_KEYS)

    async def delete_key(self, user: User, key_id: UUID, *, address: str) -> None:
        del user, key_id, address
        raise NotFound("key")

    async def _session(self) -> Session:
        return Session(
            access_token=f"local-{secrets.token_urlsafe(12)}",
            refresh_token=f"local-{secrets.token_urlsafe(12)}",
            expires_in_s=TOKENS_LAST_S,
            user=await self._owner.profile(None),
            role=self._owner.role,
        )


async def _remembered(known: Recent[K, User], key: K, look_up: Callable[[], Awaitable[User]]) -> User:
    user = known.get(key)
    if user is None:
        user = await look_up()
        known.put(key, user)
    return user
