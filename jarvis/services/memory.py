"""What Jarvis remembers: told, recalled for a turn, searched, changed and forgotten."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from jarvis.core.errors import FieldError, Invalid, JarvisError, Unavailable
from jarvis.core.facts import facts_in
from jarvis.core.gate import Refusal, refusal
from jarvis.core.memories import Memory, MemoryEdit, NewMemory
from jarvis.core.memory_store import Forgotten, MemoryPage, MemoryStore
from jarvis.core.ports import Nearby, Vector
from jarvis.core.recall import Ranking
from jarvis.core.recall_store import RecallStore, Seeds, Surroundings
from jarvis.core.types import User, utc_now
from jarvis.services.memory_index import MemoryIndex
from jarvis.services.sweeper import Reporter

SEEDS = 40
"""Memories found by words, and as many by meaning, that are ranked; with their neighbours about 300."""
NOTE_PERIOD_S = 5.0
PATIENCE_S = 1.0
"""How long a turn waits for what it recalls, and for meanings half of it."""

BEARING = 0.3
"""The least that words and meaning must make together for a turn to be told: unrelated ones make about .1."""

REFUSALS: dict[Refusal, str] = {
    "secret": "holds a secret, which is not kept; say it without",
    "instruction": "gives the model instructions, which is not kept",
}


class Recollection(msgspec.Struct, frozen=True, kw_only=True):
    """The memories that fit best, best first; `is_partial`: some of what recall needs was away."""

    memories: list[Memory]
    is_partial: bool


class Memories:
    """Every method acts for its user; what belongs to another raises NotFound("memory")."""

    def __init__(
        self,
        *,
        store: MemoryStore,
        recall: RecallStore,
        index: MemoryIndex | None,
        forget_turns: Callable[[Sequence[UUID]], None],
        reporter: Reporter,
    ) -> None:
        self._store = store
        self._recall = recall
        self._index = index
        self._forget_turns = forget_turns
        self._reporter = reporter
        self._used: dict[UUID, tuple[User, set[UUID]]] = {}

    async def add(self, user: User, new: Sequence[NewMemory], *, field: Callable[[int], str]) -> list[Memory]:
        """Store all or none; return them in that order, in place of a duplicate the one there is.

        They are found by their words at once, by their meaning a little later. Raises Invalid for secrets and
        instructions; `field` names the content of each.
        """
        # In a thread: long texts take long to look through.
        told = await asyncio.to_thread(_checked, new, field)
        added = await self._store.add(user, told)
        if self._index is not None:
            self._index.wake(len(added))
        return added

    async def search(
        self, user: User, query: str, *, limit: int, as_of: datetime | None = None
    ) -> list[Memory]:
        """Return the `limit` memories that fit best, with `score` and `why`; fewer where there are fewer."""
        return (await self._found(user, query, limit=limit, as_of=as_of)).memories

    async def recall(self, user: User, text: str, *, limit: int) -> Recollection:
        """Return what a turn is told. Never raises: what is away or slow is left out."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await self._found(user, text, limit=limit)
                bearing = [memory for memory in found.memories if _bears_on_it(memory, found)]
                return msgspec.structs.replace(found, memories=bearing)
        except (Unavailable, TimeoutError):
            pass
        except Exception:  # noqa: BLE001 a defect of recall must not cost the answer
            self._reporter.exception("recall_defect")
        return Recollection(memories=[], is_partial=True)

    async def page(self, user: User, *, limit: int, cursor: str | None) -> MemoryPage:
        return await self._store.page(user, limit=limit, cursor=cursor)

    async def get(self, user: User, memory_id: UUID) -> Memory:
        return await self._store.get(user, memory_id)

    async def edit(self, user: User, memory_id: UUID, edit: MemoryEdit) -> Memory:
        """Raises Invalid("content") as `add` does, and Conflict where another says the same."""
        if isinstance(edit.content, str):
            (fact,) = await asyncio.to_thread(
                _checked, [NewMemory(content=edit.content)], lambda _: "content"
            )
            edit = msgspec.structs.replace(edit, attribute=fact.attribute, value=fact.value)
        edited = await self._store.edit(user, memory_id, edit)
        self._forget_turns(edited.turn_ids)
        if self._index is not None and isinstance(edit.content, str):
            self._index.wake(1)
        return edited.memory

    async def delete(self, user: User, memory_id: UUID) -> None:
        self._forget(await self._store.delete(user, memory_id))

    async def delete_all(self, user: User) -> int:
        """Forget all of the user's memories; return how many there were."""
        forgotten = await self._store.delete_all(user)
        self._forget(forgotten)
        return len(forgotten.memory_ids)

    def note_used(self, user: User, ids: Sequence[UUID]) -> None:
        """Note that a turn was told these; never waits."""
        if ids:
            self._used.setdefault(user.id, (user, set()))[1].update(ids)

    async def run(self) -> None:
        """Write down what was used, for ever; to be cancelled."""
        while True:
            await asyncio.sleep(NOTE_PERIOD_S)
            while self._used:
                _, (user, ids) = self._used.popitem()
                with contextlib.suppress(JarvisError):  # a count of use is not worth a retry
                    await self._store.used(user, list(ids))

    def _forget(self, forgotten: Forgotten) -> None:
        """Drop what is told of them outside of Postgres; the index does so from rows, as soon as it can."""
        self._forget_turns(forgotten.turn_ids)
        if self._index is not None:
            self._index.wake()

    async def _found(
        self, user: User, query: str, *, limit: int, as_of: datetime | None = None
    ) -> Recollection:
        wanted = max(SEEDS, limit)
        (vector, near), seeds = await asyncio.gather(
            self._near(user, query, wanted), self._recall.seeds(user, query, limit=wanted, as_of=as_of)
        )
        ids = list(dict.fromkeys([*seeds.ids, *(one.id for one in near)]))
        surroundings = await self._recall.around(user, seeds, ids, as_of=as_of)
        # The vector store compares while this ranks by all the rest.
        nearby, ranking = await asyncio.gather(
            self._similarities(user, vector, surroundings), _ranking(query, seeds, surroundings)
        )
        # Where nothing is remembered, nothing was missed.
        is_partial = self._index is not None and nearby is None and bool(seeds.ids)
        return Recollection(memories=ranking.best(nearby or (), limit=limit), is_partial=is_partial)

    async def _near(self, user: User, query: str, limit: int) -> tuple[Vector | None, list[Nearby]]:
        """Return the query's vector and what lies near it; None while that cannot be had in time."""
        if self._index is None:
            return None, []
        try:
            async with asyncio.timeout(PATIENCE_S / 2):
                vector = await self._index.embed(query)
                return vector, await self._index.nearest(user, vector, limit=limit)
        except (JarvisError, TimeoutError):
            return None, []

    async def _similarities(
        self, user: User, vector: Vector | None, surroundings: Surroundings
    ) -> list[Nearby] | None:
        """Return what each candidate has in common with the query; None while that cannot be had in time."""
        if self._index is None or vector is None:
            return None
        ids = [one.memory.id for one in surroundings.candidates]
        try:
            async with asyncio.timeout(PATIENCE_S / 4):
                return await self._index.similarities(user, vector, ids)
        except (JarvisError, TimeoutError):
            return None


async def _ranking(query: str, seeds: Seeds, surroundings: Surroundings) -> Ranking:
    return Ranking(query, seeds, surroundings, now=utc_now())


def _bears_on_it(memory: Memory, found: Recollection) -> bool:
    """Tell whether a turn is to be told of it: among few memories even those rank high that do not fit.

    While meanings cannot be compared, any word in common does: among few memories it weighs next to nothing.
    """
    why = memory.why if isinstance(memory.why, dict) else {}
    if found.is_partial:
        return why.get("words", 0.0) > 0
    return why.get("words", 0.0) + why.get("closeness", 0.0) >= BEARING


def _checked(new: Sequence[NewMemory], field: Callable[[int], str]) -> list[NewMemory]:
    """Return them with the facts they tell. Raises Invalid."""
    errors = [
        FieldError(field=field(number), message=REFUSALS[reason])
        for number, one in enumerate(new)
        if (reason := refusal(one.content)) is not None
    ]
    if errors:
        raise Invalid.of(errors)
    return [_with_fact(one) for one in new]


def _with_fact(new: NewMemory) -> NewMemory:
    """Say what a fact is about, where its content tells one thing, so that a later one can supersede it."""
    if new.kind == "episode":
        return new
    facts = facts_in(new.content)
    if len(facts) != 1:
        return new
    return msgspec.structs.replace(new, attribute=facts[0].attribute, value=facts[0].value)
