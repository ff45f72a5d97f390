"""What is read of a turn is of one moment, whatever becomes of the turn meanwhile."""

import asyncio

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.turn_statements import FINISH, Finished
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.core.types import ChatCommand, Turn, User, new_id
from tests.chaos.listening import poll
from tests.postgres import PostgresServer

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'messages'::regclass"


async def test_a_turn_that_fails_while_it_is_read_is_told_before_or_after(
    database: Database, user: User, postgres: PostgresServer, migrated_database: str
) -> None:
    store = PostgresTurns(database)
    turn = await store.begin(
        user, ChatCommand(text="Hello"), turn_id=new_id(), owner="box/1", lease_s=60, waiting=False
    )
    assert isinstance(turn, Turn)
    failed = Finished(
        user_id=user.id,
        turn_id=turn.id,
        owner=turn.owner,
        message_id=new_id(),
        status="failed",
        text="",
        metadata=None,
        error='{"code": "llm_unavailable", "message": "The model is away."}',
        ending=None,
        last_seq=3,
    )
    connection = await postgres.connect(migrated_database)

    async def waits() -> bool:
        return bool(await connection.fetchval(WAITING))

    async with connection.transaction():
        await connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        reading = asyncio.create_task(store.get(user, turn.id))
        await poll(waits, within_s=10)
        await connection.execute(FINISH.sql, *FINISH.values(failed))
    stored = await reading
    await connection.close()
    assert (stored.status == "failed") == (stored.message is not None)
