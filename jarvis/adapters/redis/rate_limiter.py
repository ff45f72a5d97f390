"""The rates of all replicas together, in Redis; of this process alone, and stricter, while it is away."""

import hashlib
from collections.abc import Callable

from redis.exceptions import NoScriptError

from jarvis.adapters.rate_limiter import InProcessRateLimiter
from jarvis.adapters.redis.server import RedisServer
from jarvis.core.errors import Unavailable
from jarvis.core.gcra import SLACK, step
from jarvis.core.identity import Allowance, Rate, RateLimiter

PREFIX = "jarvis:rate:"
STRICTER = 2
"""By which the requests of a rate are divided while Redis is away."""

# A key holds what is used up of its window, in seconds, and as of when, in microseconds: Lua's numbers are
# doubles, and an arrival since 1970 would be no finer than 2e-7 s, which adds up to more than the slack. The
# key lives a second longer than it says anything: its life is counted in whole milliseconds.
SCRIPT = """
local window_s, interval_s, slack_s = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now_us = tonumber(ARGV[4])
if not now_us then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
end
local used_s = 0
local kept = redis.call('GET', KEYS[1])
if kept then
  local before_s, as_of_us = string.match(kept, '(%S+) (%S+)')
  used_s = math.max(0, before_s - math.max(0, now_us - as_of_us) / 1000000)
end
if window_s - used_s + slack_s >= interval_s then
  local value = string.format('%.17g %.0f', used_s + interval_s, now_us)
  redis.call('SET', KEYS[1], value, 'PX', math.ceil((used_s + interval_s) * 1000) + 1000)
end
return string.format('%.17g', used_s)
"""
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class RedisRateLimiter:
    """Fills RateLimiter, by core.gcra: the script decides and keeps, `step` tells what that means.

    While Redis is away, this process counts alone, from nothing, at half the rate, so that two replicas
    together allow no more than was promised, and more of them not much: whoever waits for an outage to try
    passwords gains little. Nobody is refused because Redis is away, and nobody waits for it twice.
    """

    def __init__(self, server: RedisServer, *, clock: Callable[[], float] | None = None) -> None:
        """`clock`, in seconds, stands in for that of the server, which is the same for all replicas."""
        self._server = server
        self._clock = clock
        self._alone: RateLimiter = InProcessRateLimiter()

    async def take(self, key: str, rate: Rate) -> Allowance:
        try:
            used_s = await self._used(key, rate)
        except Unavailable:
            requests = max(1, rate.requests // STRICTER)
            return await self._alone.take(key, Rate(requests=requests, window_s=rate.window_s))
        allowance, _ = step(used_s, 0.0, rate)
        return allowance

    async def _used(self, key: str, rate: Rate) -> float:
        """Return how many seconds of the window were used up before; count one more if there is room."""
        interval_s = rate.window_s / rate.requests
        now_us = "" if self._clock is None else round(self._clock() * 1e6)
        arguments = (1, PREFIX + key, rate.window_s, interval_s, interval_s * SLACK, now_us)
        async with self._server.asking() as client:
            try:
                return float(await client.evalsha(SHA, *arguments))
            except NoScriptError:  # it is new to this Redis; EVAL leaves it there
                return float(await client.eval(SCRIPT, *arguments))
