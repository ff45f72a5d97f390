"""Fixtures of the suites that run on a real Postgres."""

import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.types import User


@pytest.fixture
def memories(database: Database) -> PostgresMemories:
    return PostgresMemories(database)


@pytest.fixture
async def user(database: Database) -> User:
    return await PostgresUsers(database).profile("default")


@pytest.fixture
async def stranger(database: Database) -> User:
    return await PostgresUsers(database).profile("stranger")
