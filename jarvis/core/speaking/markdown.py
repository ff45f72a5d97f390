"""Reads streamed Markdown as what a voice would say of it, piece by piece as it arrives. Pure.

A reader for the ear, not a renderer: a mark nobody closes is dropped, not said. Whatever it looks ahead for
is bounded, so that it is linear in the text and says a word as soon as no further character can change it.
"""

import html
import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from jarvis.core.languages import word_set

Kind = Literal["text", "space", "line", "break", "cell", "number", "hidden"]
"""`line`: a line ends, and the paragraph may go on. `break`: no sentence goes across. `cell`: from one cell
of a table to the next, or an arrow. `number`: a list's; said, and its item belongs to it."""


class Atom(NamedTuple):
    """What the source up to `end` says: `text`, which is that source or (of another length) stands for it."""

    kind: Kind
    text: str
    end: int


class _State(NamedTuple):
    """`rules` match anywhere, `waits` where what has arrived may become the start of something longer."""

    rules: re.Pattern[str]
    waits: re.Pattern[str]


# With what is never heard though there: control characters, joiners, variation selectors.
_EMOJI = (
    "\x00-\x08\x0e-\x1b\x7f\u00ad\u200b-\u200f\u2060-\u2064\u20e3\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff"
    "\ufe00-\ufe0f\ufeff\U0001f000-\U0001faff\U000e0020-\U000e007f"
)
_ARROW = "\u2190-\u21ff"
_IN_URL = r"[^\s<>()\[\]\"'«»“”\u2018\u2019`*|.,;:!?…]"
_FORMULA = r"(?![\s$])(?!\d)[^$\n]{1,200}(?<![\s\\])|\d[^$\s]{0,60}"  # $5 is money, and said without waiting
_ADDRESS = r"(?:https?://|www\.)[^\W_](?:[\w.-]{0,200}[^\W_])?"

_LINE_START = _State(
    re.compile(
        r"""(?P<indent>[^\S\n]+|>)
        | (?P<blank>\n)
        | (?P<fence>(?:`{3,8}|~{3,8})(?=[^`\n]{0,100}\n))
        | (?P<ruler>[-*_=|:+\ \t\r]{1,200}(?=\n))
        | (?P<heading>\#{1,6}(?=[^\S\n]))
        | (?P<bullet>[-*+•‣◦▪\u2013\u2014](?=[^\S\n]))
        | (?P<number>\d{1,3}[.)](?=[^\S\n]))
        | (?P<task>\[[ xX]\](?=[^\S\n]))
        | (?P<definition>\[(?:\^[^\]\n]{1,60}\]:|[^\]\n]{1,60}\]:(?=[^\S\n]{0,3}<?https?:)))
        | (?P<inline>)""",
        re.VERBOSE,
    ),
    re.compile(
        r"""(?: [-*_=|:+\ \t\r•‣◦▪\u2013\u2014]{1,200} | `{1,8}[^`\n]{0,100} | ~{1,8}[^`\n]{0,100} | \#{1,6}
        | \d{1,3}[.)]? | \[[^\]\n]{0,61}(?:\](?::[^\S\n]{0,3}<?h?t?t?p?s?)?)? )\Z""",
        re.VERBOSE,
    ),
)
_INLINE = _State(
    re.compile(
        rf"""(?P<url>(?<![^\W_]){_ADDRESS})
        | (?P<text>[^\W_]+|[^\w\s\\`*_~\[\]!<&$|\#{_EMOJI}{_ARROW}]+)
        | (?P<space>[^\S\n]+)
        | (?P<line>\n)
        | (?P<mark>\*{{1,8}}|_{{1,8}}|~{{1,8}})
        | (?P<code>`{{1,8}})
        | (?P<emoji>[{_EMOJI}]+|!\[)
        | \[(?:\^[^\]\s]{{1,40}}|\d{{1,3}})\](?!\()
        | (?P<target>\]\([^()\n]{{0,1000}}+(?:\([^()\n]{{0,300}}\)[^()\n]{{0,1000}}+)?\))
        | (?P<reference>\]\[[^\]\n]{{0,60}}\]|[\[\]])
        | \\\((?P<inner>[^\n]{{1,200}}?)\\\)
        | (?P<display>\$\$|\\\[)
        | \$(?P<formula>{_FORMULA})\$(?!\d)
        | \\(?P<escaped>[!-/:-@\[-`{{-~])
        | (?P<hard>\\(?=\n))
        | (?P<comment><!--)
        | <(?P<autolink>{_ADDRESS})[^<>\s]{{0,300}}>
        | <(?P<tag>/?[A-Za-z][A-Za-z0-9-]*)(?=[\s/>])[^<>\n]{{0,300}}>
        | (?P<entity>&(?:\#\d{{1,7}}|\#[xX][0-9a-fA-F]{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,31}});)
        | (?P<cell>\||[{_ARROW}])
        | (?P<closing>(?<=[ \t])\#{{1,6}}(?=[^\S\n]{{0,8}}\n))
        | (?P<other>.)""",
        re.VERBOSE,
    ),
    re.compile(
        r"""(?: (?<![^\W_])(?:h(?:t(?:t(?:ps?(?::/{0,2})?)?)?)?|w{1,3}|(?:https?://|www\.)[\w.-]{0,202})
        | [*_~]{1,8} | `{1,7} | ! | \#{1,6}[^\S\n]{0,8}
        | \[(?:\^[^\]\s]{0,40}|\d{0,3})\]?
        | \](?:\([^()\n]{0,1000}+(?:\([^()\n]{0,300}(?:\)[^()\n]{0,1000}+)?)?|\[[^\]\n]{0,60})?
        | \\(?:\([^\n]{0,200})?
        | \$(?:(?![\s$])(?!\d)[^$\n]{0,200}|\d[^$\s]{0,60})?\$?
        | <(?:!-?|[A-Za-z/][^<>\n]{0,300})?
        | &\#?[A-Za-z0-9]{0,31} )\Z""",
        re.VERBOSE,
    ),
)
_CODE = _State(
    re.compile(r"(?P<text>[^`\s]+)|(?P<space>[^\S\n]+)|(?P<line>\n)|(?P<code>`{1,8})"),
    re.compile(r"`{1,7}\Z"),
)
_URL = _State(
    re.compile(rf"(?P<hidden>(?:{_IN_URL}|[.,;:!?'*](?={_IN_URL}))+)|(?P<inline>)"),
    re.compile(r"[.,;:!?'*]\Z"),
)
_NEVER = re.compile(r"(?!)")
_FENCED = _State(
    re.compile(
        r"(?P<indent>[^\S\n]+|>|\n)|(?P<close>(?:`{3,8}|~{3,8})(?=[^\S\n]{0,20}\n))|(?P<unread>[^\n]+)"
    ),
    re.compile(r"(?:`{1,8}|~{1,8})[^\S\n]{0,20}\Z"),
)
_FENCED_LINE = _State(re.compile(r"(?P<hidden>[^\n]+)|(?P<again>\n)"), _NEVER)
_UNREAD_LINE = _State(re.compile(r"(?P<hidden>[^\n]+)|(?P<blank>\n)"), _NEVER)
_FORMULAS = _State(  # ended by a blank line too: most often nobody meant a formula then
    re.compile(
        r"(?P<hidden>[^\\$\n]+)|(?P<end>\$\$|\\\])|(?P<paragraph>\n(?=[^\S\n]{0,20}\n))|(?P<skip>[\\$\n])"
    ),
    re.compile(r"(?:\$|\\|\n[^\S\n]{0,20})\Z"),
)
_COMMENT = _State(
    re.compile(r"(?P<hidden>[^-]+)|(?P<end>-->)|(?P<skip>-)"),
    re.compile(r"--?\Z"),
)

_BLOCK_TAGS = word_set("br p div hr li ul ol tr table h1 h2 h3 h4 h5 h6 details summary blockquote pre")
_WORD = re.compile(r"\s+|\S+")


_AFTER: dict[str, tuple[Kind, _State | None]] = {
    "indent": ("space", None),
    "blank": ("break", _LINE_START),
    "fence": ("break", _FENCED_LINE),
    "ruler": ("break", None),
    "heading": ("break", None),
    "bullet": ("break", None),
    "number": ("number", None),
    "task": ("hidden", None),
    "definition": ("break", _UNREAD_LINE),
    "inline": ("hidden", _INLINE),
    "close": ("hidden", _UNREAD_LINE),
    "unread": ("hidden", _FENCED_LINE),
    "again": ("hidden", _FENCED),
    "end": ("hidden", _INLINE),
    "paragraph": ("hidden", _LINE_START),
    "skip": ("hidden", None),
}
"""What each thing between lines of text is told as, and the state after it; None: the same."""


class Markdown:
    """What comes out does not depend on how the source was cut, but for where text, space, hidden are cut."""

    def __init__(self) -> None:
        self._raw = ""  # from the character before the first unread one
        self._at = 0
        self._base = 0  # where in the source _raw begins
        self._state = _LINE_START
        self._ticks = 0
        self._fence = ""
        self._in_heading = False

    def feed(self, delta: str) -> Iterator[Atom]:
        """Yield what is certain now; to be used up before the next call."""
        self._append(delta)
        while self._at < len(self._raw) and not self._state.waits.match(self._raw, self._at):
            yield from self._take()

    def finish(self) -> Iterator[Atom]:
        """Yield the rest: nothing follows."""
        end = self._base + len(self._raw)
        self._append("\n")  # decides everything that waits
        while self._at < len(self._raw):
            yield from (atom._replace(end=min(atom.end, end)) for atom in self._take())

    def _append(self, delta: str) -> None:
        done = max(self._at - 1, 0)
        self._raw = self._raw[done:] + delta
        self._base += done
        self._at -= done

    def _take(self) -> Iterator[Atom]:
        match = self._state.rules.match(self._raw, self._at)
        if match is None:
            raise AssertionError(self._state)  # the rules of every state match anything
        self._at = match.end()
        end = self._base + self._at
        kind = match.lastgroup
        if kind in {"text", "space", "hidden"}:
            yield Atom(kind, match.group(), end)  # pyright: ignore[reportArgumentType]  # narrowed by the set
        elif self._state is _INLINE or self._state is _CODE:
            yield from self._take_inline(kind, match, end)
        else:
            yield from self._take_block(kind, match, end)

    def _take_block(self, kind: str | None, match: re.Match[str], end: int) -> Iterator[Atom]:
        told, following = _AFTER[kind or ""]
        if kind == "fence":
            self._fence = match.group()
        elif kind == "heading":
            self._in_heading = True
        elif kind == "close" and not match.group().startswith(self._fence):
            following = _FENCED_LINE
        self._state = following or self._state
        yield Atom(told, match.group(), end)

    def _take_inline(self, kind: str | None, match: re.Match[str], end: int) -> Iterator[Atom]:
        match kind:
            case "line":
                yield Atom("break" if self._in_heading else "line", "", end)
                self._state, self._in_heading = _LINE_START, False
            case "mark":
                yield Atom("text" if self._is_sign(match) else "hidden", match.group(), end)
            case "other" | "escaped":
                yield Atom("text", match.group(kind), end)
            case "cell":
                yield Atom("cell", "", end)
            case "hard":
                yield Atom("break", "", end)
            case "tag":
                name = match.group("tag").lower().strip("/")
                yield Atom("break" if name in _BLOCK_TAGS else "hidden", "", end)
            case "entity" | "url" | "autolink" | "inner" | "formula":
                yield from _said(_READ[kind](match.group(kind)), end)
                self._state = _URL if kind == "url" else _INLINE
            case _:
                self._enter(kind, match.group())
                yield Atom("hidden", "", end)

    def _enter(self, kind: str | None, opening: str) -> None:
        if kind == "comment":
            self._state = _COMMENT
        elif kind == "display":
            self._state = _FORMULAS
        elif kind == "code" and self._state is _INLINE:
            self._state, self._ticks = _CODE, len(opening)
        elif kind == "code" and len(opening) == self._ticks:
            self._state = _INLINE

    def _is_sign(self, mark: re.Match[str]) -> bool:
        """Tell a sign (2 * 3, 2*3, ~5, snake_case) from the start or end of emphasis."""
        before = self._raw[mark.start() - 1 : mark.start()] or " "
        after = self._raw[mark.end() : mark.end() + 1] or " "
        if before.isspace() and after.isspace():
            return True
        if mark.group()[0] == "_":
            return before.isalnum() and after.isalnum()
        return (before.isdigit() and after.isdigit()) or mark.group() == "~"


def _said(text: str, end: int) -> Iterator[Atom]:
    for part in _WORD.findall(text) or [""]:
        yield Atom("space" if part.isspace() else "text" if part else "hidden", part, end)


def _host_of(address: str) -> str:
    return address.rpartition("/")[2].removeprefix("www.")


def _read_formula(formula: str) -> str:
    """Return a simple one as it is read (E = mc 2), and nothing for what needs to be seen."""
    return "" if "\\" in formula else re.sub(r"[{}^_]", " ", formula).strip()


_READ: dict[str, Callable[[str], str]] = {
    "entity": html.unescape,
    "url": _host_of,
    "autolink": _host_of,
    "inner": _read_formula,
    "formula": _read_formula,
}
