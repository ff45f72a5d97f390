"""What recall ranks, fetched from Postgres; migrations/memories/recall.sql does the finding."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from jarvis.adapters.postgres import recall_statements as statements
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.memory_rows import memory_of
from jarvis.core.recall_store import Candidate, Seeds, Surroundings
from jarvis.core.types import User


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
        memory=memory_of(row), told_in=row.told_in, size=row.size, hits=row.hits, use_count=row.use_count
    )
