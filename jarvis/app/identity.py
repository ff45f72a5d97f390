"""Wires who may ask, by AUTH_MODE."""

import secrets

import msgspec
import structlog

from jarvis.adapters.access_tokens import JwtAccessTokens
from jarvis.adapters.passwords import Argon2Passwords
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.identity import PostgresIdentity
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.app.background import Background
from jarvis.core.identity import Rate, RateLimiter
from jarvis.services.accounts import PasswordAccounts
from jarvis.services.budgets import Budgets
from jarvis.services.credentials import Credentials
from jarvis.services.identity import Accounts
from jarvis.services.local import LocalAccounts, LocalOwner
from jarvis.services.sweeper import Reporter
from jarvis.settings import Settings
from jarvis.web.access import Access, OpenAccess, SignedInAccess
from jarvis.web.addresses import ClientAddresses

OWN_KEY_BYTES = 48
OWN_KEY = "JWT_SECRET_KEY is empty: access tokens end with this process; signed-in clients renew theirs."

log = structlog.stdlib.get_logger("jarvis")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    access: Access
    accounts: Accounts
    background: list[Background]


def build_identity(
    settings: Settings, database: Database, limiter: RateLimiter, reporter: Reporter
) -> Identity:
    if not settings.signs_in:
        owner = LocalOwner(PostgresUsers(database))
        return Identity(access=OpenAccess(owner), accounts=LocalAccounts(owner), background=[])
    keys = settings.jwt_secret_key
    if not keys:
        log.warning("identity.own_key", detail=OWN_KEY)
        keys = (secrets.token_urlsafe(OWN_KEY_BYTES),)
    store = PostgresIdentity(database)
    rate = Rate(requests=settings.rate_limit_requests, window_s=settings.rate_limit_window_secs)
    budgets = Budgets(limiter, rate)
    tokens = JwtAccessTokens(keys)
    credentials = Credentials(store=store, tokens=tokens, budgets=budgets, reporter=reporter)
    accounts = PasswordAccounts(
        store=store,
        passwords=Argon2Passwords(),
        tokens=tokens,
        credentials=credentials,
        budgets=budgets,
        reporter=reporter,
        allow_sign_up=settings.allow_signup,
    )
    access = SignedInAccess(
        credentials,
        budgets,
        ClientAddresses(settings.trusted_proxies),
        allow_sign_up=settings.allow_signup,
        metrics_public=settings.metrics_public,
    )
    return Identity(access=access, accounts=accounts, background=[credentials.run, accounts.run])
