"""The days that a question names, in French and English; a whole year tells too little. Pure."""

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import msgspec

from jarvis.core.languages import unaccented

TEXT_CHARS = 4096


class NamedTime(msgspec.Struct, frozen=True, kw_only=True):
    """All days from `first` to `last`."""

    first: date
    last: date


_MONTH_NAMES = (
    "january janvier",
    "february fevrier",
    "march mars",
    "april avril",
    "may mai",
    "june juin",
    "july juillet",
    "august aout",
    "september septembre",
    "october octobre",
    "november novembre",
    "december decembre",
)
_SHORT_NAMES = (
    *(
        "jan janv",
        "feb fevr",
        "mar",
        "apr avr",
        "",
        "jun",
        "jul juil",
        "aug",
        "sep sept",
        "oct",
        "nov",
        "dec",
    ),
)
_NUMBER_NAMES = (
    *("one a an un une", "two deux", "three trois", "four quatre", "five cinq", "six", "seven sept"),
    *("eight huit", "nine neuf", "ten dix"),
)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, same in enumerate(names, start=1) for name in same.split()}


def _any_of(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"


_WHOLE = _numbered(_MONTH_NAMES)
_MONTHS = _WHOLE | _numbered(_SHORT_NAMES)
_NUMBERS = _numbered(_NUMBER_NAMES)
_MONTH = rf"(?P<month>{_any_of(_MONTHS)})\b\.?"
# Without a number beside it a short name is more often another word: sept is seven, mar a verb.
_WHOLE_MONTH = rf"(?P<month>{_any_of(_WHOLE)})\b"
_YEAR = r"(?P<year>(?:19|20)\d\d)\b"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er)?"
_BEFORE_MONTH = (
    "(?:in|during|since|until|by|early|late|mid|last|next|of|before|after|around"
    "|en|de|depuis|debut|fin|mi|vers|avant|apres|courant)"
)
_COUNT = rf"(?P<count>\d{{1,3}}|{_any_of(_NUMBERS)})"
_UNIT = r"(?P<unit>day|jour|week|semaine|month|mois)s?\b"

# What one of them has read, the next ones do not see.
_DATES = [
    re.compile(pattern)
    for pattern in (
        r"\b(?P<year>(?:19|20)\d\d)-(?P<number>\d\d)-(?P<day>\d\d)\b",
        r"\b(?P<one>\d{1,2})/(?P<other>\d{1,2})/(?P<year>(?:19|20)\d\d)\b",
        rf"\b{_DAY}(?: of| de)? ?{_MONTH},?(?: ?(?:of |de )?{_YEAR})?",
        rf"\b{_MONTH} {_DAY}\b,?(?: {_YEAR})?",
        rf"\b{_MONTH},? (?:of |de )?{_YEAR}",
        rf"\b{_BEFORE_MONTH}[ -]{_WHOLE_MONTH}",
    )
]
_AGO = [re.compile(rf"\b{_COUNT} {_UNIT} ago\b"), re.compile(rf"\bil y a {_COUNT} {_UNIT}")]
_NEAR_NOW = [
    (re.compile(r"\b(?:today|tonight|this morning|aujourd'hui|ce matin|ce soir)\b"), 0, "day"),
    (re.compile(r"\b(?:yesterday|last night|hier)\b"), 1, "day"),
    (re.compile(r"\b(?:this week|cette semaine)\b"), 0, "week"),
    (re.compile(r"\b(?:last week|la semaine (?:derniere|passee))\b"), 1, "week"),
    (re.compile(r"\b(?:this month|ce mois(?:-ci)?)\b"), 0, "month"),
    (re.compile(r"\b(?:last month|le mois (?:dernier|passe))\b"), 1, "month"),
]


def named_times(text: str, *, today: date, years: Iterable[int]) -> list[NamedTime]:
    """Return the times that `text` names; a date without a year is one of each of `years`.

    3/4/2025 is read both ways.
    """
    rest = unaccented(text[:TEXT_CHARS]).lower()
    times: list[NamedTime] = []
    for pattern in _DATES:
        for found in pattern.finditer(rest):
            times += _dates(found.groupdict(), years)
        rest = pattern.sub(" ", rest)
    for pattern in _AGO:
        for found in pattern.finditer(rest):
            count = found["count"]
            times.append(_ago(today, _NUMBERS.get(count) or int(count), found["unit"]))
    times += [_ago(today, count, unit) for pattern, count, unit in _NEAR_NOW if pattern.search(rest)]
    return times


def _dates(named: dict[str, str | None], years: Iterable[int]) -> Iterator[NamedTime]:
    year, day = named.get("year"), named.get("day")
    if one := named.get("one"):
        other = named["other"]
        months_and_days = {(int(one), int(other or 0)), (int(other or 0), int(one))}
    else:
        month = int(named.get("number") or 0) or _MONTHS[named.get("month") or ""]
        months_and_days = {(month, int(day) if day else None)}
    for month, day_number in months_and_days:
        for one_year in [int(year)] if year else years:
            yield from _time(one_year, month, day_number)


def _time(year: int, month: int, day: int | None) -> Iterator[NamedTime]:
    """Yield that day, or that month; nothing where the calendar has no such day."""
    if not 1 <= month <= 12:
        return
    days = monthrange(year, month)[1]
    if day is None:
        yield NamedTime(first=date(year, month, 1), last=date(year, month, days))
    elif 1 <= day <= days:
        yield NamedTime(first=date(year, month, day), last=date(year, month, day))


def _ago(today: date, count: int, unit: str) -> NamedTime:
    match unit:
        case "day" | "jour":
            day = today - timedelta(days=count)
            return NamedTime(first=day, last=day)
        case "week" | "semaine":
            monday = today - timedelta(days=today.weekday(), weeks=count)
            return NamedTime(first=monday, last=monday + timedelta(days=6))
        case _:
            year, month = divmod(today.year * 12 + today.month - 1 - count, 12)
            (named,) = _time(year, month + 1, None)
            return named
