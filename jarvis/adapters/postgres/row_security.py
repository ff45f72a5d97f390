"""Proves at the start that row security holds, so that a weakened database is not served from."""

from jarvis.adapters.postgres.database import Database, Transaction
from jarvis.core.errors import JarvisError

# Not derived from schema.py, which takes SQLAlchemy to import; a test compares the two.
OWNED_TABLES = (
    *("users", "conversations", "messages", "turns", "memories", "forgotten_memories", "spent_keys"),
    *("refresh_tokens", "api_keys", "audit_log"),
)
_OWNER_IS_ME = "= (NULLIF(current_setting('jarvis.user_id'::text, true), ''::text))::uuid)"


class RowSecurityBroken(JarvisError):
    """Somebody could see another's rows; `detail` says why and what to do."""


async def verify_row_security(database: Database) -> None:
    """Raises RowSecurityBroken, or Unavailable."""
    async with database.transaction(None) as transaction:
        faults = [
            *await _faults_of_roles(transaction),
            *await _faults_of_tables(transaction),
            *await _faults_of_policies(transaction),
        ]
        if not faults:
            faults = await _visible_rows(transaction)
    if faults:
        raise RowSecurityBroken(
            "Row security does not hold in this database, so Jarvis does not serve from it: "
            + "; ".join(faults)
            + ". Restore roles and policies as migrations/first makes them, or restore a backup."
        )


async def _faults_of_roles(transaction: Transaction) -> list[str]:
    rows = await transaction.raw(_ROLES)
    (row,) = rows
    return [fault for fault in (str(text) for text in row.values()) if fault]


async def _faults_of_tables(transaction: Transaction) -> list[str]:
    found = {row["relname"]: row for row in await transaction.raw(_TABLES, list(OWNED_TABLES))}
    faults: list[str] = []
    for table in OWNED_TABLES:
        row = found.get(table)
        if row is None:
            faults.append(f"there is no table {table}")
        elif not row["relrowsecurity"]:
            faults.append(f"row security of {table} is off")
        elif not row["relforcerowsecurity"]:
            faults.append(f"row security of {table} does not bind its owner")
    return faults


async def _faults_of_policies(transaction: Transaction) -> list[str]:
    expected: set[tuple[str, ...]] = set()
    for table in OWNED_TABLES:
        mine = f"({'id' if table == 'users' else 'user_id'} {_OWNER_IS_ME}"
        expected.add((table, "jarvis_app", "ALL", mine, mine))
        expected.add((table, "jarvis_system", "ALL", "true", "true"))
    found = {tuple(row) for row in await transaction.raw(_POLICIES, list(OWNED_TABLES))}
    missing = [
        f"a policy of {table} for {role} is missing or changed" for table, role, *_ in expected - found
    ]
    unknown = [
        f"{table} has a policy for {role} that is not Jarvis' own" for table, role, *_ in found - expected
    ]
    return sorted(missing + unknown)


async def _visible_rows(transaction: Transaction) -> list[str]:
    faults: list[str] = []
    for table in OWNED_TABLES:
        # S608: the names are the constants above.
        rows = await transaction.raw(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608
        if rows:
            faults.append(f"rows of {table} are visible to nobody in particular")
    return faults


_ROLES = """
SELECT CASE WHEN r.rolsuper THEN 'jarvis_app is a superuser' ELSE '' END AS super,
       CASE WHEN r.rolbypassrls THEN 'jarvis_app bypasses row security' ELSE '' END AS bypass,
       CASE WHEN EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
            THEN 'jarvis_app is a member of other roles' ELSE '' END AS member,
       CASE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid)
            THEN 'jarvis_app owns tables' ELSE '' END AS owner
  FROM pg_roles r WHERE r.rolname = current_user
"""

_TABLES = """
SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class
 WHERE oid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)
"""

_POLICIES = """
SELECT tablename::text, array_to_string(roles, ','), cmd, qual, with_check FROM pg_policies
 WHERE schemaname = 'public' AND tablename = ANY ($1::text[]) AND permissive = 'PERMISSIVE'
"""
