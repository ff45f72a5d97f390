"""The token bucket, with the clock in the test's hand."""

import time

import pytest

from jarvis.web.rates import TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def taken(bucket: TokenBucket, times: int) -> int:
    return sum(bucket.take() for _ in range(times))


def test_a_burst_is_let_through_and_no_more(clock: Clock) -> None:
    del clock
    assert taken(TokenBucket(rate=30, burst=60), 100) == 60


def test_it_fills_with_time_up_to_a_burst(clock: Clock) -> None:
    bucket = TokenBucket(rate=30, burst=60)
    taken(bucket, 60)
    clock.now_s += 0.5
    assert taken(bucket, 100) == 15
    clock.now_s += 3600
    assert taken(bucket, 100) == 60


def test_the_rate_itself_is_never_refused(clock: Clock) -> None:
    bucket = TokenBucket(rate=32, burst=1)
    for _ in range(1000):
        assert bucket.take()
        clock.now_s += 1 / 32


def test_being_refused_costs_nothing(clock: Clock) -> None:
    bucket = TokenBucket(rate=1, burst=1)
    taken(bucket, 1000)
    clock.now_s += 1
    assert bucket.take()
