"""The generic cell rate algorithm, in its virtual scheduling form (ITU-T I.371, annex A).

All that is known of a key is when its next cell is due if it keeps to its rate: as far as that lies ahead, so
much of the window is used up. Pure: the clock is the caller's.
"""

from jarvis.core.identity import Allowance, Rate

SLACK = 1 / 128
"""Of the interval: one is granted so much early, or rounding would refuse what was promised.

It adds up to less than that for 10,000 requests a minute on a clock that has run for a year.
"""


def step(arrival_s: float | None, now_s: float, rate: Rate) -> tuple[Allowance, float]:
    """Ask for one more at `now_s`; return what is allowed, and the arrival to keep. None: never asked.

    Within any `t` seconds at most `requests * (1 + t / window_s) + SLACK` are granted: all at once where none
    was asked for in a while, then one each `window_s / requests`, so at most twice `requests` in a window.
    What is refused leaves the arrival as it was, and is granted when asked again after exactly
    `retry_after_s`. An arrival that is not after now is as good as None.
    """
    interval_s = rate.window_s / rate.requests
    expected_s = now_s if arrival_s is None or arrival_s < now_s else arrival_s
    used_s = expected_s - now_s
    slack_s = interval_s * SLACK
    granted = rate.window_s - used_s + slack_s >= interval_s
    if granted:
        expected_s += interval_s
        used_s += interval_s
    room_s = rate.window_s - used_s
    remaining = max(0, int((room_s + slack_s) / interval_s))
    allowance = Allowance(
        granted=granted,
        remaining=remaining,
        retry_after_s=0.0 if remaining else interval_s - room_s,
        full_after_s=used_s,
    )
    return allowance, expected_s
