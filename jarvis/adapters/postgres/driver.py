"""asyncpg, which ships no types: what of it is used, in one place, so that nothing else has to say so."""

from typing import Any

import asyncpg

_untyped: Any = asyncpg


async def connect(url: str, **options: Any) -> Any:
    return await _untyped.connect(url, **options)


async def create_pool(url: str, **options: Any) -> Any:
    return await _untyped.create_pool(url, **options)


def sqlstate_of(error: asyncpg.PostgresError) -> str:
    untyped: Any = error
    return untyped.sqlstate or ""
