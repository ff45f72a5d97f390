"""What happened, in order: the oracle of the tests. Records are written by the server and read by anyone."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias, TypeVar

import msgspec

from tests.scripted_model.call import GENERATING, Call, Kind, Message

Outcome: TypeAlias = Literal["complete", "client_disconnected", "reset", "error", "server_closed"]
Event: TypeAlias = Literal["started", "waiting", "first_token", "ended"] | Outcome
T = TypeVar("T")


class Record(msgspec.Struct, kw_only=True):
    """One request. Times are `time.monotonic()`, on Linux the same clock in every process of the machine.

    With `client_disconnected`, `ended_s` is when the end of the connection was observed. `concurrency` counts
    the generating requests in flight when this one started, itself included.
    """

    id: int
    kind: Kind
    path: str
    model: str
    messages: tuple[Message, ...]
    inputs: tuple[str, ...]
    options: dict[str, object]
    body: dict[str, object]
    concurrency: int
    started_s: float
    first_token_s: float | None = None
    ended_s: float | None = None
    waiting_at: str | None = None
    status: int | None = None
    tokens_sent: int = 0
    outcome: Outcome | None = None

    @property
    def last_user_message(self) -> str:
        for message in reversed(self.messages):
            if message.role == "user":
                return message.content
        return ""


class Log:
    """Records of the newest `keep` requests (None: all), counts of every event, and the concurrency seen."""

    def __init__(
        self, *, keep: int | None = None, on_event: Callable[[Event, Record], None] | None = None
    ) -> None:
        self.counts: Counter[Event] = Counter()
        self.running = 0
        self.peak = 0
        self._records: deque[Record] = deque(maxlen=keep)
        self._on_event = on_event
        self._next_id = 1
        self._checks: set[Callable[[], None]] = set()

    @property
    def records(self) -> list[Record]:
        return list(self._records)

    def of(self, *kinds: Kind) -> list[Record]:
        return [record for record in self._records if record.kind in kinds]

    @property
    def generating(self) -> list[Record]:
        return self.of("chat", "generate")

    def start(self, call: Call) -> Record:
        if call.kind in GENERATING:
            self.running += 1
            self.peak = max(self.peak, self.running)
        record = Record(
            id=self._next_id,
            kind=call.kind,
            path=call.path,
            model=call.model,
            messages=call.messages,
            inputs=call.inputs,
            options=call.options,
            body=call.body,
            concurrency=self.running,
            started_s=time.monotonic(),
        )
        self._next_id += 1
        self._records.append(record)
        self._tell("started", record)
        return record

    def wait_at(self, record: Record, gate: str) -> None:
        record.waiting_at = gate
        self._tell("waiting", record)

    def sent(self, record: Record, tokens: int) -> None:
        record.tokens_sent += tokens
        if record.first_token_s is None and tokens:
            record.first_token_s = time.monotonic()
            self._tell("first_token", record)

    def end(self, record: Record, outcome: Outcome, *, ended_s: float | None = None) -> None:
        if record.kind in GENERATING:
            self.running -= 1
        record.ended_s = time.monotonic() if ended_s is None else ended_s
        record.outcome = outcome
        record.waiting_at = None
        self._tell("ended", record)
        self._tell(outcome, record)

    def clear(self) -> None:
        """Forget finished requests and counts; what is running stays, and is the new peak."""
        unfinished = [record for record in self._records if record.outcome is None]
        self._records.clear()
        self._records.extend(unfinished)
        self.counts.clear()
        self.peak = self.running

    async def wait_for(self, predicate: "Callable[[Log], T]", *, timeout_s: float = 10.0) -> T:
        """Return the predicate's first true value, asked now and after every event; raise TimeoutError."""
        found: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def check() -> None:
            if not found.done() and (value := predicate(self)):
                found.set_result(value)

        check()
        self._checks.add(check)
        try:
            async with asyncio.timeout(timeout_s):
                return await found
        except TimeoutError:
            raise TimeoutError(f"not seen in {timeout_s} s; the log has {summary(self._records)}") from None
        finally:
            self._checks.discard(check)

    def _tell(self, event: Event, record: Record) -> None:
        self.counts[event] += 1
        if self._on_event is not None:
            self._on_event(event, record)
        for check in tuple(self._checks):
            check()


def summary(records: Iterable[Record]) -> str:
    return (
        ", ".join(f"{r.id}:{r.kind}:{r.outcome or r.waiting_at or 'running'}" for r in records) or "nothing"
    )
