"""A model server for tests: Ollama's and OpenAI's protocols, faults on command, a log as the oracle."""

from tests.scripted_model.call import Message
from tests.scripted_model.catalogue import CHAT_MODEL, EMBEDDING_MODEL, Model
from tests.scripted_model.log import Log, Record
from tests.scripted_model.scripts import (
    ByteByByte,
    Fault,
    Garbage,
    Hang,
    MissingEnd,
    Refuse,
    Reset,
    Rule,
    Script,
    SlowHead,
    StreamError,
    TwoPerChunk,
)
from tests.scripted_model.server import ScriptedModel

__all__ = [
    "CHAT_MODEL",
    "EMBEDDING_MODEL",
    "ByteByByte",
    "Fault",
    "Garbage",
    "Hang",
    "Log",
    "Message",
    "MissingEnd",
    "Model",
    "Record",
    "Refuse",
    "Reset",
    "Rule",
    "Script",
    "ScriptedModel",
    "SlowHead",
    "StreamError",
    "TwoPerChunk",
]
