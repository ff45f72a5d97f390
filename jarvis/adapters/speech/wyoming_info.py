"""What a Wyoming server says it offers, as Jarvis tells of it. Pure."""

import re
from collections.abc import Iterator, Sequence

import msgspec

from jarvis.adapters.speech.languages import iso_639_1
from jarvis.core.speech import Voice

_QUALITY = re.compile(r"-(x_low|low|medium|high)$")


class Model(msgspec.Struct, frozen=True):
    languages: list[str] = []
    installed: bool = True


class Recognition(msgspec.Struct, frozen=True):
    models: list[Model] = []

    def languages(self) -> list[str]:
        """Return the codes that its models understand, each once."""
        told = [code for model in self.models if model.installed for code in model.languages]
        return list(dict.fromkeys(iso_639_1(code) for code in told))


class Speaker(msgspec.Struct, frozen=True):
    name: str


class Speech(msgspec.Struct, frozen=True):
    """A voice, in Wyoming's sense: one or several speakers."""

    name: str
    languages: list[str] = []
    description: str | None = None
    speakers: list[Speaker] | None = None
    installed: bool = True

    def voices(self) -> Iterator[Voice]:
        language = iso_639_1(self.languages[0]) if self.languages else "en"
        quality = _QUALITY.search(self.name)
        label = self.description or self.name
        for speaker in self.speakers or [None]:
            yield Voice(
                id=self.name if speaker is None else f"{self.name}#{speaker.name}",
                name=label if speaker is None else f"{label}, {speaker.name}",
                language=language,
                quality=quality and quality[1],
            )


class Synthesis(msgspec.Struct, frozen=True):
    voices: list[Speech] = []

    def offered(self, names: Sequence[str] | None) -> list[Voice]:
        """Return what is installed; with `names` those only, in their order."""
        there = {each.name: each for each in self.voices if each.installed}
        chosen = there if names is None else [name for name in names if name in there]
        return [voice for name in chosen for voice in there[name].voices()]


class Info(msgspec.Struct, frozen=True):
    """The answer to `describe`; of several programs in a role the first is the one that answers."""

    asr: list[Recognition] = []
    tts: list[Synthesis] = []
