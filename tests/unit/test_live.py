"""A turn while it lives: its text, its verdict, and how chunks become deltas."""

import asyncio

from jarvis.services.live import DELTA_MAX_CHUNKS, Deltas, LiveTurn
from tests.turns import a_turn


async def test_events_are_numbered_from_zero() -> None:
    live = LiveTurn(a_turn())
    assert live.seq == -1
    assert [live.next_seq() for _ in range(3)] == [0, 1, 2]
    assert live.seq == 2


async def test_text_is_all_that_was_said() -> None:
    live = LiveTurn(a_turn())
    assert (live.text, live.text_chars) == ("", 0)
    live.say("one")
    live.say(" 🙂")
    assert (live.text, live.text_chars) == ("one 🙂", 5)
    live.say("!")
    assert live.text == "one 🙂!"


async def test_the_first_verdict_counts_and_cancels() -> None:
    live = LiveTurn(a_turn())
    live.end("cancelled")
    live.end("interrupted")
    assert live.verdict == "cancelled"
    with live.scope:
        await asyncio.Event().wait()
    assert live.scope.cancelled_caught


async def test_the_first_chunk_goes_out_at_once_and_the_next_within_their_time() -> None:
    emitted: list[str] = []
    deltas = Deltas(emitted.append)
    deltas.write("one")
    assert emitted == ["one"]
    deltas.write(" two")
    deltas.write(" three")
    assert emitted == ["one"]
    async with asyncio.timeout(1):
        while len(emitted) < 2:  # noqa: ASYNC110 - the timer is what is tested
            await asyncio.sleep(0)
    assert emitted == ["one", " two three"]


async def test_a_delta_has_a_bounded_number_of_chunks() -> None:
    emitted: list[str] = []
    deltas = Deltas(emitted.append)
    for _ in range(1 + DELTA_MAX_CHUNKS):
        deltas.write("x")
    assert emitted == ["x", "x" * DELTA_MAX_CHUNKS]


async def test_what_is_left_is_flushed_once() -> None:
    emitted: list[str] = []
    deltas = Deltas(emitted.append)
    deltas.write("one")
    deltas.write(" two")
    deltas.flush()
    deltas.flush()
    await asyncio.sleep(0.05)  # longer than the timer that flush has to have cancelled
    assert emitted == ["one", " two"]
