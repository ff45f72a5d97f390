"""Wires what the processes on one database tell one another: over Redis, or not at all."""

from typing import TYPE_CHECKING

import msgspec

from jarvis.adapters.alone import NoHints, NoTurnTails
from jarvis.app.background import Background
from jarvis.core.replicas import Hints, TurnTails

if TYPE_CHECKING:
    from jarvis.adapters.redis.server import RedisServer


class Link(msgspec.Struct, frozen=True, kw_only=True):
    tails: TurnTails
    hints: Hints
    background: list[Background]


def build_link(server: "RedisServer | None") -> Link:
    if server is None:
        return Link(tails=NoTurnTails(), hints=NoHints(), background=[])
    from jarvis.adapters.redis.hints import RedisHints  # noqa: PLC0415
    from jarvis.adapters.redis.outbox import Outbox  # noqa: PLC0415
    from jarvis.adapters.redis.turn_tails import RedisTurnTails  # noqa: PLC0415

    outbox = Outbox(server)
    tails, hints = RedisTurnTails(server, outbox), RedisHints(server, outbox)
    return Link(tails=tails, hints=hints, background=[outbox.run, tails.run])
