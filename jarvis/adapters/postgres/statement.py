"""A statement: described in SQLAlchemy Core, compiled once to what asyncpg takes."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

ArgumentsT = TypeVar("ArgumentsT", bound=msgspec.Struct)
RowT = TypeVar("RowT", bound=tuple[Any, ...])

_DIALECT = PGDialect_asyncpg()


def bind(name: str, type_: Any) -> sa.BindParameter[Any]:
    """Take an argument of that name."""
    return sa.bindparam(name, type_=type_)


def bind_json(name: str) -> sa.ColumnElement[Any]:
    """Take JSON as text: asyncpg would need a codec for anything else."""
    return sa.cast(bind(name, sa.Text), JSONB)


def constant(sql: str) -> sa.ColumnElement[Any]:
    """Write `sql` into the text: it is part of what a statement means, and costs nothing when it runs."""
    return sa.literal_column(sql)


class Statement(Generic[ArgumentsT, RowT]):
    """Its bind parameters are the fields of `arguments`, its columns those of the NamedTuple `row`.

    Both are checked here, so a typo is found when the module is imported, not when the statement first runs.
    """

    def __init__(self, described: sa.SelectBase, *, arguments: type[ArgumentsT], row: type[RowT]) -> None:
        compiled: Any = described.compile(dialect=_DIALECT)
        order: list[str] = compiled.positiontup
        columns = tuple(described.exported_columns.keys())
        expected: tuple[str, ...] = getattr(row, "_fields")  # noqa: B009  NamedTuple has no type of its own
        if set(order) != set(arguments.__struct_fields__) or columns != expected:
            raise TypeError(
                f"{row.__name__}: {order} are not {arguments.__struct_fields__}, or {columns} not {expected}"
            )
        self.sql: str = compiled.string
        self.row: Callable[[Any], RowT] = getattr(row, "_make")  # noqa: B009  likewise
        self._in_order = attrgetter(*order) if order else None
        self._is_single = len(order) == 1

    def values(self, arguments: ArgumentsT) -> tuple[object, ...]:
        """Return the arguments in the order of their `$n`."""
        if self._in_order is None:
            return ()
        found = self._in_order(arguments)
        return (found,) if self._is_single else found
