"""When a crashed child is started again: exponential backoff with jitter, and a cap on crash loops. Pure."""

import msgspec


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """At most `limit` crashes within `window_s`; waits double from `base_s` to `cap_s`, plus up to a half."""

    base_s: float = 0.2
    cap_s: float = 15.0
    limit: int = 5
    window_s: float = 60.0

    def after_crash(self, crashes_s: tuple[float, ...], now_s: float, jitter: float) -> "Restart | GiveUp":
        """Decide on the crash at `now_s`; `crashes_s` are the earlier ones, `jitter` is in 0..1.

        A child that lived through a whole window starts again from the shortest wait.
        """
        recent = (*(at for at in crashes_s if now_s - at < self.window_s), now_s)
        if len(recent) >= self.limit:
            return GiveUp(crashes_s=recent)
        delay_s = min(self.cap_s, self.base_s * 2 ** (len(recent) - 1))
        return Restart(delay_s=delay_s * (1 + jitter / 2), crashes_s=recent)


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    delay_s: float
    crashes_s: tuple[float, ...]


class GiveUp(msgspec.Struct, frozen=True, kw_only=True):
    crashes_s: tuple[float, ...]
