"""The rates' arithmetic, against the same rule in exact fractions."""

from bisect import bisect_left
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.gcra import SLACK, step
from jarvis.core.identity import Allowance, Rate

GRID = 1024
"""Asked at multiples of 1/1024 s, in windows of odd ones: what is asked for is never due to a hair."""

rates = st.builds(
    Rate,
    requests=st.integers(1, 40),
    window_s=st.integers(GRID // 8, 50 * GRID).map(lambda ticks: (2 * ticks + 1) / GRID),
)
gaps = st.lists(st.one_of(st.just(0), st.integers(0, 10 * GRID), st.integers(0, 200)), max_size=150)


def asked(rate: Rate, gap_ticks: list[int]) -> list[tuple[float, Allowance]]:
    now_s, arrival_s, answers = 1000.0, None, list[tuple[float, Allowance]]()
    for gap in gap_ticks:
        now_s += gap / GRID
        allowance, arrival_s = step(arrival_s, now_s, rate)
        answers.append((now_s, allowance))
    return answers


@given(rates, gaps)
def test_it_is_a_bucket_that_leaks(rate: Rate, gap_ticks: list[int]) -> None:
    """The continuous-state leaky bucket, which ITU-T I.371 has as the same algorithm in its other form."""
    interval = Fraction(rate.window_s) / rate.requests
    level, at = Fraction(0), Fraction(1000)
    for now_s, allowance in asked(rate, gap_ticks):
        level = max(Fraction(0), level - (Fraction(now_s) - at))
        at = Fraction(now_s)
        slack = interval * Fraction(SLACK)
        granted = level + interval <= Fraction(rate.window_s) + slack
        level += interval if granted else 0
        room = Fraction(rate.window_s) - level
        assert allowance.granted == granted
        assert allowance.remaining == max(0, (room + slack) // interval)
        waits = interval - room if room + slack < interval else 0
        assert allowance.retry_after_s == pytest.approx(float(waits), abs=1e-6)
        assert allowance.full_after_s == pytest.approx(float(level), abs=1e-6)


@given(rates, gaps)
def test_no_time_has_more_than_a_burst_and_its_share(rate: Rate, gap_ticks: list[int]) -> None:
    granted_at = [now_s for now_s, allowance in asked(rate, gap_ticks) if allowance.granted]
    for first, start_s in enumerate(granted_at):
        for last, end_s in enumerate(granted_at[first:], 1):
            share = (end_s - start_s) / rate.window_s * rate.requests
            assert last <= rate.requests + share + SLACK + 1e-6
        assert bisect_left(granted_at, start_s + rate.window_s) - first <= 2 * rate.requests


@given(rates, st.floats(0, 2e9))
def test_all_are_granted_at_once_and_no_more(rate: Rate, now_s: float) -> None:
    arrival_s = None
    for left in reversed(range(rate.requests)):
        allowance, arrival_s = step(arrival_s, now_s, rate)
        assert allowance.granted
        assert allowance.remaining == left
    allowance, _ = step(arrival_s, now_s, rate)
    assert not allowance.granted
    assert allowance.full_after_s == pytest.approx(rate.window_s, abs=1e-5)


@given(rates, gaps)
def test_asked_again_when_told_it_is_granted_and_not_before(rate: Rate, gap_ticks: list[int]) -> None:
    now_s, arrival_s = 1000.0, None
    for gap in gap_ticks:
        now_s += gap / GRID
        allowance, after_s = step(arrival_s, now_s, rate)
        if not allowance.granted:
            assert after_s == arrival_s
            assert allowance.remaining == 0
            early_s = allowance.retry_after_s - 2 * SLACK * rate.window_s / rate.requests
            assert not step(after_s, now_s + max(0.0, early_s), rate)[0].granted
            assert step(after_s, now_s + allowance.retry_after_s, rate)[0].granted
        arrival_s = after_s


@given(rates, gaps)
def test_after_the_last_one_it_tells_when_the_next_may_be(rate: Rate, gap_ticks: list[int]) -> None:
    arrival_s = None
    for gap in gap_ticks:
        now_s = 1000.0 + gap / GRID
        allowance, arrival_s = step(arrival_s, now_s, rate)
        assert (allowance.retry_after_s == 0) == (allowance.remaining > 0)
        assert step(arrival_s, now_s + allowance.retry_after_s, rate)[0].granted


@given(rates, gaps)
def test_it_is_full_again_when_it_says(rate: Rate, gap_ticks: list[int]) -> None:
    now_s, arrival_s = 1000.0, None
    for gap in gap_ticks:
        now_s += gap / GRID
        allowance, arrival_s = step(arrival_s, now_s, rate)
        then_s = now_s + allowance.full_after_s
        assert step(arrival_s, then_s, rate)[0].remaining == rate.requests - 1


def test_a_refusal_costs_nothing() -> None:
    rate = Rate(requests=2, window_s=60)
    arrival_s = None
    for _ in range(2):
        _, arrival_s = step(arrival_s, 0.0, rate)
    for _ in range(1000):
        refused, arrival_s = step(arrival_s, 1.0, rate)
        assert refused == Allowance(granted=False, remaining=0, retry_after_s=29, full_after_s=59)
    assert step(arrival_s, 30.0, rate)[0].granted
