"""One log file per child, bounded in size. The child itself writes it: a stalled parent never blocks it."""

import shutil
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 4 * 1024 * 1024
TAIL_BYTES = 8 * 1024


class ChildLog:
    """`NAME.log` and one older `NAME.log.1`.

    Rotation copies and truncates, since the child holds the file open; it appends (O_APPEND), so it goes on
    at the new end. Lines written between copy and truncation are lost, which a log of a part can bear.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes

    def open(self) -> BinaryIO:
        """Open for a new child to append to. The caller closes its copy after the spawn."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.rotate()
        file = self.path.open("ab", buffering=0)
        self.path.chmod(0o600)
        return file

    def rotate(self) -> None:
        """Start the file afresh if it has outgrown its bound."""
        if not self.path.exists() or self.path.stat().st_size <= self._max_bytes:
            return
        older = self.path.with_name(self.path.name + ".1")
        shutil.copyfile(self.path, older)
        older.chmod(0o600)
        with self.path.open("r+b") as file:
            file.truncate(0)

    def tail(self, lines: int = 8) -> str:
        """The last lines, for an error text; empty when nothing was written."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])
