"""Wyoming's events out of bytes, however they are cut and whatever they claim."""

import asyncio
import itertools
import random
from typing import Any

import pytest
from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk
from wyoming.event import Event

from jarvis.adapters.speech.wyoming_wire import (
    MAX_DATA_BYTES,
    MAX_LINE_BYTES,
    MAX_PAYLOAD_BYTES,
    READ_AHEAD_BYTES,
    READ_AHEAD_EVENTS,
    BrokeOff,
    Connection,
    EventParser,
    Garbled,
    encode,
)

EVENTS = [
    Transcribe(language="fr", transcript_terms=["Zoë"]).event(),
    AudioChunk(rate=16_000, width=2, channels=1, audio=bytes(range(256)) * 40).event(),
    Event(type="audio-stop"),
]


def read(data: bytes, *, cuts: list[int]) -> list[tuple[str, dict[str, Any], bytes]]:
    parser = EventParser()
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[begin:end] for begin, end in itertools.pairwise(edges)]
    return [(event.type, event.data, event.payload) for piece in pieces for event in parser.feed(piece)]


def sent() -> bytes:
    return b"".join(encode(event) for event in EVENTS)


def meant() -> list[tuple[str, dict[str, Any], bytes]]:
    return [(event.type, event.data, event.payload or b"") for event in EVENTS]


def test_what_is_written_can_be_read() -> None:
    assert read(sent(), cuts=[]) == meant()


@pytest.mark.parametrize("seed", range(20))
def test_it_does_not_matter_where_it_is_cut(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 no secret
    cuts = [chance.randrange(len(sent())) for _ in range(30)]
    assert read(sent(), cuts=cuts) == meant()


def test_data_may_be_in_the_line_and_after_it() -> None:
    extra = b'{"b":2}'
    line = b'{"type":"x","data":{"a":1,"b":1},"version":"1.0","data_length":%d}\n' % len(extra)
    assert read(line + extra, cuts=[]) == [("x", {"a": 1, "b": 2}, b"")]


@pytest.mark.parametrize(
    "line",
    [
        b"<html>\n",
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"type":1}\n',
        b'{"type":"x","data":[]}\n',
        b'{"type":"x","data_length":-1}\n',
        b'{"type":"x","payload_length":"9"}\n',
        b'{"type":"x","payload_length":%d}\n' % (MAX_PAYLOAD_BYTES + 1),
        b'{"type":"x","data_length":%d}\n' % (MAX_DATA_BYTES + 1),
        b'{"type":"x","data_length":2}\n[]',
        b'{"type":"\xff"}\n',
        b"[" * 100_000 + b"\n",
        b"x" * (MAX_LINE_BYTES + 1),
    ],
    ids=lambda line: repr(line[:40]),
)
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(Garbled):
        read(line, cuts=[])


def test_the_longest_payload_is_taken() -> None:
    payload = bytes(MAX_PAYLOAD_BYTES)
    [(_, _, taken)] = read(encode(Event(type="x", payload=payload)), cuts=[1000, 100_000])
    assert taken == payload


class Pipe(asyncio.Transport):
    """What a connection reads from: notes whether it may go on, and whether it was cut."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = False
        self.cut = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        self.cut = True


def connection() -> tuple[Connection, Pipe]:
    made, pipe = Connection(), Pipe()
    made.connection_made(pipe)
    return made, pipe


@pytest.mark.parametrize(
    "event",
    [
        Event(type="x", payload=bytes(READ_AHEAD_BYTES // 4)),
        Event(type="x", data={"text": "x" * (READ_AHEAD_BYTES // 4)}),
        Event(type="x"),
    ],
    ids=["payload", "data", "empty"],
)
def test_what_nobody_takes_is_not_read(event: Event) -> None:
    peer, pipe = connection()
    came = 0
    while not pipe.paused:
        peer.data_received(encode(event))
        came += 1
        assert came <= READ_AHEAD_EVENTS + 1
    while pipe.paused:
        assert peer.ready() is not None
        came -= 1
    assert came > 0, "it reads on before all is taken"


def test_what_came_before_the_end_is_given_first() -> None:
    peer, _ = connection()
    peer.data_received(encode(Event(type="x")))
    peer.eof_received()
    assert peer.ready() is not None
    with pytest.raises(BrokeOff):
        peer.ready()


def test_rubbish_ends_the_connection() -> None:
    peer, pipe = connection()
    peer.data_received(encode(Event(type="x")) + b"<html>\n")
    assert pipe.cut
    assert peer.ready() is not None
    with pytest.raises(Garbled):
        peer.ready()
