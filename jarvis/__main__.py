"""The command line. Exit codes: 0 ok, 1 failed, 2 wrong usage or settings."""

import argparse
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import structlog
import uvloop

from jarvis import __version__
from jarvis.adapters.postgres.migrations import MigrationRefused
from jarvis.app import checking, serving
from jarvis.app.user_arguments import add_user_commands
from jarvis.core.errors import JarvisError
from jarvis.embedded.errors import EmbeddedError
from jarvis.settings import WrongSettings, ignored_names, load, read_environment
from jarvis.telemetry import configure_logging

FAILED = 1
WRONG_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="jarvis", description="A self-hosted conversational assistant.")
    parser.add_argument("--version", action="version", version=f"jarvis {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("serve", help="start the server")
    commands.add_parser("migrate", help="bring the database to this version's schema")
    commands.add_parser("check", help="check the settings, the database's schema and its row security")
    examining = commands.add_parser("doctor", help="show what is configured and what answers")
    examining.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("reindex", help="make the vectors of all memories anew, from the database")
    add_user_commands(commands)
    chosen = parser.parse_args(arguments)
    try:
        environment = read_environment(Path.cwd())
        settings = load(environment)
    except WrongSettings as exc:
        print(exc, file=sys.stderr)  # noqa: T201 a command's own output
        return WRONG_USAGE
    match chosen.command:
        case "serve":
            configure_logging(settings.log_level, settings.log_format)
            for name in ignored_names(environment):
                structlog.stdlib.get_logger("jarvis").warning("setting.ignored", name=name)
            return _run(lambda: serving.run_server(settings))
        case "migrate":
            return _run(lambda: checking.migrate_database(settings))
        case "check":
            return _run(lambda: checking.check(settings))
        case "doctor":
            from jarvis.app.doctor import doctor  # noqa: PLC0415 the clients it imports would slow every start

            return _run(lambda: doctor(settings, Path.cwd(), as_json=chosen.json))
        case "reindex":
            from jarvis.app.reindexing import reindex  # noqa: PLC0415 likewise

            configure_logging("WARNING", settings.log_format)
            return _run(lambda: reindex(settings))
        case "user":
            from jarvis.app.users import manage_users  # noqa: PLC0415 likewise

            configure_logging("WARNING", settings.log_format)
            return _run(lambda: manage_users(settings, chosen))
        case _:
            raise AssertionError


def _run(command: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run to the end; what a person can mend is told in a sentence, not as a traceback."""
    told: list[str] = []
    try:
        return uvloop.run(command())
    except* (EmbeddedError, MigrationRefused, JarvisError, serving.AddressUnusable) as group:
        told += [str(exc) for exc in leaves(group)]
    except* OSError as group:
        told += [exc.strerror or str(exc) for exc in leaves(group) if isinstance(exc, OSError)]
    for text in told:
        print(text, file=sys.stderr)  # noqa: T201 likewise
    return FAILED


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Yield the exceptions inside groups of groups."""
    for exc in group.exceptions:
        if isinstance(exc, BaseExceptionGroup):
            yield from leaves(cast("BaseExceptionGroup[BaseException]", exc))
        else:
            yield exc


if __name__ == "__main__":
    sys.exit(main())
