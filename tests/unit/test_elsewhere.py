"""A turn of another process, whatever is lost on the way: each word once, in order, to the end."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from random import Random
from typing import cast
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.core.endings import terminal_event
from jarvis.core.errors import Unavailable
from jarvis.core.events import Ack, Delta, LogEntry, TurnEvent
from jarvis.core.replicas import Hint, Hints, TurnHeard
from jarvis.core.turn_store import StoredTurn, TurnLeases, TurnStore
from jarvis.core.types import Message, User, new_id
from jarvis.services.elsewhere import HEARD_PERIOD_S, Elsewhere
from tests.chaos.talking import Heard

USER = User(id=new_id(), name="anna")
AT = datetime(2026, 11, 1, tzinfo=UTC)
TICK_S = 0.1
CHECKPOINT_TICKS = 5


class World:
    """A turn that another process runs: each tick it says something, of which some arrives here.

    Fills what Elsewhere needs of TurnStore, TurnTails, Tail and Hints. Each look at the tail is a tick.
    """

    def __init__(self, seed: int, *, events: int, loss: float, away: float) -> None:
        self.turn_id = new_id()
        self.hints: list[Hint] = []
        self.text = ""
        self._random = Random(seed)  # noqa: S311  chance that can be repeated
        self._loss = loss
        self._away = away
        self._ticks = 0
        self._left = events
        self._seq = -1
        self._arriving: list[LogEntry] = []
        self._row = StoredTurn(
            id=self.turn_id,
            user=USER,
            conversation_id=new_id(),
            user_message_id=new_id(),
            status="running",
            partial_text="",
            checkpoint_seq=-1,
            message=None,
            error=None,
            ending=None,
        )
        self._tell(Ack(turn_id=self.turn_id, seq=0, conversation_id=new_id(), message_id=new_id()))

    def clock(self) -> float:
        return self._ticks * TICK_S

    def tell(self, hint: Hint) -> None:
        self.hints.append(hint)

    def follow(self, turn_id: UUID, *, after: int) -> AbstractContextManager["World"]:
        del turn_id
        self._arriving = [entry for entry in self._arriving if entry.seq > after]
        return nullcontext(self)

    async def more(self, *, within_s: float) -> Sequence[LogEntry]:
        del within_s
        self._tick()
        arrived, self._arriving = self._arriving, []
        return arrived

    async def get(self, user: User, turn_id: UUID) -> StoredTurn:
        assert (user, turn_id) == (USER, self.turn_id)
        if self._random.random() < self._away:
            raise Unavailable("database", "away")
        return self._row

    def _tick(self) -> None:
        self._ticks += 1
        for _ in range(min(self._left, self._random.randrange(4))):
            self._left -= 1
            word = f"w{self._left} "
            self.text += word
            self._tell(Delta(turn_id=self.turn_id, seq=self._seq + 1, text=word))
        if self._row.message is None and self._left == 0 and self._random.random() < 0.5:
            self._end()
        elif self._row.message is None and self._ticks % CHECKPOINT_TICKS == 0:
            self._row = msgspec.structs.replace(self._row, partial_text=self.text, checkpoint_seq=self._seq)

    def _end(self) -> None:
        message = Message(
            id=new_id(),
            conversation_id=self._row.conversation_id,
            turn_id=self.turn_id,
            role="assistant",
            content=self.text,
            status="complete",
            alternative_of=None,
            created_at=AT,
            updated_at=AT,
            timestamp=AT,
            metadata=None,
        )
        self._row = msgspec.structs.replace(
            self._row, status="complete", partial_text="", checkpoint_seq=self._seq + 1, message=message
        )
        self._tell(terminal_event(self._row))

    def _tell(self, event: TurnEvent) -> None:
        entry = LogEntry.of(event)
        self._seq = entry.seq
        if self._random.random() >= self._loss:
            self._arriving.append(entry)

    def append(self, turn_id: UUID, entry: LogEntry) -> None:
        raise AssertionError((turn_id, entry))

    def forget(self, turn_ids: Iterable[UUID]) -> None:
        raise AssertionError(turn_ids)


async def heard_of(world: World, *, after: int = -1) -> Heard:
    elsewhere = Elsewhere(
        store=cast("TurnStore", world),
        leases=cast("TurnLeases", world),
        tails=world,
        hints=cast("Hints", world),
        alone=False,
        clock=world.clock,
    )
    heard = Heard()
    heard.last_seq = after
    async with asyncio.timeout(30):
        async for entry in elsewhere.follow(USER, world.turn_id, after=after):
            heard.take(msgspec.json.decode(entry.data))
    return heard


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32),
    events=st.integers(0, 60),
    loss=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    away=st.sampled_from([0.0, 0.5]),
)
def test_each_word_is_told_once_whatever_is_lost(seed: int, events: int, loss: float, away: float) -> None:
    world = World(seed, events=events, loss=loss, away=away)
    heard = asyncio.run(heard_of(world))
    assert heard.wrong == []
    assert heard.end is not None
    assert heard.text == heard.end["content"] == world.text
    if not loss:
        assert heard.resyncs == 0


async def test_while_it_is_followed_its_process_hears_of_it() -> None:
    world = World(7, events=100, loss=0.0, away=0.0)
    await heard_of(world)
    assert set(world.hints) == {TurnHeard(turn_id=world.turn_id)}
    assert abs(len(world.hints) - world.clock() / HEARD_PERIOD_S) <= 1
