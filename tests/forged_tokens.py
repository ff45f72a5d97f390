"""Tokens that are nearly an access token: each is one of ours but for what its name says."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import HMAC
from typing import Any
from uuid import uuid4

import jwt
import msgspec
from jwt.utils import base64url_decode

from tests.people import SECRET

STRANGE_KEY = "a key of somebody else's, who would like to be let in"
PUBLIC_KEY = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC\n"
    "9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n"
    "-----END PUBLIC KEY-----\n"
)
HOUR_S = 3600


def signed(
    header: Mapping[str, object], payload: object, *, key: str = SECRET, digest: str = "sha256"
) -> str:
    """Sign whatever it is, as no library would."""
    parts = f"{_part(header)}.{_part(payload)}"
    return f"{parts}.{_encoded(HMAC(key.encode(), parts.encode(), digest).digest())}"


def opened(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of an access token."""
    return jwt.get_unverified_header(token), msgspec.json.decode(base64url_decode(token.split(".")[1]))


def forged(good: str) -> dict[str, str]:
    """Forge tokens after a good one, by what is wrong with them."""
    header, claims = opened(good)
    return _algorithms(header, claims) | _keys(header, claims) | _claims(header, claims) | _broken(good)


def _algorithms(header: dict[str, Any], claims: dict[str, Any]) -> dict[str, str]:
    unsigned = {
        f"alg {name}": f"{_part(header | {'alg': name})}.{_part(claims)}."
        for name in ("none", "None", "NONE", "nOnE")
    }
    without = {name: value for name, value in header.items() if name != "alg"}
    return unsigned | {
        "alg none, signed": signed(header | {"alg": "none"}, claims),
        "no alg": signed(without, claims),
        "HS384": signed(header | {"alg": "HS384"}, claims, digest="sha384"),
        "HS512": signed(header | {"alg": "HS512"}, claims, digest="sha512"),
        "RS256 with our secret": signed(header | {"alg": "RS256"}, claims),
        "ES256 with our secret": signed(header | {"alg": "ES256"}, claims),
        "HS256 with a public key": signed(header, claims, key=PUBLIC_KEY),
        "SHA-512 under the name HS256": signed(header, claims, digest="sha512"),
    }


def _keys(header: dict[str, Any], claims: dict[str, Any]) -> dict[str, str]:
    without = {name: value for name, value in header.items() if name != "kid"}
    jwk = {"kty": "oct", "alg": "HS256", "k": _encoded(STRANGE_KEY.encode())}
    strange = {
        "another key under our kid": header,
        "another key under its own kid": header | {"kid": sha256(STRANGE_KEY.encode()).hexdigest()[:16]},
        "jwk in the header": header | {"jwk": jwk},
        "jku in the header": header | {"jku": "http://127.0.0.1:9/keys"},
        "x5u in the header": header | {"x5u": "http://127.0.0.1:9/chain"},
    }
    kids: dict[str, object] = {
        "unknown kid": "0123456789abcdef",
        "kid of a file": "../../../../../../dev/null",
        "kid with SQL": "' UNION SELECT 'k",
        "kid that is empty": "",
        "kid of a list": [header["kid"]],
    }
    return (
        {name: signed(changed, claims, key=STRANGE_KEY) for name, changed in strange.items()}
        | {name: signed(header | {"kid": kid}, claims) for name, kid in kids.items()}
        | {
            "no kid": signed(without, claims),
            "kid of an empty file": signed(header | {"kid": "/dev/null"}, claims, key=""),
            "crit": signed(header | {"crit": ["exp"]}, claims),
        }
        | {f"typ {typ}": signed(header | {"typ": typ}, claims) for typ in ("JWT", "refresh+jwt", "id+jwt")}
        | {"no typ": signed({name: value for name, value in header.items() if name != "typ"}, claims)}
    )


def _claims(header: dict[str, Any], claims: dict[str, Any]) -> dict[str, str]:
    now_s = int(time.time())
    changes: dict[str, dict[str, object]] = {
        "expired": {"iat": now_s - HOUR_S, "nbf": now_s - HOUR_S, "exp": now_s - 1},
        "not yet valid": {"iat": now_s + HOUR_S, "nbf": now_s + HOUR_S, "exp": now_s + 2 * HOUR_S},
        "exp as text": {"exp": str(now_s + HOUR_S)},
        "another audience": {"aud": "another"},
        "several audiences": {"aud": ["jarvis", "another"]},
        "another issuer": {"iss": "another"},
        "somebody else's sub": {"sub": str(uuid4())},
        "a session that never was": {"sid": str(uuid4())},
    }
    return {name: signed(header, claims | change) for name, change in changes.items()} | {
        f"no {name}": signed(header, {key: claims[key] for key in claims if key != name})
        for name in ("iss", "aud", "exp", "sid")
    }


def _broken(good: str) -> dict[str, str]:
    head, body, signature = good.split(".")
    changed = _part(opened(good)[1] | {"sub": str(uuid4())})
    return {
        "no signature": f"{head}.{body}.",
        "no signature and no dot": f"{head}.{body}",
        "half a signature": f"{head}.{body}.{signature[:20]}",
        "other claims under the signature": f"{head}.{changed}.{signature}",
        "two in one": f"{good}.{good}",
        "five parts": f"{head}..{body}.{signature}.{signature}",
        "dots": "..",
    }


def _part(value: object) -> str:
    return _encoded(msgspec.json.encode(value))


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
