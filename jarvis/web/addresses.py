"""Whose address a request comes from, also behind proxies."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

MAX_HOPS = 32
"""Of X-Forwarded-For, from the right; further ones are not looked at."""
MAX_CHARS = 80
"""Of one address; with a zone, which is as long as the name of a network interface, it has 63 and a port."""
REMEMBERED = 4096
WITH_PORT = re.compile(r"\[([^][]+)](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


class ClientAddresses:
    """Knows which proxies to believe: `trusted` are addresses or networks.

    Raises ValueError for one that is neither.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted = [ip_network(network, strict=False) for network in trusted]
        self._look_at = lru_cache(REMEMBERED)(self._parse)

    def of(self, peer: str, forwarded: Sequence[bytes]) -> str:
        """Return the client's address: the peer's, unless that is a proxy of ours.

        Then it is the last of `forwarded`, the lines of X-Forwarded-For in their order, that is no proxy of
        ours; each proxy adds on the right, and what lies further left anybody may have written. Where
        something is no address, the last before it counts. IPv4 in IPv6 is IPv4; zones and ports are left
        out. A peer that is no address is returned as it is.
        """
        address, is_ours = self._look_at(peer) or (peer, False)
        if not is_ours:
            return address
        # Where there are more hops, the last to be looked at is all the rest in one, which is no address.
        for hop in reversed(b",".join(forwarded).rsplit(b",", MAX_HOPS - 1)):
            found = self._look_at(hop.decode("latin-1").strip(" \t")) if len(hop) <= MAX_CHARS else None
            if found is None:
                return address
            address, is_ours = found
            if not is_ours:
                return address
        return address

    def _parse(self, text: str) -> tuple[str, bool] | None:
        """Return the address in its shortest form, and whether it is a proxy of ours."""
        parsed = _parsed(text)
        if parsed is None:
            return None
        return str(parsed), any(parsed in network for network in self._trusted)


@lru_cache(REMEMBERED)
def counted_as(address: str) -> str:
    """Return what rates are counted by: the address, of IPv6 the /64 (RFC 4291 section 2.5.4).

    Within that everybody has as many addresses as he likes.
    """
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return address if parsed is None else str(parsed)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    if match := WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
