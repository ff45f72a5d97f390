"""Finds the files of an installed wheel without importing a line of it."""

import shutil
from importlib import metadata
from pathlib import Path

from jarvis.embedded.errors import PartUnavailable


def wheel_file(distribution: str, suffix: str, *, needed_for: str) -> Path:
    """The installed file whose path ends with `suffix`. Raises PartUnavailable when there is none."""
    try:
        files = metadata.distribution(distribution).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if str(file).endswith(suffix) and path.is_file():
            return path
    raise PartUnavailable(
        f"{needed_for} cannot be started: the package {distribution} is not installed. "
        "Start Jarvis with make run, which installs it, or name a server of your own in the settings."
    )


def is_reachable_by_others(path: Path) -> bool:
    """Whether a user who owns nothing here may pass through every folder above `path` and read it."""
    try:
        return all(folder.stat().st_mode & 0o001 for folder in path.parents) and bool(
            path.stat().st_mode & 0o004
        )
    except OSError:
        return False


def copy_once(source: Path, target: Path) -> Path:
    """Copy a folder so that `target` is either absent or complete, whatever interrupts it."""
    if not target.exists():
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        partial.chmod(0o755)
        partial.replace(target)
    return target
