"""Runs wyoming-faster-whisper with what its command line cannot say. Nothing else imports this."""

from functools import partialmethod

from faster_whisper import WhisperModel
from wyoming_faster_whisper.__main__ import run

from jarvis.embedded.engine_process import settle


def main() -> None:
    settle()
    # Left to itself it decodes anew, at five rising temperatures, what it is not sure of: noise took 17 s.
    once = partialmethod(WhisperModel.transcribe, temperature=0.0)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - its types are incomplete
    setattr(WhisperModel, "transcribe", once)  # noqa: B010 - the type of a method is not a partialmethod
    run()


if __name__ == "__main__":
    main()
