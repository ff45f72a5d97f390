"""The documents for people, taken apart: headings, links, tables and code blocks of Markdown."""

import re
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
API = ROOT / "docs/api.md"
MEMORY = ROOT / "docs/memory.md"
VOICE = ROOT / "docs/voice.md"
README = ROOT / "README.md"

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CELLS = re.compile(r"(?<!\\)\|")


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """`under` is the heading it stands below."""

    under: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]

    @property
    def names(self) -> set[str]:
        """What the first column names, without its backquotes."""
        return {row[0].strip("`") for row in self.rows}


def blocks(text: str, language: str) -> list[str]:
    return [found[2] for found in _BLOCK.finditer(text) if found[1] == language]


def without_blocks(text: str) -> str:
    return _BLOCK.sub("", text)


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", without_blocks(text), re.MULTILINE)


def links(text: str) -> list[str]:
    return re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", without_blocks(text))


def tables(text: str) -> list[Table]:
    found: list[Table] = []
    under, is_open = "", False
    for line in without_blocks(text).splitlines():
        if line.startswith("#"):
            under = line.lstrip("# ")
        if not line.startswith("|"):
            is_open = False
            continue
        cells = tuple(cell.strip() for cell in _CELLS.split(line)[1:-1])
        if not is_open:
            found.append(Table(under=under, head=cells, rows=[]))
            is_open = True
        elif set("".join(cells)) - set("-: "):
            found[-1].rows.append(cells)
    return found
