"""Memories, and turns to remember, for tests of what is in the database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.memories import Memory, MemorySource, NewMemory
from jarvis.core.memory_store import Said
from jarvis.core.turn_store import Ending, StoredTurn, TurnOutcome
from jarvis.core.types import (
    ChatCommand,
    ContextReport,
    HistoryReport,
    RecalledMemory,
    Turn,
    Usage,
    User,
    new_id,
)

START = datetime(2025, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def home(value: str, day: int = 0) -> NewMemory:
    return NewMemory(
        content=f"I live in {value}", attribute="home", value=value, created_at=START + day * DAY
    )


def told(*contents: str, at: datetime = START) -> list[NewMemory]:
    return [NewMemory(content=content, created_at=at) for content in contents]


def contents(memories: Sequence[Memory]) -> list[str]:
    return [memory.content for memory in memories]


async def true(database: Database, user: User, as_of: datetime | None = None) -> list[str]:
    """Return what is true, or was then, in the order of telling."""
    async with database.transaction(user) as transaction:
        found = await transaction.raw(
            "SELECT content FROM memories WHERE CASE WHEN $1::timestamptz IS NULL THEN valid_to IS NULL "
            "ELSE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1) END ORDER BY created_at, id",
            as_of,
        )
    return [row["content"] for row in found]


async def rows(database: Database, user: User, sql: str) -> list[tuple[Any, ...]]:
    async with database.transaction(user) as transaction:
        return [tuple(row) for row in await transaction.raw(sql)]


async def ended_turn(
    database: Database,
    user: User,
    text: str,
    *,
    save_memory: bool = True,
    recalled: Sequence[Memory] = (),
    conversation_id: UUID | None = None,
) -> Turn:
    turn = await begun_turn(database, user, text, save_memory=save_memory, conversation_id=conversation_id)
    await end(database, turn, recalled=recalled)
    return turn


async def end(database: Database, turn: Turn, *, recalled: Sequence[Memory] = ()) -> StoredTurn:
    """Have it say at its end that it was told these."""
    context = ContextReport(
        budget_tokens=1,
        prompt_tokens=1,
        history=HistoryReport(sent=0, summarised=0, dropped=0),
        memories=[RecalledMemory(id=one.id, content=one.content, score=1, why={}) for one in recalled],
    )
    ending = Ending(model="m", usage=Usage(), response_time_ms=1, memory_saved=True, context=context)
    outcome = TurnOutcome(status="complete", text="Noted.", last_seq=1, metadata=None, ending=ending)
    return await PostgresTurns(database).finish(turn.user, turn.id, outcome, owner=turn.owner)


async def begun_turn(
    database: Database,
    user: User,
    text: str,
    *,
    save_memory: bool = True,
    conversation_id: UUID | None = None,
) -> Turn:
    command = ChatCommand(text=text, save_memory=save_memory, conversation_id=conversation_id)
    begun = await PostgresTurns(database).begin(
        user, command, turn_id=new_id(), owner="o", lease_s=60, waiting=False
    )
    assert isinstance(begun, Turn)
    return begun


def episode_of(said: Said) -> list[NewMemory]:
    source = MemorySource(
        conversation_id=said.conversation_id, message_ids=[said.id, said.answer_id or said.id]
    )
    return [NewMemory(content=said.content, kind="episode", source=source, created_at=said.created_at)]
