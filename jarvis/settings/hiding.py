"""How the value of a setting is shown to people: without secrets."""

import re

HIDDEN = r"\1***@"
PASSWORD_IN_URL = re.compile(r"(://[^:/@]*:).*@")
"""To the last @, as whoever reads an address takes it."""


def shown(name: str, held: str) -> str:
    if any(word in name for word in ("KEY", "SECRET", "TOKEN", "PASSWORD")):
        return "a secret that is not shown"
    return f"'{PASSWORD_IN_URL.sub(HIDDEN, held)}'"
