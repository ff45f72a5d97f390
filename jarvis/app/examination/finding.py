"""What one look found, for people and for programs, and all of them as a table."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

State = Literal["ok", "not_started", "warning", "failed"]

_MARKS: Mapping[State, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "not_started": ("○", "cyan"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "bold red"),
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`found` and `advice` are sentences, `facts` the same for programs; `failed` needs somebody to act."""

    state: State
    found: str
    advice: str = ""
    facts: Mapping[str, object] = {}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`database_url`: the effective one, as a program needs it to connect; None when none is running."""

    ok: bool
    version: str
    database_url: str | None
    checks: Mapping[str, Finding]


def as_table(report: Report) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1))
    table.add_column("", width=1)
    table.add_column("What", no_wrap=True)
    table.add_column("How it is", overflow="fold")
    for name, finding in report.checks.items():
        mark, style = _MARKS[finding.state]
        found = Text(finding.found)
        if finding.advice:
            found.append(f"\n→ {finding.advice}", style="bold" if finding.state == "failed" else "italic")
        table.add_row(Text(mark, style=style), name.replace("_", " ").capitalize(), found)
    return Group(table, Text(_verdict(list(report.checks.values()))))


def _verdict(findings: Sequence[Finding]) -> str:
    failed = sum(finding.state == "failed" for finding in findings)
    if failed:
        return f"{failed} of {len(findings)} need{'s' if failed == 1 else ''} you: see the arrows at ✗."
    if any(finding.state == "not_started" for finding in findings):
        return "Nothing is wrong. jarvis serve starts what is not started."
    return "Everything that is needed answers."


def size(count_bytes: float) -> str:
    """Spell a number of bytes for people, as disks are sold: 1 GB = 1000 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count_bytes < 999.5 or unit == "GB":
            return f"{count_bytes:.{1 if unit == 'GB' and count_bytes < 100 else 0}f} {unit}"
        count_bytes /= 1000
    raise AssertionError
