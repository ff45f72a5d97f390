"""On whose behalf a request is done. Here: one trusted owner with named profiles (AUTH_MODE=local)."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar
from uuid import UUID

from jarvis.core.errors import NotFound
from jarvis.core.stores import UserStore
from jarvis.core.types import User

DEFAULT_PROFILE = "default"
MAX_REMEMBERED = 10_000

K = TypeVar("K", bound=Hashable)


class LocalIdentity:
    """Finds the profile that is named, or the one that a conversation, turn or memory belongs to.

    What was found is remembered: a profile's id never changes, and neither does an owner.
    """

    def __init__(self, users: UserStore) -> None:
        self._users = users
        self._profiles: OrderedDict[str, User] = OrderedDict()
        self._owners: OrderedDict[UUID, User] = OrderedDict()

    async def profile(self, name: str | None) -> User:
        """Return the profile of that name, made on first use; None is the default one."""
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
        """Note the owner of what has just been made, so that nobody need look it up."""
        _keep(self._owners, owned_id, user)

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


async def _remembered(known: OrderedDict[K, User], key: K, look_up: Callable[[], Awaitable[User]]) -> User:
    user = known.get(key)
    if user is None:
        user = await look_up()
        _keep(known, key, user)
    return user


def _keep(known: OrderedDict[K, User], key: K, user: User) -> None:
    known[key] = user
    if len(known) > MAX_REMEMBERED:
        known.popitem(last=False)
