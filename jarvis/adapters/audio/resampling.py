"""Mono sound of any rates to one rate, by FFmpeg's anti-aliased resampler."""

from collections.abc import Sequence

import av
import numpy as np
from av.audio.resampler import AudioResampler

from jarvis.adapters.audio.raw import Samples
from jarvis.core.speech import HEARD_HZ, Pcm

EMPTY: Samples = np.zeros(0, np.float32)


class Resampler:
    """Keeps about 16 samples back until the next piece or `finish`; a change of rate loses none."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._from_hz = 0
        self._swr: AudioResampler | None = None

    def push(self, mono: Samples, rate_hz: int) -> Samples:
        rest = self.finish() if rate_hz != self._from_hz else EMPTY
        self._from_hz = rate_hz
        if rate_hz != self._rate_hz and len(mono):
            if self._swr is None:
                self._swr = AudioResampler(format="flt", layout="mono", rate=self._rate_hz)
            mono = _joined(self._swr.resample(frame_of(mono, rate_hz)))
        return np.concatenate((rest, mono)) if len(rest) else mono

    def finish(self) -> Samples:
        """Return what was kept back; the next `push` begins anew."""
        swr, self._swr = self._swr, None
        return EMPTY if swr is None else _joined(swr.resample(None))


def frame_of(mono: Samples, rate_hz: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(mono)[np.newaxis], format="flt", layout="mono")
    frame.sample_rate = rate_hz
    return frame


def _joined(frames: list[av.AudioFrame]) -> Samples:
    # A filter may leap over -1 to 1 where the sound itself did not.
    parts = [np.clip(frame.to_ndarray()[0], -1, 1).astype(np.float32, copy=False) for frame in frames]
    return np.concatenate(parts) if parts else EMPTY


def at_one_rate(pieces: Sequence[Pcm]) -> Pcm:
    """Return all pieces, one after the other, at the first one's rate; of none, nothing."""
    rate_hz = pieces[0].sample_rate_hz if pieces else HEARD_HZ
    resampler = Resampler(rate_hz)
    mono = [resampler.push(np.frombuffer(pcm.samples, np.float32), pcm.sample_rate_hz) for pcm in pieces]
    return Pcm(samples=np.concatenate([*mono, resampler.finish()]).tobytes(), sample_rate_hz=rate_hz)
