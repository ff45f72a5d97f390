"""The table as docs/operations.md has it; `python -m tests.chaos.outages.page` writes it there anew."""

import re
from collections.abc import Iterable, Sequence

from tests.chaos.outages.table import (
    AT_ONCE,
    DEPENDENCIES,
    OUTAGES,
    SERVICE,
    USES,
    Dependency,
    Fault,
    Limit,
    Outage,
    Use,
    cell,
)
from tests.documents import ROOT

PAGE = ROOT / "docs/operations.md"
_PLACE = re.compile(r"(?<=<!-- outages -->\n).*(?=<!-- end of outages -->\n)", re.DOTALL)
_TITLES: dict[Dependency, str] = {
    "postgres": "Postgres is away",
    "model": "The model is away",
    "stt": "Speech recognition is away",
    "tts": "Speech synthesis is away",
    "qdrant": "Qdrant is away",
    "redis": "Redis is away",
}
_FAULTS: dict[Fault, str] = {
    "refused": "refused",
    "stopped": "stopped",
    "slow": "slow",
    "reset": "reset",
    "half_open": "half-open",
    "flapping": "flapping",
}


def tables() -> str:
    """Return a table for each dependency, of the uses that it bears on."""
    return "\n".join(_section(dependency) for dependency in DEPENDENCIES)


def with_tables(page: str) -> str:
    """Return the page with its tables as they have to be. Raises ValueError where it has no place."""
    if not _PLACE.search(page):
        raise ValueError("the page has no place for the tables")
    return _PLACE.sub(lambda _: f"\n{tables()}\n", page)


def _section(dependency: Dependency) -> str:
    outages = OUTAGES[dependency]
    columns = _columns(dependency)
    head = [
        "fault",
        *(", ".join(uses) for uses in columns),
        "`/ready`",
        f"`{SERVICE[dependency]}` in `/health`",
    ]
    rows = [head, ["---"] * len(head), *(_row(dependency, outage, columns) for outage in outages)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"### {_TITLES[dependency]}", "", *lines, ""])


def _columns(dependency: Dependency) -> Iterable[Sequence[Use]]:
    """Return the uses that anything happens to, those together whose cells are the same."""
    columns: dict[tuple[str, ...], list[Use]] = {}
    for use in USES:
        if any(use in outage.cells for outage in OUTAGES[dependency]):
            texts = tuple(_cell(dependency, each, use) for each in OUTAGES[dependency])
            columns.setdefault(texts, []).append(use)
    return columns.values()


def _row(dependency: Dependency, outage: Outage, columns: Iterable[Sequence[Use]]) -> list[str]:
    cells = [_cell(dependency, outage, uses[0]) for uses in columns]
    is_any = "healthy" in outage.states
    states = "any" if is_any else " or ".join(outage.states)
    ready = "any" if is_any and dependency == "postgres" else str(outage.ready)
    return [", ".join(_FAULTS[fault] for fault in outage.faults), *cells, ready, states]


def _cell(dependency: Dependency, outage: Outage, use: Use) -> str:
    wanted = cell(dependency, outage.faults[0], use)
    gone, *others = (re.sub(r"[a-z]+_[a-z]+", r"`\g<0>`", outcome) for outcome in wanted.outcomes)
    if "flapping" in outage.faults:
        late = ", also once it is back" if any(other.endswith("once back") for other in others) else ""
        return f"{gone}, or as usual{late}"
    told = " or ".join([gone, *others])
    if wanted.known is None or wanted.known == wanted.within:
        return f"{told}, {_within(wanted.within)}"
    return f"{told}, {_within(wanted.within)}; {_within(wanted.known)} when known"


def _within(limit: Limit) -> str:
    return "at once" if limit == AT_ONCE else f"within {limit.usual_s:g} s"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
