"""Whose request it is, and that the store is asked once for each fact."""

from uuid import UUID

import pytest

from jarvis.core.errors import NotFound
from jarvis.core.types import User, new_id
from jarvis.services.local import LocalOwner
from jarvis.services.recent import MAX_REMEMBERED


class Users:
    """Users in memory, and what was asked of them."""

    def __init__(self) -> None:
        self.owners: dict[UUID, User] = {}
        self.asked: list[object] = []

    async def profile(self, name: str) -> User:
        self.asked.append(name)
        return User(id=new_id(), name=name)

    async def owner_of_conversation(self, conversation_id: UUID) -> User | None:
        self.asked.append(conversation_id)
        return self.owners.get(conversation_id)

    async def owner_of_turn(self, turn_id: UUID) -> User | None:
        return await self.owner_of_conversation(turn_id)

    async def owner_of_memory(self, memory_id: UUID) -> User | None:
        return await self.owner_of_conversation(memory_id)


async def test_nobody_named_is_the_default_profile() -> None:
    assert (await LocalOwner(Users()).profile(None)).name == "default"


async def test_a_profile_is_looked_up_once() -> None:
    users = Users()
    identity = LocalOwner(users)
    assert await identity.profile("anna") == await identity.profile("anna")
    assert users.asked == ["anna"]


@pytest.mark.parametrize("kind", ["conversation", "turn", "memory"])
async def test_that_something_is_nobodys_is_not_remembered(kind: str) -> None:
    users = Users()
    identity = LocalOwner(users)
    look_up = {
        "conversation": identity.owner_of_conversation,
        "turn": identity.owner_of_turn,
        "memory": identity.owner_of_memory,
    }[kind]
    wanted = new_id()
    with pytest.raises(NotFound):
        await look_up(wanted)
    users.owners[wanted] = User(id=new_id(), name="anna")
    assert (await look_up(wanted)).name == "anna"
    assert (await look_up(wanted)).name == "anna"
    assert users.asked == [wanted, wanted]


async def test_what_was_just_made_need_not_be_looked_up() -> None:
    users = Users()
    identity = LocalOwner(users)
    made, anna = new_id(), User(id=new_id(), name="anna")
    identity.remember(made, anna)
    assert await identity.owner_of_turn(made) == anna
    assert users.asked == []


async def test_only_so_many_are_remembered() -> None:
    users = Users()
    identity = LocalOwner(users)
    anna = User(id=new_id(), name="anna")
    ids = [new_id() for _ in range(MAX_REMEMBERED + 1)]
    for made in ids:
        identity.remember(made, anna)
    with pytest.raises(NotFound):
        await identity.owner_of_turn(ids[0])
    assert await identity.owner_of_turn(ids[1]) == anna
