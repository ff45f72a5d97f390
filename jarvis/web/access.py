"""Who may ask for what, before it is routed: one Caller for each request, within his rates.

AUTH_MODE=local lets everybody in as the owner. AUTH_MODE=jwt denies by default: what is not public by name
needs a credential, also where there is no such route.
"""

from math import ceil
from typing import Protocol

import msgspec

from jarvis.core.errors import Forbidden, JarvisError, RateLimited, Unauthenticated
from jarvis.core.identity import Allowance
from jarvis.services.budgets import Budgets
from jarvis.services.credentials import Credentials
from jarvis.services.identity import Budget, Caller
from jarvis.web.addresses import ClientAddresses, counted_as
from jarvis.web.asgi import Header, Scope
from jarvis.web.head import Head

PROBES = frozenset({"/health", "/ready"})
METRICS = "/metrics"
SOCKET = "/ws"
SIGN_IN = frozenset({"/api/auth/login", "/api/auth/refresh", "/auth/login", "/auth/refresh"})
SIGN_UP = frozenset({"/api/auth/register", "/auth/register"})

_VOICE = ("/api/voice/", "/voice/")
_CHATS = frozenset({"/api/chat", "/chat"})


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of a request: `refusal` says why it is turned away, None: it is not.

    `caller` None: nobody yet, on a public path. `headers` go with the answer, whatever it is.
    """

    caller: Caller | None
    address: str = ""
    headers: tuple[Header, ...] = ()
    refusal: JarvisError | None = None


class Access(Protocol):
    async def admit(self, scope: Scope, head: Head) -> Admitted: ...


class OpenAccess:
    """Everybody is the owner, as often as he likes."""

    def __init__(self, owner: Caller) -> None:
        self._admitted = Admitted(caller=owner)

    async def admit(self, scope: Scope, head: Head) -> Admitted:
        del scope, head
        return self._admitted


class SignedInAccess:
    """Whoever has a credential that counts, within the budgets of its user.

    What nobody has signed in for counts against its address, and so does each token that was not seen before:
    guesses are few.
    """

    def __init__(
        self,
        credentials: Credentials,
        budgets: Budgets,
        addresses: ClientAddresses,
        *,
        allow_sign_up: bool,
        metrics_public: bool,
    ) -> None:
        self._credentials = credentials
        self._budgets = budgets
        self._addresses = addresses
        self._open = PROBES | {METRICS} if metrics_public else PROBES
        self._sign_in = SIGN_IN | SIGN_UP if allow_sign_up else SIGN_IN
        quota, window_s = budgets.rate.requests, ceil(budgets.rate.window_s)
        kinds: tuple[Budget, ...] = ("chat", "voice", "login", "reads")
        self._policies: dict[Budget, Header] = {
            kind: (b"ratelimit-policy", f'"{kind}";q={quota};w={window_s}'.encode()) for kind in kinds
        }

    async def admit(self, scope: Scope, head: Head) -> Admitted:
        path: str = scope["path"]
        if path in self._open:
            return Admitted(caller=None)
        address = self._addresses.of(_peer(scope), head.forwarded)
        if path in self._sign_in:
            return await self._nobody("login", address)
        budget = budget_of(scope, path)
        try:
            token = head.token
        except Unauthenticated as exc:
            return await self._nobody(budget, address, exc)
        if token is None:
            is_socket = path == SOCKET and scope["type"] == "websocket"
            return await self._nobody(budget, address, None if is_socket else Unauthenticated())
        caller = self._credentials.known(token)
        if caller is None:
            found = await self._find(token, budget, address)
            if isinstance(found, Admitted):
                return found
            caller = found
        allowance = await caller.take(budget)
        refusal = None if allowance.granted else RateLimited(allowance.retry_after_s)
        if path == METRICS and caller.role != "owner":
            refusal = Forbidden("Only the owner may see the metrics.")
        return Admitted(
            caller=caller, address=address, headers=self._headers(budget, allowance), refusal=refusal
        )

    async def _find(self, token: str, budget: Budget, address: str) -> Caller | Admitted:
        """Return whose it is, or why the request is turned away."""
        if not self._credentials.has_seen(token):
            unseen = await self._nobody(budget, address)
            if unseen.refusal:
                return unseen
        try:
            return await self._credentials.caller(token)
        except JarvisError as exc:  # it is no good, or the database is away
            return Admitted(caller=None, address=address, refusal=exc)

    async def _nobody(self, budget: Budget, address: str, refusal: Unauthenticated | None = None) -> Admitted:
        allowance = await self._budgets.take_of_address(budget, counted_as(address))
        return Admitted(
            caller=None,
            address=address,
            headers=self._headers(budget, allowance),
            refusal=refusal if allowance.granted else RateLimited(allowance.retry_after_s),
        )

    def _headers(self, budget: Budget, allowance: Allowance) -> tuple[Header, ...]:
        """Tell how much is left, as draft-ietf-httpapi-ratelimit-headers-10 has it."""
        left = f'"{budget}";r={allowance.remaining};t={ceil(allowance.full_after_s)}'
        return (self._policies[budget], (b"ratelimit", left.encode()))


def budget_of(scope: Scope, path: str) -> Budget:
    """Return what a request counts as, whether its route exists or not."""
    if path.startswith(_VOICE):
        return "voice"
    if scope.get("method") == "POST" and (path in _CHATS or path.endswith("/regenerate")):
        return "chat"
    return "reads"


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
