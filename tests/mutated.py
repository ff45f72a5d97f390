"""Jarvis with its own filters on the user taken out: what is left between two users is row security.

`python -m tests.mutated serve` is `jarvis serve` without them; `count` prints how many were taken out, by
module. The administrator's statements keep theirs: they run as the role that sees everybody.
"""

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

import jarvis.adapters.postgres
from jarvis.adapters.postgres import statement
from jarvis.adapters.postgres.statement import ArgumentsT, RowT, Statement
from jarvis.adapters.qdrant import edge
from jarvis.core.ports import Nearby, Vector, VectorPoint

PACKAGE = "jarvis.adapters.postgres"
ADMINISTRATOR = f"{PACKAGE}.account_statements"
FILTER = re.compile(r"\b(?:\w+\.user_id|users\.id) = (?P<bind>\$(?P<number>\d+)(?:::\w+)?)")
EVERYBODY = UUID(int=1)

replaced: Counter[str] = Counter()
"""Filters by the module whose statements they were in."""


def filters_in(sql: str, order: Sequence[str]) -> list[re.Match[str]]:
    """Find where a statement compares a row's owner with its argument `user_id`."""
    return [found for found in FILTER.finditer(sql) if order[int(found["number"]) - 1] == "user_id"]


def without_filters(sql: str, order: Sequence[str]) -> str:
    """Write what is always true in their place, with the same arguments."""
    for found in reversed(filters_in(sql, order)):
        sql = f"{sql[: found.start()]}{found['bind']} IS NOT NULL{sql[found.end() :]}"
    return sql


class Unfiltered(Statement[ArgumentsT, RowT]):
    """A statement as its module describes it, but for its filters on the user."""

    def __init__(self, described: sa.SelectBase, *, arguments: type[ArgumentsT], row: type[RowT]) -> None:
        super().__init__(described, arguments=arguments, row=row)
        caller = inspect.stack(0)[1].frame
        module: str = caller.f_globals["__name__"]
        if module != ADMINISTRATOR:
            compiled: Any = described.compile(dialect=PGDialect_asyncpg())
            replaced[module] += len(filters_in(self.sql, compiled.positiontup))
            self.sql = without_filters(self.sql, compiled.positiontup)


class SharedEdge(edge.Edge):
    """Vectors of all users in one heap: a search finds whoever's lie nearest."""

    async def put(self, user_id: UUID, points: Sequence[VectorPoint]) -> None:
        del user_id
        await super().put(EVERYBODY, points)

    async def nearest(self, user_id: UUID, vector: Vector, *, limit: int) -> list[Nearby]:
        del user_id
        return await super().nearest(EVERYBODY, vector, limit=limit)

    async def similarities(self, user_id: UUID, vector: Vector, ids: Sequence[UUID]) -> list[Nearby]:
        del user_id
        return await super().similarities(EVERYBODY, vector, ids)

    async def delete(self, user_id: UUID, ids: Sequence[UUID]) -> None:
        del user_id
        await super().delete(EVERYBODY, ids)


def main() -> int:
    statement.Statement = Unfiltered
    edge.Edge = SharedEdge
    if sys.argv[1:] == ["count"]:
        for module in pkgutil.iter_modules(jarvis.adapters.postgres.__path__):
            importlib.import_module(f"{PACKAGE}.{module.name}")
        print(json.dumps(+replaced))  # noqa: T201 what a test reads
        return 0
    from jarvis.__main__ import main as jarvis_main  # noqa: PLC0415 it describes statements

    return jarvis_main()


if __name__ == "__main__":
    sys.exit(main())
