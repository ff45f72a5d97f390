"""Cuts a streamed answer into pieces to speak, each as early as it is safe. Pure.

The pieces do not depend on how the answer was cut into deltas, and the work is linear in its length.
"""

import re

import msgspec

from jarvis.core.speaking.boundaries import CLOSERS, Boundary, boundary, is_conjunction
from jarvis.core.speaking.markdown import Atom, Markdown

LONGEST_CHARS = 200
"""Some 12 s of speech. What comes later is synthesized while this plays."""
FIRST_CLAUSE_CHARS = 25
"""From here on the first piece ends at a comma: 1.5 s of speech, in which the second is synthesized."""
FIRST_CONJUNCTION_CHARS = 40
_SHORTEST_CLAUSE_CHARS = 60  # a long sentence is not cut after its first three words
_SEEN_CHARS = 40  # of what is before a boundary; the longest abbreviation has 6

_WORD = re.compile(r"\S+")
_NUMBER = re.compile(r"\W*\d{1,3}[.)]")


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is said for `answer[start:end]`, which begins where the piece before it ended.

    `end` is after the white space and markup that follow. Of each mark `(chars, source)`: who has heard the
    first `chars` of `text`, which are whole words, has heard the answer up to `source`.
    """

    text: str
    start: int
    end: int
    marks: tuple[tuple[int, int], ...]


class Sentences:
    """One answer. Each piece has a letter or a digit; what the answer has after the last one is not said."""

    def __init__(self) -> None:
        self._markdown = Markdown()
        self._draft = _Draft()

    def feed(self, delta: str) -> list[Piece]:
        """Return the pieces that `delta` has made certain."""
        return [piece for atom in self._markdown.feed(delta) for piece in self._draft.add(atom)]

    def finish(self) -> list[Piece]:
        """Return what is left: the answer is complete."""
        last = [piece for atom in self._markdown.finish() for piece in self._draft.add(atom)]
        return last + self._draft.end()


class _Draft:
    """What is not yet a piece: the characters to say, and for each where in the answer it ends."""

    def __init__(self) -> None:
        self._chars: list[str] = []
        self._ends: list[int] = []
        self._start = 0
        self._read = 0  # of the answer
        self._cuts: list[tuple[int, bool]] = []  # where it may be cut; and whether between clauses
        self._uncut = 0  # before here it must not be
        self._word = 0  # where the last word begins
        self._line_ended = False
        self._cell_ended = False
        self._is_first = True

    def add(self, atom: Atom) -> list[Piece]:
        pieces: list[Piece] = []
        match atom.kind:
            case "text":
                pieces = self._say(atom)
            case "space":
                self._space(atom.end)
            case "line":
                pieces = self._end_line(atom.end)
            case "break":
                self._hide(atom.end)
                pieces = self.end()
            case "cell":
                self._cell_ended = True
                self._hide(atom.end)
            case "number":
                pieces = self.end()
                self._say(atom)
                self._uncut = len(self._chars) + 1
            case "hidden":
                self._hide(atom.end)
        self._read = atom.end
        return pieces

    def end(self) -> list[Piece]:
        """End the sentence here, whatever it says."""
        self._line_ended = self._cell_ended = False
        return self._cut(len(self._chars))

    def _hide(self, end: int) -> None:
        if self._ends:
            self._ends[-1] = end

    def _space(self, end: int) -> None:
        if self._chars and self._chars[-1] != " ":
            self._chars.append(" ")
            self._ends.append(end)
        else:
            self._hide(end)

    def _end_line(self, end: int) -> list[Piece]:
        self._space(end)
        if self._chars and (self._cell_ended or self._boundary("A") == "sentence"):
            return self.end()
        self._line_ended = True
        return []

    def _say(self, atom: Atom) -> list[Piece]:
        text, pieces = atom.text, list[Piece]()
        each = len(text) == atom.end - self._read
        ends = list(range(self._read + 1, atom.end + 1)) if each else [atom.end] * len(text)
        if self._cell_ended:
            self._pause()
        if self._chars and self._chars[-1] == " ":
            pieces += self._begin_word(text[0])
        while len(self._chars) + len(text) > LONGEST_CHARS:
            room = max(LONGEST_CHARS - len(self._chars), 0)
            self._chars += text[:room]
            self._ends += ends[:room]
            text, ends = text[room:], ends[room:]
            pieces += self._cut(self._best_cut())
        self._chars += text
        self._ends += ends
        self._line_ended = False
        return pieces

    def _pause(self) -> None:
        """Say a comma between two cells."""
        self._cell_ended = False
        said = "".join(self._chars[-2:]).rstrip()
        if said:
            self._space(self._ends[-1])
            if said[-1].isalnum() or said[-1] in CLOSERS + "%€$":
                self._chars[-1:] = [",", " "]
                self._ends[-1:] = [self._ends[-1]] * 2

    def _begin_word(self, following: str) -> list[Piece]:
        begun, self._word = self._word, len(self._chars)
        pieces: list[Piece] = []
        if self._cuts and self._cuts[-1][0] == begun and is_conjunction("".join(self._chars[begun:]).strip()):
            self._cuts[-1] = (begun, True)
            if self._is_first and begun > FIRST_CONJUNCTION_CHARS:
                pieces = self._cut(begun)
        here = len(self._chars)
        if here <= self._uncut:
            return pieces
        kind = self._boundary(following)
        ends_first = kind == "clause" and self._is_first and here > FIRST_CLAUSE_CHARS
        if (kind == "sentence" or ends_first) and self._says_something():
            return pieces + self._cut(here)
        if kind != "none":
            self._cuts.append((here, kind != "word"))
        return pieces

    def _boundary(self, following: str) -> Boundary:
        return boundary("".join(self._chars[-_SEEN_CHARS:]).rstrip(), following, line_ended=self._line_ended)

    def _says_something(self) -> bool:
        """Tell whether there is more than a number such as lists and headings begin with."""
        return _NUMBER.fullmatch("".join(self._chars[:8]).rstrip()) is None and _is_speakable(self._chars)

    def _best_cut(self) -> int:
        clauses = [
            at for at, between_clauses in self._cuts if between_clauses and at > _SHORTEST_CLAUSE_CHARS
        ]
        if clauses:
            return clauses[-1]
        return self._cuts[-1][0] if self._cuts else len(self._chars)

    def _cut(self, at: int) -> list[Piece]:
        """Take what is before `at` away, as a piece if it says anything."""
        if not at:
            return []
        chars, ends = self._chars[:at], self._ends[:at]
        self._chars, self._ends = self._chars[at:], self._ends[at:]
        self._cuts = [(cut - at, clause) for cut, clause in self._cuts if cut > at]
        self._word, self._uncut = max(self._word - at, 0), 0
        if not _is_speakable(chars):
            return []
        text = "".join(chars).rstrip()
        piece = Piece(text=text, start=self._start, end=ends[-1], marks=_marks(text, ends))
        self._start, self._is_first = piece.end, False
        return [piece]


def _is_speakable(chars: list[str]) -> bool:
    return any(char.isalnum() for char in chars)


def _marks(text: str, ends: list[int]) -> tuple[tuple[int, int], ...]:
    marks: list[tuple[int, int]] = []
    for word in _WORD.finditer(text):
        mark = (word.end(), ends[word.end() - 1])
        if marks and not _is_speakable(list(word.group())):
            marks[-1] = mark  # a sign belongs to the word before it: "Quoi ?"
        else:
            marks.append(mark)
    return tuple(marks)
