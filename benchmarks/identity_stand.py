"""Users who sign in to a Jarvis that is measured."""

import asyncio
from collections.abc import Sequence

from benchmarks.peer import Peer, post
from benchmarks.servers import Server
from benchmarks.stand import Stand
from jarvis.adapters.passwords import Argon2Passwords
from jarvis.adapters.postgres.accounts import PostgresAccounts
from jarvis.adapters.postgres.database import Database, DatabaseSettings
from jarvis.core.types import new_id

PASSWORD = "correct horse battery staple"  # noqa: S105 nobody has it
SIGNED_IN = {"AUTH_MODE": "jwt", "JWT_SECRET_KEY": "k" * 48, "RATE_LIMIT_REQUESTS": "1000000"}
LOGIN = "/api/auth/login"


async def add_accounts(built: Stand, names: Sequence[str]) -> None:
    """Make accounts, all with PASSWORD."""
    password_hash = await Argon2Passwords().hash(PASSWORD)
    async with Database(DatabaseSettings(url=built.database_url)) as database:
        accounts = PostgresAccounts(database)
        for name in names:
            await accounts.add(name, password_hash, role="member", user_id=new_id())


async def sign_in(server: Server, name: str) -> str:
    """Return an access token."""
    peer = await Peer.open(server.port)
    heard = await peer.ask(post(server.port, LOGIN, {"username": name, "password": PASSWORD}))
    peer.close()
    assert heard.data.startswith(b"HTTP/1.1 200"), heard.data[:500]
    return heard.json["access_token"]


async def add_key(server: Server, token: str) -> str:
    peer = await Peer.open(server.port)
    authorization = f"Bearer {token}"
    asked = post(server.port, "/api/auth/keys", {"name": "load"}, authorization=authorization)
    heard = await peer.ask(asked)
    peer.close()
    assert heard.data.startswith(b"HTTP/1.1 200"), heard.data[:500]
    return heard.json["key"]


async def asked_at_once(server: Server, bodies: Sequence[object]) -> list[bytes]:
    """Log in with each body at the same time, over a connection each; return the status lines."""
    peers = [await Peer.open(server.port) for _ in bodies]
    heard = await asyncio.gather(
        *(peer.ask(post(server.port, LOGIN, body)) for peer, body in zip(peers, bodies, strict=True))
    )
    for peer in peers:
        peer.close()
    return [answer.data.partition(b"\r\n")[0] for answer in heard]
