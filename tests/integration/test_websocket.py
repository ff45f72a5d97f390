"""The WebSocket at /ws: the typed dialect, the old one, its bounds, and readers that are slow or gone."""

import asyncio
import contextlib
import json
import random
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from jarvis.web.sockets import MAX_SOCKETS
from tests.clients import (
    NOBODY,
    Json,
    a_word,
    asked_of,
    chat,
    messages_of,
    received_text,
    resumed,
    side_by_side,
    socket,
    types,
)
from tests.running import Running
from tests.scripted_model import Script, ScriptedModel, StreamError

SETTINGS = {"llm_max_concurrency": "20", "llm_max_queue": "100"}

MAX_FRAME_BYTES = 256 * 1024
BURST = 60
OLD_ANSWER_FIELDS = {"response", "user_id", "conversation_id", "message", "timestamp", "response_time_ms"}
OLD_ERROR_FIELDS = {"error", "code", "timestamp"}
TYPED_ERROR_FIELDS = {"type", "code", "message", "error", "timestamp"}


def padded_ping(size: int) -> str:
    return json.dumps({"type": "ping"}).ljust(size)


# --- the typed dialect


async def test_the_server_never_speaks_first(server: Running) -> None:
    async with socket(server) as ws:
        assert await ws.silent()


async def test_a_turn_is_told_with_the_same_events_as_over_sse(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(text="Bonjour 🙂\r\n"))
    async with socket(server) as ws:
        await ws.say("Hello")
        frames = await ws.to_end()
        assert await ws.silent()
    assert types(frames) == ["ack", "context", "delta", "chat_response"]
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert received_text(frames) == frames[-1]["content"] == "Bonjour 🙂\r\n"
    async with resumed(server, frames[0]["turn_id"]) as events:
        assert await events.rest() == frames


async def test_a_protocol_ping_gets_a_protocol_pong_and_nothing_else(server: Running) -> None:
    async with socket(server) as ws:
        await (await ws.connection.ping())
        assert await ws.silent()


async def test_the_request_id_is_echoed_in_the_ack(server: Running) -> None:
    async with socket(server) as ws:
        await ws.say("Hello", request_id="r-1")
        assert (await ws.next())["request_id"] == "r-1"
        await ws.to_end()
        await ws.say("Hello")
        assert "request_id" not in await ws.next()
        await ws.to_end()


@pytest.mark.parametrize(
    "fields",
    [
        {"content": " "},
        {"content": 5},
        {"content": "x" * 32_001},
        {"content": "x", "temperature": 3},
        {"content": "x", "conversation_id": "nonsense"},
        {"content": "x", "conversation_id": NOBODY},
        {},
    ],
    ids=["blank", "no text", "too long", "too hot", "no UUID", "unknown conversation", "missing"],
)
async def test_the_request_id_is_echoed_in_an_error_that_precedes_the_ack(
    server: Running, fields: Json
) -> None:
    async with socket(server) as ws:
        await ws.send({"type": "chat_message", "request_id": "r-1", **fields})
        frame = await ws.next()
        assert (frame["type"], frame["request_id"]) == ("error", "r-1")
        assert frame.keys() == TYPED_ERROR_FIELDS | {"request_id"}
        assert await ws.silent()


async def test_a_turn_is_resumed_on_another_socket_without_a_lost_or_repeated_character(
    server: Running, llm: ScriptedModel
) -> None:
    llm.script(Script(tokens=60, tokens_per_s=600))
    whole = " ".join(f"w{number}" for number in range(60))

    async def cut_and_resume(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - seeded, so that a failure can be had again
        async with socket(server) as ws:
            await ws.say(f"seed {seed}")
            seen = [await ws.next() for _ in range(chance.randint(1, 4))]
        while seen[-1]["type"] != "chat_response":
            async with socket(server) as ws:
                last_seq: int = seen[-1]["seq"]
                await ws.send({"type": "resume", "turn_id": seen[0]["turn_id"], "last_seq": last_seq})
                for _ in range(chance.randint(1, 5)):
                    seen.append(await ws.next())
                    if seen[-1]["type"] == "chat_response":
                        break
        assert [frame["seq"] for frame in seen] == list(range(len(seen))), f"seed {seed}"
        assert received_text(seen) == seen[-1]["content"] == whole, f"seed {seed}"

    await side_by_side(cut_and_resume, times=100)
    assert [record.outcome for record in llm.log.generating] == ["complete"] * 100


async def test_a_finished_turn_is_resumed_with_what_is_missing_and_its_end_again(server: Running) -> None:
    async with socket(server) as ws:
        await ws.say("Hello")
        told = await ws.to_end()
        for last_seq in (-1, 0, 1, told[-1]["seq"], told[-1]["seq"] + 1, 10**17):
            await ws.send({"type": "resume", "turn_id": told[0]["turn_id"], "last_seq": last_seq})
            assert await ws.to_end() == (told[last_seq + 1 :] or told[-1:])
        assert await ws.silent()


async def test_one_socket_carries_many_turns_at_once(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(tokens=20, tokens_per_s=400))
    async with socket(server) as ws:
        for number in range(10):
            await ws.say(f"turn {number}", request_id=str(number))
        told: dict[str, list[Json]] = {}
        while sum(frames[-1]["type"] == "chat_response" for frames in told.values()) < 10:
            frame = await ws.next()
            told.setdefault(frame["turn_id"], []).append(frame)
    assert sorted(frames[0]["request_id"] for frames in told.values()) == [str(n) for n in range(10)]
    for frames in told.values():
        assert [frame["seq"] for frame in frames] == list(range(len(frames)))
        assert received_text(frames) == frames[-1]["content"]


async def test_turns_run_on_when_their_socket_is_gone(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(text="one two", gate=gate))
    async with socket(server) as ws:
        await ws.say("Hello")
        (ack,) = await ws.until("ack")
        ws.connection.transport.abort()
    await asked_of(llm, "Hello", waiting=True)
    llm.release(gate)
    async with resumed(server, ack["turn_id"]) as events:
        assert (await events.rest())[-1]["content"] == "one two"
    assert len(await messages_of(server, ack["conversation_id"])) == 2


async def test_a_failed_turn_ends_with_an_error_event(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(text="one two", fault=StreamError(at_token=1)))
    async with socket(server) as ws:
        await ws.say("Hello")
        end = (await ws.to_end())[-1]
        assert await ws.silent()
    assert (end["type"], end["code"], end["status"]) == ("error", "llm_unavailable", "failed")
    assert end["partial"]["content"] == "one"


# --- frames that are none


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "invalid_request"),
        ("no JSON", "invalid_request"),
        ("[]", "invalid_request"),
        ('"text"', "invalid_request"),
        ("null", "invalid_request"),
        ("{}", "invalid_request"),
        ('{"content": "no type"}', "invalid_request"),
        ('{"type": "nonsense"}', "invalid_request"),
        ('{"type": null, "message": "x"}', "invalid_request"),
        ('{"type": 5}', "invalid_request"),
        ('{"type": "ping", "x": NaN}', "invalid_request"),
        ('{"type": "ping", "x": 9223372036854775808}', "invalid_request"),
        ('{"type": "ping", "x": "\\u0000"}', "invalid_request"),
        ('{"type": "ping", "x": "\\ud800"}', "invalid_request"),
        ('{"type": "ping", "x": ' + "[" * 32 + "]" * 32 + "}", "invalid_request"),
        ('{"type": "cancel"}', "invalid_request"),
        ('{"type": "cancel", "turn_id": "x"}', "invalid_request"),
        ('{"type": "resume", "turn_id": "x"}', "invalid_request"),
        ('{"type": "resume", "turn_id": "' + NOBODY + '", "last_seq": "1"}', "invalid_request"),
        ('{"type": "resume", "turn_id": "' + NOBODY + '", "last_seq": 1}', "not_found"),
        ('{"type": "cancel", "turn_id": "' + NOBODY + '"}', "not_found"),
        (b'{"type": "ping"}', "invalid_request"),
    ],
)
async def test_a_bad_frame_is_answered_and_the_socket_stays_open(
    server: Running, frame: str | bytes, code: str
) -> None:
    async with socket(server) as ws:
        await ws.send(frame)
        answer = await ws.next()
        assert answer.keys() == TYPED_ERROR_FIELDS
        assert (answer["type"], answer["code"]) == ("error", code)
        assert answer["message"] == answer["error"]
        assert await ws.silent()


async def test_bad_json_is_answered_in_the_dialect_of_the_last_good_frame(server: Running) -> None:
    async with socket(server) as ws:
        await ws.send("{")
        assert (await ws.next()).keys() == TYPED_ERROR_FIELDS
        await ws.send({"message": "Hello"})
        assert (await ws.next()).keys() == OLD_ANSWER_FIELDS
        await ws.send("{")
        assert (await ws.next()).keys() == OLD_ERROR_FIELDS
        await ws.send({"type": "nonsense"})
        assert (await ws.next()).keys() == TYPED_ERROR_FIELDS
        await ws.send("{")
        assert (await ws.next()).keys() == OLD_ERROR_FIELDS
        assert await ws.silent()
        await ws.send("{")
        assert (await ws.next()).keys() == TYPED_ERROR_FIELDS
        await ws.send({"message": 5})
        assert (await ws.next()).keys() == OLD_ERROR_FIELDS
        await ws.send("{")
        assert (await ws.next()).keys() == TYPED_ERROR_FIELDS


# --- bounds


async def test_a_frame_may_have_256_kib(server: Running) -> None:
    async with socket(server) as ws:
        await ws.send(padded_ping(MAX_FRAME_BYTES))
        assert await ws.next() == {"type": "pong"}
        await ws.send(padded_ping(MAX_FRAME_BYTES + 1))
        assert await ws.closed_with() == 1009


async def test_sixty_frames_at_once_are_fine_and_more_are_not(server: Running) -> None:
    async with socket(server) as ws:
        for _ in range(BURST):
            await ws.send({"type": "ping"})
        for _ in range(BURST):
            assert await ws.next() == {"type": "pong"}
    async with socket(server) as ws:
        with contextlib.suppress(ConnectionClosed):
            # So much that the server cannot have read it all when it closes: the code must come through.
            for _ in range(4 * BURST):
                await ws.send(padded_ping(32 * 1024))
        assert await ws.closed_with() == 1008


async def test_a_slow_reader_is_closed_and_its_turn_runs_on(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(text="x" * 200_000), match="much")
    llm.script(Script(text="one two", gate=gate), match="little")
    much = await chat(server, "much")
    async with socket(server, max_queue=1) as ws:
        await ws.say("little")
        (ack,) = await ws.until("ack")
        for _ in range(40):
            await ws.send({"type": "resume", "turn_id": much["turn_id"]})
        async with asyncio.timeout(10):
            while len(server.assembly.services.sockets):  # noqa: ASYNC110 - the server's own count has no event
                await asyncio.sleep(0.01)
        llm.release(gate)
        async with resumed(server, ack["turn_id"]) as events:
            assert (await events.rest())[-1]["content"] == "one two"
        # 1008 if the close frame still got through, else the connection just ended.
        assert await ws.closed_with() in {1008, 1006}
    assert len(await messages_of(server, ack["conversation_id"])) == 2


class Filler:
    """Takes a place among the open sockets."""

    async def close(self, code: int) -> None:
        raise AssertionError(code)


async def test_a_full_server_says_so_and_serves_the_next_when_a_place_is_free(server: Running) -> None:
    sockets = server.assembly.services.sockets
    with ExitStack() as others, sockets.kept(Filler(), most_of={}):
        while len(sockets) < MAX_SOCKETS - 1:
            others.enter_context(sockets.kept(Filler(), most_of={}))
        with sockets.kept(Filler(), most_of={}):
            async with socket(server) as ws:
                assert await ws.closed_with() == 1013
        async with socket(server) as ws:
            await ws.send({"type": "ping"})
            assert await ws.next() == {"type": "pong"}
