"""When an engine is let alone, and for how long."""

from jarvis.core.breaker import Breaker


def opened(*, at_s: float = 100.0) -> Breaker:
    breaker = Breaker()
    breaker.failed(at_s, reached=False)
    return breaker


def test_lets_requests_pass_at_first() -> None:
    assert Breaker().closed
    assert Breaker().due_s is None


def test_opens_at_the_second_failure_in_a_row() -> None:
    breaker = Breaker()
    breaker.failed(100.0)
    assert breaker.closed
    breaker.failed(101.0)
    assert not breaker.closed
    assert breaker.due_s == 103.0


def test_failures_with_a_success_between_are_not_in_a_row() -> None:
    breaker = Breaker()
    breaker.failed(100.0)
    breaker.served()
    breaker.failed(101.0)
    assert breaker.closed


def test_opens_at_once_where_nobody_was_reached() -> None:
    assert opened(at_s=100.0).due_s == 102.0


def test_waits_double_up_to_30_s_where_checks_go_well_and_requests_fail() -> None:
    breaker = opened(at_s=0.0)
    waits_s: list[float] = []
    now_s = 2.0
    for _ in range(6):
        breaker.check_passed()
        breaker.failed(now_s)
        assert breaker.due_s is not None
        waits_s.append(breaker.due_s - now_s)
        now_s = breaker.due_s
    assert waits_s == [4, 8, 16, 30, 30, 30]


def test_checks_that_fail_do_not_lengthen_the_wait() -> None:
    breaker = opened(at_s=0.0)
    for now_s in (2.0, 4.0, 6.0):
        breaker.check_failed(now_s)
        assert breaker.due_s == now_s + 2.0


def test_failures_while_open_do_not_lengthen_the_wait() -> None:
    breaker = opened(at_s=100.0)
    breaker.failed(100.5, reached=False)  # a request that was under way already
    assert breaker.due_s == 102.0


def test_a_check_that_goes_well_closes_it_on_probation() -> None:
    breaker = opened(at_s=100.0)
    breaker.check_passed()
    assert breaker.closed
    breaker.failed(103.0)
    assert breaker.due_s == 107.0


def test_a_served_request_ends_the_probation() -> None:
    breaker = opened(at_s=100.0)
    breaker.check_passed()
    breaker.served()
    breaker.failed(103.0)
    assert breaker.closed
    breaker.failed(104.0)
    assert breaker.due_s == 106.0


def test_checks_that_go_well_clear_no_failure_of_requests() -> None:
    breaker = Breaker()
    breaker.failed(100.0)
    breaker.check_passed()
    breaker.failed(105.0)
    assert not breaker.closed


def test_checks_that_fail_open_it_as_requests_do() -> None:
    breaker = Breaker()
    breaker.check_failed(100.0)
    assert breaker.closed
    breaker.check_failed(104.0)
    assert breaker.due_s == 106.0

    unreachable = Breaker()
    unreachable.check_failed(100.0, reached=False)
    assert unreachable.due_s == 102.0
