"""Who may begin a turn and in which order turns run, decided from memory."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.errors import Busy, Overloaded
from jarvis.core.types import new_id
from jarvis.services.admission import MAX_WAITING_IN_CONVERSATION, Admission, Ticket

USER, STRANGER = new_id(), new_id()
A, B = (USER, new_id()), (USER, new_id())


def granted(*tickets: Ticket) -> list[bool]:
    return [ticket.granted.is_set() for ticket in tickets]


def test_who_names_anothers_conversation_neither_waits_there_nor_learns_of_it() -> None:
    admission = Admission(max_running=9, max_waiting=9)
    admission.enter(*A)
    stranger = admission.enter(STRANGER, A[1], if_busy_reject=True)
    assert granted(stranger, admission.enter(*A)) == [True, False]


def test_one_at_a_time_in_a_conversation_in_the_order_of_arrival() -> None:
    admission = Admission(max_running=10, max_waiting=10)
    first, second, third = (admission.enter(*A) for _ in range(3))
    assert granted(first, second, third) == [True, False, False]
    admission.leave(first)
    assert granted(second, third) == [True, False]
    admission.leave(second)
    assert granted(third) == [True]


def test_a_few_in_all_and_the_longest_waiting_goes_first() -> None:
    admission = Admission(max_running=2, max_waiting=10)
    tickets = [admission.enter(USER) for _ in range(4)]
    assert granted(*tickets) == [True, True, False, False]
    admission.leave(tickets[1])
    assert granted(*tickets) == [True, True, True, False]


def test_another_conversation_overtakes_what_waits_for_its_own() -> None:
    admission = Admission(max_running=2, max_waiting=10)
    running, behind, other = admission.enter(*A), admission.enter(*A), admission.enter(*B)
    assert granted(running, behind, other) == [True, False, True]


def test_a_new_conversation_is_named_before_the_next_enters_it() -> None:
    admission = Admission(max_running=10, max_waiting=10)
    first = admission.enter(USER)
    admission.name(first, A[1])
    second = admission.enter(*A)
    assert granted(first, second) == [True, False]
    admission.leave(first)
    assert granted(second) == [True]
    admission.leave(second)
    # Nobody is in the conversation now: one who will not wait is let in.
    assert granted(admission.enter(*A, if_busy_reject=True)) == [True]


def test_a_busy_conversation_can_be_refused() -> None:
    admission = Admission(max_running=10, max_waiting=10)
    first = admission.enter(*A, if_busy_reject=True)
    with pytest.raises(Busy):
        admission.enter(*A, if_busy_reject=True)
    assert granted(admission.enter(*B, if_busy_reject=True)) == [True]
    admission.leave(first)
    assert granted(admission.enter(*A, if_busy_reject=True)) == [True]


def test_eight_wait_in_a_conversation() -> None:
    admission = Admission(max_running=10, max_waiting=100)
    tickets = [admission.enter(*A) for _ in range(1 + MAX_WAITING_IN_CONVERSATION)]
    with pytest.raises(Overloaded):
        admission.enter(*A)
    admission.leave(tickets[-1])
    assert granted(admission.enter(*A)) == [False]


def test_what_waits_in_all_is_bounded() -> None:
    admission = Admission(max_running=1, max_waiting=2)
    running, waiting, _ = (admission.enter(USER) for _ in range(3))
    with pytest.raises(Overloaded):
        admission.enter(USER)
    assert admission.waiting == 2
    admission.leave(running)
    assert admission.waiting == 1
    assert granted(waiting) == [True]


def test_without_a_queue_what_can_run_runs() -> None:
    admission = Admission(max_running=2, max_waiting=0)
    first = admission.enter(*A)
    with pytest.raises(Overloaded):
        admission.enter(*A)
    admission.enter(*B)
    with pytest.raises(Overloaded):
        admission.enter(USER)
    admission.leave(first)
    assert granted(admission.enter(USER)) == [True]


def test_leaving_before_ones_turn_moves_the_others_up() -> None:
    admission = Admission(max_running=1, max_waiting=10)
    running, second, third = (admission.enter(*A) for _ in range(3))
    assert [admission.position(ticket) for ticket in (running, second, third)] == [0, 1, 2]
    admission.leave(second)
    assert admission.position(third) == 1
    assert granted(third) == [False]
    admission.leave(running)
    assert granted(third) == [True]


def test_rounds_count_what_runs_one_after_the_other() -> None:
    admission = Admission(max_running=2, max_waiting=10)
    admission.enter(*A)
    behind = [admission.enter(*A) for _ in range(2)]
    assert [admission.rounds(ticket) for ticket in behind] == [1, 2]
    admission.enter(*B)
    others = [admission.enter(USER) for _ in range(2)]
    assert [admission.rounds(ticket) for ticket in others] == [2, 2]


async def test_begins_of_a_conversation_happen_in_the_order_of_its_tickets() -> None:
    admission = Admission(max_running=10, max_waiting=10)
    begun: list[int] = []

    async def begin(number: int) -> None:
        async with admission.beginning(admission.enter(*A)):
            await asyncio.sleep(0)
            begun.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(8):
            tasks.create_task(begin(number))
    assert begun == list(range(8))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), max_size=60), st.integers(1, 3))
def test_the_bounds_hold_whatever_comes_and_goes(steps: list[tuple[int, int]], max_running: int) -> None:
    admission = Admission(max_running=max_running, max_waiting=5)
    places = [(user, conversation) for user in (USER, STRANGER) for conversation in (A[1], B[1], None)]
    tickets: list[Ticket] = []
    for number, chosen in steps:
        if number < len(places):
            with contextlib.suppress(Overloaded):
                tickets.append(admission.enter(*places[number]))
        elif tickets:
            admission.leave(tickets.pop((chosen * 7) % len(tickets)))
        running = [ticket for ticket in tickets if ticket.granted.is_set()]
        named = [ticket.place for ticket in running if ticket.place]
        assert len(running) <= max_running
        assert len(named) == len(set(named))
        assert admission.waiting == len(tickets) - len(running) <= 5
        # Nothing waits for a place that is free.
        if len(running) < max_running:
            heads = {ticket.place for ticket in tickets if not ticket.granted.is_set()}
            assert heads <= set(named)
