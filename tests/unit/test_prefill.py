"""What comes behind the beginning of an answer, with and without the echo that some servers send first."""

import pytest

from jarvis.adapters.prefill import Continuation, prefill_of
from jarvis.core.ports import PromptMessage

BEGUN = "Monday\nTuesday"

CASES: dict[str, tuple[list[str], str]] = {
    "no echo": (["\n", "Wednesday"], "\nWednesday"),
    "an echo with more": (["Monday\nTuesday\n", "Wednesday"], "\nWednesday"),
    "an echo in pieces": (["Mon", "day\nTue", "sday", "\nWednesday"], "\nWednesday"),
    "almost an echo": (["Monday\n", "Thursday"], "Monday\nThursday"),
    "the beginning of an echo": (["Monday"], "Monday"),
    "an echo of the echo": ([BEGUN, BEGUN], BEGUN),
    "nothing": ([], ""),
}


@pytest.mark.parametrize(("pieces", "behind"), CASES.values(), ids=CASES)
def test_an_echo_is_left_out(pieces: list[str], behind: str) -> None:
    continuation = Continuation(BEGUN)
    assert "".join(map(continuation.take, pieces)) + continuation.rest() == behind


def test_a_short_word_may_come_twice() -> None:
    assert Continuation("ha").take("ha!") == "ha!"


def test_nothing_is_held_back_that_can_be_no_echo() -> None:
    continuation = Continuation(BEGUN)
    assert continuation.take("\n") == "\n"
    assert continuation.take("Monday") == "Monday"


def test_only_a_last_message_of_the_assistant_is_a_beginning() -> None:
    user, assistant = (PromptMessage(role=role, content=role) for role in ("user", "assistant"))
    assert prefill_of([user, assistant]) == "assistant"
    assert prefill_of([assistant, user]) == ""
    assert prefill_of([]) == ""
