"""Samples of several rounds become figures, and figures a Markdown table with goals and verdicts."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import msgspec


class Samples:
    """Values by measure and contender, one for each round."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, measure: str, contender: str, value: float) -> None:
        self._taken[measure][contender].append(value)

    def median(self, measure: str, contender: str) -> float:
        return statistics.median(self._taken[measure][contender])

    def ratio(self, measure: str, contender: str, other: str) -> float:
        """Return the median of the rounds' ratios: both sides of each were taken side by side."""
        pairs = zip(self._taken[measure][contender], self._taken[measure][other], strict=True)
        return statistics.median(one / two for one, two in pairs)


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    met: Callable[[float], bool]


def at_share(values: Iterable[float], share: float) -> float:
    """Return the value that so large a share of all are below: 0.95 of them for p95."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def at_most(limit: float, unit: str = "x") -> Goal:
    return Goal(text=f"<= {limit:g}{unit}", met=lambda value: value <= limit)


def at_least(limit: float, unit: str = "x") -> Goal:
    return Goal(text=f">= {limit:g}{unit}", met=lambda value: value >= limit)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line: `judged` is what the goal is about, a ratio or Jarvis' own value."""

    measure: str
    jarvis: float
    unit: str
    against: str
    other: float | None
    ratio: float | None
    judged: float
    goal: Goal | None = None

    def cells(self) -> list[str]:
        return [
            self.measure,
            f"{_shown(self.jarvis)} {self.unit}",
            self.against,
            "" if self.other is None else f"{_shown(self.other)} {self.unit}",
            "" if self.ratio is None else f"{self.ratio:.2f}x",
            self.goal.text if self.goal else "",
            ("met" if self.goal.met(self.judged) else "**missed**") if self.goal else "",
        ]


def compared(
    samples: Samples,
    measure: str,
    others: Mapping[str, Goal | None],
    *,
    unit: str,
    inverse: bool = False,
    judge_value: bool = False,
) -> list[Figure]:
    """Jarvis' figure against each of the others'; an `inverse` ratio is theirs to ours.

    Goals are about the ratio, or with `judge_value` about Jarvis' own figure.
    """
    figures: list[Figure] = []
    for other, goal in others.items():
        ratio = (
            samples.ratio(measure, other, "Jarvis") if inverse else samples.ratio(measure, "Jarvis", other)
        )
        ours = samples.median(measure, "Jarvis")
        figures.append(
            Figure(
                measure=measure,
                jarvis=ours,
                unit=unit,
                against=other,
                other=samples.median(measure, other),
                ratio=ratio,
                judged=ours if judge_value else ratio,
                goal=goal,
            )
        )
    return figures


def table(rows: Iterable[list[str]]) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *body])


def figures_table(figures: Iterable[Figure]) -> str:
    head = ["measure", "Jarvis", "against", "", "ratio", "goal", ""]
    return table([head, *(figure.cells() for figure in figures)])


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
