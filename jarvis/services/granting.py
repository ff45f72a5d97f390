"""Wishes with an idempotency key: each is granted once, however often and by whichever door it comes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from jarvis.core.errors import JarvisError, NotFound
from jarvis.core.events import Ack, LogEntry
from jarvis.core.turn_store import KnownTurn, TurnStore
from jarvis.core.types import AgainCommand, ChatCommand, Once, Turn, User
from jarvis.services.sweeper import Reporter
from jarvis.services.turns import Turns

KEPT_S = 24 * 3600.0
"""How long a key is known at least (the contract's section 2)."""
FORGET_PERIOD_S = 3600.0


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that answers a wish: `is_new`, or made before; `answer` is its first answer's body, if kept."""

    user: User
    turn_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    is_new: bool
    key: str | None = None
    answer: bytes | None = None


class Granting:
    """Begins turns, or finds those that were begun; each method raises as those of Turns, and Mismatch."""

    def __init__(self, *, turns: Turns, store: TurnStore, reporter: Reporter) -> None:
        self._turns = turns
        self._store = store
        self._reporter = reporter
        self._being_granted: dict[tuple[UUID, Once], asyncio.Future[Granted]] = {}

    async def begin(self, user: User, command: ChatCommand, once: Once | None) -> Granted:
        """Where a turn with this key failed, it is tried again, on the same message."""
        return await self._granted(user, once, partial(self._turns.begin, user, command, once=once))

    async def begin_again(self, user: User, command: AgainCommand, once: Once | None) -> Granted:
        return await self._granted(user, once, partial(self._turns.begin_again, user, command, once=once))

    async def follow(
        self, granted: Granted, *, request_id: str | UnsetType = UNSET
    ) -> AsyncGenerator[LogEntry]:
        """Yield the events of the turn, for somebody who hears of it for the first time, to its end.

        Of a turn made before, the `ack` is the reader's own; of one that has ended by then a `resync` and the
        terminal event follow, whatever the log still has.
        """
        after = -1
        if not granted.is_new:
            after = 0
            ack = Ack(
                turn_id=granted.turn_id,
                seq=0,
                conversation_id=granted.conversation_id,
                message_id=granted.user_message_id,
                idempotency_key=UNSET if granted.key is None else granted.key,
                request_id=request_id,
            )
            yield LogEntry.of(ack)
            for entry in await self._turns.reader.retold(granted.user, granted.turn_id):
                yield entry
                if entry.terminal:
                    return
        async with aclosing(self._turns.reader.follow(granted.user, granted.turn_id, after=after)) as entries:
            async for entry in entries:
                yield entry

    async def run(self) -> None:
        """Forget for ever, once an hour, keys that are old enough; to be cancelled."""
        while True:
            await asyncio.sleep(FORGET_PERIOD_S)
            try:
                await self._store.forget_keys(kept_s=KEPT_S)
            except JarvisError:
                continue  # the database is away: its own health check says so
            except Exception:  # noqa: BLE001 one defect must not end the forgetting
                self._reporter.exception("forget_keys_defect")

    async def _granted(
        self, user: User, once: Once | None, begin: Callable[[], Awaitable[Turn | KnownTurn]]
    ) -> Granted:
        """Of the same wish at once, one begins: the others wait for what it gets, or raise what it raises."""
        if once is None:
            return await self._granted_once(user, once, begin)
        wish = (user.id, once)
        while (first := self._being_granted.get(wish)) is not None:
            await asyncio.wait([first])  # which does not cancel it, should this one be cancelled
            if not first.cancelled():
                return msgspec.structs.replace(first.result(), is_new=False)
        first = self._being_granted[wish] = asyncio.get_running_loop().create_future()
        try:
            granted = await self._granted_once(user, once, begin)
        except Exception as exc:
            first.set_exception(exc)
            first.exception()  # it need not be retrieved by anybody else
            raise
        else:
            first.set_result(granted)
            return granted
        finally:
            del self._being_granted[wish]
            first.cancel()  # unless it is done: another of them begins, then

    async def _granted_once(
        self, user: User, once: Once | None, begin: Callable[[], Awaitable[Turn | KnownTurn]]
    ) -> Granted:
        begun = (await self._store.known(user, once) if once else None) or await begin()
        while not isinstance(begun, Turn):
            assert once is not None  # noqa: S101 nothing is known without a key
            if begun.status != "failed":
                return _known(user, begun, once)
            again = await self._turns.try_again(user, begun)
            if again is not None:
                return msgspec.structs.replace(_new(again), is_new=False)
            found = await self._store.known(user, once)
            if found is None:
                raise NotFound("conversation")
            begun = found
        return _new(begun)


def _new(turn: Turn) -> Granted:
    return Granted(
        user=turn.user,
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        user_message_id=turn.user_message_id,
        is_new=True,
        key=turn.once.key if turn.once else None,
    )


def _known(user: User, known: KnownTurn, once: Once) -> Granted:
    return Granted(
        user=user,
        turn_id=known.turn_id,
        conversation_id=known.conversation_id,
        user_message_id=known.user_message_id,
        is_new=False,
        key=once.key,
        answer=known.answer,
    )
