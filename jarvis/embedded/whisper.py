"""Starts Whisper: wyoming-faster-whisper on the base model, on the processor."""

from jarvis.embedded.catalogue import WHISPER_BASE
from jarvis.embedded.cpu import usable_cores
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.speech import Engine, RunningEngine, start_engine
from jarvis.embedded.supervisor import Supervisor

WHISPER = Engine(
    name="whisper",
    title="The speech recognizer",
    module="jarvis.embedded.whisper_process",
    package="wyoming_faster_whisper",
    setting="STT_URL",
)
# Measured on Piper's English, 94 words: no error with 1 or with 5, which takes half as much again (minute of
# speech: 7.7 s of processor time against 11.9).
BEAM_SIZE = 1


async def start_whisper(supervisor: Supervisor, data_dir: DataDir) -> RunningEngine:
    """Start it on the fetched WHISPER_BASE; see start_engine."""
    model = data_dir.models_dir / WHISPER_BASE.name
    arguments = (
        *("--data-dir", str(data_dir.models_dir), "--model", str(model), "--local-files-only"),
        *("--stt-library", "faster-whisper", "--compute-type", "int8"),
        *("--cpu-threads", str(usable_cores()), "--beam-size", str(BEAM_SIZE)),
        # Costs 100 MB. Without it what is silent after speech is made up: a sentence came three times.
        "--vad-filter",
    )
    return await start_engine(WHISPER, arguments, supervisor=supervisor, data_dir=data_dir)
