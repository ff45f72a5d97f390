"""What speech is to Jarvis, and the roles that engines fill. More of ports.py, by the same rules."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Literal, Protocol

import msgspec

HEARD_HZ = 16_000
"""The sample rate of all that is listened to."""
SAMPLE_BYTES = 4


class Pcm(msgspec.Struct, frozen=True, kw_only=True):
    """Mono sound: `samples` are float32, little-endian, -1 to 1."""

    samples: bytes
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_BYTES / self.sample_rate_hz


AudioFormat = Literal["wav", "mp3", "ogg", "flac"]
RawEncoding = Literal["u8", "s16", "s24", "s32", "f32", "f64"]


class RawFormat(msgspec.Struct, frozen=True, kw_only=True):
    """Little-endian samples without a container, those of the channels in turn."""

    encoding: RawEncoding
    sample_rate_hz: int
    channels: int = 1


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """Times are seconds from the start of the sound."""

    word: str
    start_time: float
    end_time: float
    confidence: float


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """What was said; `final`: it will not be revised. None: the engine does not tell."""

    text: str
    language: str | None = None
    """ISO 639-1."""
    confidence: float | None = None
    """0 to 1."""
    words: list[Word] | None = None
    final: bool = True


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    language: str
    """ISO 639-1."""
    gender: str | None = None
    quality: str | None = None


class Transcriber(Protocol):
    """Turns speech into text."""

    @property
    def name(self) -> str:
        """The engine, as clients are told."""
        ...

    def transcribe(
        self, speech: AsyncIterable[bytes], *, language: str | None = None, prompt: str | None = None
    ) -> AsyncGenerator[Transcript]:
        """Yield what `speech` says: float32 samples at HEARD_HZ, in pieces of any whole number of samples.

        The last transcript, and only that, is final; an engine that does not stream yields no other.
        `language` (ISO 639-1) None: the engine finds it out. `prompt` has names and terms to expect; an
        engine without a use for it ignores it. Closing the generator ends the request.
        Raises Unavailable("stt", ...): away, broken, or no transcript at the end.
        """
        ...

    async def languages(self) -> list[str]:
        """Return the codes it understands, in its order. Raises Unavailable("stt", ...)."""
        ...

    async def ping(self) -> None:
        """Return when it answers. Raises Unavailable("stt", ...)."""
        ...


class Synthesizer(Protocol):
    """Turns text into speech."""

    @property
    def name(self) -> str:
        """The engine, as clients are told."""
        ...

    def synthesize(self, text: str, *, voice: str | None = None, speed: float = 1.0) -> AsyncGenerator[Pcm]:
        """Yield the sound of `text` in pieces of one sample rate, the first as soon as the engine has it.

        `voice` is one of its `voices`; None: its own choice. `speed` 2 takes half the time, where the engine
        can. Closing the generator ends the request.
        Raises Unavailable("tts", ...): away, broken, or no sound.
        """
        ...

    async def voices(self) -> list[Voice]:
        """Return what it can speak with, its default first. Raises Unavailable("tts", ...)."""
        ...

    async def ping(self) -> None:
        """Return when it answers. Raises Unavailable("tts", ...)."""
        ...


class SoundStream(Protocol):
    """Sound that is decoded while it comes in; close it with `aclose`."""

    async def feed(self, data: bytes) -> None:
        """Take the next bytes; waits while `pieces` is behind. Raises TooLarge."""
        ...

    def finish(self) -> None:
        """No more bytes come: `pieces` ends after what is left."""
        ...

    def pieces(self) -> AsyncGenerator[bytes]:
        """Yield float32 samples at HEARD_HZ as soon as they can be decoded; read it once.

        Raises InvalidAudio, TooLarge.
        """
        ...

    async def aclose(self) -> None: ...


class GrowingFile(Protocol):
    """A file of sound: what both methods return, joined. Neither blocks the loop."""

    async def write(self, pcm: Pcm) -> bytes:
        """Return the bytes that are ready so far."""
        ...

    async def finish(self) -> bytes: ...


class Codec(Protocol):
    """Reads and writes files of sound; the first bytes tell what a file is, whatever it is called."""

    async def decode(self, data: bytes, *, declared: RawFormat | None = None) -> Pcm:
        """Return the sound in `data` at HEARD_HZ: raw samples where `declared`.

        Raises InvalidAudio: none, or less than 100 ms; TooLarge: more bytes or seconds than are taken;
        Overloaded.
        """
        ...

    async def stream(self, declared: RawFormat | None = None, *, endless: bool = False) -> SoundStream:
        """Open a stream; an `endless` one may have any number of bytes and seconds.

        Raises Overloaded: as many as can be are open.
        """
        ...

    async def encode(self, pieces: Sequence[Pcm], to: AudioFormat) -> bytes:
        """Return a whole file of all pieces, at the first one's rate."""
        ...

    async def grow(self, to: AudioFormat, sample_rate_hz: int) -> GrowingFile:
        """Begin a file of that rate, whatever the pieces have."""
        ...


class SpeechShare(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a clip is speech: `share` of 0 to 1, and the mean probability there (0 without any)."""

    share: float
    confidence: float


class VoiceActivity(Protocol):
    """Follows one stream; close it."""

    async def probabilities(self, samples: bytes) -> list[float]:
        """Return how likely each further chunk of 32 ms is speech; what is left waits for the next call."""
        ...

    def close(self) -> None: ...


class SpeechDetector(Protocol):
    def listen(self) -> VoiceActivity:
        """Raises Overloaded: as many as can be are followed."""
        ...

    async def share_of(self, pcm: Pcm) -> SpeechShare:
        """Judge a whole clip at HEARD_HZ. Raises Overloaded."""
        ...
