"""Interrupting a spoken answer: it stops at once, and what was not heard is taken out of it, everywhere."""

import random
import time

import pytest

from tests.clients import (
    NOBODY,
    Json,
    Socket,
    a_word,
    asked_of,
    assert_closed_within_a_second,
    chat,
    messages_of,
    received_text,
    resumed,
    side_by_side,
    socket,
    turn_of,
    types,
)
from tests.running import Running
from tests.scripted_model import Script, ScriptedModel
from tests.scripted_speech import WORD_S, ScriptedWyoming
from tests.spoken import ask, duration_ms, of_type

SETTINGS = {"voice": "auto", "llm_max_concurrency": "20", "llm_max_queue": "100"}
WORD_MS = WORD_S * 1000
SENTENCES = [
    "Seven green birds found their small brown house.",
    "Eight black sheep drank fresh clean river water.",
    "Never leave those three young girls alone there.",
]
ANSWER = " ".join(SENTENCES)
WORDS = ANSWER.split()
LONG = " ".join(f"Sentence {number} has five words." for number in range(25))
"""50 seconds of it: whatever a test does is done before it has been played."""


async def barge_in(ws: Socket, turn_id: str, **fields: object) -> None:
    await ws.send({"type": "barge_in", "turn_id": turn_id, **fields})


def assert_cut(end: Json, *, played_ms: float) -> None:
    """See that an answer ends with the word that was heard then, give or take one."""
    content = end["content"]
    assert ANSWER.startswith(content)
    assert content.split() == WORDS[: len(content.split())]  # whole words
    assert abs(len(content.split()) - round(played_ms / WORD_MS)) <= 1
    assert (end["type"], end["status"]) == ("chat_response", "cancelled")
    assert (end["message"]["content"], end["message"]["status"]) == (content, "cancelled")
    assert end["message"]["metadata"]["audio"] == {"cut": True}


async def assert_stored(server: Running, end: Json) -> None:
    """See that every way to ask for the answer tells what its terminal event told."""
    assert (await messages_of(server, end["conversation_id"]))[-1] == end["message"]
    shown = await turn_of(server, end["turn_id"])
    assert (shown["status"], shown["text"]) == ("cancelled", end["content"])
    async with resumed(server, end["turn_id"]) as events:
        told = await events.rest()
    assert told[-1] == end
    assert received_text(told) == end["content"]


async def test_while_the_answer_is_written(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script_next(Script(text=ANSWER, gate=a_word(), gate_at_token=12))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        frames = await ws.until("audio_response")
        record = await asked_of(llm, "Go on.", waiting=True)
        barged_s = time.monotonic()
        await barge_in(ws, frames[-1]["turn_id"], played_ms=1_600)
        rest = await ws.to_end()
        await assert_closed_within_a_second(llm, record, since_s=barged_s)
        assert await ws.silent()
    assert [each for each in types(rest) if each != "delta"] == ["resync", "chat_response"]
    assert_cut(rest[-1], played_ms=1_600)
    assert received_text(frames + rest) == rest[-1]["content"]
    await assert_stored(server, rest[-1])


async def test_while_a_sentence_is_being_spoken(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    """All is written; the engine is at work on the second sentence."""
    gate, fresh = a_word(), f"{a_word()[:8]} is nothing that was ever said before."
    text = f"{SENTENCES[0]} {fresh}"
    llm.script_next(Script(text=text, gate=gate, gate_at_token=9))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        frames = await ws.until("audio_response")
        engines.fault = "hang"
        llm.release(gate)
        spoken = await engines.log.wait_for(
            lambda log: [each for each in log.of("tts") if each.text == fresh]
        )
        await barge_in(ws, frames[-1]["turn_id"], played_ms=1_600)
        rest = await ws.to_end()
        await engines.log.wait_for(lambda _: spoken[0].outcome == "client_left")
        assert await ws.silent()
    assert types(rest)[-2:] == ["resync", "chat_response"]
    assert of_type(rest, "audio_response") == []
    assert_cut(rest[-1], played_ms=1_600)
    await assert_stored(server, rest[-1])


async def test_after_the_end(server: Running, llm: ScriptedModel, engines: ScriptedWyoming) -> None:
    llm.script_next(Script(text=ANSWER))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        frames = await ws.to_end()
        first_end = frames[-1]
        await barge_in(ws, first_end["turn_id"], played_ms=4_000)
        resync, end = await ws.to_end()
        assert await ws.silent()
    assert (first_end["status"], first_end["content"]) == ("complete", ANSWER)
    assert resync["type"] == "resync"
    assert first_end["seq"] < resync["seq"] < end["seq"]
    assert_cut(end, played_ms=4_000)
    assert resync["text"] == end["content"]
    await assert_stored(server, end)


async def test_the_next_prompt_has_what_was_heard(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script_next(Script(text=ANSWER, gate=a_word(), gate_at_token=20))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        frames = await ws.until("audio_response")
        await barge_in(ws, frames[-1]["turn_id"], played_ms=800)
        written = (await ws.to_end())[-1]
        conversation_id = written["conversation_id"]
        llm.script_next(Script(text=ANSWER))
        await ask(ws, engines, "Go on again.", conversation_id=conversation_id)
        await barge_in(ws, (await ws.to_end())[-1]["turn_id"], played_ms=4_000)
        complete = (await ws.to_end())[-1]
    await chat(server, "And now?", conversation_id=conversation_id)
    prompt = [(each.role, each.content) for each in llm.log.generating[-1].messages if each.role != "system"]
    assert prompt == [
        ("user", "Go on."),
        ("assistant", written["content"]),
        ("user", "Go on again."),
        ("assistant", complete["content"]),
        ("user", "And now?"),
    ]
    assert 0 < len(written["content"]) < len(complete["content"]) < len(ANSWER)


async def test_a_hundred_interruptions(server: Running, llm: ScriptedModel, engines: ScriptedWyoming) -> None:
    """Half of them while the last word is not written yet, half after the end, at places all over."""
    seed = random.randrange(2**32)  # noqa: S311 repeatable, not secret
    print("seed", seed)  # noqa: T201 to repeat a failure
    chance = random.Random(seed)  # noqa: S311
    written, spoken = "Go on.", "Go on to the end."
    llm.script(Script(text=ANSWER), match=spoken)
    llm.script(Script(text=ANSWER, gate=a_word(), gate_at_token=len(WORDS) - 1), match=written)

    async def once(number: int) -> None:
        async with socket(server) as ws:
            if number < 50:
                await ask(ws, engines, written)
                frames = await ws.until("audio_response")
                frames += await ws.until("audio_response")
            else:
                await ask(ws, engines, spoken)
                frames = await ws.to_end()
            spoken_ms = sum(map(duration_ms, of_type(frames, "audio_response")))
            played_ms = chance.randrange(round(spoken_ms) - 600)
            await barge_in(ws, frames[-1]["turn_id"], played_ms=played_ms)
            frames += await ws.to_end()
        assert_cut(frames[-1], played_ms=played_ms)
        assert received_text(frames) == frames[-1]["content"]
        assert (await messages_of(server, frames[-1]["conversation_id"]))[-1] == frames[-1]["message"]

    for first in (0, 50):  # what is heard is the same for all that are on their way
        engines.said = spoken if first else written
        await side_by_side(lambda number, first=first: once(first + number), times=50)


async def test_all_of_it_heard_is_nothing_cut(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script_next(Script(text=ANSWER))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        end = (await ws.to_end())[-1]
        await barge_in(ws, end["turn_id"], played_ms=60_000)
        assert await ws.to_end() == [end]
    shown = await turn_of(server, end["turn_id"])
    assert (shown["status"], shown["text"]) == ("complete", ANSWER)


async def test_nothing_heard_is_nothing_said(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script_next(Script(text=ANSWER))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        turn_id = (await ws.to_end())[-1]["turn_id"]
        await barge_in(ws, turn_id, played_ms=0)
        end = (await ws.to_end())[-1]
    assert (end["content"], end["status"]) == ("", "cancelled")
    await chat(server, "And now?", conversation_id=end["conversation_id"])
    said = [each.content for each in llm.log.generating[-1].messages if each.role != "system"]
    assert said == ["Go on.", "And now?"]


@pytest.mark.parametrize("moment", ["while it is written", "after the end"])
async def test_what_was_last_played_counts(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming, moment: str
) -> None:
    ended = moment == "after the end"
    llm.script_next(Script(text=ANSWER, gate=None if ended else a_word(), gate_at_token=20))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        frames = await ws.to_end() if ended else await ws.until("audio_response")
        turn_id = frames[-1]["turn_id"]
        for played_ms in (400, 1_200, 2_000):
            await ws.send({"type": "playback", "turn_id": turn_id, "played_ms": played_ms})
        await barge_in(ws, turn_id)
        end = (await ws.to_end())[-1]
    assert_cut(end, played_ms=2_000)
    await assert_stored(server, end)


async def test_a_client_that_tells_nothing_is_cut_by_the_clock(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script_next(Script(text=LONG))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        turn_id = (await ws.to_end())[-1]["turn_id"]
        await barge_in(ws, turn_id)
        end = (await ws.to_end())[-1]
    assert end["status"] == "cancelled"
    assert LONG.startswith(end["content"])
    assert len(end["content"]) < len(LONG)


async def test_twice_is_once(server: Running, llm: ScriptedModel, engines: ScriptedWyoming) -> None:
    llm.script_next(Script(text=ANSWER))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        turn_id = (await ws.to_end())[-1]["turn_id"]
        await barge_in(ws, turn_id, played_ms=2_000)
        _, end = await ws.to_end()
        await barge_in(ws, turn_id, played_ms=2_000)
        assert await ws.to_end() == [end]
        await barge_in(ws, turn_id, played_ms=6_000)  # what is gone does not come back
        assert await ws.to_end() == [end]
        assert await ws.silent()
    await assert_stored(server, end)


async def test_what_is_not_spoken_cannot_be_interrupted(server: Running) -> None:
    written = await chat(server, "Hello")
    async with socket(server) as ws:
        for turn_id in (NOBODY, written["turn_id"]):
            for frame in (
                {"type": "barge_in", "turn_id": turn_id},
                {"type": "playback", "turn_id": turn_id, "played_ms": 1},
            ):
                await ws.send(frame)
                answer = await ws.next()
                assert (answer["type"], answer["code"]) == ("error", "not_found")
                assert "turn_id" not in answer
        assert await ws.silent()
    assert (await turn_of(server, written["turn_id"]))["status"] == "complete"


async def test_long_after_the_end_nothing_is_cut(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jarvis.services.speaking.LINGER_S", 0.0)
    llm.script_next(Script(text=ANSWER))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        turn_id = (await ws.to_end())[-1]["turn_id"]
        await barge_in(ws, turn_id, played_ms=800)
        assert (await ws.next())["code"] == "not_found"
    assert (await turn_of(server, turn_id))["text"] == ANSWER


async def test_whoever_else_listens_hears_the_same_end(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script_next(Script(text=ANSWER, gate=a_word(), gate_at_token=12))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        frames = await ws.until("audio_response")
        turn_id = frames[-1]["turn_id"]
        async with resumed(server, turn_id) as other, socket(server) as third:
            await other.until("audio_response")
            await barge_in(third, turn_id, played_ms=1_600)
            end = (await third.to_end())[-1]
            events = await other.rest()
        assert (await ws.to_end())[-1] == end == events[-1]
    assert received_text(events) == end["content"]
    assert [each["seq"] for each in events] == list(range(len(events)))
    assert_cut(end, played_ms=1_600)


async def test_saying_something_else_interrupts(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script(Script(text=LONG), match="Go on.")
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        first_end = (await ws.to_end())[-1]
        await ask(ws, engines, "No, what about Rome?", conversation_id=first_end["conversation_id"])
        frames = await ws.until("ack")
        frames += await ws.to_end()
        while frames[-1]["turn_id"] == first_end["turn_id"]:
            frames += await ws.to_end()
    assert types(frames)[:2] == ["transcript", "speech_started"]
    shown = await turn_of(server, first_end["turn_id"])
    assert shown["status"] == "cancelled"
    assert len(shown["text"]) < len(LONG)
    told = [each for each in frames if each.get("turn_id") == first_end["turn_id"]]
    assert types(told) == ["resync", "chat_response"]
    assert received_text(told) == shown["text"]
    said = [each.content for each in llm.log.generating[-1].messages if each.role != "system"]
    assert said == ["Go on.", *([shown["text"]] if shown["text"] else []), "No, what about Rome?"]


BACKCHANNELS = [
    *("Mm-hmm.", "Uh-huh.", "Yeah.", "Yes, yes.", "Okay.", "Right.", "I see.", "Sure.", "Got it."),
    *("Oui.", "Ouais.", "D'accord.", "Ah bon ?", "Je vois.", "Tout à fait.", "Exactement.", "Bien sûr."),
    *("Oh, wow.", "Hmm.", "OK, oui."),
]  # fmt: skip


async def test_showing_that_one_listens_does_not(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script_next(Script(text=LONG))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        end = (await ws.to_end())[-1]
        for said in BACKCHANNELS:
            await ask(ws, engines, said)
            assert (await ws.next())["text"] == said
        assert await ws.silent()
    shown = await turn_of(server, end["turn_id"])
    assert (shown["status"], shown["text"]) == ("complete", LONG)
    assert len(llm.log.generating) == 1


async def test_once_it_was_played_yes_is_an_answer(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script_next(Script(text=ANSWER))
    async with socket(server) as ws:
        await ask(ws, engines, "Go on.")
        turn_id = (await ws.to_end())[-1]["turn_id"]
        await ws.send({"type": "playback", "turn_id": turn_id, "played_ms": 60_000})
        await ask(ws, engines, "Yes.")
        assert types(await ws.to_end())[:2] == ["transcript", "ack"]
    shown = await turn_of(server, turn_id)
    assert (shown["status"], shown["text"]) == ("complete", ANSWER)
