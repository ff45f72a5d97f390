"""Everything wrong that can be sent over /ws, by the frames that the OpenAPI document tells of.

Each gets one error frame in the right dialect, and the socket stays open.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jarvis.web.schema import describe
from tests.clients import Json, Socket, socket
from tests.fuzz.rows import nothing_stored
from tests.fuzz.wrong import Shape, blames, wrong_documents
from tests.running import Running

MAX_FRAME_BYTES = 256 * 1024
MAX_CLIP_BYTES = 14 * 2**20
FRAMES_ON_A_SOCKET = 40
"""Below the burst that a socket may send at once."""
TYPED_ERROR = {"type", "code", "message", "error", "timestamp"}
OLD_ERROR = {"error", "code", "timestamp"}

API = describe("0")
FRAMES = [
    Shape(schema, API["components"]["schemas"])
    for schema in API["paths"]["/ws"]["get"]["x-websocket"]["sends"]["anyOf"]
]
OLD = [frame for frame in FRAMES if "type" not in frame.schema["properties"]]
TYPED = [frame for frame in FRAMES if frame not in OLD]

NO_FRAMES: dict[str, str] = {
    "no JSON": "hello",
    "cut": '{"type": "ping"',
    "empty": "",
    "list": "[]",
    "null": "null",
    "number": "7",
    "two": '{"type": "ping"}{"type": "ping"}',
    "NUL": "\0",
    "NaN": '{"type": "ping", "x": NaN}',
    "deep": "[" * 1000 + "]" * 1000,
    "deep in a ping": '{"type": "ping", "x": ' + "[" * 32 + "]" * 32 + "}",
    "escaped NUL in a ping": '{"type": "ping", "x": "\\u0000"}',
    "half a surrogate pair in a ping": '{"type": "ping", "x": "\\ud800"}',
    "beyond int64 in a ping": '{"type": "ping", "x": 9223372036854775808}',
    "null as type": '{"type": null}',
    "number as type": '{"type": 7}',
    "list as type": '{"type": ["ping"]}',
}
NO_KNOWN_FRAMES: dict[str, str] = {
    "unknown type": '{"type": "nonsense"}',
    "type in another case": '{"type": "PING"}',
    "empty type": '{"type": ""}',
    "type and message": '{"type": "nonsense", "message": "Hello"}',
    "neither type nor message": '{"content": "Hello"}',
    "nothing": "{}",
}


def assert_typed(answer: Json) -> None:
    assert answer.keys() - {"request_id"} == TYPED_ERROR, answer
    assert (answer["type"], answer["code"]) == ("error", "invalid_request")
    assert answer["message"] == answer["error"]


def assert_old(answer: Json) -> None:
    assert answer.keys() == OLD_ERROR, answer
    assert answer["code"] == "invalid_request"


def frame_id(frame: Shape) -> str:
    return frame.schema["title"]


def texts_of(frame: Shape) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Yield a frame's wrong variants that text can carry; one without what tells its dialect is none."""
    for wrong in wrong_documents(frame):
        try:
            text = wrong.data.decode()
        except UnicodeDecodeError:
            continue
        if wrong.fields != frozenset({"type"}) and wrong.name != "without message":
            yield wrong.name, text, wrong.fields


@pytest.mark.parametrize("frame", TYPED, ids=frame_id)
async def test_a_wrong_typed_frame_is_refused_by_the_name_of_its_field(server: Running, frame: Shape) -> None:
    await _each_is_refused(server, frame, assert_typed)


@pytest.mark.parametrize("frame", OLD, ids=frame_id)
async def test_a_wrong_old_frame_is_refused_in_its_dialect(server: Running, frame: Shape) -> None:
    def assert_one_of_them(answer: Json) -> None:
        # What is no JSON, or names no message, cannot be told to be of the old dialect.
        (assert_typed if "type" in answer else assert_old)(answer)

    await _each_is_refused(server, frame, assert_one_of_them)


async def _each_is_refused(server: Running, frame: Shape, assert_refused: Any) -> None:
    cases = list(texts_of(frame))
    assert len(cases) > 20
    async with nothing_stored(server):
        for start in range(0, len(cases), FRAMES_ON_A_SOCKET // 2):
            async with socket(server) as ws:
                for name, text, fields in cases[start : start + FRAMES_ON_A_SOCKET // 2]:
                    await ws.send(text)
                    answer = await ws.next()
                    assert_refused(answer)
                    blamed = answer["error"].partition(": ")[0]
                    assert blames(blamed, fields) or "" in fields, (name, answer)
                    assert await ws.silent(), name


@pytest.mark.parametrize("frame", OLD, ids=frame_id)
async def test_an_old_frame_with_a_wrong_field_is_answered_in_the_old_dialect(
    server: Running, frame: Shape
) -> None:
    async with nothing_stored(server), socket(server) as ws:
        for fields in (
            {"message": 7},
            {"message": "x", "conversation_id": "x"},
            {"message": "x", "user_id": "x y"},
        ):
            await ws.send({**frame.sample(), **fields})
            assert_old(await ws.next())
        assert await ws.silent()


@pytest.mark.parametrize("text", NO_FRAMES.values(), ids=NO_FRAMES)
async def test_what_is_no_frame_is_answered_in_the_dialect_of_the_last_good_one(
    server: Running, text: str
) -> None:
    async with socket(server) as ws:
        await ws.send(text)
        assert_typed(await ws.next())
        await _speak_old(ws)
        await ws.send(text)
        assert_old(await ws.next())
        assert await ws.silent()
        await ws.send(text)
        assert_typed(await ws.next())


@pytest.mark.parametrize("text", NO_KNOWN_FRAMES.values(), ids=NO_KNOWN_FRAMES)
async def test_an_unknown_frame_is_answered_in_the_typed_dialect(server: Running, text: str) -> None:
    async with socket(server) as ws:
        await _speak_old(ws)
        await ws.send(text)
        assert_typed(await ws.next())
        await ws.send("no JSON")  # that was no good frame: the dialect is still the old one
        assert_old(await ws.next())
        assert await ws.silent()


async def _speak_old(ws: Socket) -> None:
    await ws.send({"message": "Hello"})
    assert "response" in await ws.next()


@pytest.mark.parametrize("data", [b"", b"\0", b'{"type": "ping"}', b"\xff" * 1000], ids=repr)
async def test_a_binary_frame_that_nobody_asked_for_is_refused(server: Running, data: bytes) -> None:
    async with socket(server) as ws:
        await ws.send(data)
        assert_typed(await ws.next())
        assert await ws.silent()
        await _speak_old(ws)
        await ws.send(data)
        assert_old(await ws.next())
        assert await ws.silent()


@pytest.mark.parametrize("times", [1, 8], ids=["a byte too many", "eight times as many"])
@pytest.mark.parametrize("frame", FRAMES, ids=frame_id)
async def test_a_frame_beyond_its_bound_ends_the_socket(server: Running, frame: Shape, times: int) -> None:
    bound = MAX_CLIP_BYTES if frame_id(frame) == "AudioDataFrame" else MAX_FRAME_BYTES
    size = min(times * bound, 15 * 2**20) + 1  # beyond 16 MiB the server itself ends the connection
    async with nothing_stored(server), socket(server) as ws:
        await ws.send(json.dumps(frame.sample()).ljust(size))
        assert await ws.closed_with() == 1009
    async with socket(server) as ws:
        assert await ws.silent()


async def test_invalid_utf_8_in_a_text_frame_ends_only_its_socket(server: Running) -> None:
    async with socket(server) as ws:
        await ws.connection.send(b'{"type": "\xff"}', text=True)
        await ws.closed_with()
    async with socket(server) as ws:
        assert await ws.silent()
