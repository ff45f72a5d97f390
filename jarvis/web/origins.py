"""Who may talk to this server, by the Host and Origin headers: pure policy, checked before routing.

It stops DNS rebinding and foreign pages; it authenticates nobody.
"""

from collections.abc import Iterable, Sequence

from jarvis.core.errors import Invalid, JarvisError, Refused
from jarvis.web.asgi import Header

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORTS = {"http": 80, "https": 443}

_EXPOSED = b"X-Request-ID, Retry-After, Idempotency-Replayed, X-Next-Cursor"
VARY: Header = (b"vary", b"Origin")
PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, POST, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-API-Key, X-Request-ID",
    ),
    (b"access-control-max-age", b"600"),
)
"""What a preflight is told besides `OriginPolicy.cors`."""


class OriginPolicy:
    """The Host and Origin rules of one server.

    Hosts and origins are compared in lower case. An entry of `allowed_hosts` without a port stands for itself
    with the server's port and with none. Without entries, on a bind other than loopback, any host is taken,
    and the server's own origin is the Host of the request with the server's port.
    """

    def __init__(
        self, *, port: int, loopback: bool, allowed_origins: Iterable[str], allowed_hosts: Sequence[str] = ()
    ) -> None:
        self._any_host = not loopback and not allowed_hosts
        self._port = b":%d" % port
        self._default_origins = [
            f"{scheme}://".encode() for scheme, default in _DEFAULT_PORTS.items() if default == port
        ]
        hosts: set[bytes] = set()
        for host in (*LOOPBACK_HOSTS, *allowed_hosts):
            name = host.strip().lower().encode()
            hosts |= {name} if _has_port(name) else {name, name + self._port}
        self._hosts = frozenset(hosts)
        origins = {origin.strip().lower().encode() for origin in allowed_origins}
        self._any_origin = b"*" in origins
        own = {origin for host in hosts for origin in self._own(host)}
        self._cors: dict[bytes, tuple[Header, ...]] = {
            origin: _cors_headers(origin) for origin in (origins | own) - {b"*", b"null"}
        }

    def refusal(self, hosts: Sequence[bytes], origins: Sequence[bytes]) -> JarvisError | None:
        """Return why a request with these Host and Origin headers is turned away, or None."""
        # granian makes a missing Host an empty one.
        if len(hosts) != 1 or not hosts[0]:
            return Invalid("Host", "must be sent once")
        host = hosts[0]
        if host not in self._hosts and not self._any_host and host.lower() not in self._hosts:
            return Refused(
                "host_not_allowed", "Name this server as it is known, or add the name to ALLOWED_HOSTS."
            )
        if not origins or (len(origins) == 1 and self._knows(origins[0], host)):
            return None
        return Refused(
            "origin_not_allowed", "Pages of this origin may not use this server; see ALLOWED_ORIGINS."
        )

    def cors(self, hosts: Sequence[bytes], origins: Sequence[bytes]) -> tuple[Header, ...]:
        """Return the headers that let the page read an answer; for an unknown origin only `Vary`."""
        if len(origins) != 1:
            return (VARY,)
        known = self._cors.get(origins[0])
        if known is not None:
            return known
        if len(hosts) == 1 and self._knows(origins[0], hosts[0]):
            return _cors_headers(origins[0])
        return (VARY,)

    def _knows(self, origin: bytes, host: bytes) -> bool:
        origin = origin.lower()
        if origin in self._cors or (self._any_origin and origin != b"null"):
            return True
        return self._any_host and origin in self._own(host.lower())

    def _own(self, host: bytes) -> list[bytes]:
        """Return the origins of pages this server itself may have served under that host."""
        with_port = host if _has_port(host) else host + self._port
        own = [b"http://" + with_port, b"https://" + with_port]
        # A browser leaves out the port that its scheme implies.
        return own + [prefix + with_port.removesuffix(self._port) for prefix in self._default_origins]


def _cors_headers(origin: bytes) -> tuple[Header, ...]:
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _EXPOSED),
        VARY,
    )


def _has_port(host: bytes) -> bool:
    _, colon, port = host.rpartition(b":")
    return bool(colon) and port.isdigit()
