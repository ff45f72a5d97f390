"""The days that a question names."""

from datetime import date

import pytest

from jarvis.core.dates import named_times

TODAY = date(2026, 11, 21)  # a Saturday
YEARS = range(2024, 2026)


def spans(text: str) -> list[tuple[str, str]]:
    return sorted(
        (one.first.isoformat(), one.last.isoformat()) for one in named_times(text, today=TODAY, years=YEARS)
    )


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("What did I do on 2023-05-07?", "2023-05-07"),
        ("on 7 May 2023", "2023-05-07"),
        ("on the 7th of May, 2023", "2023-05-07"),
        ("May 7th, 2023", "2023-05-07"),
        ("on Sept. 3 2023", "2023-09-03"),
        ("le 1er août 2023", "2023-08-01"),
        ("LE 14 FÉVRIER 2023", "2023-02-14"),
        ("13/05/2023", "2023-05-13"),
        ("yesterday", "2026-11-20"),
        ("Qu\u2019ai-je mangé aujourd\u2019hui ?", "2026-11-21"),
        ("three days ago", "2026-11-18"),
        ("il y a dix jours", "2026-11-11"),
    ],
)
def test_a_day(text: str, day: str) -> None:
    assert spans(text) == [(day, day)]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("in May 2023", "2023-05-01", "2023-05-31"),
        ("en février 2024", "2024-02-01", "2024-02-29"),
        ("last week", "2026-11-09", "2026-11-15"),
        ("cette semaine", "2026-11-16", "2026-11-22"),
        ("a week ago", "2026-11-09", "2026-11-15"),
        ("le mois dernier", "2026-10-01", "2026-10-31"),
        ("il y a 11 mois", "2025-12-01", "2025-12-31"),
        ("999 months ago", "1943-08-01", "1943-08-31"),
    ],
)
def test_a_week_or_a_month(text: str, first: str, last: str) -> None:
    assert spans(text) == [(first, last)]


def test_without_a_year_it_is_one_of_each_year() -> None:
    assert spans("on 7 May") == [("2024-05-07", "2024-05-07"), ("2025-05-07", "2025-05-07")]
    assert spans("en mars") == [("2024-03-01", "2024-03-31"), ("2025-03-01", "2025-03-31")]
    assert spans("29 February") == [("2024-02-29", "2024-02-29")]


def test_an_ambiguous_date_is_read_both_ways() -> None:
    assert spans("3/4/2025") == [("2025-03-04", "2025-03-04"), ("2025-04-03", "2025-04-03")]
    assert spans("4/4/2025") == [("2025-04-04", "2025-04-04")]


def test_a_text_may_name_several() -> None:
    assert len(spans("between 3 May 2023 and 5 June 2023")) == 2


@pytest.mark.parametrize(
    "text",
    [
        *("", "2023", "I may go", "sept jours", "de sept heures", "March on!", "mars", "31 February 2023"),
        *("99/99/2023", "2023-13-01", "0 May 2023", "What does my sister eat?", "hierarchy", "0000-00-00"),
    ],
)
def test_what_names_no_time(text: str) -> None:
    assert spans(text) == []
