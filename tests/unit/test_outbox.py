"""What waits to be sent on a WebSocket: in order, and bounded."""

import asyncio
import tracemalloc

import pytest

from jarvis.web.outbox import MAX_BYTES, Outbox, SlowReader


async def take(outbox: Outbox) -> str:
    frame = await outbox.get()
    outbox.sent()
    return frame


async def test_frames_leave_in_order() -> None:
    outbox = Outbox()
    for number in range(3):
        outbox.put(b"%d" % number)
    assert [await take(outbox) for _ in range(3)] == ["0", "1", "2"]


async def test_what_waits_is_what_was_put_and_no_copy_of_it() -> None:
    outbox = Outbox()
    frame = b"x" * 100_000 + "🙂".encode()  # as text it takes four times as much
    tracemalloc.start()
    try:
        for _ in range(10):
            outbox.put(frame)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < len(frame)
    assert await take(outbox) == frame.decode()


async def test_get_waits_for_a_frame() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.put("é".encode())
    assert await waiting == "é"


async def test_a_frame_counts_until_it_is_sent() -> None:
    outbox = Outbox()
    outbox.put(b"x" * (MAX_BYTES - 1))
    await outbox.get()
    outbox.put(b"x")
    with pytest.raises(SlowReader):
        outbox.put(b"x")
    outbox.sent()
    outbox.put(b"x")
    assert [len(await take(outbox)) for _ in range(2)] == [1, 1]


async def test_bytes_are_counted_not_characters() -> None:
    outbox = Outbox()
    outbox.put("🙂".encode() * (MAX_BYTES // 4))
    with pytest.raises(SlowReader):
        outbox.put(b"x")
    await take(outbox)
    outbox.put(b"x" * MAX_BYTES)


async def test_one_frame_may_be_larger_than_all_that_may_wait() -> None:
    outbox = Outbox()
    outbox.put(b"x" * (MAX_BYTES + 1))
    with pytest.raises(SlowReader):
        outbox.put(b"x")
    assert len(await take(outbox)) == MAX_BYTES + 1


async def test_flushed_waits_until_all_is_sent() -> None:
    outbox = Outbox()
    await outbox.flushed()
    outbox.put(b"1")
    outbox.put(b"2")
    flushing = asyncio.create_task(outbox.flushed())
    await take(outbox)
    await asyncio.sleep(0)
    assert not flushing.done()
    await take(outbox)
    await flushing


async def test_a_sound_on_its_way_leaves_room_for_text() -> None:
    outbox = Outbox()
    outbox.put(b"s" * (MAX_BYTES + 1), is_sound=True)
    outbox.put(b"x" * MAX_BYTES)
    with pytest.raises(SlowReader):
        outbox.put(b"x")
    assert len(await take(outbox)) == MAX_BYTES + 1
    with pytest.raises(SlowReader):
        outbox.put(b"x")
