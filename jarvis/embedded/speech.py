"""Starts speech engines: Wyoming servers, each a child behind a private unix socket.

Knows nothing of what an engine does; whisper.py, piper.py and espeak.py bring their command lines.
"""

import asyncio
import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import PartUnavailable
from jarvis.embedded.process import Command
from jarvis.embedded.supervisor import Child, Probe, Supervised, Supervisor

FOLDER = "speech"


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """A program of ours that serves an engine; `package` has to be installed for it.

    `title` opens sentences for people, `setting` names another server in its place.
    """

    name: str
    title: str
    module: str
    package: str
    setting: str

    @property
    def is_installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None


class RunningEngine(msgspec.Struct, frozen=True, kw_only=True):
    """A Wyoming server at `uri`. `supervised` tells whether it runs; it is started again by itself."""

    uri: str
    supervised: Supervised


def socket_of(engine: Engine, run_dir: Path) -> Path:
    return run_dir / FOLDER / f"{engine.name}.sock"


async def start_engine(
    engine: Engine, arguments: Sequence[str], *, supervisor: Supervisor, data_dir: DataDir
) -> RunningEngine:
    """Start the engine and return once it answers.

    Raises PartUnavailable when it is not installed, PartFailed when it does not become ready.
    """
    if not engine.is_installed:
        raise PartUnavailable(
            f"{engine.title} cannot be started: the package {engine.package} is not installed. "
            f"Start Jarvis with make run, which installs it, or set {engine.setting} to a server you have."
        )
    uds = socket_of(engine, data_dir.run_dir)
    uds.parent.mkdir(mode=0o700, exist_ok=True)
    uds.parent.chmod(0o700)
    scratch = uds.with_suffix(".tmp")

    async def prepare() -> None:
        uds.unlink(missing_ok=True)
        await asyncio.to_thread(_empty, scratch)

    uri = f"unix://{uds}"
    supervised = supervisor.start(
        Child(
            name=engine.name,
            title=engine.title,
            command=Command(
                argv=[sys.executable, "-I", "-m", engine.module, "--uri", uri, *arguments],
                # What is said passes through files on its way: they go with each connection, and what a
                # killed engine left goes at the next start.
                env={
                    "PATH": "/usr/bin:/bin",
                    "LC_ALL": "C.UTF-8",
                    "TMPDIR": str(scratch),
                    "HF_HOME": str(scratch),
                    "HF_HUB_OFFLINE": "1",
                },
            ),
            probe=await asyncio.to_thread(_describes, uri),
            prepare=prepare,
            ready_within_s=120.0,  # 150 MB of libraries and weights from a cold disk
            ready_poll_s=0.05,
            stop_within_s=5.0,
        )
    )
    await supervised.wait_ready()
    return RunningEngine(uri=uri, supervised=supervised)


def _describes(uri: str) -> Probe:
    from jarvis.adapters.speech.wyoming import WyomingTranscriber  # noqa: PLC0415 the start does not wait for it

    return WyomingTranscriber(uri).ping  # asks what any Wyoming server answers


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
