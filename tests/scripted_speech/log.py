"""What the scripted speech servers were asked, and how each request ended."""

import asyncio
import time
from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec

T = TypeVar("T")

Kind = Literal["stt", "tts"]
Outcome = Literal["complete", "client_left", "fault"]
Fault = Literal[
    "hang", "hang_midway", "slow", "reset", "error", "rubbish", "huge", "silent", "wrong_format", "cut"
]
"""What is done instead of an answer.

`hang` before it, `hang_midway` after its first part; `slow`: SLOW_S before each part; `reset` after the
first part; `error` as the protocol has it; `rubbish`: not the protocol; `huge`: more than anyone should
take; `silent`: no sound; `wrong_format`: sound that nobody can play; `cut`: a proper close after the first
part.
"""
SLOW_S = 0.1


class Record(msgspec.Struct, kw_only=True):
    """One request; `text` is what was heard or is to be spoken. Times are `time.monotonic()`.

    `asked_s`: when all of the request was there, of speech too.
    """

    kind: Kind
    text: str = ""
    language: str | None = None
    prompt: str | None = None
    voice: str | None = None
    speed: float | None = None
    key: str | None = None
    sound_s: float = 0.0
    outcome: Outcome | None = None
    asked_s: float = msgspec.field(default_factory=time.monotonic)
    ended_s: float | None = None


class Log:
    def __init__(self) -> None:
        self.records: list[Record] = []
        self._news: set[asyncio.Event] = set()

    def start(self, record: Record) -> Record:
        self.records.append(record)
        self.tell()
        return record

    def end(self, record: Record, outcome: Outcome) -> None:
        record.outcome = outcome
        record.ended_s = time.monotonic()
        self.tell()

    def of(self, kind: Kind) -> list[Record]:
        return [record for record in self.records if record.kind == kind]

    def tell(self) -> None:
        for event in self._news:
            event.set()

    async def wait_for(self, predicate: "Callable[[Log], T]", *, timeout_s: float = 5.0) -> T:
        """Return the predicate's first true value, asked now and after every event; raise TimeoutError."""
        news = asyncio.Event()
        self._news.add(news)
        try:
            async with asyncio.timeout(timeout_s):
                while not (value := predicate(self)):
                    await news.wait()
                    news.clear()
                return value
        except TimeoutError:
            raise TimeoutError(f"not seen in {timeout_s} s; the log has {self.records}") from None
        finally:
            self._news.discard(news)
