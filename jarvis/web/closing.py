"""The codes a WebSocket is closed with (RFC 6455 section 7.4, and the contract's section 4)."""

POLICY = 1008
TOO_BIG = 1009
RESTART = 1012
OVERLOADED = 1013
