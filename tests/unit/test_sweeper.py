"""Turns that nobody runs, and those whose begin is in doubt: each is ended once."""

import asyncio
from typing import Any, cast
from uuid import UUID

import pytest

from jarvis.core.turn_store import StoredTurn, TurnLeases, TurnOutcome, TurnRef, TurnStore
from jarvis.core.types import User, new_id
from jarvis.services.sweeper import Sweeper

REF = TurnRef(turn_id=new_id(), user=User(id=new_id(), name="anna"))


class Store:
    """Has these turns, and notes how they are ended; each end waits until it `may_end`."""

    def __init__(self, *abandoned: TurnRef) -> None:
        self.ended: list[str] = []
        self.may_end = asyncio.Semaphore(1000)
        self._abandoned = list(abandoned)
        self._ended_ids: set[UUID] = set()

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
        assert (user, turn_id in self._ended_ids, owner) == (REF.user, False, "box/1")
        await self.may_end.acquire()
        self._ended_ids.add(turn_id)
        self.ended.append(outcome.status)

    async def abandoned(self, *_: Any, **__: Any) -> list[TurnRef]:
        taken, self._abandoned = self._abandoned, []
        return taken


class Reporter:
    def exception(self, event: str) -> None:
        raise AssertionError(event)


def sweeper_of(store: Store, live: list[UUID], *, goes_on: bool = False) -> Sweeper:
    async def go_on(left: StoredTurn) -> bool:
        if goes_on:
            live.append(left.id)
        return goes_on

    return Sweeper(
        cast("TurnStore", store),
        cast("TurnLeases", store),
        Reporter(),
        owner="box/1",
        predecessors="box/",
        live=lambda: live,
        go_on=go_on,
    )


async def test_a_sweep_that_was_cut_short_is_gone_on_with() -> None:
    store = Store(*(TurnRef(turn_id=new_id(), user=REF.user) for _ in range(5)))
    store.may_end = asyncio.Semaphore(2)
    sweeper = sweeper_of(store, [])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sweeper.sweep(), 0.05)
    store.may_end = asyncio.Semaphore(1000)
    await sweeper.sweep()
    assert store.ended == ["interrupted"] * 5


async def test_what_is_gone_on_with_is_left_alone_though_it_was_found_twice() -> None:
    store, live = Store(REF, REF), list[UUID]()
    await sweeper_of(store, live, goes_on=True).sweep()
    assert (store.ended, live) == ([], [REF.turn_id])


@pytest.mark.parametrize(("live", "ended"), [([], ["failed"]), ([REF.turn_id], [])])
async def test_a_doubted_turn_is_ended_once_and_only_while_nobody_runs_it(
    live: list[UUID], ended: list[str]
) -> None:
    store = Store()
    sweeper = sweeper_of(store, live)
    sweeper.doubt(REF)
    await sweeper.sweep()
    live.clear()
    await sweeper.sweep()
    assert store.ended == ended
