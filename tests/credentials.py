"""What people send to be let in that lets nobody in: every way to be nobody, by name."""

import base64

import msgspec

from tests.forged_tokens import forged
from tests.people import PASSWORD, Person

REFUSED_FORGERIES = (
    *("alg none", "alg none, signed", "HS384", "HS512", "RS256 with our secret", "HS256 with a public key"),
    *("expired", "not yet valid", "another audience", "another issuer", "no kid", "unknown kid"),
    *("kid of a file", "kid with SQL", "typ JWT", "typ refresh+jwt", "no typ", "no signature"),
)
"""Of the forged tokens, those that are tried on every operation; all are tried on one."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What a request carries besides what it asks for.

    `opens`: to /ws it is as if nothing were sent, so that a first frame may tell who is there.
    """

    headers: list[tuple[str, str]] = []
    params: dict[str, str] = {}
    opens: bool = False


def tokens_of_nobody(anna: Person, ended: dict[str, str]) -> dict[str, str]:
    """Return what stands in the place of a token and is none; `ended` are tokens that counted once."""
    forgeries = forged(anna.access_token)
    return (
        {name: forgeries[name] for name in REFUSED_FORGERIES}
        | ended
        | {
            "junk": "x.y.z",
            "null": "null",
            "the refresh token": anna.refresh_token,
            "the user name": anna.name,
            "a key of nobody's": "jvk_00000000_" + "A" * 43,
            "half the key": anna.key[:30],
            "the key's prefix": anna.key[:12],
        }
    )


def attempts(anna: Person, ended: dict[str, str]) -> dict[str, Attempt]:
    """Return all that is tried: tokens of nobody's, and good ones where they do not belong."""
    token, key = anna.access_token, anna.key
    basic = base64.b64encode(f"{anna.name}:{PASSWORD}".encode()).decode()
    headers = {
        name: [("Authorization", f"Bearer {value}")] for name, value in tokens_of_nobody(anna, ended).items()
    }
    headers |= {f"X-API-Key, {name}": [("X-API-Key", value)] for name, value in ended.items()}
    headers |= {
        "empty": [("Authorization", "")],
        "empty Bearer": [("Authorization", "Bearer")],
        "empty X-API-Key": [("X-API-Key", "")],
        "Basic": [("Authorization", f"Basic {basic}")],
        "Basic with the token": [("Authorization", f"Basic {token}")],
        "Token": [("Authorization", f"Token {token}")],
        "no scheme": [("Authorization", token)],
        "no space": [("Authorization", f"Bearer{token}")],
        "twice in one": [("Authorization", f"Bearer {token}, Bearer {token}")],
        "header twice": [("Authorization", f"Bearer {token}")] * 2,
        "key twice": [("X-API-Key", key)] * 2,
        "both headers": [("Authorization", f"Bearer {token}"), ("X-API-Key", key)],
        "good and bad": [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x.y.z")],
        "access token in X-API-Key": [("X-API-Key", token)],
        "Bearer in X-API-Key": [("X-API-Key", f"Bearer {key}")],
    }
    elsewhere = {
        "X-Auth-Token": [("X-Auth-Token", token)],
        "Api-Key": [("Api-Key", key)],
        "X_API_Key": [("X_API_Key", key)],
        "Proxy-Authorization": [("Proxy-Authorization", f"Bearer {token}")],
        "X-Forwarded-User": [("X-Forwarded-User", anna.name), ("X-User", anna.name)],
        "X-Original-URL": [("X-Original-URL", "/health"), ("X-Rewrite-URL", "/health")],
        "cookie": [
            ("Cookie", f"token={token}; access_token={token}; session={token}; Authorization=Bearer {token}")
        ],
    }
    in_address = {
        name: Attempt(params={name: value}, opens=True)
        for name, value in {"token": token, "access_token": token, "api_key": key}.items()
    }
    return (
        {"none": Attempt(opens=True)}
        | {name: Attempt(headers=sent) for name, sent in headers.items()}
        | {name: Attempt(headers=sent, opens=True) for name, sent in elsewhere.items()}
        | in_address
    )
