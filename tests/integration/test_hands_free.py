"""Streams of sound on a socket, heard while they come: a pause ends what is said, and speech interrupts."""

import asyncio
import threading
from contextlib import suppress

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from tests import sounds
from tests.clients import Json, Socket, a_word, asked_of, socket, turn_of, types
from tests.running import Running
from tests.scripted_model import Script, ScriptedModel
from tests.scripted_speech import ScriptedWyoming
from tests.spoken import QUESTION, ask, assert_in_order, of_type, s16

SETTINGS = {"voice": "auto"}
LONG = " ".join(f"Sentence {number} has five words." for number in range(25))
"""50 seconds of it: whatever a test does is done before it has been played."""
PIECE_BYTES = 8_192
RAW = {"format": "pcm_s16le", "sample_rate": 16_000}
PAUSE = bytes(2 * 16_000)
"""A second of silence: more than ends what is said."""
ANSWER = "It is sunny in Paris. Take a hat with you."


def spoken(text: str = QUESTION) -> bytes:
    return s16(sounds.speech(text))


async def start(ws: Socket, **fields: object) -> None:
    await ws.send({"type": "audio_start"} | RAW | fields)


async def stream(ws: Socket, data: bytes, *, piece_bytes: int = PIECE_BYTES) -> None:
    for begin in range(0, len(data), piece_bytes):
        await ws.send(data[begin : begin + piece_bytes])


async def end(ws: Socket) -> None:
    await ws.send({"type": "audio_end"})


async def told_before_pong(ws: Socket) -> list[Json]:
    """Return what has been told by now."""
    await ws.send({"type": "ping"})
    return (await ws.until("pong"))[:-1]


def assert_turn(frames: list[Json], text: str) -> None:
    before = [frame for frame in frames if "seq" not in frame]
    assert before[0] == {"type": "speech_started"}
    assert [each["final"] for each in before[1:]] == [False] * (len(before) - 2) + [True]
    assert before[-1]["text"] == text
    assert_in_order(frames[len(before) :])
    assert frames[-1]["status"] == "complete"


class TestOneThingSaid:
    async def test_raw_samples_in_pieces(
        self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming
    ) -> None:
        llm.script(Script(text=ANSWER))
        engines.said = QUESTION
        said = spoken()
        async with socket(server) as ws:
            await start(ws, speak=True)
            await stream(ws, said, piece_bytes=3_001)
            await end(ws)
            assert_turn(await ws.to_end(), QUESTION)
        (record,) = engines.log.of("stt")
        assert record.sound_s == pytest.approx(len(said) / 2 / 16_000, abs=0.05)

    async def test_as_a_browser_records_it(
        self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming
    ) -> None:
        llm.script(Script(text=ANSWER))
        engines.said = QUESTION
        sound = sounds.speech(QUESTION)
        at = np.arange(0, len(sound) - 1, 16_000 / 48_000)
        webm = sounds.file(
            *("webm", "libopus"),
            sound=np.interp(at, np.arange(len(sound)), sound).astype(np.float32),
            live=True,
            options={"cluster_time_limit": "250", "live": "1"},
        )
        async with socket(server) as ws:
            await ws.send({"type": "audio_start", "format": "webm", "speak": True})
            await stream(ws, webm, piece_bytes=1_000)
            await end(ws)
            assert_turn(await ws.to_end(), QUESTION)

    async def test_what_is_understood_so_far_is_told(
        self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming
    ) -> None:
        llm.script(Script(text=ANSWER))
        engines.said, engines.early, engines.streams = QUESTION, "What is", True
        async with socket(server) as ws:
            await start(ws, speak=True)
            await stream(ws, spoken())
            frames = await ws.until("transcript")  # and it has not ended
            assert not frames[-1]["final"]
            await end(ws)
            frames += await ws.to_end()
        assert_turn(frames, QUESTION)

    async def test_silence_is_no_turn(
        self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming
    ) -> None:
        async with socket(server) as ws:
            await start(ws)
            await stream(ws, 2 * PAUSE)
            await end(ws)
            frame = await ws.next()
            assert (frame["type"], frame["text"], frame["final"]) == ("transcript", "", True)
            assert await ws.silent()
        assert engines.log.of("stt") == []
        assert llm.log.generating == []

    async def test_what_is_no_sound_is_told_and_another_may_begin(
        self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming
    ) -> None:
        llm.script(Script(text=ANSWER))
        engines.said = QUESTION
        async with socket(server) as ws:
            await ws.send({"type": "audio_start", "format": "webm"})
            await stream(ws, b"<html>" * 1_000)
            await end(ws)
            assert (await ws.next())["code"] == "invalid_audio"
            assert await ws.silent()  # whatever of it came after that
            await start(ws, speak=True)
            await stream(ws, spoken())
            await end(ws)
            assert_turn(await ws.to_end(), QUESTION)


class TestHandsFree:
    async def test_each_pause_ends_what_was_said(
        self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming
    ) -> None:
        llm.script(Script(text=ANSWER))
        conversations: list[str] = []
        async with socket(server) as ws:
            await start(ws, vad=True)
            for text in ("First question?", "Second question?", "Third question?"):
                engines.said = text
                await stream(ws, PAUSE + spoken() + PAUSE)
                frames = await ws.to_end()
                assert types(frames)[:3] == ["speech_started", "transcript", "ack"]
                assert frames[1]["text"] == text
                conversations.append(frames[2]["conversation_id"])
            await end(ws)
            assert await ws.silent()
        assert len(set(conversations)) == 1
        length_s = len(spoken()) / 2 / 16_000 + 0.3 + 0.7  # with a little from before, and the pause
        assert [each.sound_s for each in engines.log.of("stt")] == pytest.approx([length_s] * 3, abs=0.3)
        said = [each.content for each in llm.log.generating[-1].messages if each.role == "user"]
        assert said == ["First question?", "Second question?", "Third question?"]

    async def test_who_goes_on_speaking_interrupts_before_he_has_ended(
        self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming
    ) -> None:
        llm.script_next(Script(text=LONG))
        async with socket(server) as ws:
            await ask(ws, engines, "Go on.")
            first = (await ws.to_end())[-1]
            engines.said = "What about Rome?"
            await start(ws, vad=True, speak=True, conversation_id=first["conversation_id"])
            await stream(ws, spoken("What about Rome, and what about Venice, and all the other cities?"))
            frames = await ws.to_end()
            assert types(frames) == ["speech_started", "resync", "chat_response"]
            cut = frames[-1]
            assert (cut["status"], len(cut["content"]) < len(LONG)) == ("cancelled", True)
            await stream(ws, PAUSE)
            frames = await ws.to_end()
            assert types(frames)[:2] == ["transcript", "ack"]
        assert (await turn_of(server, first["turn_id"]))["text"] == cut["content"]

    async def test_a_short_word_interrupts_once_it_is_understood(
        self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming
    ) -> None:
        llm.script_next(Script(text=LONG))
        async with socket(server) as ws:
            await ask(ws, engines, "Go on.")
            first = (await ws.to_end())[-1]
            engines.said = "Stop."
            await start(ws, vad=True, speak=True, conversation_id=first["conversation_id"])
            await stream(ws, PAUSE + spoken("Stop.") + PAUSE)
            frames = await ws.until("ack")
        assert types(frames)[:2] == ["transcript", "speech_started"]
        assert (await turn_of(server, first["turn_id"]))["status"] == "cancelled"

    @pytest.mark.parametrize(
        "said", ["Mm-hmm.", "Yes.", "Okay.", "Right, right.", "Oui.", "D'accord.", "Je vois.", ""]
    )
    async def test_who_shows_that_he_listens_only_holds_it_up(
        self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming, said: str
    ) -> None:
        gate, more = a_word(), [f"More about {a_word()[:8]} here.", f"And about {a_word()[:8]} too."]
        text = " ".join([LONG, *more])
        llm.script_next(Script(text=text, gate=gate, gate_at_token=len(LONG.split()) + 1))
        async with socket(server) as ws:
            await ask(ws, engines, "Go on.")
            frames = await ws.until("audio_response")
            while len(of_type(frames, "audio_response")) < 25:
                frames += await ws.until("audio_response")
            await asked_of(llm, "Go on.", waiting=True)
            engines.said = said
            await start(ws, vad=True, speak=True)
            await stream(ws, PAUSE + spoken("Yes."))
            await engines.log.wait_for(lambda log: len(log.of("stt")) == 2)
            llm.release(gate)
            await engines.log.wait_for(lambda log: [each.text for each in log.of("tts")][-2:] == more)
            held = await told_before_pong(ws)
            assert of_type(held, "audio_response", "speech_started") == []
            await stream(ws, PAUSE)
            rest = await ws.to_end()
            await end(ws)
        assert types(rest)[0] == "transcript"
        assert [each["text"] for each in of_type(rest, "audio_response")] == more
        assert of_type(rest, "speech_started", "ack") == []
        assert (rest[-1]["status"], rest[-1]["content"]) == ("complete", text)
        assert_in_order([each for each in frames[1:] + held + rest if "seq" in each])
        assert len(llm.log.generating) == 1

    async def test_what_nobody_understood_only_holds_it_up(
        self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming
    ) -> None:
        llm.script_next(Script(text=LONG, gate=(gate := a_word()), gate_at_token=120))
        async with socket(server) as ws:
            await ask(ws, engines, "Go on.")
            await ws.until("audio_response")
            engines.fault = "error"
            await start(ws, vad=True, speak=True)
            await stream(ws, PAUSE + spoken("Yes.") + PAUSE)
            while (frames := await ws.until("audio_response", "error"))[-1]["type"] != "error":
                pass
            assert frames[-1]["code"] == "stt_unavailable"
            engines.fault = None
            llm.release(gate)
            last = (await ws.to_end())[-1]
        assert (last["status"], last["content"]) == ("complete", LONG)


class TestBounds:
    async def test_sound_without_a_stream(self, server: Running) -> None:
        async with socket(server) as ws:
            for frame in (b"sound", {"type": "audio_end"}):
                await ws.send(frame)
                answer = await ws.next()
                assert (answer["type"], answer["code"]) == ("error", "invalid_request")
            assert await ws.silent()

    async def test_two_streams(self, server: Running, llm: ScriptedModel, engines: ScriptedWyoming) -> None:
        """The second is refused, and the first goes on."""
        llm.script(Script(text=ANSWER))
        engines.said = QUESTION
        said = spoken()
        async with socket(server) as ws:
            await start(ws, speak=True)
            await stream(ws, said[:10_000])
            await start(ws)
            heard = [await ws.next()]
            if heard[0]["type"] == "speech_started":  # of the first stream; it may come before or after
                heard.append(await ws.next())
            refused = heard.pop()
            assert (refused["type"], refused["code"]) == ("error", "invalid_request")
            await stream(ws, said[10_000:])
            await end(ws)
            assert_turn([*heard, *await ws.to_end()], QUESTION)

    @pytest.mark.parametrize(
        "fields",
        [
            {"sample_rate": 1},
            {"sample_rate": None},
            {"language": "?"},
            {"vad": "yes"},
            {"conversation_id": "x"},
        ],
        ids=["rate", "no rate", "language", "vad", "conversation"],
    )
    async def test_wrong_fields(self, server: Running, fields: Json) -> None:
        async with socket(server) as ws:
            await start(ws, **fields)
            assert (await ws.next())["code"] == "invalid_request"
            await ws.send(b"sound")
            assert (await ws.next())["code"] == "invalid_request"

    async def test_a_frame_of_more_than_64_kib(self, server: Running) -> None:
        async with socket(server) as ws:
            await start(ws)
            await ws.send(bytes(64 * 1024))
            assert await ws.silent()
            await ws.send(bytes(64 * 1024 + 1))
            assert await ws.closed_with() == 1009

    async def test_more_than_120_frames_a_second(self, server: Running) -> None:
        async with socket(server) as ws:
            await start(ws, vad=True)
            for _ in range(240):
                await ws.send(bytes(2))
            assert await ws.silent()
            with suppress(ConnectionClosed):
                for _ in range(4800):  # more than even a slow machine may send in the time that it takes
                    await ws.send(bytes(2))
            assert await ws.closed_with() == 1008

    async def test_more_than_ten_megabytes(self, server: Running) -> None:
        async with socket(server) as ws:
            await start(ws, sample_rate=384_000)
            await stream(ws, bytes(10 * 2**20), piece_bytes=64 * 1024)
            assert await ws.silent()
            await ws.send(bytes(2))
            assert (await ws.next())["code"] == "too_large"

    async def test_more_than_two_minutes(self, server: Running, engines: ScriptedWyoming) -> None:
        async with socket(server) as ws:
            await start(ws, sample_rate=8_000)
            await stream(ws, bytes(2 * 8_000 * 121), piece_bytes=32 * 1024)
            assert (await ws.next())["code"] == "too_large"
        assert engines.log.of("stt") == []

    @pytest.mark.parametrize("vad", [True, False])
    async def test_a_socket_that_closes_leaves_nothing(
        self, server: Running, engines: ScriptedWyoming, vad: object
    ) -> None:
        before = len(asyncio.all_tasks())
        async with socket(server) as ws:
            await start(ws, vad=vad)
            await stream(ws, PAUSE + spoken())
            (record,) = await engines.log.wait_for(lambda log: log.of("stt"))
        await engines.log.wait_for(lambda _: record.outcome == "client_left")
        async with asyncio.timeout(5):
            while listening():  # noqa: ASYNC110 a thread tells nobody that it has ended
                await asyncio.sleep(0.01)
            while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110 likewise
                await asyncio.sleep(0.01)


def listening() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "audio-stream"]
