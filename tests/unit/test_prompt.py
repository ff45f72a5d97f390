"""Fitting a turn into the model's window, on data alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.errors import MessageTooLarge
from jarvis.core.prompt import answer_reserve_tokens, estimate_tokens, fit, system_text, was_truncated
from jarvis.core.types import Message, Role, new_id, utc_now


def message(role: Role, content: str) -> Message:
    now = utc_now()
    return Message(
        id=new_id(),
        conversation_id=new_id(),
        turn_id=new_id(),
        role=role,
        content=content,
        status="complete",
        alternative_of=None,
        created_at=now,
        updated_at=now,
        timestamp=now,
        metadata=None,
    )


def talk(*contents: str) -> list[Message]:
    return [message("assistant" if n % 2 else "user", content) for n, content in enumerate(contents)]


def test_all_of_it_goes_where_it_fits() -> None:
    fitted = fit(system="Be brief.", history=talk("u1", "a1"), history_total=2, text="u2", budget_tokens=1000)
    assert [(m.role, m.content) for m in fitted.messages] == [
        ("system", "Be brief."),
        ("user", "u1"),
        ("assistant", "a1"),
        ("user", "u2"),
    ]
    assert fitted.report.history.sent == 2
    assert fitted.report.history.dropped == 0


def test_without_a_system_prompt_there_is_no_system_message() -> None:
    fitted = fit(system="", history=[], history_total=0, text="u1", budget_tokens=1000)
    assert [m.role for m in fitted.messages] == ["user"]


def test_the_newest_unbroken_run_is_sent() -> None:
    history = talk("old", "x" * 4000, "new", "newest")
    budget = estimate_tokens("now") + estimate_tokens("new") + estimate_tokens("newest") + 100
    fitted = fit(system="", history=history, history_total=4, text="now", budget_tokens=budget)
    assert [m.content for m in fitted.messages] == ["new", "newest", "now"]
    assert (fitted.report.history.sent, fitted.report.history.dropped) == (2, 2)


def test_a_message_without_text_is_never_sent_and_counts_as_dropped() -> None:
    fitted = fit(
        system="", history=talk("u1", "", "u2", "a2"), history_total=4, text="u3", budget_tokens=1000
    )
    assert [m.content for m in fitted.messages] == ["u1", "u2", "a2", "u3"]
    assert (fitted.report.history.sent, fitted.report.history.dropped) == (3, 1)


def test_what_was_not_fetched_counts_as_dropped() -> None:
    fitted = fit(system="", history=talk("u1", "a1"), history_total=500, text="u2", budget_tokens=1000)
    assert (fitted.report.history.sent, fitted.report.history.dropped) == (2, 498)


def test_the_budget_is_met_exactly() -> None:
    budget = estimate_tokens("system") + estimate_tokens("now") + estimate_tokens("before")
    given_ = {"system": "system", "history": talk("before"), "history_total": 1, "text": "now"}
    assert len(fit(**given_, budget_tokens=budget).messages) == 3  # pyright: ignore[reportArgumentType]  # one dict for two calls
    assert len(fit(**given_, budget_tokens=budget - 1).messages) == 2  # pyright: ignore[reportArgumentType]  # likewise


def test_a_message_that_does_not_fit_by_itself_is_refused() -> None:
    budget = estimate_tokens("system") + estimate_tokens("now")
    assert fit(system="system", history=[], history_total=0, text="now", budget_tokens=budget)
    with pytest.raises(MessageTooLarge):
        fit(system="system", history=[], history_total=0, text="now", budget_tokens=budget - 1)


@given(
    contents=st.lists(st.text(max_size=200), max_size=20),
    unfetched=st.integers(0, 1000),
    budget=st.integers(50, 500),
)
def test_the_report_adds_up_and_the_budget_holds(contents: list[str], unfetched: int, budget: int) -> None:
    total = len(contents) + unfetched
    fitted = fit(system="s", history=talk(*contents), history_total=total, text="t", budget_tokens=budget)
    report = fitted.report
    assert report.history.sent + report.history.summarised + report.history.dropped == total
    assert report.history.sent == len(fitted.messages) - 2
    assert report.prompt_tokens == sum(estimate_tokens(m.content) for m in fitted.messages) <= budget
    assert all(m.content for m in fitted.messages)


def test_an_estimate_counts_bytes_and_the_template() -> None:
    assert estimate_tokens("") == 5
    assert estimate_tokens("abcd") == 6
    assert estimate_tokens("abcde") == 7
    assert estimate_tokens("🙂🙂") == 7


@pytest.mark.parametrize(
    ("window", "wanted", "reserve"),
    [(8192, 2048, 2048), (8192, 8192, 2048), (8192, 100, 100), (512, 2048, 128)],
)
def test_the_answers_reserve_is_at_most_a_quarter(window: int, wanted: int, reserve: int) -> None:
    assert answer_reserve_tokens(window, wanted) == reserve


def test_the_stable_part_of_the_system_prompt_comes_first() -> None:
    assert system_text("persona", None) == "persona"
    assert system_text("persona", "today") == "persona\n\ntoday"


@pytest.mark.parametrize(
    ("counted", "cut"), [(None, False), (80, False), (79, True), (100, False), (500, False)]
)
def test_a_count_twenty_per_cent_below_betrays_a_cut(counted: int | None, cut: bool) -> None:  # noqa: FBT001
    assert was_truncated(100, counted) is cut
