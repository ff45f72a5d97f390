"""Words as tones: what the scripted servers speak and hear, so that a round trip carries the words.

A word takes WORD_S. Each byte of its UTF-8 is two tones of TONE_S, one for each half; silence fills the rest.
"""

import numpy as np
from numpy.typing import NDArray

WORD_S = 0.4
TONE_S = 0.01
LONGEST_BYTES = 18
"""A longer word is cut: silence must be left at its end, by which the next one is found."""

_LOWEST_HZ = 400.0
_STEP_HZ = 200.0
_LOUD = 0.05

Sound = NDArray[np.float32]


def speak(text: str, sample_rate_hz: int) -> Sound:
    words = [_word(word, sample_rate_hz) for word in text.split()]
    return np.concatenate(words) if words else np.zeros(0, np.float32)


def hear(sound: Sound, sample_rate_hz: int) -> str:
    """Return the words in `sound`, which may have silence anywhere between them."""
    loud = np.abs(sound) > _LOUD
    words: list[str] = []
    position = 0
    while position < len(sound):
        onsets = np.flatnonzero(loud[position:])
        if not len(onsets):
            break
        position += int(onsets[0])
        words.append(_hear_word(sound[position:], sample_rate_hz))
        position += round((WORD_S - TONE_S) * sample_rate_hz)
    return " ".join(words)


def from_s16(raw: bytes) -> Sound:
    return np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(2**15)


def _word(word: str, sample_rate_hz: int) -> Sound:
    sound = np.zeros(round(WORD_S * sample_rate_hz), np.float32)
    halves = [half for byte in word.encode()[:LONGEST_BYTES] for half in divmod(byte, 16)]
    for index, half in enumerate(halves):
        begin, end = (round((index + edge) * TONE_S * sample_rate_hz) for edge in (0, 1))
        times_s = np.arange(end - begin) / sample_rate_hz
        sound[begin:end] = 0.5 * np.cos(2 * np.pi * (_LOWEST_HZ + _STEP_HZ * half) * times_s)
    return sound


def _hear_word(sound: Sound, sample_rate_hz: int) -> str:
    halves: list[int] = []
    for index in range(2 * LONGEST_BYTES):
        # Its edges are left out: a resampler smears a tone into its neighbours.
        begin, end = (round((index + edge) * TONE_S * sample_rate_hz) for edge in (0.15, 0.85))
        tone = sound[begin:end]
        if not len(tone) or np.max(np.abs(tone)) < _LOUD:
            break
        halves.append(_hear_half(tone, sample_rate_hz))
    octets = bytes(16 * high + low for high, low in zip(halves[::2], halves[1::2], strict=False))
    return octets.decode(errors="replace")


def _hear_half(tone: Sound, sample_rate_hz: int) -> int:
    frequencies_hz = _LOWEST_HZ + _STEP_HZ * np.arange(16)
    times_s = np.arange(len(tone)) / sample_rate_hz
    waves = np.exp(-2j * np.pi * np.outer(frequencies_hz, times_s))
    return int(np.argmax(np.abs(waves @ tone)))
