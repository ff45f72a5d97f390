"""Access tokens: what is one of ours and in force is read, and nothing else, whatever its bytes."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import HMAC
from typing import Any
from uuid import UUID

import jwt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.utils import base64url_decode

from jarvis.adapters.access_tokens import MAX_CHARS, JwtAccessTokens
from jarvis.core.errors import Unauthenticated

KEY, NEXT_KEY, STRANGE_KEY = "k" * 40, "n" * 40, "s" * 40
TOKENS = JwtAccessTokens([KEY])
USER, SESSION = UUID("7687ed0f-cda3-4001-a2eb-ef0d6b4311c7"), UUID("e05f3d18-3f69-4190-bf75-1eb89cb42a1f")
GOOD = JwtAccessTokens([KEY], lifetime_s=86_400).issue(USER, SESSION)
"""Made when the tests are collected; the last of them may run half an hour later."""


def header_of(token: str) -> dict[str, Any]:
    return jwt.get_unverified_header(token)


def payload_of(token: str) -> dict[str, Any]:
    return msgspec.json.decode(base64url_decode(token.split(".")[1]))


def signed(header: Mapping[str, object], payload: object, *, key: str = KEY, digest: str = "sha256") -> str:
    """Sign whatever it is, as no library would."""
    parts = b".".join(urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=") for part in (header, payload))
    signature = HMAC(key.encode(), parts, digest).digest()
    return (parts + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


def test_what_is_issued_is_read() -> None:
    before = time.time()
    claims = TOKENS.read(TOKENS.issue(USER, SESSION))
    assert (claims.user_id, claims.session_id) == (USER, SESSION)
    assert before + 899 <= claims.expires_at <= time.time() + 900


def test_what_is_issued_says_what_it_is() -> None:
    issued = TOKENS.issue(USER, SESSION)
    header, payload = header_of(issued), payload_of(issued)
    assert header == {"alg": "HS256", "typ": "at+jwt", "kid": sha256(KEY.encode()).hexdigest()[:16]}
    assert (payload["iss"], payload["aud"]) == ("jarvis", "jarvis")
    assert (payload["sub"], payload["sid"]) == (str(USER), str(SESSION))
    assert payload["nbf"] == payload["iat"] - 5
    assert payload["exp"] == payload["iat"] + 900
    assert payload_of(TOKENS.issue(USER, SESSION))["jti"] != payload["jti"]


def test_the_first_key_signs_and_every_key_verifies() -> None:
    both = JwtAccessTokens([NEXT_KEY, KEY])
    assert both.read(GOOD).user_id == USER
    renewed = both.issue(USER, SESSION)
    assert JwtAccessTokens([NEXT_KEY]).read(renewed).user_id == USER
    with pytest.raises(Unauthenticated):
        TOKENS.read(renewed)


def test_a_token_that_another_key_signed_is_refused_under_our_keys_name() -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(signed(header_of(GOOD), payload_of(GOOD), key=STRANGE_KEY))


def test_a_token_is_over_at_its_last_second() -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(JwtAccessTokens([KEY], lifetime_s=0).issue(USER, SESSION))


def test_a_clock_that_is_a_little_ahead_of_ours_may_issue() -> None:
    ahead = int(time.time()) + 4
    claims = payload_of(GOOD) | {"iat": ahead, "nbf": ahead - 5, "exp": ahead + 900}
    assert TOKENS.read(signed(header_of(GOOD), claims)).session_id == SESSION


def test_the_control_of_the_next_tests_is_read() -> None:
    assert TOKENS.read(signed(header_of(GOOD), payload_of(GOOD))).user_id == USER


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"alg": "HS384"},
        {"alg": "hs256"},
        {"alg": None},
        {"alg": ["HS256"]},
        {"typ": "JWT"},
        {"typ": "AT+JWT"},
        {"typ": "application/at+jwt"},
        {"typ": None},
        {"kid": None},
        {"kid": ""},
        {"kid": 7},
        {"kid": ["x"]},
        {"kid": sha256(STRANGE_KEY.encode()).hexdigest()[:16]},
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": None},
        {"crit": ["b64"], "b64": True},
        {"b64": False},
    ],
    ids=str,
)
def test_a_header_that_we_do_not_issue_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(signed(header_of(GOOD) | change, payload_of(GOOD)))


@pytest.mark.parametrize("digest", ["sha384", "sha512"])
def test_only_one_algorithm_signs(digest: str) -> None:
    header = header_of(GOOD) | {"alg": digest.replace("sha", "HS")}
    with pytest.raises(Unauthenticated):
        TOKENS.read(signed(header, payload_of(GOOD), digest=digest))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"])
def test_every_claim_is_required(name: str) -> None:
    payload = payload_of(GOOD)
    for changed in ({key: payload[key] for key in payload if key != name}, payload | {name: None}):
        with pytest.raises(Unauthenticated):
            TOKENS.read(signed(header_of(GOOD), changed))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "Jarvis"},
        {"iss": ["jarvis"]},
        {"aud": "other"},
        {"aud": ["jarvis"]},
        {"aud": ["jarvis", "other"]},
        {"aud": "jarvis "},
        {"sub": str(USER).upper()},
        {"sub": USER.hex},
        {"sub": f"{{{USER}}}"},
        {"sub": f"{USER}\n"},
        {"sub": f"urn:uuid:{USER}"},
        {"sub": "anna"},
        {"sub": 7},
        {"sid": SESSION.hex},
        {"sid": ""},
        {"sid": None},
        {"exp": 1},
        {"exp": -1},
        {"exp": "99999999999"},
        {"exp": 99999999999.5},
        {"exp": True},
        {"exp": []},
        {"nbf": 99999999999},
        {"nbf": "1"},
        {"iat": "1"},
        {"jti": 7},
    ],
    ids=str,
)
def test_claims_that_we_do_not_issue_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(signed(header_of(GOOD), payload_of(GOOD) | change))


@pytest.mark.parametrize("payload", ["jarvis", 7, None, ["jarvis"]], ids=repr)
def test_a_payload_that_is_no_object_is_refused(payload: object) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(signed(header_of(GOOD), payload))


def test_a_long_token_is_refused_although_it_is_one_of_ours() -> None:
    def padded(chars: int) -> str:
        return signed(header_of(GOOD), payload_of(GOOD) | {"more": "x" * chars})

    assert TOKENS.read(padded(100)).user_id == USER
    assert len(padded(1500)) > MAX_CHARS
    with pytest.raises(Unauthenticated):
        TOKENS.read(padded(1500))


def test_a_key_that_is_no_secret_is_refused_before_anything_is_signed() -> None:
    with pytest.raises(ValueError, match="PEM"):
        JwtAccessTokens(["-----BEGIN PUBLIC KEY-----\nMAo=\n-----END PUBLIC KEY-----\n"])


@given(st.one_of(st.text(max_size=300), st.text(alphabet='eyJ0.-_=[{"}', max_size=300)))
def test_whatever_is_sent_is_refused_in_the_same_words(token: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        TOKENS.read(token)
    assert refused.value.detail == Unauthenticated().detail


def test_half_a_character_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(GOOD + "\ud800")


@given(st.integers(0, len(GOOD) - 1), st.characters(), st.sampled_from(["replaced", "inserted", "deleted"]))
def test_one_character_that_differs_is_refused(place: int, char: str, how: str) -> None:
    end = place if how == "inserted" else place + 1
    changed = GOOD[:place] + ("" if how == "deleted" else char) + GOOD[end:]
    if changed == GOOD:
        return
    with pytest.raises(Unauthenticated) as refused:
        TOKENS.read(changed)
    assert refused.value.detail == Unauthenticated().detail


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64"]), json_values),
    st.dictionaries(st.sampled_from(["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"]), json_values),
)
def test_values_of_any_kind_are_refused_or_make_sense(
    header: dict[str, object], payload: dict[str, object]
) -> None:
    try:
        claims = TOKENS.read(signed(header_of(GOOD) | header, payload_of(GOOD) | payload))
    except Unauthenticated:
        return
    assert (claims.user_id, claims.session_id) == (USER, SESSION)
    assert isinstance(claims.user_id, UUID)
    assert claims.expires_at > time.time() - 60


@pytest.mark.parametrize(
    "text", ["[" * 700, '{"a":' * 250, "1" * 1200, "NaN", "-Infinity"], ids=lambda text: text[:9]
)
def test_a_header_made_to_hurt_is_refused(text: str) -> None:
    header = urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    with pytest.raises(Unauthenticated):
        TOKENS.read(f"{header}.e30.AAAA")
