"""AUTH_MODE=jwt: people sign in with a password, carry on with refresh tokens, and make keys for programs.

Every refresh token is good for one exchange. Whoever shows one a second time is a thief, or was stolen from:
the session ends.
"""

import asyncio
import secrets
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from jarvis.core.errors import Conflict, Forbidden, Invalid, JarvisError, RateLimited, Unauthenticated
from jarvis.core.identity import (
    MAX_PASSWORD_BYTES,
    AccessTokens,
    Account,
    ApiKey,
    IdentityStore,
    PasswordHasher,
    SecretToken,
    UserRole,
)
from jarvis.core.types import User, new_id, utc_now
from jarvis.services.budgets import Budgets
from jarvis.services.credentials import KEY_MARK, Credentials, SignedIn
from jarvis.services.identity import Caller, Session
from jarvis.services.sweeper import Reporter

REFRESH_MARK = "jrt_"
SECRET_BYTES = 32
SESSION_LASTS = timedelta(days=30)
"""After the last exchange of a refresh token."""
SHOWN_CHARS = 8
"""Of a key, after its mark: enough to tell one's keys apart."""
MAX_KEYS = 100
MIN_PASSWORD_CHARS = 8
"""NIST SP 800-63B section 3.1.1.2; more is the user's to decide."""
AUDIT_DAYS = 365
SWEEP_PERIOD_S = 3600.0

WRONG = "The user name or the password is wrong."
NOT_IN_FORCE = "This refresh token is not in force; sign in again."
SUSPENDED = "This account is suspended."
NO_SIGN_UP = "Nobody signs up here; ask whoever runs this server for an account."
KEY_STAYS = "A key is not signed out; delete it."


class PasswordAccounts:
    """Fills Accounts. `run` forgets what has expired."""

    def __init__(
        self,
        *,
        store: IdentityStore,
        passwords: PasswordHasher,
        tokens: AccessTokens,
        credentials: Credentials,
        budgets: Budgets,
        reporter: Reporter,
        allow_sign_up: bool,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._tokens = tokens
        self._credentials = credentials
        self._budgets = budgets
        self._reporter = reporter
        self._allow_sign_up = allow_sign_up

    async def caller(self, token: str) -> SignedIn:
        return await self._credentials.caller(token)

    async def sign_in(self, name: str, password: str, *, address: str) -> Session:
        """Whether the name is known cannot be told by how long it takes, nor by the answer."""
        allowance = await self._budgets.take_sign_in(name)
        if not allowance.granted:
            raise RateLimited(allowance.retry_after_s)
        account = await self._store.account(name)
        known_hash = account.password_hash if account else None
        is_right = await self._passwords.verify(password, known_hash)
        if account is None or known_hash is None or not is_right:
            await self._store.note("sign_in_failed", user=account.user if account else None, address=address)
            raise Unauthenticated(WRONG)
        if account.status == "suspended":
            await self._store.note("sign_in_failed", user=account.user, address=address)
            raise Forbidden(SUSPENDED)
        session = await self._begin(account, address)
        if self._passwords.is_outdated(known_hash):
            await self._store.rehash(account, await self._passwords.hash(password))
        return session

    async def sign_up(self, name: str, password: str, *, address: str) -> Session:
        if not self._allow_sign_up:
            raise Forbidden(NO_SIGN_UP)
        check_password(password)
        password_hash = await self._passwords.hash(password)
        account = await self._store.add_account(name, password_hash, user_id=new_id(), address=address)
        if account is None:
            raise Conflict("This user name is taken.")
        return await self._begin(account, address)

    async def renew(self, refresh_token: str, *, address: str) -> Session:
        secret, stored = _new_refresh_token()
        standing = await self._store.renew_session(_digest(refresh_token), stored, address=address)
        if standing is None:
            raise Unauthenticated(NOT_IN_FORCE)
        return self._session(standing.user, standing.role, standing.credential_id, secret)

    async def sign_out(self, caller: Caller, refresh_token: str | None, *, address: str) -> None:
        if caller.session_id is None and refresh_token is None:
            raise Conflict(KEY_STAYS)
        ended = await self._store.end_sessions(
            await caller.profile(None),
            [] if caller.session_id is None else [caller.session_id],
            digest=None if refresh_token is None else _digest(refresh_token),
            address=address,
        )
        for session_id in ended:
            self._credentials.end(session_id)

    async def keys(self, user: User) -> list[ApiKey]:
        return await self._store.keys(user)

    async def add_key(self, user: User, name: str, *, days: int | None, address: str) -> tuple[ApiKey, str]:
        shown = KEY_MARK + secrets.token_hex(SHOWN_CHARS // 2)
        secret = f"{shown}_{secrets.token_urlsafe(SECRET_BYTES)}"
        now = utc_now()
        expires_at = None if days is None else now + timedelta(days=days)
        key = ApiKey(id=new_id(), name=name, prefix=shown, created_at=now, expires_at=expires_at)
        await self._store.add_key(user, key, _digest(secret), most=MAX_KEYS, address=address)
        return key, secret

    async def delete_key(self, user: User, key_id: UUID, *, address: str) -> None:
        await self._store.delete_key(user, key_id, address=address)
        self._credentials.end(key_id)

    async def run(self) -> None:
        """Forget for ever, once an hour, what has expired; to be cancelled."""
        while True:
            await asyncio.sleep(SWEEP_PERIOD_S)
            try:
                await self._store.sweep(audit_days=AUDIT_DAYS)
            except JarvisError:
                continue  # the database is away: its own health check says so
            except Exception:  # noqa: BLE001 one defect must not end the sweeping
                self._reporter.exception("identity_sweep_defect")

    async def _begin(self, account: Account, address: str) -> Session:
        session_id = new_id()
        secret, stored = _new_refresh_token()
        await self._store.begin_session(account, session_id, stored, address=address)
        return self._session(account.user, account.role, session_id, secret)

    def _session(self, user: User, role: UserRole, session_id: UUID, refresh_token: str) -> Session:
        return Session(
            access_token=self._tokens.issue(user.id, session_id),
            refresh_token=refresh_token,
            expires_in_s=self._tokens.lifetime_s,
            user=user,
            role=role,
        )


def check_password(password: str) -> None:
    """Raises Invalid("password") for one that nobody should have."""
    if len(password) < MIN_PASSWORD_CHARS:
        raise Invalid("password", f"must have at least {MIN_PASSWORD_CHARS} characters")
    if len(password.encode()) > MAX_PASSWORD_BYTES:
        raise Invalid("password", f"must have at most {MAX_PASSWORD_BYTES} bytes")


def _new_refresh_token() -> tuple[str, SecretToken]:
    secret = REFRESH_MARK + secrets.token_urlsafe(SECRET_BYTES)
    return secret, SecretToken(id=new_id(), digest=_digest(secret), expires_at=utc_now() + SESSION_LASTS)


def _digest(secret: str) -> bytes:
    """Digest a secret of ours, which is too long to be guessed: no salt and no slowness is needed."""
    return sha256(secret.encode()).digest()
