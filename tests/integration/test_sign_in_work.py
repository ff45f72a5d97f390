"""Whoever fails to sign in has cost the same work, whether the user exists: else its time would tell."""

from typing import Any

import pytest
from argon2 import extract_parameters

from jarvis.adapters.access_tokens import JwtAccessTokens
from jarvis.adapters.passwords import Argon2Passwords
from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.identity import PostgresIdentity
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.adapters.rate_limiter import InProcessRateLimiter
from jarvis.core.errors import Unauthenticated
from jarvis.core.identity import MAX_PASSWORD_BYTES, Rate
from jarvis.core.types import new_id
from jarvis.services.accounts import PasswordAccounts
from jarvis.services.budgets import Budgets
from jarvis.services.credentials import Credentials
from tests.identities import ADDRESS, audited
from tests.people import PASSWORD, SECRET

WRONG = "not that one"


class Noting:
    """Passes everything on to `real`, and notes what was asked."""

    def __init__(self, real: object, asked: list[str]) -> None:
        self._real = real
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        self._asked.append(name)
        return getattr(self._real, name)


class NotingHashes(Argon2Passwords):
    """Notes with which parameters a password is hashed."""

    def __init__(self) -> None:
        super().__init__()
        self.hashed: list[object] = []

    def _matches(self, secret: bytes, password_hash: str) -> bool:
        self.hashed.append(extract_parameters(password_hash))
        return super()._matches(secret, password_hash)


class Door:
    """The accounts of a database, and what is done each time somebody tries to sign in."""

    def __init__(self, database: Database) -> None:
        self.asked: list[str] = []
        self.passwords = NotingHashes()
        store: Any = Noting(PostgresIdentity(database), self.asked)
        reporter: Any = None  # nothing runs in the background
        budgets = Budgets(InProcessRateLimiter(), Rate(requests=100, window_s=60))
        tokens = JwtAccessTokens([SECRET])
        credentials = Credentials(store=store, tokens=tokens, budgets=budgets, reporter=reporter)
        self._accounts = PasswordAccounts(
            store=store,
            passwords=self.passwords,
            tokens=tokens,
            credentials=credentials,
            budgets=budgets,
            reporter=reporter,
            allow_sign_up=False,
        )

    async def refused(self, name: str, password: str) -> tuple[str, list[str], list[object]]:
        """Try; return the answer, what was asked of the database, and how passwords were hashed."""
        self.asked.clear()
        self.passwords.hashed.clear()
        with pytest.raises(Unauthenticated) as refusal:
            await self._accounts.sign_in(name, password, address=ADDRESS)
        return refusal.value.detail, list(self.asked), list(self.passwords.hashed)


@pytest.fixture
async def door(database: Database) -> Door:
    """Has the accounts `known` and `suspended`, and the profile `profile` without a password."""
    register = PostgresAccounts(database)
    password_hash = await Argon2Passwords().hash(PASSWORD)
    for name in ("known", "suspended"):
        await register.add(name, password_hash, role=None, user_id=new_id())
    await register.set_status("suspended", "suspended")
    await PostgresUsers(database).profile("profile")
    return Door(database)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("unknown", WRONG, id="nobody"),
        pytest.param("unknown", PASSWORD, id="nobody-with-a-password-of-somebodys"),
        pytest.param("unknown", "x" * (MAX_PASSWORD_BYTES + 1), id="nobody-too-long"),
        pytest.param("known", "x" * (MAX_PASSWORD_BYTES + 1), id="known-too-long"),
        pytest.param("suspended", WRONG, id="suspended"),
        pytest.param("profile", WRONG, id="a-profile-without-a-password"),
    ],
)
async def test_a_failure_costs_what_a_wrong_password_costs(
    door: Door, database: Database, name: str, password: str
) -> None:
    wrong = await door.refused("known", WRONG)
    assert len(wrong[2]) == 1
    assert await door.refused(name, password) == wrong
    one, other = await _failures(database)
    assert one == other


async def _failures(database: Database) -> list[tuple[str, str, str | None]]:
    """Return what the audit log says of them, but for whose they are."""
    return [
        (event.event, event.address, event.detail)
        for event in await audited(database)
        if event.event == "sign_in_failed"
    ]
