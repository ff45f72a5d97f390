"""What makes two wishes the same, whatever door they come through. Pure."""

from hashlib import sha256

import msgspec
from msgspec import UNSET

from jarvis.core.types import AgainCommand, ChatCommand, Once

_encode = msgspec.json.Encoder().encode


def once(key: str, command: ChatCommand | AgainCommand) -> Once:
    """Mark a wish with the client's key. How the answer is read is no part of it (contract, section 2)."""
    if isinstance(command, ChatCommand):
        command = msgspec.structs.replace(command, request_id=UNSET)
    wished = msgspec.structs.replace(command, source="")
    return Once(key=key, fingerprint=sha256(type(command).__name__.encode() + _encode(wished)).digest())
