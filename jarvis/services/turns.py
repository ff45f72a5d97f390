"""The life of turns in this process: admission, order, resume, cancel, leases, drain.

A turn belongs to the server, not to a socket: it runs as a task of `Turns` and writes to the turn log;
whoever wants to hear it reads the log.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar
from uuid import UUID

import anyio
import msgspec
from anyio import CancelScope
from anyio.abc import TaskGroup

from jarvis.core.errors import Busy, Draining, InDoubt, JarvisError, Overloaded, TimedOut, Unavailable
from jarvis.core.ports import TurnLog
from jarvis.core.turn_store import KnownTurn, StoredTurn, TurnLeases, TurnRef, TurnStore
from jarvis.core.types import AgainCommand, ChatCommand, Once, Turn, TurnView, User, new_id
from jarvis.services.admission import Admission, Ticket
from jarvis.services.elsewhere import Elsewhere
from jarvis.services.live import LiveTurn
from jarvis.services.memory import Recollection
from jarvis.services.orchestrator import HISTORY_LIMIT, Orchestrator
from jarvis.services.sweeper import Reporter, Sweeper
from jarvis.services.tender import LEASE_S, Tender
from jarvis.services.turn_reader import TurnReader
from jarvis.services.watching import TurnWatcher

T = TypeVar("T")
NotBegunT = TypeVar("NotBegunT", KnownTurn, None)

FIRST_SWEEP_S = 2.0
STORE_SECS_AT_EXIT = 2.0
CANCEL_PATIENCE_S = 2.0
ELSEWHERE = "Another turn of this conversation runs before this one, on another server."
FIRST_TURN_GUESS_S = 5.0
DEFECT = "Something went wrong inside the server."
NOT_STORED = "The database is away, so the end of this turn could not be stored."
TYPICAL_WEIGHT = 0.2
"""Of the newest turn in the running mean of how long turns take, by which waiting ones are told `wait_s`,
and refused ones when to come again."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many turns may run and wait, how long each may run, and how long with nobody listening."""

    max_running: int
    max_waiting: int
    turn_s: float
    detached_s: float


class Turns:
    """Every method that takes a user acts for that user; what belongs to another does not exist."""

    def __init__(
        self,
        *,
        store: TurnStore,
        leases: TurnLeases,
        log: TurnLog,
        orchestrator: Orchestrator,
        elsewhere: Elsewhere,
        watchers: Sequence[TurnWatcher],
        reporter: Reporter,
        place: str,
        limits: Limits,
    ) -> None:
        self._store = store
        self._log = log
        self._orchestrator = orchestrator
        self._admission = Admission(max_running=limits.max_running, max_waiting=limits.max_waiting)
        self._elsewhere = elsewhere
        self._watchers = watchers
        self._reporter = reporter
        self._owner = f"{place}/{new_id()}"
        self._sweeper = Sweeper(
            store,
            leases,
            reporter,
            owner=self._owner,
            predecessors=f"{place}/",
            live=self._live_ids,
            go_on=self._go_on,
        )
        self._limits = limits
        self._live: dict[UUID, LiveTurn] = {}
        self._tender = Tender(
            store, leases, reporter, owner=self._owner, live=self._live, detached_s=limits.detached_s
        )
        self.reader = TurnReader(store=store, log=log, live=self._live, elsewhere=elsewhere)
        self._typical_turn_s = FIRST_TURN_GUESS_S
        self._tasks: TaskGroup | None = None
        self._draining = False
        self._all_ended = asyncio.Event()
        self._all_ended.set()

    @property
    def inflight(self) -> int:
        """How many turns of this process have begun and not ended, those that wait included."""
        return len(self._live)

    @property
    def queued(self) -> int:
        return self._admission.waiting

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Own the tasks of all turns. At exit whatever still runs ends `interrupted`, and is stored.

        What a predecessor in this place left is gone on with, or ended, before anybody can ask for it.
        """
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            with anyio.move_on_after(FIRST_SWEEP_S):
                await self._sweeper.sweep()
            tasks.start_soon(self._tender.run)
            tasks.start_soon(self._sweeper.run)
            try:
                yield
            finally:
                with CancelScope(shield=True):
                    await self.drain(0)
                tasks.cancel_scope.cancel()

    async def check_model(self, name: str | None) -> None:
        """Raises Invalid("model", ...) for one that there is not; with its server away, none is refused."""
        await self._orchestrator.check_model(name)

    async def begin(self, user: User, command: ChatCommand, *, once: Once | None = None) -> Turn | KnownTurn:
        """Commit the user's message and let the turn run by itself; its `ack` is in the log.

        Where `once` has been used meanwhile, nothing is begun, and what it was used for is returned.

        Refuses at once, with nothing stored: Draining, Invalid("model"), Overloaded, Busy, NotFound,
        Unavailable("database").
        Cancelled before the commit, nothing is stored; after it, the turn runs on.
        """
        await self.check_model(command.model)
        conversation_id = command.conversation_id
        if command.if_busy == "interrupt" and conversation_id is not None:
            await self.end_conversation(user, conversation_id, but=once)
        if_busy_reject = command.if_busy == "reject"
        if if_busy_reject and await self._elsewhere.is_busy(user, conversation_id, owner=self._owner):
            raise Busy
        ticket = self._enter(user, conversation_id, if_busy_reject=if_busy_reject)
        ref = TurnRef(turn_id=new_id(), user=user)
        return await self._begin(
            ticket,
            ref,
            partial(self._store.begin, user, command, once=once, turn_id=ref.turn_id),
            partial(self._orchestrator.recall, user, command),
        )

    async def begin_again(
        self, user: User, command: AgainCommand, *, once: Once | None = None
    ) -> Turn | KnownTurn:
        """Answer a conversation's last user message again, once what runs or waits there has ended.

        Refuses as `begin` does, and with Conflict where nobody has said anything.
        """
        await self.check_model(command.model)
        ticket = self._enter(user, command.conversation_id)
        ref = TurnRef(turn_id=new_id(), user=user)
        return await self._begin(
            ticket, ref, partial(self._store.begin_again, user, command, once=once, turn_id=ref.turn_id)
        )

    async def try_again(self, user: User, known: KnownTurn) -> Turn | None:
        """Begin another attempt of a turn that failed; None where somebody else has. Refuses as `begin`."""
        ticket = self._enter(user, known.conversation_id)
        ref = TurnRef(turn_id=known.turn_id, user=user)
        return await self._begin(ticket, ref, partial(self._store.try_again, user, ref.turn_id))

    async def _go_on(self, left: StoredTurn) -> bool:
        """Go on with a turn whose process died, once it has a place like any other; tell whether it runs."""
        try:
            ticket = self._enter(left.user, left.conversation_id)
        except (Draining, Overloaded):
            return False
        return await self._begin(ticket, None, partial(self._elsewhere.take_over, left)) is not None

    def _enter(self, user: User, conversation_id: UUID | None, *, if_busy_reject: bool = False) -> Ticket:
        if self._draining or self._tasks is None:
            raise Draining
        try:
            return self._admission.enter(user.id, conversation_id, if_busy_reject=if_busy_reject)
        except Overloaded as exc:
            exc.retry_after_s = math.ceil(self._typical_turn_s)
            raise

    async def _begin(
        self,
        ticket: Ticket,
        ref: TurnRef | None,
        store: Callable[..., Awaitable[Turn | NotBegunT]],
        recall: Callable[[], Awaitable[Recollection]] | None = None,
    ) -> Turn | NotBegunT:
        """Store the beginning of a turn in the order of tickets, and let it run, if one was stored.

        `ref` is the turn's: should it be in doubt whether it was stored, it is not to stay. None: the caller
        sees to that.
        """
        recalling: asyncio.Future[Recollection] | None = None
        try:
            async with self._admission.beginning(ticket):
                waiting = not ticket.granted.is_set()
                if recall is not None and not waiting:  # what waits is told what is known when it runs
                    recalling = asyncio.ensure_future(recall())
                begun = await _shielded(  # what may be committed must be known here
                    store(
                        owner=self._owner,
                        lease_s=LEASE_S,
                        waiting=waiting,
                        history_limit=HISTORY_LIMIT,
                    )
                )
        except BaseException as exc:
            if isinstance(exc, InDoubt) and ref is not None:
                self._sweeper.doubt(ref)
            if recalling is not None:
                recalling.cancel()
            self._admission.leave(ticket)
            raise
        if not isinstance(begun, Turn):
            if recalling is not None:
                recalling.cancel()
            self._admission.leave(ticket)
            return begun
        turn = begun
        self._admission.name(ticket, turn.conversation_id)
        live = self._live[turn.id] = LiveTurn(turn, recalling)
        self._all_ended.clear()
        if turn.last_seq >= 0:
            self._log.forget([turn.id])  # of an attempt that failed, or whose process died
        self._orchestrator.acknowledge(live)
        for watcher in self._watchers:
            watcher.turn_began(turn)
        if self._draining:  # since it began to begin
            live.end("interrupted")
        assert self._tasks is not None  # noqa: S101 `_enter` saw it; it is never taken away
        self._tasks.start_soon(self._run, live, ticket, waiting)
        return turn

    async def cancel(self, user: User, turn_id: UUID) -> TurnView:
        """End the turn `cancelled`, wherever it runs; one that has ended stays as it is.

        The model's connection is closed within 1 s. Raises NotFound("turn").
        """
        live = self._live.get(turn_id)
        if live is not None and live.turn.user.id == user.id:
            live.end("cancelled")
            with anyio.move_on_after(CANCEL_PATIENCE_S):
                await live.ended.wait()
        else:
            await self._elsewhere.cancel(user, turn_id)
            with anyio.move_on_after(CANCEL_PATIENCE_S):
                await self.reader.terminal(user, turn_id)
        return await self.reader.view(user, turn_id)

    async def end_conversation(self, user: User, conversation_id: UUID, *, but: Once | None = None) -> None:
        """End what runs or waits in it `cancelled`, wherever, and wait a little until it has ended.

        The turn that was begun with the key of `but` goes on.
        """
        of_conversation = [
            live
            for live in self._live.values()
            if live.turn.conversation_id == conversation_id
            and live.turn.user.id == user.id
            and (but is None or live.turn.once != but)
        ]
        for live in of_conversation:
            live.end("cancelled")
        with anyio.move_on_after(CANCEL_PATIENCE_S):
            for live in of_conversation:
                await live.ended.wait()
            await self._elsewhere.end_conversation(user, conversation_id, but=but)

    def end(self, turn_ids: Iterable[UUID]) -> None:
        """End those of these that live here `cancelled`, as another process asked."""
        for turn_id in turn_ids:
            if turn_id in self._live:
                self._live[turn_id].end("cancelled")

    def heard(self, turn_id: UUID) -> None:
        """Take note that somebody follows it from another process."""
        if turn_id in self._live:
            self._live[turn_id].unheard_since = time.perf_counter()

    def forget(self, turn_ids: Iterable[UUID]) -> None:
        """Drop what the log keeps of turns that are deleted; whoever still reads one hears no more of it."""
        self._log.forget(turn_ids)

    async def drain(self, patience_s: float) -> None:
        """Begin no more turns; end those that wait; give those that run `patience_s`, then end them too."""
        self._draining = True
        for live in list(self._live.values()):
            if not live.running:
                live.end("interrupted")
        with anyio.move_on_after(patience_s):
            await self._all_ended.wait()
        for live in list(self._live.values()):
            live.end("interrupted")
        with anyio.move_on_after(STORE_SECS_AT_EXIT):
            await self._all_ended.wait()
        for live in list(self._live.values()):
            live.storing.cancel()  # the database is away: who serves next ends it, from its row
        with anyio.move_on_after(STORE_SECS_AT_EXIT):
            await self._all_ended.wait()

    async def _run(self, live: LiveTurn, ticket: Ticket, waiting: bool) -> None:  # noqa: FBT001 start_soon takes no keywords
        try:
            try:
                with live.scope:
                    if live.turn.said is None or await self._orchestrator.can_go_on(live.turn):
                        await self._generate(live, ticket, waiting=waiting)
                    else:
                        live.end("interrupted")
                if live.scope.cancelled_caught and live.verdict is None:
                    live.error = TimedOut(
                        "llm", f"The turn took longer than {self._limits.turn_s:g} seconds."
                    )
            except JarvisError as exc:
                live.error = exc
            except Exception:  # noqa: BLE001 a defect in one turn must not end the others
                self._reporter.exception("turn_defect")
                live.error = JarvisError(DEFECT)
            if live.error is not None and live.adds_nothing:
                live.end("interrupted")  # as it would have had nobody gone on with it
            with live.storing:
                await self._orchestrator.store(live)
            if live.storing.cancelled_caught:
                self._orchestrator.give_up(live, Unavailable("database", NOT_STORED))
        except Exception:  # noqa: BLE001 likewise
            self._reporter.exception("turn_not_stored")
            self._orchestrator.give_up(live, JarvisError(DEFECT))
        finally:
            self._leave(live, ticket)

    async def _generate(self, live: LiveTurn, ticket: Ticket, *, waiting: bool) -> None:
        """Wait for the turn's place, and have it answered. Raises JarvisError."""
        await self._wait_for_others(live)
        await self._wait_for_place(live, ticket)
        if waiting:
            await self._store.start(live.turn.user, live.turn.id, owner=self._owner)
        live.running_since = time.perf_counter()
        live.scope.deadline = anyio.current_time() + self._limits.turn_s
        await self._orchestrator.generate(live)

    def _leave(self, live: LiveTurn, ticket: Ticket) -> None:
        """Give the turn's place to the next one, and tell whoever watches."""
        if live.running_since is not None:
            took_s = time.perf_counter() - live.running_since
            self._typical_turn_s += TYPICAL_WEIGHT * (took_s - self._typical_turn_s)
        del self._live[live.turn.id]
        live.close()
        self._admission.leave(ticket)
        status = live.terminal.status if live.terminal else "interrupted"  # it goes on elsewhere
        for watcher in self._watchers:
            watcher.turn_ended(live.turn, status, live.text)
        if not self._live:
            self._all_ended.set()
            for watcher in self._watchers:
                watcher.all_ended()

    async def _wait_for_others(self, live: LiveTurn) -> None:
        """Let turns of this conversation go first that began before, in other processes."""
        async for _ in self._elsewhere.earlier(live.turn, owner=self._owner):
            if live.turn.history is not None:
                live.turn = msgspec.structs.replace(live.turn, history=None)  # there is more by then
                self._orchestrator.notice(live, "queued", ELSEWHERE, position=1, wait_s=self._typical_turn_s)

    async def _wait_for_place(self, live: LiveTurn, ticket: Ticket) -> None:
        if not ticket.granted.is_set():
            position = self._admission.position(ticket)
            wait_s = round(self._admission.rounds(ticket) * self._typical_turn_s, 1)
            self._orchestrator.notice(
                live, "queued", "Other turns run before this one.", position=position, wait_s=wait_s
            )
            await ticket.granted.wait()

    def _live_ids(self) -> list[UUID]:
        return list(self._live)


async def _shielded(work: Awaitable[T]) -> T:
    """Await `work` to its end, whoever is cancelled meanwhile."""
    with CancelScope(shield=True):
        return await work
    raise AssertionError("a scope that nobody cancels swallows nothing")
