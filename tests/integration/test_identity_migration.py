"""The way back to a schema that knows no sessions, and up again."""

from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.adapters.postgres.identity import PostgresIdentity
from jarvis.adapters.postgres.migrations import current_revision, downgrade, migrate
from jarvis.adapters.postgres.row_security import verify_row_security
from tests.identities import account_of, audited, begun, counting, key_of, token
from tests.postgres import PostgresServer


async def test_going_back_before_accounts_keeps_them_for_the_way_up_again(
    postgres: PostgresServer, empty_database: str
) -> None:
    url = postgres.url(empty_database)
    await migrate(url)
    async with Database(DatabaseSettings(url=url)) as database:
        register, identity = PostgresAccounts(database), PostgresIdentity(database)
        anna = await account_of(register, "anna")
        session_id, key = await begun(identity, anna, token()), await key_of(identity, anna)
    await downgrade(url, "0003")
    assert await current_revision(url) == "0003"
    connection = await postgres.connect(empty_database)
    left = (
        "SELECT (SELECT count(*) FROM pg_class WHERE relname ~ 'refresh_tok|api_keys|audit|account'), "
        "(SELECT count(*) FROM pg_proc WHERE proname LIKE 'jarvis\\_%'), "
        "has_any_column_privilege('jarvis_system', 'users', 'UPDATE')"
    )
    assert tuple(await connection.fetchrow(left)) == (0, 13, False)
    await connection.close()
    await migrate(url)
    async with Database(DatabaseSettings(url=url)) as database:
        await verify_row_security(database)
        register, identity = PostgresAccounts(database), PostgresIdentity(database)
        assert await register.all() == [anna]
        assert await counting(identity, session_id, key.id) == set()
        assert await audited(database) == []
        session_id = await begun(identity, anna, token())
        assert await counting(identity, session_id) == {session_id}
