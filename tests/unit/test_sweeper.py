"""Turns whose begin is in doubt: ended once they turn out to be stored, unless they run again by then."""

from typing import Any, cast
from uuid import UUID

import pytest

from jarvis.core.stores import StoredTurn, TurnOutcome, TurnRef, TurnStore
from jarvis.core.types import User, new_id
from jarvis.services.sweeper import Sweeper

REF = TurnRef(turn_id=new_id(), user=User(id=new_id(), name="anna"))


class Store:
    """Has one turn, and notes how it is ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def get(self, user: User, turn_id: UUID) -> StoredTurn:
        return StoredTurn(
            id=turn_id,
            user=user,
            conversation_id=new_id(),
            user_message_id=new_id(),
            status="running",
            partial_text="",
            checkpoint_seq=0,
            message=None,
            error=None,
            ending=None,
        )

    async def finish(self, user: User, turn_id: UUID, outcome: TurnOutcome, *, owner: str) -> None:
        assert (user, turn_id, owner) == (REF.user, REF.turn_id, "box/1")
        self.ended.append(outcome.status)

    async def abandoned(self, *_: Any, **__: Any) -> list[TurnRef]:
        return []


async def never(left: StoredTurn) -> bool:
    raise AssertionError(left)


class Reporter:
    def exception(self, event: str) -> None:
        raise AssertionError(event)


@pytest.mark.parametrize(("live", "ended"), [([], ["failed"]), ([REF.turn_id], [])])
async def test_a_doubted_turn_is_ended_once_and_only_while_nobody_runs_it(
    live: list[UUID], ended: list[str]
) -> None:
    store = Store()
    sweeper = Sweeper(
        cast("TurnStore", store),
        Reporter(),
        owner="box/1",
        predecessors="box/",
        live=lambda: live,
        go_on=never,
    )
    sweeper.doubt(REF)
    await sweeper.sweep()
    live.clear()
    await sweeper.sweep()
    assert store.ended == ended
