"""Whose an access token or an API key is, and whether it still counts.

A proof of whose it is holds for as long as the token does, and is remembered by the token's digest. That it
counts is read from rows, which are never older than a second when they are relied on.
"""

import asyncio
import time
from collections.abc import Hashable, Mapping
from hashlib import sha256
from uuid import UUID

import msgspec

from jarvis.core.errors import JarvisError, Unauthenticated
from jarvis.core.identity import AccessTokens, Allowance, IdentityStore, Standing, UserRole
from jarvis.core.types import User
from jarvis.services.budgets import Budgets
from jarvis.services.identity import Budget
from jarvis.services.recent import Recent
from jarvis.services.sweeper import Reporter

MAX_SOCKETS_OF_USER = 64
"""Open at once."""
KEY_MARK = "jvk_"
"""What every API key begins with."""
STANDING_S = 0.5
"""How long what was read of a credential is relied on."""
WATCH_PERIOD_S = 0.5
"""How often the credentials of open sockets and streams are looked at."""


class SignedIn:
    """The Caller by one credential: one user, and nobody else, whatever a request names."""

    def __init__(
        self, standing: Standing, *, is_key: bool, credentials: "Credentials", budgets: Budgets
    ) -> None:
        self.standing = standing
        self.user = standing.user
        self.role: UserRole = standing.role
        self.session_id = None if is_key else standing.credential_id
        self.sockets: Mapping[Hashable, int] = {standing.user.id: MAX_SOCKETS_OF_USER}
        self._credentials = credentials
        self._budgets = budgets

    async def take(self, budget: Budget) -> Allowance:
        return await self._budgets.take_of_user(budget, self.user.id)

    async def left(self) -> None:
        await self._credentials.ended(self.standing.credential_id)

    async def profile(self, name: str | None) -> User:
        """Return himself: `user_id` in a request is ignored."""
        del name
        return self.user

    async def owner_of_conversation(self, conversation_id: UUID) -> User:
        """Return himself: of what is another's the store knows nothing."""
        del conversation_id
        return self.user

    async def owner_of_turn(self, turn_id: UUID) -> User:
        del turn_id
        return self.user

    async def owner_of_memory(self, memory_id: UUID) -> User:
        del memory_id
        return self.user

    def remember(self, owned_id: UUID, user: User) -> None:
        """Do nothing: no owner is ever looked up."""


class _Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What a token has shown once and for all; `expires_at` in seconds since 1970."""

    credential_id: UUID
    is_key: bool
    user_id: UUID | None = None
    expires_at: float = float("inf")

    def is_by(self, caller: SignedIn) -> bool:
        """Tell whether the token names that user, or none."""
        return self.user_id is None or self.user_id == caller.user.id


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a credential, and when the reading began; None: it counts no more."""

    caller: SignedIn | None
    read_at: float


class _Watch:
    """Those who wait for a credential's end."""

    __slots__ = ("ended", "waiting")

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.waiting = 0


class Credentials:
    """Knows callers by their tokens. `run` has to run, or nobody hears of an end."""

    def __init__(
        self, *, store: IdentityStore, tokens: AccessTokens, budgets: Budgets, reporter: Reporter
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._budgets = budgets
        self._reporter = reporter
        self._proofs: Recent[bytes, _Proof] = Recent()
        self._known: Recent[UUID, _Known] = Recent()
        self._reading: dict[UUID, asyncio.Future[SignedIn | None]] = {}
        self._watches: dict[UUID, _Watch] = {}

    def known(self, token: str) -> SignedIn | None:
        """Return whose it is where `caller` would without reading: what it costs is one digest."""
        proof = self._proofs.get(sha256(token.encode()).digest())
        if proof is None or proof.expires_at <= time.time():
            return None
        known = self._known.get(proof.credential_id)
        if known is None or time.monotonic() - known.read_at >= STANDING_S:
            return None
        return known.caller if known.caller and proof.is_by(known.caller) else None

    def has_seen(self, token: str) -> bool:
        """Tell whether this token has been good before; costs no reading."""
        return sha256(token.encode()).digest() in self._proofs

    async def caller(self, token: str) -> SignedIn:
        """Raises Unauthenticated for what is no credential of ours, or counts no more."""
        digest = sha256(token.encode()).digest()
        proof = self._proofs.get(digest) or await self._prove(token, digest)
        if proof.expires_at <= time.time():
            self._proofs.drop(digest)
            raise Unauthenticated
        caller = await self._standing(proof)
        if caller is None or not proof.is_by(caller):
            raise Unauthenticated
        return caller

    def end(self, credential_id: UUID) -> None:
        """Let it count no more in this process from now on; others learn it from its row."""
        self._known.put(credential_id, _Known(caller=None, read_at=time.monotonic()))
        if watch := self._watches.get(credential_id):
            watch.ended.set()

    async def ended(self, credential_id: UUID) -> None:
        """Return once it counts no more."""
        watch = self._watches.setdefault(credential_id, _Watch())
        watch.waiting += 1
        try:
            await watch.ended.wait()
        finally:
            watch.waiting -= 1
            if not watch.waiting and self._watches.get(credential_id) is watch:
                del self._watches[credential_id]

    async def run(self) -> None:
        """Tell for ever who waits for an end that it has come; to be cancelled."""
        while True:
            await asyncio.sleep(WATCH_PERIOD_S)
            watched = list(self._watches)
            if not watched:
                continue
            try:
                standing = {found.credential_id for found in await self._store.standings(watched)}
            except JarvisError:
                continue  # the database is away: its own health check says so
            except Exception:  # noqa: BLE001 one defect must not end the watch
                self._reporter.exception("watch_defect")
                continue
            for credential_id in watched:
                if credential_id not in standing:
                    self.end(credential_id)

    async def _prove(self, token: str, digest: bytes) -> _Proof:
        if token.startswith(KEY_MARK):
            key_id = await self._store.key_of(digest)
            if key_id is None:
                raise Unauthenticated
            proof = _Proof(credential_id=key_id, is_key=True)
        else:
            claims = self._tokens.read(token)
            proof = _Proof(
                credential_id=claims.session_id,
                is_key=False,
                user_id=claims.user_id,
                expires_at=claims.expires_at,
            )
        self._proofs.put(digest, proof)
        return proof

    async def _standing(self, proof: _Proof) -> SignedIn | None:
        known = self._known.get(proof.credential_id)
        if known is not None and time.monotonic() - known.read_at < STANDING_S:
            return known.caller
        reading = self._reading.get(proof.credential_id)
        if reading is None:
            reading = self._reading[proof.credential_id] = asyncio.ensure_future(self._read(proof))
            reading.add_done_callback(lambda done: self._read_ended(proof.credential_id, done))
        return await asyncio.shield(reading)  # others wait for it too

    def _read_ended(self, credential_id: UUID, reading: "asyncio.Future[SignedIn | None]") -> None:
        del self._reading[credential_id]
        if not reading.cancelled():
            reading.exception()  # who asked may be gone; nobody else is to be told

    async def _read(self, proof: _Proof) -> SignedIn | None:
        began_at = time.monotonic()
        found = await self._store.standings([proof.credential_id])
        before = self._known.get(proof.credential_id)
        if before is not None and before.read_at > began_at:
            return before.caller  # its end was told while what was true before it was read
        caller: SignedIn | None = None
        if found:
            caller = before.caller if before else None
            if caller is None or caller.standing != found[0]:
                caller = SignedIn(found[0], is_key=proof.is_key, credentials=self, budgets=self._budgets)
        self._known.put(proof.credential_id, _Known(caller=caller, read_at=began_at))
        return caller
