"""What a running Jarvis keeps in its data folder, as another process sees it: its pid, where it listens.

Looks only: takes no lock, makes no folder, sends nothing.
"""

import os
from pathlib import Path

from jarvis.embedded.postgres import PORT, database_url, socket_dir
from jarvis.embedded.speech import Engine, socket_of


def holder_of(data_dir: Path) -> int | None:
    """The pid of the process that has the data folder, None when nobody has.

    The lock itself is not tried: a `jarvis serve` that starts in that moment would be turned away.
    """
    lock = data_dir / "lock"
    try:
        text = lock.read_text().strip()
        held = lock.stat()
    except OSError:
        return None
    if not text.isdigit():
        return None
    try:
        descriptors = list(Path(f"/proc/{text}/fd").iterdir())
    except PermissionError:
        return int(text)  # another user's: it is alive, and no more can be known
    except OSError:
        return None
    # The number outlives its process and may be another's by now; the open file tells.
    return int(text) if any(_is_open_at(descriptor, held) for descriptor in descriptors) else None


def running_postgres(data_dir: Path) -> str | None:
    """The DSN of the Postgres that a running Jarvis started on the folder, None when there is none."""
    if holder_of(data_dir) is None:
        return None
    run_dir = (data_dir / "run").resolve()  # the link's own path may be too long for a socket
    return database_url(run_dir) if (socket_dir(run_dir) / f".s.PGSQL.{PORT}").exists() else None


def running_llama(data_dir: Path) -> Path | None:
    """The socket of the llama-server that a running Jarvis started, None when there is none."""
    return _served(data_dir, (data_dir / "run").resolve() / "llama" / "llama.sock")


def running_engine(data_dir: Path, engine: Engine) -> Path | None:
    """The socket of the speech engine that a running Jarvis started, None when there is none."""
    return _served(data_dir, socket_of(engine, (data_dir / "run").resolve()))


def _served(data_dir: Path, uds: Path) -> Path | None:
    return uds if holder_of(data_dir) is not None and uds.exists() else None


def _is_open_at(descriptor: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(descriptor.stat(), file)
    except OSError:
        return False  # closed meanwhile
