"""Files for clients: they hold what was said, whole or as they grow, and say what they are."""

import io
import struct
import wave

import numpy as np
import pytest

from jarvis.adapters.audio.decoding import decode
from jarvis.adapters.audio.encoding import AudioFormat, Encoder, encode
from jarvis.adapters.audio.sniffing import sniff
from jarvis.core.speech import HEARD_HZ, Pcm
from tests import sounds

FORMATS: list[AudioFormat] = ["wav", "mp3", "ogg", "flac"]
CODEC_DELAY_S = 0.12
"""A growing MP3 cannot say how much of its first and last frame is sound."""


def said(secs: float = 3.0, rate_hz: int = HEARD_HZ) -> Pcm:
    spoken = sounds.speech()[: round(secs * HEARD_HZ)]
    at = np.arange(0, len(spoken) - 1, HEARD_HZ / rate_hz)
    samples = np.interp(at, np.arange(len(spoken)), spoken).astype(np.float32)
    return Pcm(samples=samples.tobytes(), sample_rate_hz=rate_hz)


def cut(pcm: Pcm, pieces: int) -> list[Pcm]:
    samples = np.array_split(np.frombuffer(pcm.samples, np.float32), pieces)
    return [Pcm(samples=piece.tobytes(), sample_rate_hz=pcm.sample_rate_hz) for piece in samples]


def likeness(one: Pcm, other: Pcm) -> float:
    """Return how alike they are at the best offset, 1 for the same."""
    first, second = (np.frombuffer(pcm.samples, np.float32) for pcm in (one, other))
    size = len(first) + len(second)
    both = np.fft.irfft(np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size)), size)
    return float(both.max() / np.linalg.norm(first) / np.linalg.norm(second))


def played(data: bytes) -> Pcm:
    return decode(data, declared=None, max_secs=120)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100, 96_000])
@pytest.mark.parametrize("to", FORMATS)
def test_a_whole_file_holds_what_was_said(to: AudioFormat, rate_hz: int) -> None:
    pcm = said(rate_hz=rate_hz)
    data = encode(pcm, to)
    assert sniff(data[:16]) == to
    heard = played(data)
    assert heard.duration_s == pytest.approx(pcm.duration_s, abs=0.0003 if to != "mp3" else CODEC_DELAY_S)
    original = played(encode(pcm, "wav"))
    assert likeness(heard, original) > 0.99


@pytest.mark.parametrize("to", FORMATS)
def test_a_file_that_grows_holds_what_was_said(to: AudioFormat) -> None:
    pcm = said(rate_hz=22_050)
    encoder = Encoder(to, 22_050)
    parts = [encoder.write(piece) for piece in cut(pcm, 30)]
    # 100 ms a piece: the sound begins to come out long before it ends.
    assert len(b"".join(parts[:6])) > 500
    heard = played(b"".join(parts) + encoder.finish())
    assert heard.duration_s == pytest.approx(pcm.duration_s, abs=CODEC_DELAY_S)
    assert likeness(heard, played(encode(pcm, "wav"))) > 0.99


@pytest.mark.parametrize("to", FORMATS)
def test_pieces_of_other_rates_fit_in(to: AudioFormat) -> None:
    whole = said(3)
    first, second, third = cut(whole, 3)
    samples = np.frombuffer(second.samples, np.float32)
    wider = Pcm(samples=np.repeat(samples, 3).tobytes(), sample_rate_hz=HEARD_HZ * 3)
    encoder = Encoder(to, HEARD_HZ)
    data = b"".join(encoder.write(piece) for piece in (first, wider, third)) + encoder.finish()
    heard = played(data)
    assert heard.duration_s == pytest.approx(3, abs=CODEC_DELAY_S)
    assert likeness(heard, whole) > 0.97  # repeated samples are a crude way to a higher rate


def test_a_whole_wav_says_its_exact_size() -> None:
    pcm = said(0.5, 22_050)
    data = encode(pcm, "wav")
    assert struct.unpack_from("<I", data, 4) == (len(data) - 8,)
    with wave.open(io.BytesIO(data)) as file:
        told = (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes())
    assert told == (1, 2, 22_050, len(pcm.samples) // 4)


def test_a_growing_wav_says_that_its_size_is_unknown() -> None:
    encoder = Encoder("wav", 16_000)
    head = encoder.write(Pcm(samples=np.array([0, 0.5, -2], np.float32).tobytes(), sample_rate_hz=16_000))
    assert struct.unpack_from("<I", head, 4) == struct.unpack_from("<I", head, 40) == (0xFFFFFFFF,)
    assert struct.unpack("<3h", head[44:]) == (0, 16_384, -32_767)
    assert encoder.write(Pcm(samples=bytes(8), sample_rate_hz=16_000)) == bytes(4)
    assert encoder.finish() == b""


@pytest.mark.parametrize("to", FORMATS)
def test_no_sound_is_a_file_all_the_same(to: AudioFormat) -> None:
    for data in (encode(Pcm(samples=b"", sample_rate_hz=16_000), to), Encoder(to, 16_000).finish()):
        assert to == "mp3" or sniff(data[:16]) == to
