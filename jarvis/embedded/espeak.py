"""Starts eSpeak NG, for the languages Piper's voice does not speak. GPL: a process of its own."""

from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.speech import Engine, RunningEngine, start_engine
from jarvis.embedded.supervisor import Supervisor

ESPEAK = Engine(
    name="espeak",
    title="The voice for other languages",
    module="jarvis.embedded.espeak_process",
    package="espeakng_loader",
    setting="TTS_URL",
)


async def start_espeak(supervisor: Supervisor, data_dir: DataDir) -> RunningEngine:
    """Start it; see start_engine. It needs no weights."""
    return await start_engine(ESPEAK, (), supervisor=supervisor, data_dir=data_dir)
