"""Starts Piper: wyoming-piper with the voices in its folder. GPL: a process of its own."""

from pathlib import Path

from jarvis.embedded.catalogue import PIPER_JOE
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.speech import Engine, RunningEngine, start_engine
from jarvis.embedded.supervisor import Supervisor

PIPER = Engine(
    name="piper",
    title="The English voice",
    module="jarvis.embedded.piper_process",
    package="wyoming_piper",
    setting="TTS_URL",
)


async def start_piper(supervisor: Supervisor, data_dir: DataDir) -> RunningEngine:
    """Start it on the fetched PIPER_JOE; see start_engine."""
    voice = data_dir.models_dir / Path(next(iter(PIPER_JOE.files)))
    arguments = ("--data-dir", str(voice.parent), "--voice", voice.stem, "--local-files-only")
    return await start_engine(PIPER, arguments, supervisor=supervisor, data_dir=data_dir)
