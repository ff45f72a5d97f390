"""Users of a Jarvis with AUTH_MODE=jwt: made as its administrator makes them, signed in over HTTP."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from jarvis.adapters.passwords import Argon2Passwords
from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.core.identity import UserRole
from jarvis.core.types import new_id
from tests.clients import Json
from tests.running import Running, running

SECRET = "a key that only these tests know and that has 32 bytes or more"
PASSWORD = "correct horse battery staple"
GUARDED = {"auth_mode": "jwt", "jwt_secret_key": SECRET, "rate_limit_requests": "1000000"}
"""Settings with which users sign in, at rates that no test reaches by accident."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has signed in; `key` is an API key of his."""

    name: str
    access_token: str
    refresh_token: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.access_token)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def guarded(database_url: str, model_url: str, **settings: str) -> AsyncGenerator[Running]:
    """Run Jarvis as GUARDED has it, but for these settings."""
    async with running(database_url, model_url, **(GUARDED | settings)) as server:
        yield server


async def add_account(server: Running, name: str, *, role: UserRole | None = None) -> None:
    password_hash = await Argon2Passwords().hash(PASSWORD)
    accounts = PostgresAccounts(server.assembly.database)
    await accounts.add(name, password_hash, role=role, user_id=new_id())


async def sign_in(server: Running, name: str, password: str = PASSWORD) -> Json:
    response = await server.http.post("/api/auth/login", json={"username": name, "password": password})
    assert response.status_code == 200, response.text
    return response.json()


async def join(server: Running, name: str, *, role: UserRole | None = None) -> Person:
    """Make an account, sign in, and make a key."""
    await add_account(server, name, role=role)
    session = await sign_in(server, name)
    made = await server.http.post(
        "/api/auth/keys", json={"name": "a program"}, headers=bearer(session["access_token"])
    )
    assert made.status_code == 200, made.text
    return Person(
        name=name,
        access_token=session["access_token"],
        refresh_token=session["refresh_token"],
        key=made.json()["key"],
    )
