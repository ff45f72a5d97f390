"""What replicas share, where REDIS_URL names a Redis; what one process does alone, where it does not."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from jarvis.adapters.rate_limiter import InProcessRateLimiter
from jarvis.core.identity import RateLimiter
from jarvis.settings import Settings

if TYPE_CHECKING:
    from jarvis.adapters.redis.server import RedisServer


async def open_redis(settings: Settings, stack: AsyncExitStack) -> "RedisServer | None":
    if not settings.redis_url:
        return None
    from jarvis.adapters.redis.server import RedisServer  # noqa: PLC0415 most starts need none

    return await stack.enter_async_context(RedisServer(settings.redis_url))


def rate_limiter(redis: "RedisServer | None") -> RateLimiter:
    if redis is None:
        return InProcessRateLimiter()
    from jarvis.adapters.redis.rate_limiter import RedisRateLimiter  # noqa: PLC0415 likewise

    return RedisRateLimiter(redis)
