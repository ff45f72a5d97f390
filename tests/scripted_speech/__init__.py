"""Speech engines for tests, of each protocol: real servers that speak and hear tones, a log as the oracle."""

from tests.scripted_speech.http_server import ScriptedSpeechHttp
from tests.scripted_speech.log import Fault, Log, Record
from tests.scripted_speech.tones import WORD_S, hear, speak
from tests.scripted_speech.wyoming_server import ScriptedWyoming

__all__ = ["WORD_S", "Fault", "Log", "Record", "ScriptedSpeechHttp", "ScriptedWyoming", "hear", "speak"]
