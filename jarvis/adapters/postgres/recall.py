"""What recall ranks, fetched from Postgres; migrations/memories/recall.sql does the finding."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import UNSET

from jarvis.adapters.postgres import recall_statements as statements
from jarvis.adapters.postgres.database import Database
from jarvis.core.memories import Memory, MemorySource
from jarvis.core.recall_store import Candidate, Seeds, Surroundings
from jarvis.core.types import User

_source_of = msgspec.json.Decoder(MemorySource).decode


class PostgresRecall:
    """Fills the RecallStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def seeds(self, user: User, query: str, *, limit: int, as_of: datetime | None = None) -> Seeds:
        wanted = statements.Seeds(query=query, limit=limit, as_of=as_of)
        async with self._database.transaction(user) as transaction:
            (row,) = await transaction.all(statements.SEEDS, wanted)
        return Seeds(words=row.words, weights=row.weights, usual_size=row.usual_size, ids=row.memory_ids)

    async def around(
        self, user: User, seeds: Seeds, ids: Sequence[UUID], *, as_of: datetime | None = None
    ) -> Surroundings:
        wanted = statements.Around(ids=list(ids), words=seeds.words, as_of=as_of)
        async with self._database.transaction(user) as transaction:
            rows = await transaction.all(statements.AROUND, wanted)
        return Surroundings(
            candidates=[_candidate_of(row) for row in rows],
            windows=[row.told_around for row in rows if row.told_around is not None],
        )


def _candidate_of(row: statements.AroundRow) -> Candidate:
    return Candidate(
        memory=Memory(
            id=row.memory_id,
            content=row.content,
            importance=row.importance,
            kind=row.kind,
            source=None if row.source is None else _source_of(row.source),
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            valid_from=UNSET if row.valid_from is None else row.valid_from,
            valid_to=UNSET if row.valid_to is None else row.valid_to,
        ),
        told_in=row.told_in,
        size=row.size,
        hits=row.hits,
        use_count=row.use_count,
    )
