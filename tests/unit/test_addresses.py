"""Whose address it is: the peer's, or what a proxy of ours says."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.web.addresses import ClientAddresses, counted_as

PROXIES = ClientAddresses(["10.0.0.0/8", "192.168.1.7", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        pytest.param("203.0.113.9", [], "203.0.113.9", id="nobody between"),
        pytest.param("203.0.113.9", [b"198.51.100.1"], "203.0.113.9", id="a stranger is not believed"),
        pytest.param("10.0.0.1", [], "10.0.0.1", id="a proxy that says nothing"),
        pytest.param("10.0.0.1", [b"198.51.100.1"], "198.51.100.1", id="a proxy's word"),
        pytest.param("192.168.1.7", [b"198.51.100.1"], "198.51.100.1", id="a proxy by address"),
        pytest.param("192.168.1.8", [b"198.51.100.1"], "192.168.1.8", id="its neighbour"),
        pytest.param("::ffff:10.0.0.1", [b"198.51.100.1"], "198.51.100.1", id="a proxy mapped into IPv6"),
        pytest.param("10.0.0.1", [b"1.1.1.1, 198.51.100.1"], "198.51.100.1", id="a client's own words"),
        pytest.param(
            "10.0.0.1", [b"1.1.1.1, 198.51.100.1, 10.0.0.2,fd00::3"], "198.51.100.1", id="past our proxies"
        ),
        pytest.param("10.0.0.1", [b"1.1.1.1", b"198.51.100.1"], "198.51.100.1", id="lines in their order"),
        pytest.param("10.0.0.1", [b"198.51.100.1", b"10.0.0.2"], "198.51.100.1", id="past a whole line"),
        pytest.param("10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3", id="nothing but proxies"),
        pytest.param("10.0.0.1", [b"unknown"], "10.0.0.1", id="garbage"),
        pytest.param("10.0.0.1", [b""], "10.0.0.1", id="nothing in it"),
        pytest.param("10.0.0.1", [b"198.51.100.1, x, 10.0.0.2"], "10.0.0.2", id="garbage stops"),
        pytest.param("10.0.0.1", [b"198.51.100.1, , 10.0.0.2"], "10.0.0.2", id="an empty place stops"),
        pytest.param("10.0.0.1", [b"\xff\xfe"], "10.0.0.1", id="bytes"),
        pytest.param("10.0.0.1", [b"\xd9\xa1.\xd9\xa1.\xd9\xa1.\xd9\xa1"], "10.0.0.1", id="other digits"),
        pytest.param("10.0.0.1", [b"198.51.100.1:4711"], "198.51.100.1", id="a port"),
        pytest.param("10.0.0.1", [b"[2001:db8::1]:4711"], "2001:db8::1", id="a port of IPv6"),
        pytest.param("10.0.0.1", [b"[2001:db8::1]"], "2001:db8::1", id="brackets"),
        pytest.param("10.0.0.1", [b"[2001:db8::1"], "10.0.0.1", id="half a bracket"),
        pytest.param("10.0.0.1", [b"fe80::1%eth0"], "fe80::1", id="a zone"),
        pytest.param("10.0.0.1", [b"fe80::1%" + b"x" * 80], "10.0.0.1", id="too long for one"),
        pytest.param("10.0.0.1", [b"198.51.100.1:http"], "10.0.0.1", id="no port"),
        pytest.param("10.0.0.1", [b"2001:DB8:0:0::1"], "2001:db8::1", id="the shortest form"),
        pytest.param("10.0.0.1", [b"::ffff:198.51.100.1"], "198.51.100.1", id="IPv4 in IPv6"),
        pytest.param("fe80::1%eth0", [], "fe80::1", id="no zone"),
        pytest.param("", [b"198.51.100.1"], "", id="a peer without an address"),
        pytest.param("granian", [], "granian", id="a peer that is no address"),
    ],
)
def test_the_address_of_a_client(peer: str, forwarded: list[bytes], address: str) -> None:
    assert PROXIES.of(peer, forwarded) == address


def test_where_no_proxy_is_ours_none_is_believed() -> None:
    assert ClientAddresses([]).of("127.0.0.1", [b"198.51.100.1"]) == "127.0.0.1"


def test_no_more_than_32_hops_are_looked_at() -> None:
    def behind(proxies: int) -> str:
        return PROXIES.of("10.0.0.1", [b"198.51.100.1" + b",10.0.0.2" * proxies])

    assert behind(31) == "198.51.100.1"
    assert behind(32) == "10.0.0.2"
    assert behind(100_000) == "10.0.0.2"


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="proxy"):
        ClientAddresses(["proxy"])


@given(st.lists(st.binary(max_size=100), max_size=4))
def test_whatever_is_forwarded_an_address_comes_out(forwarded: list[bytes]) -> None:
    ipaddress.ip_address(PROXIES.of("10.0.0.1", forwarded))


@given(st.lists(st.binary(max_size=40), max_size=3))
def test_nothing_a_client_writes_changes_what_a_proxy_saw(written: list[bytes]) -> None:
    assert PROXIES.of("10.0.0.1", [*written, b"198.51.100.1"]) == "198.51.100.1"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:f000::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_what_rates_are_counted_by(address: str, key: str) -> None:
    assert counted_as(address) == key
