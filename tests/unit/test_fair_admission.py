"""Users share the model evenly: whose turn comes next, and how much of the queue is whose."""

from collections.abc import Iterable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.errors import Overloaded
from jarvis.core.types import new_id
from jarvis.services.admission import ABOUT_S, Admission, Ticket

ANNA, BERT, CARLA, DORA = USERS = [new_id() for _ in range(4)]
PLENTY = 1000


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def order_of(admission: Admission, running: Ticket, waiting: Iterable[Ticket]) -> list[Ticket]:
    """Return what waits in the order in which it is granted, one turn running after the other."""
    left = list(waiting)
    order: list[Ticket] = []
    while left:
        admission.leave(running)
        (running,) = (ticket for ticket in left if ticket.granted.is_set())
        left.remove(running)
        order.append(running)
    return order


def fill(admission: Admission, user_id: UUID) -> int:
    """Send until he is refused; return how many were taken."""
    for taken in range(PLENTY):
        try:
            admission.enter(user_id)
        except Overloaded:
            return taken
    raise AssertionError("he was never refused")


def test_who_comes_after_a_crowd_of_one_is_next() -> None:
    admission = Admission(max_running=2, max_waiting=PLENTY)
    running = [admission.enter(ANNA) for _ in range(2)]
    crowd = [admission.enter(ANNA) for _ in range(10)]
    bert = admission.enter(BERT)
    assert [admission.position(ticket) for ticket in (bert, crowd[0], crowd[1])] == [1, 2, 3]
    admission.leave(running[0])
    assert bert.granted.is_set()
    admission.leave(running[1])
    assert crowd[0].granted.is_set()


def test_places_go_round() -> None:
    admission = Admission(max_running=1, max_waiting=PLENTY)
    running = admission.enter(ANNA)
    sent = {user_id: [admission.enter(user_id) for _ in range(3)] for user_id in (ANNA, BERT, CARLA)}
    order = order_of(admission, running, [ticket for tickets in sent.values() for ticket in tickets])
    assert [ticket.user_id for ticket in order] == [BERT, CARLA, ANNA] * 3
    for user_id, tickets in sent.items():
        assert [ticket for ticket in order if ticket.user_id == user_id] == tickets


def test_one_who_comes_again_and_again_holds_up_nobody() -> None:
    admission = Admission(max_running=1, max_waiting=PLENTY)
    running = admission.enter(BERT)
    anna = [admission.enter(ANNA) for _ in range(5)]
    granted: list[UUID] = []
    for _ in range(8):
        again = admission.enter(BERT)
        admission.leave(running)
        running = next(ticket for ticket in (*anna, again) if ticket.granted.is_set())
        if running in anna:
            anna.remove(running)
            admission.leave(again)
        granted.append(running.user_id)
    assert granted[:6] == [ANNA, BERT] * 3


def test_a_users_conversation_that_runs_gives_his_turn_to_another() -> None:
    admission = Admission(max_running=2, max_waiting=PLENTY)
    conversation_id = new_id()
    first = admission.enter(ANNA, conversation_id)
    other = admission.enter(CARLA)
    behind = admission.enter(ANNA, conversation_id)
    bert = admission.enter(BERT)
    admission.leave(other)
    assert (behind.granted.is_set(), bert.granted.is_set()) == (False, True)
    # It kept his turn: he is before who came later.
    later = admission.enter(CARLA)
    admission.leave(first)
    assert (behind.granted.is_set(), later.granted.is_set()) == (True, False)


Steps = st.lists(st.tuples(st.sampled_from(USERS), st.integers(0, 3)), max_size=80)


@given(Steps, st.integers(1, 3))
def test_who_waits_is_granted_within_as_many_grants_as_users_wait(
    steps: list[tuple[UUID, int]], max_running: int
) -> None:
    admission = Admission(max_running=max_running, max_waiting=PLENTY)
    running: list[Ticket] = []
    waiting: dict[UUID, list[Ticket]] = {}
    patience: dict[UUID, int] = {}
    """Of each who waits, since the first grant that he saw: within how many more his must be."""

    def see_grant() -> None:
        users = set(waiting)
        (ticket,) = (own[0] for own in waiting.values() if own[0].granted.is_set())
        for user_id in users:
            patience[user_id] = patience.get(user_id, len(users)) - 1
            assert patience[user_id] >= 0
            # Of one user nothing overtakes.
            assert not any(later.granted.is_set() for later in waiting[user_id][1:])
        patience.pop(ticket.user_id)
        waiting[ticket.user_id].remove(ticket)
        if not waiting[ticket.user_id]:
            del waiting[ticket.user_id]
        running.append(ticket)

    for user_id, kind in steps:
        if kind < 2 or not running:
            ticket = admission.enter(user_id)
            if ticket.granted.is_set():
                assert not waiting
                running.append(ticket)
            else:
                assert len(running) == max_running
                waiting.setdefault(user_id, []).append(ticket)
        elif kind == 2 or user_id not in waiting:
            admission.leave(running.pop(0))
            if waiting:
                see_grant()
        else:
            admission.leave(waiting[user_id].pop())
            if not waiting[user_id]:
                del waiting[user_id]
                patience.pop(user_id, None)
        assert admission.waiting == sum(map(len, waiting.values()))


@given(st.lists(st.sampled_from(USERS), max_size=30), st.integers(0, 10))
def test_positions_tell_the_order_if_nobody_else_comes(senders: list[UUID], gone: int) -> None:
    admission = Admission(max_running=1, max_waiting=PLENTY)
    running = admission.enter(ANNA)
    waiting = [admission.enter(user_id) for user_id in senders]
    for _ in range(min(gone, len(waiting))):
        admission.leave(running)
        (running,) = (ticket for ticket in waiting if ticket.granted.is_set())
        waiting.remove(running)
    told = {ticket: admission.position(ticket) for ticket in waiting}
    order = order_of(admission, running, waiting)
    assert [told[ticket] for ticket in order] == list(range(1, len(order) + 1))


def test_one_alone_may_fill_the_queue() -> None:
    admission = Admission(max_running=2, max_waiting=32)
    assert fill(admission, ANNA) == 2 + 32


def test_while_others_are_about_one_leaves_half_of_the_queue() -> None:
    admission = Admission(max_running=2, max_waiting=32)
    admission.leave(admission.enter(BERT))
    assert fill(admission, ANNA) == 2 + 16
    assert fill(admission, BERT) == 8


def test_who_was_refused_by_a_full_queue_finds_room_later() -> None:
    admission = Admission(max_running=1, max_waiting=4)
    sent = [admission.enter(ANNA) for _ in range(5)]
    with pytest.raises(Overloaded):
        admission.enter(BERT)
    admission.leave(sent[0])
    with pytest.raises(Overloaded):
        admission.enter(ANNA)
    admission.enter(BERT)


def test_who_has_not_been_heard_of_for_long_is_not_about() -> None:
    clock = Clock()
    admission = Admission(max_running=1, max_waiting=8, clock=clock)
    admission.leave(admission.enter(BERT))
    clock.now_s += ABOUT_S - 1
    assert fill(admission, ANNA) == 1 + 4
    clock.now_s += 1
    assert fill(admission, ANNA) == 4


@given(st.lists(st.sampled_from(USERS[:3]), max_size=80), st.integers(1, 3), st.integers(8, 40))
def test_however_three_fill_the_queue_a_fourth_finds_room(
    senders: list[UUID], max_running: int, max_waiting: int
) -> None:
    admission = Admission(max_running=max_running, max_waiting=max_waiting)
    admission.leave(admission.enter(DORA))
    waiting = dict.fromkeys(USERS, 0)
    for user_id in senders:
        room = max_waiting - admission.waiting
        try:
            ticket = admission.enter(user_id)
        except Overloaded:
            assert waiting[user_id] >= room  # he is refused only with as much as is left
        else:
            waiting[user_id] += not ticket.granted.is_set()
    assert max(waiting.values()) <= -(-max_waiting // 2)
    admission.enter(DORA)
