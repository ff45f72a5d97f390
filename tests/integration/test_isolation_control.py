"""What test_isolation.py looks at can fail, and its mutation leaves out what it says it does."""

import ast
import asyncio
import importlib
import json
import pkgutil
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import jarvis.adapters.postgres
from jarvis.adapters.postgres.row_security import OWNED_TABLES
from jarvis.adapters.postgres.statement import Statement
from tests.isolation import frames, probes
from tests.isolation.probes import differences
from tests.isolation.stand import populated
from tests.mutated import ADMINISTRATOR, FILTER, PACKAGE
from tests.postgres import PostgresServer
from tests.running import REPOSITORY

SOURCES = Path(jarvis.adapters.postgres.__path__[0])
PATIENCE_S = 10.0


async def test_without_row_security_either_the_same_look_finds_what_leaks(
    postgres: PostgresServer, migrated_template: str
) -> None:
    async with populated(postgres, migrated_template, module="tests.mutated") as stand:
        for table in OWNED_TABLES:
            await stand.sql(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        schema = (await stand.ask("GET", "/schema/openapi.json", who="ben")).json()
        before = await stand.rows(of=["anna"])
        names = ("conversation quiet", "turn of quiet", "memory kept", "key")
        ids = {name: stand.theirs[name] for name in names}
        by_path = [probe for probe in (*probes.by_path(schema), *probes.in_chat()) if probe.covers]
        by_path.sort(key=lambda probe: probe.name.startswith("DELETE"))  # what is deleted can be read no more
        found = await differences(stand, stand.people["ben"].headers, by_path, ids)
        leaking = {
            name
            for probe in by_path
            if any(one.startswith(f"{probe.name} of ") for one in found)
            for name in probe.covers
        }
        assert leaking == {name for probe in by_path for name in probe.covers}
        assert await stand.rows(of=["anna"]) != before
        on_sockets = [*frames.of_turn(), *frames.of_conversation()]
        found = await frames.differences(stand, "ben", on_sockets[:2], "turn ended elsewhere")
        assert len(found) == 2


async def test_the_mutation_leaves_out_every_filter_that_the_sources_have() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.mutated", "count"), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE_S):
        output, _ = await process.communicate()
    replaced: dict[str, int] = json.loads(output)
    described: Counter[str] = Counter()
    for module, statement in statements():
        described[module] += len(FILTER.findall(statement.sql))
    administrators = described.pop(ADMINISTRATOR)
    assert replaced == +described
    assert administrators == 5
    in_sources = filters_in_sources()
    assert in_sources.keys() == replaced.keys()
    assert all(replaced[module] >= count for module, count in in_sources.items())


def test_only_the_administrator_works_as_the_role_that_sees_everybody() -> None:
    package = REPOSITORY / "jarvis"
    using = {path.name for path in package.rglob("*.py") if ".administering()" in path.read_text()}
    roles = {
        path.name for path in package.rglob("*.py") if "SET LOCAL ROLE jarvis_system" in path.read_text()
    }
    assert (using, roles) == (
        {"accounts.py"},
        {"database.py", "inspection.py"},
    )  # the latter counts rows for `doctor`
    imported = {path.name for path in package.rglob("*.py") if "account_statements" in path.read_text()}
    assert imported == {"accounts.py"}


def statements() -> Iterator[tuple[str, Statement[Any, Any]]]:
    """Yield every statement with the module that describes it, once."""
    seen: set[int] = set()
    modules = [f"{PACKAGE}.{found.name}" for found in pkgutil.iter_modules([str(SOURCES)])]
    for name in sorted(modules, key=lambda name: not name.endswith("_statements")):
        for value in vars(importlib.import_module(name)).values():
            values = cast("Mapping[object, object]", value).values() if isinstance(value, dict) else (value,)
            for one in values:
                if isinstance(one, Statement):
                    statement = cast("Statement[Any, Any]", one)
                    if id(statement) not in seen:
                        seen.add(id(statement))
                        yield name, statement


def filters_in_sources() -> Counter[str]:
    """Count, by module, where the column that has the owner is compared with what is given as `user_id`."""
    found: Counter[str] = Counter()
    for path in SOURCES.glob("*.py"):
        module = f"{PACKAGE}.{path.stem}"
        for node in ast.walk(ast.parse(path.read_text())):
            if module != ADMINISTRATOR and isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
                column, given = ast.unparse(node.left), ast.unparse(node.comparators[0])
                is_owner = re.fullmatch(r"\w+\.c\.user_id|users\.c\.id", column) is not None
                found[module] += is_owner and given == "bind('user_id', Uuid)"
    return +found
