"""The data folder: who owns it, and where its parts live. Knows nothing of what the parts are."""

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from jarvis.embedded.errors import DataDirInUse, DataDirUnusable

# sun_path holds 108 bytes with the final NUL (unix(7)).
SUN_PATH_BYTES = 107
LONGEST_SOCKET = "postgres/.s.PGSQL.5432"


class DataDir:
    """The folder, locked for as long as this is open. Use as a context manager.

    `run_dir` has a path short enough for unix sockets: inside the folder or, when that is too deep, a private
    temporary folder that `run` in the data folder points to, so that the next owner can remove it.
    Raises DataDirInUse when another process holds the lock, DataDirUnusable when the folder cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._lock_fd: int | None = None
        self._run_dir: Path | None = None

    @property
    def logs_dir(self) -> Path:
        return self.path / "logs"

    @property
    def models_dir(self) -> Path:
        return self.path / "models"

    @property
    def vectors_dir(self) -> Path:
        return self.path / "vectors"

    @property
    def postgres_dir(self) -> Path:
        return self.path / "postgres"

    @property
    def run_dir(self) -> Path:
        if self._run_dir is None:
            raise RuntimeError("the data folder is not open")
        return self._run_dir

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_ours(self.path):
                # As root, Postgres runs as another user and has to pass through (x), but not to list (r).
                self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            self._lock_fd = _lock(self.path / "lock")
            try:
                self._run_dir = _make_run_dir(self.path)
                for folder in (self.logs_dir, self.models_dir):
                    folder.mkdir(mode=0o700, exist_ok=True)
            except BaseException:
                self._unlock()
                raise
        except OSError as exc:
            raise DataDirUnusable(
                f"The data folder {self.path} cannot be used: {exc.strerror or exc}. "
                "Set JARVIS_DATA_DIR to a folder you may write to."
            ) from exc
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._run_dir is not None and self._run_dir.parent != self.path:
            _remove_run_link(self.path / "run")
        self._run_dir = None
        self._unlock()

    def _unlock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def _lock(path: Path) -> int:
    """Take the lock or say who has it. The kernel frees it when the holder dies; no child inherits it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
        os.close(fd)
        by = f" (process {holder})" if holder else ""
        raise DataDirInUse(
            f"Another Jarvis{by} is using the data folder {path.parent}. "
            "Stop it first, or give this one a folder of its own with JARVIS_DATA_DIR."
        ) from exc
    except OSError:
        os.close(fd)
        raise
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _make_run_dir(path: Path) -> Path:
    inside = path / "run"
    _remove_run_link(inside)
    if len(os.fsencode(inside / LONGEST_SOCKET)) <= SUN_PATH_BYTES:
        inside.mkdir(exist_ok=True)
        inside.chmod(0o711)  # whatever the umask says; private folders lie within
        return inside
    outside = Path(tempfile.mkdtemp(prefix="jarvis-"))
    if len(os.fsencode(outside / LONGEST_SOCKET)) > SUN_PATH_BYTES:
        outside.rmdir()
        outside = Path(tempfile.mkdtemp(prefix="jarvis-", dir="/tmp"))
    if os.geteuid() == 0:
        outside.chmod(0o711)
    if inside.is_dir():
        shutil.rmtree(inside)
    inside.symlink_to(outside)
    return outside


def _remove_run_link(link: Path) -> None:
    """Remove a temporary run folder and the link to it, if it is one of ours."""
    if not link.is_symlink():
        return
    target = link.readlink()
    link.unlink()
    if target.name.startswith("jarvis-") and target.is_dir() and _is_ours(target):
        shutil.rmtree(target, ignore_errors=True)


def _is_ours(path: Path) -> bool:
    info = path.lstat()
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid()
