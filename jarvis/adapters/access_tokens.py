"""Access tokens as JWTs, signed and read with secrets of ours (PyJWT)."""

import re
import time
from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

import jwt
import msgspec
from jwt.algorithms import HMACAlgorithm
from jwt.types import Options

from jarvis.core.errors import Unauthenticated
from jarvis.core.identity import Claims
from jarvis.core.types import new_id

ALGORITHM = "HS256"
TYPE = "at+jwt"
"""RFC 9068 section 2.1: so that nothing else signed with the same secret passes for an access token."""
NAME = "jarvis"
"""Issuer and audience: who made a token, and for whom."""
CLOCKS_DIFFER_S = 5
"""How far another replica's clock may be behind that of the one that issued."""
MAX_CHARS = 2048
"""Ours have 409; what is longer is not even parsed."""
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OPTIONS: Options = {
    "strict_aud": True,  # a string, no list that has it among others
    "verify_iat": False,  # it would refuse what a clock ahead of ours issued; `nbf` says how far it may be
}


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The claims beside `iss` and `aud`, as they are issued: all are needed, and for PyJWT "1" is a time."""

    sub: str
    sid: str
    iat: int
    nbf: int
    exp: int
    jti: str


class JwtAccessTokens:
    """Fills AccessTokens. The first of `keys` signs, all of them verify; each has 32 bytes or more.

    Raises ValueError for a key that PyJWT takes for a public one.
    """

    def __init__(self, keys: Sequence[str], *, lifetime_s: int = 900) -> None:
        hmac = HMACAlgorithm(HMACAlgorithm.SHA256)
        self._keys: dict[str, bytes] = {}
        for key in keys:
            try:
                self._keys[_key_id(key)] = hmac.prepare_key(key)
            except jwt.InvalidKeyError as exc:
                raise ValueError("a key of access tokens must be a secret, not a PEM or SSH key") from exc
        self._signing_id = _key_id(keys[0])
        self._lifetime_s = lifetime_s

    @property
    def lifetime_s(self) -> int:
        return self._lifetime_s

    def issue(self, user_id: UUID, session_id: UUID) -> str:
        now_s = int(time.time())
        payload = {
            "iss": NAME,
            "aud": NAME,
            "sub": str(user_id),
            "sid": str(session_id),
            "iat": now_s,
            "nbf": now_s - CLOCKS_DIFFER_S,
            "exp": now_s + self._lifetime_s,
            "jti": str(new_id()),
        }
        header = {"typ": TYPE, "kid": self._signing_id}
        return jwt.encode(  # pyright: ignore[reportUnknownMemberType]  public keys need cryptography
            payload, self._keys[self._signing_id], algorithm=ALGORITHM, headers=header
        )

    def read(self, token: str) -> Claims:
        """Raises Unauthenticated, always in the same words: nobody is told what is wrong with a token."""
        if len(token) > MAX_CHARS or not token.isascii():
            raise Unauthenticated
        try:
            key = self._key_of(jwt.get_unverified_header(token))
            claims = jwt.decode(  # pyright: ignore[reportUnknownMemberType]  as above
                token, key, algorithms=[ALGORITHM], options=OPTIONS, audience=NAME, issuer=NAME
            )
            payload = msgspec.convert(claims, _Payload)
        except (jwt.PyJWTError, msgspec.ValidationError) as exc:
            raise Unauthenticated from exc
        return Claims(
            user_id=_uuid(payload.sub), session_id=_uuid(payload.sid), expires_at=float(payload.exp)
        )

    def _key_of(self, header: dict[str, object]) -> bytes:
        kid = header.get("kid")
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None or header.get("typ") != TYPE or "crit" in header:
            raise Unauthenticated
        return key


def _key_id(key: str) -> str:
    """Name a key without telling it; it has far too many bits to be guessed from its digest."""
    return sha256(key.encode()).hexdigest()[:16]


def _uuid(text: str) -> UUID:
    if not CANONICAL_UUID.fullmatch(text):
        raise Unauthenticated
    return UUID(text)
