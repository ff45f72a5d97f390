"""Voice activity: speech is told from noise and silence, stream by stream."""

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
import pytest
import pytest_asyncio

from jarvis.adapters.audio import silero_models
from jarvis.adapters.audio.silero import CHUNK_SAMPLES, LIKELY, MAX_STREAMS, Silero
from jarvis.core.errors import Overloaded
from jarvis.core.speech import HEARD_HZ, Pcm
from tests import sounds


@pytest_asyncio.fixture
async def silero() -> AsyncGenerator[Silero]:
    silero = Silero()
    yield silero
    silero.close()


def pcm(samples: sounds.Samples) -> Pcm:
    return Pcm(samples=samples.tobytes(), sample_rate_hz=HEARD_HZ)


async def test_speech_is_likely_where_it_is(silero: Silero) -> None:
    pause = sounds.noise(2, level=0.002)
    spoken = sounds.speech()
    with silero.listen() as listening:
        found = np.array(await listening.probabilities(np.concatenate([pause, spoken, pause]).tobytes()))
    begin, end = len(pause) // CHUNK_SAMPLES, (len(pause) + len(spoken)) // CHUNK_SAMPLES
    assert (found[: begin - 1] < LIKELY).all()
    assert (found[begin:end] >= LIKELY).mean() > 0.7
    assert (found[end + 20 :] < LIKELY).all()


def test_the_models_of_both_packages_agree() -> None:
    """Only one of the two is installed by itself; both are where this is tested."""
    spoken = memoryview(bytearray(sounds.speech()[: HEARD_HZ * 2].tobytes())).cast("f")
    lite, ggml = silero_models.Lite(), silero_models.Ggml()
    chunks = [spoken[at : at + CHUNK_SAMPLES] for at in range(0, len(spoken) - CHUNK_SAMPLES, CHUNK_SAMPLES)]
    difference = np.abs(
        np.array([lite.probability(one) for one in chunks])
        - np.array([ggml.probability(one) for one in chunks])
    )
    assert (difference > 0.3).mean() < 0.1


async def test_a_stream_is_the_same_however_it_is_cut(silero: Silero) -> None:
    spoken = sounds.speech()[: HEARD_HZ * 2]
    with silero.listen() as whole, silero.listen() as pieces:
        expected = await whole.probabilities(spoken.tobytes())
        found: list[float] = []
        for begin in range(0, len(spoken), 333):
            found += await pieces.probabilities(spoken[begin : begin + 333].tobytes())
    assert len(expected) == len(spoken) // CHUNK_SAMPLES
    assert found == expected


async def test_streams_do_not_hear_each_other(silero: Silero) -> None:
    spoken = sounds.speech()[: HEARD_HZ * 2].tobytes()
    with silero.listen() as alone:
        expected = await alone.probabilities(spoken)
    streams = [silero.listen() for _ in range(4)]
    sent = [spoken, sounds.noise(2).tobytes(), spoken, bytes(len(spoken))]
    found = await asyncio.gather(
        *(one.probabilities(samples) for one, samples in zip(streams, sent, strict=True))
    )
    for one in streams:
        one.close()
    assert found[0] == found[2] == expected
    assert max(found[1]) < LIKELY
    assert max(found[3]) < LIKELY


async def test_the_share_of_speech_in_a_clip(silero: Silero) -> None:
    spoken = sounds.speech()
    assert (await silero.share_of(pcm(sounds.noise(1)))).share == 0
    assert (await silero.share_of(pcm(spoken[:100]))).confidence == 0
    speech = await silero.share_of(pcm(spoken))
    half = await silero.share_of(pcm(np.concatenate([spoken, sounds.noise(len(spoken) / HEARD_HZ)])))
    assert speech.share > 0.7
    assert speech.confidence > 0.8
    assert half.share == pytest.approx(speech.share / 2, abs=0.1)


async def test_one_who_leaves_is_not_heard_by_the_next(silero: Silero) -> None:
    spoken = sounds.speech()[:HEARD_HZ].tobytes()
    with silero.listen() as first:
        expected = await first.probabilities(spoken)
    with silero.listen() as second:
        assert await second.probabilities(spoken) == expected
    with silero.listen() as leaving:
        judging = asyncio.ensure_future(leaving.probabilities(sounds.speech().tobytes()))
        await asyncio.sleep(0)
        judging.cancel()
    with silero.listen() as after:
        assert await after.probabilities(spoken) == expected


async def test_there_is_room_for_so_many_streams(silero: Silero) -> None:
    streams = [silero.listen() for _ in range(MAX_STREAMS)]
    with pytest.raises(Overloaded):
        silero.listen()
    streams[3].close()
    streams[3].close()
    silero.listen()
    with pytest.raises(Overloaded):
        silero.listen()
