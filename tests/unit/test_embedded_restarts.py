import pytest

from jarvis.embedded.restarts import GiveUp, Restart, RestartPolicy


def crash_at(times_s: list[float], policy: RestartPolicy, *, jitter: float = 0.0) -> list[Restart | GiveUp]:
    crashes_s: tuple[float, ...] = ()
    verdicts: list[Restart | GiveUp] = []
    for now_s in times_s:
        verdict = policy.after_crash(crashes_s, now_s, jitter)
        crashes_s = verdict.crashes_s
        verdicts.append(verdict)
    return verdicts


def test_waits_double_up_to_the_cap() -> None:
    policy = RestartPolicy(base_s=1.0, cap_s=5.0, limit=100)
    verdicts = crash_at([0.0, 1.0, 2.0, 3.0, 4.0], policy)
    assert [v.delay_s for v in verdicts if isinstance(v, Restart)] == [1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize(("jitter", "delay_s"), [(0.0, 1.0), (0.5, 1.25), (1.0, 1.5)])
def test_jitter_adds_up_to_a_half(jitter: float, delay_s: float) -> None:
    (verdict,) = crash_at([0.0], RestartPolicy(base_s=1.0), jitter=jitter)
    assert isinstance(verdict, Restart)
    assert verdict.delay_s == delay_s


def test_the_fifth_crash_within_the_window_is_the_last() -> None:
    verdicts = crash_at([0.0, 10.0, 20.0, 30.0, 59.0], RestartPolicy(limit=5, window_s=60.0))
    assert [type(verdict) for verdict in verdicts] == [Restart] * 4 + [GiveUp]


def test_crashes_older_than_the_window_are_forgiven() -> None:
    policy = RestartPolicy(base_s=1.0, limit=3, window_s=60.0)
    verdicts = crash_at([0.0, 1.0, 61.5, 70.0], policy)
    assert [v.delay_s for v in verdicts if isinstance(v, Restart)] == [1.0, 2.0, 1.0, 2.0]
