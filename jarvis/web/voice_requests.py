"""The shapes of what clients send to have speech heard or made. Names are the contract's."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from jarvis.core.errors import Invalid
from jarvis.core.speech import AudioFormat, RawFormat
from jarvis.web.requests import ProfileName

LanguageCode = Annotated[str, Meta(pattern=r"^([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*|auto)(?!\n)$")]
SampleRate = Annotated[int, Meta(ge=4_000, le=384_000)]
MAX_SPOKEN_CHARS = 5_000


class SoundFields(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says of its sound; only raw samples are taken for what they are called."""

    language: LanguageCode | None = "auto"
    format: Annotated[str, Meta(max_length=100)] | None = None
    sample_rate: SampleRate | None = None

    @property
    def language_code(self) -> str | None:
        """ISO 639-1; None: to be found out."""
        code = (self.language or "auto").replace("_", "-").partition("-")[0].lower()
        return None if code == "auto" else code

    def raw(self) -> RawFormat | None:
        """Return how raw samples are to be read; None for sound in a container. Raises Invalid."""
        match self.format:
            case "pcm_s16le" | "pcm_f32le":
                if self.sample_rate is None:
                    raise Invalid("sample_rate", "is required with raw samples")
                encoding = "s16" if self.format == "pcm_s16le" else "f32"
                return RawFormat(encoding=encoding, sample_rate_hz=self.sample_rate)
            case _:
                return None


class TranscribeFields(SoundFields, frozen=True, kw_only=True):
    """What a form says besides its file."""

    prompt: Annotated[str, Meta(max_length=1_000)] | None = None


class TranscribeRequest(TranscribeFields, frozen=True, kw_only=True):
    """POST /api/voice/transcribe; the same as a form, with the sound as a file named `file` or `audio`."""

    audio_data: bytes


class SynthesizeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /api/voice/synthesize."""

    text: Annotated[str, Meta(min_length=1, max_length=MAX_SPOKEN_CHARS)]
    voice: Annotated[str, Meta(max_length=200)] | None = None
    speed: Annotated[float, Meta(ge=0.5, le=2)] = 1.0
    format: AudioFormat = "wav"


class AudioDataFrame(SoundFields, frozen=True, kw_only=True):
    """A whole clip; with `speak`, the answer is spoken too."""

    type: Literal["audio_data"]
    data: bytes
    conversation_id: UUID | None = None
    speak: bool = False
    user_id: ProfileName | None = None


class AudioStartFrame(SoundFields, frozen=True, kw_only=True):
    """Sound follows in binary frames, up to `audio_end`; with `vad`, a pause ends what is said."""

    type: Literal["audio_start"]
    conversation_id: UUID | None = None
    speak: bool = False
    vad: bool = False
    user_id: ProfileName | None = None


class AudioEndFrame(msgspec.Struct, frozen=True, kw_only=True):
    """All of the sound has been sent."""

    type: Literal["audio_end"]


class PlaybackFrame(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an answer was played, of all its sentences one after the other."""

    type: Literal["playback"]
    turn_id: UUID
    played_ms: Annotated[int, Meta(ge=0, le=86_400_000)]


class BargeInFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Stop speaking; what was not heard is taken out of the answer."""

    type: Literal["barge_in"]
    turn_id: UUID
    played_ms: Annotated[int, Meta(ge=0, le=86_400_000)] | None = None
