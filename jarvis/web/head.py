"""A request's headers, as far as they are read before it is routed."""

from collections.abc import Iterable

from jarvis.core.errors import Unauthenticated
from jarvis.services.credentials import KEY_MARK
from jarvis.web.asgi import Header

_KEY_MARK = KEY_MARK.encode()
_OVERHEAD_BYTES = 4  # ": " and the line's end
_READ = frozenset(
    {
        *(b"host", b"origin", b"x-request-id", b"access-control-request-method"),
        *(b"authorization", b"x-api-key", b"x-forwarded-for"),
    }
)


class Head:
    """What the edge wants to know of a request's headers, read in one pass."""

    __slots__ = ("_bearers", "_keys", "asks_method", "forwarded", "hosts", "origins", "request_id", "size")

    def __init__(self, headers: Iterable[Header]) -> None:
        self.hosts: list[bytes] = []
        self.origins: list[bytes] = []
        self.forwarded: list[bytes] = []
        self.request_id: bytes | None = None
        self.asks_method = False
        self._bearers: list[bytes] = []
        self._keys: list[bytes] = []
        size = 0
        for name, value in headers:
            size += len(name) + len(value) + _OVERHEAD_BYTES
            if name in _READ:
                self._read(name, value)
        self.size = size

    def _read(self, name: bytes, value: bytes) -> None:
        match name:
            case b"host":
                self.hosts.append(value)
            case b"origin":
                self.origins.append(value)
            case b"x-request-id":
                self.request_id = value
            case b"authorization":
                self._bearers.append(value)
            case b"x-api-key":
                self._keys.append(value)
            case b"x-forwarded-for":
                self.forwarded.append(value)
            case _:
                self.asks_method = True

    @property
    def token(self) -> str | None:
        """The access token or API key that it carries. Raises Unauthenticated for two, or what is neither."""
        given = len(self._bearers) + len(self._keys)
        if not given:
            return None
        if given > 1:
            raise Unauthenticated("Send one access token or API key, once.")
        if self._keys:
            token = self._keys[0]
            if not token.startswith(_KEY_MARK):
                raise Unauthenticated("Send access tokens as Authorization: Bearer.")
        else:
            scheme, _, token = self._bearers[0].partition(b" ")
            if scheme.lower() != b"bearer":
                raise Unauthenticated("Send Authorization: Bearer with an access token, or X-API-Key.")
        try:
            return token.decode("ascii")
        except UnicodeDecodeError:
            raise Unauthenticated from None
