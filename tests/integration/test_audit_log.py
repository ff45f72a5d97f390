"""What the audit log has of signing in and out, and what it must not have."""

from hashlib import sha256

from jarvis.adapters.postgres.accounts import PostgresAccounts
from tests.clients import query
from tests.identities import Event, audited
from tests.people import PASSWORD, bearer, guarded, join, sign_in
from tests.running import Running
from tests.scripted_model import ScriptedModel

CLIENT = "203.0.113.7"
TYPED = "typed into the wrong field"
WRONG = "guessed at random"
SETTINGS = {"trusted_proxies": "127.0.0.1", "allow_signup": "true"}


async def test_every_event_is_there_and_no_secret(database_url: str, model: ScriptedModel) -> None:
    async with guarded(database_url, model.url, **SETTINGS) as server:
        server.http.headers["X-Forwarded-For"] = CLIENT
        secrets, prefix = await live(server)
        told = [
            ("user_added", "anna", "", None),
            ("signed_in", "anna", CLIENT, None),
            ("key_added", "anna", CLIENT, prefix),
            ("sign_in_failed", "anna", CLIENT, None),
            ("sign_in_failed", None, CLIENT, None),
            ("signed_up", "ben", CLIENT, None),
            ("signed_in", "ben", CLIENT, None),
            ("refresh_token_reused", "anna", CLIENT, None),
            ("signed_in", "anna", CLIENT, None),
            ("key_deleted", "anna", CLIENT, prefix),
            ("signed_out", "anna", CLIENT, None),
            ("user_suspended", "anna", "", None),
            ("sign_in_failed", "anna", CLIENT, None),
            ("user_resumed", "anna", "", None),
            ("password_changed", "anna", "", None),
        ]
        assert await audited(server.assembly.database) == [Event(*event) for event in told]
        rows = await query(server, "SELECT to_jsonb(a)::text AS row FROM audit_log a")
        assert [(secret, row) for row in rows for secret in secrets if secret in row["row"]] == []


async def live(server: Running) -> tuple[list[str], str]:
    """Do whatever is audited; return what was secret in it, and what may be told of a key."""
    accounts, post = PostgresAccounts(server.assembly.database), server.http.post
    anna = await join(server, "anna")
    for name in ("anna", TYPED):
        failed = await post("/api/auth/login", json={"username": name, "password": WRONG})
        assert failed.status_code == 401
    ben = await post("/api/auth/register", json={"username": "ben", "password": PASSWORD})
    renewed = await post("/api/auth/refresh", json={"refresh_token": anna.refresh_token})
    reused = await post("/api/auth/refresh", json={"refresh_token": anna.refresh_token})
    assert (ben.status_code, renewed.status_code, reused.status_code) == (200, 200, 401)
    again = await sign_in(server, "anna")
    headers = bearer(again["token"])
    (key,) = (await server.http.get("/api/auth/keys", headers=headers)).json()["keys"]
    assert (await server.http.delete(f"/api/auth/keys/{key['id']}", headers=headers)).status_code == 200
    assert (await post("/api/auth/logout", headers=headers)).status_code == 200
    await accounts.set_status("anna", "suspended")
    refused = await post("/api/auth/login", json={"username": "anna", "password": PASSWORD})
    assert refused.status_code == 403
    await accounts.set_status("anna", "active")
    await accounts.set_password("anna", "a hash of another password")
    sessions = [ben.json(), renewed.json(), again]
    given = [anna.access_token, anna.refresh_token, anna.key]
    given += [session[name] for session in sessions for name in ("token", "refresh_token")]
    digests = [sha256(secret.encode()).hexdigest() for secret in given]
    return [PASSWORD, WRONG, TYPED, "a hash of", *given, *digests], key["prefix"]
