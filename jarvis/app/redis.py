"""What replicas share, where REDIS_URL names a Redis; what one process does alone, where it does not."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec

from jarvis.adapters.alone import NoHints, NoTurnTails
from jarvis.adapters.rate_limiter import InProcessRateLimiter
from jarvis.app.background import Background
from jarvis.core.identity import RateLimiter
from jarvis.core.replicas import Hints, TurnTails
from jarvis.settings import Settings


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """`ping` is None where nothing is shared."""

    limiter: RateLimiter
    tails: TurnTails
    hints: Hints
    ping: Callable[[], Awaitable[None]] | None
    background: list[Background]


async def open_shared(settings: Settings, stack: AsyncExitStack) -> Shared:
    if not settings.redis_url:
        return Shared(
            limiter=InProcessRateLimiter(), tails=NoTurnTails(), hints=NoHints(), ping=None, background=[]
        )
    # Most starts need none of these, nor the client that they import.
    from jarvis.adapters.redis.hints import RedisHints  # noqa: PLC0415
    from jarvis.adapters.redis.outbox import Outbox  # noqa: PLC0415
    from jarvis.adapters.redis.rate_limiter import RedisRateLimiter  # noqa: PLC0415
    from jarvis.adapters.redis.server import RedisServer  # noqa: PLC0415
    from jarvis.adapters.redis.turn_tails import RedisTurnTails  # noqa: PLC0415

    server = await stack.enter_async_context(RedisServer(settings.redis_url))
    outbox = Outbox(server)
    tails = RedisTurnTails(server, outbox)
    return Shared(
        limiter=RedisRateLimiter(server),
        tails=tails,
        hints=RedisHints(server, outbox),
        ping=server.ping,
        background=[outbox.run, tails.run],
    )
