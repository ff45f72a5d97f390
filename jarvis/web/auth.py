"""Signing in and out, and keys for programs. The same paths answer without `/api`, for old clients."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, delete, get, post
from litestar.params import FromPath
from litestar.types import ASGIApp
from msgspec import Meta

from jarvis.core.identity import ApiKey, UserRole
from jarvis.services.accounts import MIN_PASSWORD_CHARS
from jarvis.services.identity import Session
from jarvis.web.context import address_of, caller_of, read_body, services_of
from jarvis.web.query import parse_uuid
from jarvis.web.requests import ProfileName
from jarvis.web.responses import Body

MAX_DAYS = 3650

_encoder = msgspec.json.Encoder()


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    username: Annotated[str, Meta(max_length=256)]
    password: str


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    username: ProfileName
    password: Annotated[str, Meta(min_length=MIN_PASSWORD_CHARS)]


class RefreshRequest(msgspec.Struct, frozen=True, kw_only=True):
    refresh_token: str


class LogoutRequest(msgspec.Struct, frozen=True, kw_only=True):
    refresh_token: str | None = None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """Without `expires_in_days` it counts until it is deleted."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    expires_in_days: Annotated[int, Meta(ge=1, le=MAX_DAYS)] | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    username: str
    role: UserRole


class SessionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`expires_in`: seconds, of the access token. A refresh token is good for one exchange."""

    access_token: str
    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 the name of a scheme
    expires_in: int
    refresh_token: str
    user_id: str
    username: str
    user: Person

    @classmethod
    def of(cls, session: Session) -> "SessionAnswer":
        name = session.user.name
        return cls(
            access_token=session.access_token,
            token=session.access_token,
            expires_in=session.expires_in_s,
            refresh_token=session.refresh_token,
            user_id=name,
            username=name,
            user=Person(id=name, username=name, role=session.role),
        )


class WhoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    valid: bool = True
    user_id: str
    username: str
    role: UserRole


class SignedOutAnswer(msgspec.Struct, frozen=True, kw_only=True):
    signed_out: bool = True


class KeysAnswer(msgspec.Struct, frozen=True, kw_only=True):
    keys: list[ApiKey]


class NewKeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is shown this once; `prefix` is how it is told from others later."""

    id: str
    name: str
    key: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None


class DeletedKeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    deleted: int = 1


@post("/api/auth/login", status_code=200)
async def login(request: Request[Any, Any, Any]) -> ASGIApp:
    """Sign in with a password. Five times a minute for one account, wherever it is tried from."""
    body = await read_body(request, Credentials)
    accounts = services_of(request).accounts
    session = await accounts.sign_in(body.username, body.password, address=address_of(request))
    return _signed_in(session)


@post("/api/auth/refresh", status_code=200)
async def refresh(request: Request[Any, Any, Any]) -> ASGIApp:
    """Exchange a refresh token for new tokens. One that is shown a second time ends its session."""
    body = await read_body(request, RefreshRequest)
    session = await services_of(request).accounts.renew(body.refresh_token, address=address_of(request))
    return _signed_in(session)


@post("/api/auth/register", status_code=200)
async def register(request: Request[Any, Any, Any]) -> ASGIApp:
    """Make an account for oneself, where ALLOW_SIGNUP is set, and sign in."""
    body = await read_body(request, NewAccount)
    accounts = services_of(request).accounts
    return _signed_in(await accounts.sign_up(body.username, body.password, address=address_of(request)))


@post("/api/auth/logout", status_code=200)
async def logout(request: Request[Any, Any, Any]) -> ASGIApp:
    """End the session: its tokens count no more within 1 s, and its sockets are closed."""
    body = await read_body(request, LogoutRequest, optional=True)
    await services_of(request).accounts.sign_out(
        caller_of(request), body.refresh_token, address=address_of(request)
    )
    return Body(_encoder.encode(SignedOutAnswer()))


@post("/api/auth/verify", status_code=200)
async def verify(request: Request[Any, Any, Any]) -> ASGIApp:
    """Tell whose credential was sent; one that is not in force is refused with 401."""
    return await _who(request)


@get("/api/auth/whoami")
async def whoami(request: Request[Any, Any, Any]) -> ASGIApp:
    """Tell whose credential was sent."""
    return await _who(request)


@get("/api/auth/keys")
async def keys(request: Request[Any, Any, Any]) -> ASGIApp:
    """List one's keys, the oldest first, without their secrets."""
    user = await caller_of(request).profile(None)
    return Body(_encoder.encode(KeysAnswer(keys=await services_of(request).accounts.keys(user))))


@post("/api/auth/keys", status_code=200)
async def add_key(request: Request[Any, Any, Any]) -> ASGIApp:
    """Make a key, for a program to send as X-API-Key; it may do what its maker may."""
    body = await read_body(request, NewKey)
    user = await caller_of(request).profile(None)
    key, secret = await services_of(request).accounts.add_key(
        user, body.name, days=body.expires_in_days, address=address_of(request)
    )
    answer = NewKeyAnswer(
        id=str(key.id),
        name=key.name,
        key=secret,
        prefix=key.prefix,
        created_at=key.created_at,
        expires_at=key.expires_at,
    )
    return Body(_encoder.encode(answer))


@delete("/api/auth/keys/{key_id:str}", status_code=200)
async def delete_key(request: Request[Any, Any, Any], key_id: FromPath[str]) -> ASGIApp:
    """End a key for good."""
    wanted = parse_uuid(key_id, "key_id")
    user = await caller_of(request).profile(None)
    await services_of(request).accounts.delete_key(user, wanted, address=address_of(request))
    return Body(_encoder.encode(DeletedKeyAnswer()))


def _signed_in(session: Session) -> Body:
    return Body(_encoder.encode(SessionAnswer.of(session)))


async def _who(request: Request[Any, Any, Any]) -> ASGIApp:
    caller = caller_of(request)
    name = (await caller.profile(None)).name
    return Body(_encoder.encode(WhoAnswer(user_id=name, username=name, role=caller.role)))
