"""The Host and Origin rules of the contract, as a table."""

import pytest

from jarvis.web.origins import OriginPolicy

PAGE = "http://localhost:3000"
LOOPBACK = OriginPolicy(port=8100, loopback=True, allowed_origins=[PAGE])
NAMED = OriginPolicy(
    port=8100, loopback=False, allowed_origins=[PAGE], allowed_hosts=["Jarvis.example", "proxy.example:9000"]
)
OPEN = OriginPolicy(port=8100, loopback=False, allowed_origins=[PAGE])
PORT_80 = OriginPolicy(port=80, loopback=True, allowed_origins=[])
NULL_LISTED = OriginPolicy(port=8100, loopback=True, allowed_origins=["null"])
ANY_ORIGIN = OriginPolicy(port=8100, loopback=True, allowed_origins=["*"])


def code(policy: OriginPolicy, hosts: list[bytes], origins: list[bytes]) -> str | None:
    refusal = policy.refusal(hosts, origins)
    return refusal.code if refusal else None


@pytest.mark.parametrize(
    ("policy", "host", "expected"),
    [
        (LOOPBACK, b"localhost", None),
        (LOOPBACK, b"localhost:8100", None),
        (LOOPBACK, b"LOCALHOST:8100", None),
        (LOOPBACK, b"127.0.0.1", None),
        (LOOPBACK, b"127.0.0.1:8100", None),
        (LOOPBACK, b"[::1]", None),
        (LOOPBACK, b"[::1]:8100", None),
        (LOOPBACK, b"localhost:8101", "host_not_allowed"),
        (LOOPBACK, b"localhost.", "host_not_allowed"),
        (LOOPBACK, b"localhost.evil.example", "host_not_allowed"),
        (LOOPBACK, b"127.0.0.2", "host_not_allowed"),
        (LOOPBACK, b"evil.example:8100", "host_not_allowed"),
        (NAMED, b"jarvis.example", None),
        (NAMED, b"JARVIS.example:8100", None),
        (NAMED, b"jarvis.example:9000", "host_not_allowed"),
        (NAMED, b"proxy.example:9000", None),
        (NAMED, b"proxy.example", "host_not_allowed"),
        (NAMED, b"localhost", None),
        (NAMED, b"evil.example", "host_not_allowed"),
        (OPEN, b"anything.example", None),
        (OPEN, b"anything.example:1", None),
    ],
)
def test_hosts(policy: OriginPolicy, host: bytes, expected: str | None) -> None:
    assert code(policy, [host], []) == expected


@pytest.mark.parametrize("hosts", [[], [b""], [b"localhost", b"localhost"]])
@pytest.mark.parametrize("policy", [LOOPBACK, OPEN])
def test_a_host_missing_or_sent_twice_is_a_bad_request(policy: OriginPolicy, hosts: list[bytes]) -> None:
    assert code(policy, hosts, []) == "invalid_request"


@pytest.mark.parametrize(
    ("policy", "host", "origin", "passes"),
    [
        (LOOPBACK, b"localhost:8100", b"http://localhost:3000", True),
        (LOOPBACK, b"localhost:8100", b"HTTP://localhost:3000", True),
        (LOOPBACK, b"localhost:8100", b"http://localhost:3000/", False),
        (LOOPBACK, b"localhost:8100", b"https://localhost:3000", False),
        (LOOPBACK, b"localhost:8100", b"http://localhost:30000", False),
        (LOOPBACK, b"localhost:8100", b"null", False),
        (LOOPBACK, b"localhost:8100", b"", False),
        (LOOPBACK, b"localhost:8100", b"*", False),
        (LOOPBACK, b"localhost:8100", b"http://localhost:8100", True),
        (LOOPBACK, b"localhost:8100", b"https://127.0.0.1:8100", True),
        (LOOPBACK, b"localhost", b"http://[::1]:8100", True),
        (LOOPBACK, b"localhost", b"http://localhost", False),
        (LOOPBACK, b"localhost:8100", b"http://evil.example:8100", False),
        (NAMED, b"jarvis.example", b"https://jarvis.example:8100", True),
        (NAMED, b"jarvis.example", b"http://proxy.example:9000", True),
        (NAMED, b"jarvis.example", b"https://jarvis.example", False),
        (OPEN, b"jarvis.lan:8100", b"http://jarvis.lan:8100", True),
        (OPEN, b"jarvis.lan", b"http://jarvis.lan:8100", True),
        (OPEN, b"jarvis.lan:8100", b"http://evil.example:8100", False),
        (OPEN, b"jarvis.lan:8100", b"null", False),
        (PORT_80, b"localhost", b"http://localhost", True),
        (PORT_80, b"localhost", b"https://localhost", False),
        (ANY_ORIGIN, b"localhost", b"https://page.example", True),
        (ANY_ORIGIN, b"localhost", b"null", False),
        (NULL_LISTED, b"localhost", b"null", False),
    ],
)
def test_origins_and_their_cors_headers_agree(
    policy: OriginPolicy, host: bytes, origin: bytes, *, passes: bool
) -> None:
    assert code(policy, [host], [origin]) == (None if passes else "origin_not_allowed")
    headers = dict(policy.cors([host], [origin]))
    assert headers.get(b"access-control-allow-origin") == (origin if passes else None)
    assert headers[b"vary"] == b"Origin"


def test_an_origin_sent_twice_is_nobodys() -> None:
    twice = [PAGE.encode(), PAGE.encode()]
    assert code(LOOPBACK, [b"localhost"], twice) == "origin_not_allowed"
    assert b"access-control-allow-origin" not in dict(LOOPBACK.cors([b"localhost"], twice))


def test_no_origin_passes_and_still_varies() -> None:
    assert code(LOOPBACK, [b"localhost"], []) is None
    assert LOOPBACK.cors([b"localhost"], []) == ((b"vary", b"Origin"),)
