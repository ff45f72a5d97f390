"""The turn log of one process: every reader gets every event, live or later, until it is forgotten."""

import asyncio
import tracemalloc
from uuid import UUID

import msgspec
import pytest

from jarvis.adapters import turn_log
from jarvis.adapters.turn_log import InProcessTurnLog
from jarvis.core.errors import NotFound
from jarvis.core.events import AudioResponse, Delta, LogEntry, TurnError
from jarvis.core.types import new_id


def delta(turn_id: UUID, seq: int, text: str = "x") -> Delta:
    return Delta(turn_id=turn_id, seq=seq, text=text)


def sentence(turn_id: UUID, seq: int, *, sound: bytes) -> AudioResponse:
    return AudioResponse(
        turn_id=turn_id,
        seq=seq,
        sentence=seq,
        text=f"Sentence {seq}.",
        sample_rate=22_050,
        duration_ms=900,
        data=sound,
        last=False,
    )


def end(turn_id: UUID, seq: int) -> TurnError:
    return TurnError(turn_id=turn_id, seq=seq, code="internal", message="")


async def seqs(log: InProcessTurnLog, turn_id: UUID, after: int = -1) -> list[int]:
    return [entry.seq async for entry in log.read(turn_id, after=after)]


async def test_readers_get_what_was_and_what_comes() -> None:
    log, turn_id = InProcessTurnLog(), new_id()
    log.append(delta(turn_id, 0))
    early = asyncio.create_task(seqs(log, turn_id))
    late = asyncio.create_task(seqs(log, turn_id, after=1))
    await asyncio.sleep(0)
    for seq in (1, 2):
        log.append(delta(turn_id, seq))
        await asyncio.sleep(0)
    log.append(end(turn_id, 3))
    assert await early == [0, 1, 2, 3]
    assert await late == [2, 3]
    assert await seqs(log, turn_id) == [0, 1, 2, 3]


async def test_a_burst_between_two_looks_is_read_whole() -> None:
    log, turn_id = InProcessTurnLog(), new_id()
    log.append(delta(turn_id, 0))
    reading = asyncio.create_task(seqs(log, turn_id))
    await asyncio.sleep(0)
    for seq in range(1, 100):
        log.append(delta(turn_id, seq))
    log.append(end(turn_id, 100))
    assert await reading == list(range(101))


async def test_a_slow_reader_keeps_nobody_waiting() -> None:
    log, turn_id = InProcessTurnLog(), new_id()
    log.append(delta(turn_id, 0))
    slow = log.read(turn_id)
    assert (await anext(slow)).seq == 0
    log.append(delta(turn_id, 1))
    log.append(end(turn_id, 2))
    assert await seqs(log, turn_id) == [0, 1, 2]
    assert [entry.seq async for entry in slow] == [1, 2]


async def test_an_event_is_encoded_as_the_wire_has_it() -> None:
    log, turn_id = InProcessTurnLog(), new_id()
    log.append(delta(turn_id, 0, "é"))
    log.append(end(turn_id, 1))
    first, last = [entry async for entry in log.read(turn_id)]
    assert first == LogEntry(
        seq=0,
        type="delta",
        data=f'{{"type":"delta","turn_id":"{turn_id}","seq":0,"text":"é"}}'.encode(),
        terminal=False,
    )
    assert (last.type, last.terminal) == ("error", True)


async def test_what_never_was_is_not_found() -> None:
    log = InProcessTurnLog()
    assert log.last_seq(new_id()) is None
    with pytest.raises(NotFound):
        await seqs(log, new_id())


async def test_ended_turns_are_forgotten_after_their_time_and_running_ones_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, ended, running = InProcessTurnLog(), new_id(), new_id()
    log.append(delta(running, 0))
    log.append(end(ended, 0))
    assert log.last_seq(ended) == 0
    monkeypatch.setattr(turn_log, "RETENTION_S", -1.0)
    log.append(end(new_id(), 0))
    assert log.last_seq(ended) is None
    assert log.last_seq(running) == 0


async def test_ended_turns_take_a_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_log, "MAX_ENDED_BYTES", 13_000)
    log = InProcessTurnLog()
    ids = [new_id() for _ in range(10)]
    for turn_id in ids:
        log.append(delta(turn_id, 0, "x" * 3_000))
        log.append(end(turn_id, 1))
    kept = [turn_id for turn_id in ids if log.last_seq(turn_id) is not None]
    assert kept == ids[-3:]


async def test_the_newest_ended_turn_can_be_read_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_log, "MAX_ENDED_BYTES", 1_000)
    log, turn_id = InProcessTurnLog(), new_id()
    log.append(delta(turn_id, 0, "x" * 3_000))
    log.append(end(turn_id, 1))
    assert [entry.seq async for entry in log.read(turn_id)] == [0, 1]


@pytest.mark.parametrize(("turns", "deltas"), [(10, 100), (200, 1)], ids=["long turns", "short turns"])
async def test_the_room_that_is_counted_is_the_room_that_is_taken(turns: int, deltas: int) -> None:
    log, turn_ids = InProcessTurnLog(), [new_id() for _ in range(turns)]
    tracemalloc.start()
    try:
        for turn_id in turn_ids:
            for seq in range(deltas):
                log.append(delta(turn_id, seq))
            log.append(end(turn_id, deltas))
        taken_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert log.ended_bytes == pytest.approx(taken_bytes, rel=0.25)


async def test_a_reader_of_a_turn_that_is_forgotten_meanwhile_reads_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, turn_id = InProcessTurnLog(), new_id()
    log.append(delta(turn_id, 0))
    log.append(end(turn_id, 1))
    monkeypatch.setattr(turn_log, "RETENTION_S", -1.0)
    reading = log.read(turn_id)
    assert (await anext(reading)).seq == 0
    log.append(end(new_id(), 0))
    assert [entry.seq async for entry in reading] == [1]


async def test_a_reader_that_was_cancelled_keeps_nothing_of_the_turn() -> None:
    log, turn_id = InProcessTurnLog(), new_id()
    log.append(delta(turn_id, 0))

    async def read() -> None:
        async for _ in log.read(turn_id):
            pass

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:  # whose traceback has the reader's frames
        await reading
    tracemalloc.start()
    try:
        log.append(delta(turn_id, 1, "x" * 1_000_000))
        log.append(end(turn_id, 2))
        log.forget([turn_id])
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert cancelled.tb is not None
    assert kept_bytes < 100_000


async def test_of_a_long_speech_only_the_newest_sound_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_log, "MAX_SOUND_BYTES", 3_500)
    log, turn_id = InProcessTurnLog(), new_id()
    for seq in range(5):
        log.append(sentence(turn_id, seq, sound=bytes(1_000)))
    log.append(end(turn_id, 5))

    entries = [entry async for entry in log.read(turn_id)]

    assert [entry.seq for entry in entries] == list(range(6))
    spoken = [msgspec.json.decode(entry.data, type=AudioResponse) for entry in entries[:-1]]
    assert [one.text for one in spoken] == [f"Sentence {seq}." for seq in range(5)]
    assert [len(one.data) for one in spoken] == [0, 0, 0, 1_000, 1_000]


async def test_readers_of_a_turn_that_is_handed_over_have_its_end_here() -> None:
    log, turn_id = InProcessTurnLog(), new_id()
    log.append(delta(turn_id, 0))
    reading = asyncio.create_task(seqs(log, turn_id))
    await asyncio.sleep(0)
    log.append(delta(turn_id, 1))
    log.hand_over(turn_id)
    assert await reading == [0, 1]
    assert log.last_seq(turn_id) is None
    log.hand_over(turn_id)
