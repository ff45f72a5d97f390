"""What `jarvis user` is given, taken apart and checked: all that is wrong here is wrong usage."""

import argparse
import sys
from typing import Any

import msgspec

from jarvis.core.errors import Invalid
from jarvis.core.identity import MAX_PASSWORD_BYTES
from jarvis.services.accounts import check_password
from jarvis.web.requests import ProfileName


def add_user_commands(commands: Any) -> None:
    """Add `user` and what follows it to the parser's commands."""
    parser: argparse.ArgumentParser = commands.add_parser("user", help="who may sign in (AUTH_MODE=jwt)")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    adding = actions.add_parser(
        "add", help="make an account; the first one is the owner's", allow_abbrev=False
    )
    adding.add_argument("--role", choices=("member", "owner"), help="without it: member")
    actions.add_parser("list", help="show all accounts, and profiles that have no password")
    suspending = actions.add_parser("suspend", help="lock somebody out at once, and delete the API keys")
    resuming = actions.add_parser("resume", help="let somebody who was suspended sign in again")
    changing = actions.add_parser(
        "passwd", help="change a password, and end all sessions", allow_abbrev=False
    )
    for action in (adding, suspending, resuming, changing):
        action.add_argument("name", metavar="NAME", type=_user_name)
    for action in (adding, changing):
        action.add_argument(
            "--password-stdin",
            dest="password",
            action=_PasswordFromStdin,
            nargs=0,
            help="read it as one line of standard input; without this, one is made and shown",
        )


def _user_name(text: str) -> str:
    try:
        return msgspec.convert(text, ProfileName)
    except msgspec.ValidationError as exc:
        raise argparse.ArgumentTypeError("a name is 1 to 64 letters, digits, _, ., @ and -") from exc


class _PasswordFromStdin(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        del values, option_string  # it takes none, and has one spelling
        line = sys.stdin.buffer.readline(MAX_PASSWORD_BYTES + 3)  # one too long is not cut to what fits
        try:
            password = line.removesuffix(b"\n").removesuffix(b"\r").decode()
            check_password(password)
        except UnicodeDecodeError:
            parser.error("password: must be UTF-8 text")
        except Invalid as exc:
            parser.error(str(exc))
        setattr(namespace, self.dest, password)
