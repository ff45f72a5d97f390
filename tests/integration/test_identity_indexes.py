"""What is asked of credentials all the time is read from indexes, however many there are."""

from typing import Any

import pytest

from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.database import Database
from tests.identities import account_of
from tests.postgres import PostgresServer

MANY = 20_000
FILL = """
INSERT INTO refresh_tokens (id, session_id, user_id, digest, expires_at, used_at)
SELECT gen_random_uuid(), gen_random_uuid(), id, uuid_send(gen_random_uuid()), 'infinity',
       CASE WHEN n % 2 = 0 THEN now() END
  FROM users, generate_series(1, $1::int) n;
"""
FILL_KEYS = """
INSERT INTO api_keys (id, user_id, name, prefix, digest)
SELECT gen_random_uuid(), id, 'n', 'p', uuid_send(gen_random_uuid())
  FROM users, generate_series(1, $1::int) n;
"""
FILL_LOG = """
INSERT INTO audit_log (event, at) SELECT 'signed_in', now() - n * interval '1 minute'
  FROM generate_series(1, $1::int) n;
"""
RENEW = """jarvis_renew_session(
    (SELECT digest FROM refresh_tokens WHERE used_at {} LIMIT 1), gen_random_uuid(), 'x', 'infinity', ''
)"""
EXPLAIN = """
ANALYZE refresh_tokens, api_keys, audit_log, users;
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET client_min_messages = log;
"""


@pytest.mark.parametrize("plan_for", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(
    ("call", "indexes"),
    [
        (
            "jarvis_standings(ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 50)))",
            ["refresh_tokens_live_idx", "api_keys_pkey"],
        ),
        ("jarvis_key_of('x')", ["api_keys_digest_key"]),
        (
            RENEW.format("IS NULL"),
            ["refresh_tokens_digest_key", "refresh_tokens_pkey"],
        ),
        (
            RENEW.format("IS NOT NULL"),
            ["refresh_tokens_digest_key", "refresh_tokens_live_idx"],
        ),
        (
            "jarvis_sweep_identity(10, 10)",
            ["refresh_tokens_expires_idx", "api_keys_expires_idx", "audit_log_at_idx"],
        ),
    ],
    ids=["standings", "key_of", "renewed", "reused", "sweep"],
)
async def test_an_index_is_used(
    database: Database,
    postgres: PostgresServer,
    migrated_database: str,
    call: str,
    indexes: list[str],
    plan_for: str,
) -> None:
    await account_of(PostgresAccounts(database), "anna")
    plans: list[str] = []

    def keep(_: object, message: Any) -> None:
        if "Query Text: SELECT * FROM jarvis_" not in message.message:
            plans.append(message.message)

    connection = await postgres.connect(migrated_database)
    try:
        for fill in (FILL, FILL_KEYS, FILL_LOG):
            await connection.execute(fill, MANY)
        await connection.execute(EXPLAIN)
        await connection.execute(f"SET plan_cache_mode = {plan_for}")
        connection.add_log_listener(keep)
        # S608: written above.
        await connection.execute(f"SELECT * FROM {call}")  # noqa: S608
    finally:
        await connection.close()
    found = "\n".join(plans)
    for index in indexes:
        assert index in found
    for table in ("refresh_tokens", "api_keys", "audit_log"):
        assert f"Seq Scan on {table}" not in found
