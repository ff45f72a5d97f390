"""Memories in Postgres. Whatever writes a user's memories takes that user's lock first, and so is alone."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET

from jarvis.adapters.postgres import memory_forgetting as forgetting
from jarvis.adapters.postgres import memory_statements as statements
from jarvis.adapters.postgres import memory_work as work
from jarvis.adapters.postgres.cursors import AFTER_ALL_MEMORIES, MemoryPlace
from jarvis.adapters.postgres.database import Database, Transaction
from jarvis.adapters.postgres.list_statements import OwnerRow
from jarvis.adapters.postgres.memory_rows import memory_of
from jarvis.adapters.postgres.statement import Statement
from jarvis.core.errors import Conflict, JarvisError, NotFound
from jarvis.core.memories import Memory, MemoryEdit, NewMemory
from jarvis.core.memory_store import EditedMemory, Forgotten, MemoryPage, Said, Unindexed
from jarvis.core.telling import Told, join
from jarvis.core.types import User, new_id

FORGET_DEADLINE_S = 60.0
"""For all memories of a user; each slice stays far within the limit of a statement."""
FORGET_SLICE = 10_000
UNINDEX_SLICE = 1_000

_encode = msgspec.json.Encoder().encode


class PostgresMemories:
    """Fills the MemoryStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User, new: Sequence[NewMemory]) -> list[Memory]:
        async with self._database.transaction(user) as transaction:
            now = await lock_memories(transaction, user)
            return await _add(transaction, user, new, now)

    async def page(self, user: User, *, limit: int, cursor: str | None = None) -> MemoryPage:
        place = AFTER_ALL_MEMORIES if cursor is None else MemoryPlace.decoded(cursor)
        page = statements.Page(user_id=user.id, created_at=place.created_at, id=place.id, limit=limit + 1)
        async with self._database.transaction(user) as transaction:
            rows = await transaction.all(statements.PAGE, page)
        last = rows[limit - 1] if len(rows) > limit else None
        return MemoryPage(
            memories=[memory_of(row) for row in rows[:limit]],
            next_cursor=last and MemoryPlace.at(last.created_at, last.id).encoded(),
        )

    async def get(self, user: User, memory_id: UUID) -> Memory:
        async with self._database.transaction(user) as transaction:
            return memory_of(await _existing(transaction, user, memory_id))

    async def edit(self, user: User, memory_id: UUID, edit: MemoryEdit) -> EditedMemory:
        try:
            async with self._database.transaction(user) as transaction:
                await lock_memories(transaction, user)
                row = await _existing(transaction, user, memory_id)
                changed = statements.Edit(
                    user_id=user.id,
                    memory_id=memory_id,
                    content=row.content if edit.content is UNSET else edit.content,
                    importance=row.importance if edit.importance is UNSET else edit.importance,
                    kind=row.kind if edit.kind is UNSET else edit.kind,
                    attribute=edit.attribute,
                    value=edit.value,
                )
                (edited,) = await transaction.all(statements.EDIT, changed)
                turn_ids: list[UUID] = []
                if edited.content != row.content:
                    turn_ids = (await forget_traces(transaction, user, [memory_id])).turn_ids
        except JarvisError as exc:
            if isinstance(exc.__cause__, asyncpg.UniqueViolationError):
                raise Conflict("There is another memory that says just this.") from exc
            raise
        return EditedMemory(memory=memory_of(edited), turn_ids=turn_ids)

    async def delete(self, user: User, memory_id: UUID) -> Forgotten:
        one = statements.One(user_id=user.id, memory_id=memory_id)
        async with self._database.transaction(user) as transaction:
            await lock_memories(transaction, user)
            if await transaction.first(forgetting.DELETE, one) is None:
                raise NotFound("memory")
            return await forget_traces(transaction, user, [memory_id])

    async def delete_all(self, user: User) -> Forgotten:
        of_user = statements.OfUser(user_id=user.id)
        slice_ = forgetting.DeleteSlice(user_id=user.id, limit=FORGET_SLICE)
        memory_ids: list[UUID] = []
        async with self._database.transaction(user, deadline_s=FORGET_DEADLINE_S) as transaction:
            await lock_memories(transaction, user)
            while deleted := await transaction.all(forgetting.DELETE_SLICE, slice_):
                memory_ids += [row.id for row in deleted]
            await transaction.all(forgetting.PASS_OVER_MESSAGES, of_user)
            gone = statements.Some(user_id=user.id, ids=memory_ids)
            told = await transaction.all(forgetting.NOTE_IN_LIVE_TURNS, gone)
            told += await transaction.all(forgetting.SCRUB_ALL, of_user)
        return Forgotten(memory_ids=memory_ids, turn_ids=[row.id for row in told])

    async def used(self, user: User, ids: Sequence[UUID]) -> None:
        some = statements.Some(user_id=user.id, ids=sorted(ids))
        async with self._database.transaction(user) as transaction:
            await lock_memories(transaction, user)
            await transaction.all(work.USED, some)

    async def users_to_remember(self, *, limit: int) -> list[User]:
        return await self._users(work.USERS_TO_REMEMBER, limit)

    async def remember(
        self, user: User, memories_in: Callable[[Said], Sequence[NewMemory]], *, limit: int
    ) -> int:
        batch = work.Batch(user_id=user.id, limit=limit)
        async with self._database.transaction(user) as transaction:
            now = await lock_memories(transaction, user)
            rows = await transaction.all(work.SAID, batch)
            if not rows:
                return 0
            among = {row.conversation_id for row in rows if row.is_wanted}
            told = await transaction.all(
                work.TOLD, work.InConversations(user_id=user.id, conversation_ids=list(among))
            )
            said = [_said_of(row, told) for row in rows if row.is_wanted]
            # In a thread: long messages take long to look through.
            new = await asyncio.to_thread(lambda: [new for one in said for new in memories_in(one)])
            if new:
                await _add(transaction, user, new, now)
            answers = [row.answer_id for row in rows if row.answer_id is not None]
            marked = statements.Some(user_id=user.id, ids=[row.id for row in rows] + answers)
            await transaction.all(work.MARK_REMEMBERED, marked)
        return len(rows)

    async def users_to_index(self, *, limit: int) -> list[User]:
        return await self._users(work.USERS_TO_INDEX, limit)

    async def unindexed(self, user: User, *, limit: int) -> list[Unindexed]:
        async with self._database.transaction(user) as transaction:
            rows = await transaction.all(work.UNINDEXED, work.Batch(user_id=user.id, limit=limit))
        return [Unindexed(id=row.id, content=row.content) for row in rows]

    async def mark_indexed(self, user: User, indexed: Sequence[Unindexed]) -> list[UUID]:
        given = work.Indexed(
            user_id=user.id,
            ids=[one.id for one in indexed],
            digests=[_digest(one.content) for one in indexed],
        )
        async with self._database.transaction(user) as transaction:
            await lock_memories(transaction, user)
            rows = await transaction.all(work.MARK_INDEXED, given)
            if len(rows) < len(given.ids):
                await transaction.all(work.NOTE_GONE, statements.Some(user_id=user.id, ids=given.ids))
        return [row.id for row in rows]

    async def forgotten(self, user: User, *, limit: int) -> list[UUID]:
        async with self._database.transaction(user) as transaction:
            rows = await transaction.all(work.FORGOTTEN, work.Batch(user_id=user.id, limit=limit))
        return [row.id for row in rows]

    async def mark_forgotten(self, user: User, ids: Sequence[UUID]) -> None:
        async with self._database.transaction(user) as transaction:
            await transaction.all(work.MARK_FORGOTTEN, statements.Some(user_id=user.id, ids=list(ids)))

    async def unindexed_count(self) -> int:
        async with self._database.transaction(None) as transaction:
            (row,) = await transaction.all(work.UNINDEXED_COUNT, work.Nothing())
        return row.total

    async def unindex_all(self) -> None:
        passed: UUID | None = UUID(int=0)
        while passed is not None:
            async with self._database.transaction(None) as transaction:
                (row,) = await transaction.all(work.UNINDEX, work.Unindex(passed=passed, limit=UNINDEX_SLICE))
            passed = row.id

    async def indexed_space(self) -> str | None:
        async with self._database.transaction(None) as transaction:
            row = await transaction.first(work.INDEXED_SPACE, work.Nothing())
        return None if row is None else row.name

    async def set_indexed_space(self, name: str) -> None:
        async with self._database.transaction(None) as transaction:
            await transaction.all(work.SET_INDEXED_SPACE, work.Space(name=name))

    async def _users(self, statement: Statement[work.Most, OwnerRow], limit: int) -> list[User]:
        async with self._database.transaction(None) as transaction:
            rows = await transaction.all(statement, work.Most(limit=limit))
        return [User(id=row.user_id, name=row.username) for row in rows]


async def lock_memories(transaction: Transaction, user: User) -> datetime:
    """Wait until nobody else writes memories of the user, until the transaction ends; return the time then.

    To be taken before any row's lock.
    """
    (row,) = await transaction.all(statements.LOCK, statements.OfUser(user_id=user.id))
    return row.now


async def forget_traces(transaction: Transaction, user: User, memory_ids: list[UUID]) -> Forgotten:
    """After these were deleted or say something else: take what they said out of what turns were told.

    What they had superseded is true again.
    """
    if not memory_ids:
        return Forgotten(memory_ids=[], turn_ids=[])
    some = statements.Some(user_id=user.id, ids=memory_ids)
    await transaction.all(forgetting.REVIVE, some)
    # In this order: a turn that ends meanwhile is met by one of the two.
    told = await transaction.all(forgetting.NOTE_IN_LIVE_TURNS, some)
    told += await transaction.all(forgetting.SCRUB, some)
    return Forgotten(memory_ids=memory_ids, turn_ids=[row.id for row in told])


async def _existing(transaction: Transaction, user: User, memory_id: UUID) -> statements.MemoryRow:
    row = await transaction.first(statements.GET, statements.One(user_id=user.id, memory_id=memory_id))
    if row is None:
        raise NotFound("memory")
    return row


async def _add(transaction: Transaction, user: User, new: Sequence[NewMemory], now: datetime) -> list[Memory]:
    told = _told(new, now)
    digests = [one.digest for one in told]
    attributes = list({one.attribute for one in told if one.attribute is not None})
    known = await transaction.all(
        statements.KNOWN, statements.Known(user_id=user.id, digests=digests, attributes=attributes)
    )
    joined = join(told, [Told(**row._asdict()) for row in known])
    if joined.superseded:
        await transaction.all(
            statements.SUPERSEDE,
            statements.Supersede(
                user_id=user.id,
                ids=[one.id for one in joined.superseded],
                valid_to=[one.valid_to for one in joined.superseded],
                superseded_by=[one.superseded_by for one in joined.superseded],
            ),
        )
    if joined.added:
        new_of = {one.id: given for one, given in zip(told, new, strict=True)}
        await transaction.all(statements.ADD, _columns(user, joined.added, new_of))
    rows = await transaction.all(statements.SOME, statements.Some(user_id=user.id, ids=joined.ids))
    stored = {row.id: memory_of(row) for row in rows}
    return [stored[id_] for id_ in joined.ids]


def _told(new: Sequence[NewMemory], now: datetime) -> list[Told]:
    # Sorted, as two ids of one microsecond need not be: equal times leave the order of telling to the ids.
    ids = sorted(new_id() for _ in new)
    return [
        Told(
            id=id_,
            kind=one.kind,
            digest=_digest(one.content),
            created_at=one.created_at or now,
            attribute=one.attribute,
            value=one.value,
            valid_from=None if one.attribute is None else one.created_at or now,
        )
        for id_, one in zip(ids, new, strict=True)
    ]


def _columns(user: User, added: list[Told], new_of: dict[UUID, NewMemory]) -> statements.Add:
    new = [new_of[one.id] for one in added]
    return statements.Add(
        user_id=user.id,
        ids=[one.id for one in added],
        kinds=[one.kind for one in added],
        contents=[one.content for one in new],
        importances=[one.importance for one in new],
        sources=[None if one.source is None else _encode(one.source).decode() for one in new],
        created_at=[one.created_at for one in added],
        attributes=[one.attribute for one in added],
        values=[one.value for one in added],
        valid_from=[one.valid_from for one in added],
        valid_to=[one.valid_to for one in added],
        superseded_by=[one.superseded_by for one in added],
    )


def _digest(content: str) -> bytes:
    """Return what the column `digest` has."""
    return sha256(content.encode()).digest()


def _said_of(row: work.SaidRow, told: Sequence[work.ToldRow]) -> Said:
    return Said(
        id=row.id,
        conversation_id=row.conversation_id,
        answer_id=row.answer_id,
        content=row.content,
        created_at=row.created_at,
        told=[
            one.content
            for one in told
            if one.conversation_id == row.conversation_id and one.told_at < row.created_at
        ],
    )
