"""Redis, where REDIS_URL names one: whether it answers."""

from jarvis.app.examination.finding import Finding
from jarvis.app.examination.surroundings import without_password
from jarvis.core.errors import Unavailable
from jarvis.settings import Settings

GOES_ON = "Until then each replica counts requests alone, and knows only its own live answers."


async def examine_redis(settings: Settings) -> Finding:
    if not settings.redis_url:
        return Finding(
            state="ok", found="None: REDIS_URL is empty. Only several replicas need one.", facts={"url": None}
        )
    from jarvis.adapters.redis.server import RedisServer  # noqa: PLC0415 only where there is one to ask

    shown = without_password(settings.redis_url)
    facts: dict[str, object] = {"url": shown}
    try:
        async with RedisServer(settings.redis_url) as redis:
            await redis.ping()
    except Unavailable as exc:
        return Finding(
            state="failed",
            found=f"{shown}: {exc.detail}",
            advice=f"Start it, or correct REDIS_URL. {GOES_ON}",
            facts={**facts, "answers": False},
        )
    return Finding(state="ok", found=f"Redis at {shown} answers", facts={**facts, "answers": True})
