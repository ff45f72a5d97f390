"""Spoken turns: a clip is heard, its answer is written and spoken sentence by sentence, in order."""

import base64

import pytest

from tests import sounds
from tests.clients import (
    a_word,
    asked_of,
    cancel,
    messages_of,
    received_text,
    resumed,
    socket,
    turn_of,
    types,
)
from tests.running import Running
from tests.scripted_model import Script, ScriptedModel
from tests.scripted_speech import ScriptedWyoming
from tests.spoken import (
    ask,
    asked_to_say,
    assert_in_order,
    duration_ms,
    heard_in,
    of_type,
    recording,
    send_clip,
    silence,
)

SETTINGS = {"voice": "auto"}
ANSWER = "It is sunny in Paris. It may rain in the evening. Take an umbrella with you."
SENTENCES = ["It is sunny in Paris.", "It may rain in the evening.", "Take an umbrella with you."]


def unheard_before(sentences: int) -> str:
    """Return an answer of so many sentences that nobody has spoken yet: short ones are kept."""
    return " ".join(f"Sentence {number} is about {a_word()[:8]}." for number in range(sentences))


async def test_a_clip_is_answered_aloud(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script(Script(text=ANSWER))
    async with socket(server) as ws:
        await ask(ws, engines, "What is the weather like?")
        frames = await ws.to_end()
        assert await ws.silent()
    transcript, ack, *_ = frames
    assert transcript == {
        "type": "transcript",
        "text": "What is the weather like?",
        "language": "en",
        "final": True,
    }
    assert ack["type"] == "ack"
    assert_in_order(frames[1:])
    end = frames[-1]
    assert (end["type"], end["status"]) == ("chat_response", "complete")
    assert received_text(frames) == end["content"] == ANSWER
    audio = of_type(frames, "audio_response")
    assert [frame["text"] for frame in audio] == SENTENCES
    assert [heard_in(frame) for frame in audio] == SENTENCES
    assert {frame["format"] for frame in audio} == {"wav"}
    for frame in audio:
        assert frame["duration_ms"] == pytest.approx(duration_ms(frame), abs=1)
    asked, answered = await messages_of(server, end["conversation_id"])
    assert (asked["content"], answered) == ("What is the weather like?", end["message"])
    assert answered["metadata"]["source"] == "voice"
    assert answered["metadata"].get("audio") is None


async def test_the_first_sentence_is_spoken_before_the_second_is_written(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    gate = a_word()
    llm.script(Script(text=ANSWER, gate=gate, gate_at_token=6))
    async with socket(server) as ws:
        await ask(ws, engines, "What is the weather like?")
        frames = await ws.until("audio_response")
        assert (frames[-1]["text"], frames[-1]["last"]) == (SENTENCES[0], False)
        llm.release(gate)
        frames += await ws.to_end()
    assert_in_order(frames[1:])


async def test_without_speak_nothing_is_spoken(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script(Script(text=ANSWER))
    engines.said = "What is the weather like?"
    async with socket(server) as ws:
        await send_clip(ws, recording())
        frames = await ws.to_end()
    assert types(frames) == ["transcript", "ack", "context", "delta", "chat_response"]
    assert engines.log.of("tts") == []


@pytest.mark.parametrize("clip", [silence(2), sounds.wav(bytes(3_200))], ids=["2 s", "100 ms"])
async def test_silence_is_no_turn(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming, clip: bytes
) -> None:
    async with socket(server) as ws:
        await send_clip(ws, clip, speak=True)
        frame = await ws.next()
        assert (frame["type"], frame["text"], frame["final"]) == ("transcript", "", True)
        assert await ws.silent()
    assert engines.log.of("stt") == []
    assert llm.log.generating == []


async def test_speech_without_words_is_no_turn(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    async with socket(server) as ws:
        await ask(ws, engines, "  ")
        frame = await ws.next()
        assert (frame["type"], frame["text"]) == ("transcript", "")
        assert await ws.silent()
    assert llm.log.generating == []


@pytest.mark.parametrize(
    "clip", [b"", b"no sound at all, only words", bytes(3_199)], ids=["empty", "text", "zeros"]
)
async def test_what_is_no_sound_is_told(server: Running, engines: ScriptedWyoming, clip: bytes) -> None:
    del engines
    async with socket(server) as ws:
        await send_clip(ws, clip)
        frame = await ws.next()
        assert (frame["type"], frame["code"]) == ("error", "invalid_audio")
        assert "turn_id" not in frame
        assert await ws.silent()


async def test_markup_and_code_are_written_and_not_spoken(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    answer = "# The *plan*\n\nUse **two** spaces here.\n\n```python\nimport secrets\n```\n\nSee `x` there."
    llm.script(Script(text=answer))
    async with socket(server) as ws:
        await ask(ws, engines, "How?")
        frames = await ws.to_end()
    assert received_text(frames) == frames[-1]["content"] == answer
    said = " ".join(frame["text"] for frame in of_type(frames, "audio_response"))
    assert "two spaces here" in said
    assert not set("*#`") & set(said)
    assert "import" not in said
    assert all("import" not in text for text in asked_to_say(engines))
    assert_in_order(frames[1:])


async def test_an_answer_that_ends_in_code_still_has_a_last_sound(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script(Script(text="Run this now please.\n\n```sh\nmake run\n```\n"))
    async with socket(server) as ws:
        await ask(ws, engines, "How?")
        frames = await ws.to_end()
    assert_in_order(frames[1:])
    *_, last = of_type(frames, "audio_response")
    assert "make run" not in last["text"]
    assert frames[-1]["status"] == "complete"


async def test_an_answer_with_nothing_to_say_has_no_sound(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script(Script(text="```sh\nmake run\n```"))
    async with socket(server) as ws:
        await ask(ws, engines, "How?")
        frames = await ws.to_end()
    assert types(frames) == ["transcript", "ack", "context", "delta", "chat_response"]


async def test_it_answers_in_the_language_it_heard(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script(Script(text=unheard_before(1)))
    async with socket(server) as ws:
        await ask(ws, engines, "Quel temps fait-il ?", language="fr")
        transcript, *_ = await ws.to_end()
    assert transcript["language"] == "fr"
    assert [record.language for record in engines.log.of("stt")] == ["fr"]
    assert [record.voice for record in engines.log.of("tts")] == ["fr_FR-ton-low#un"]


async def test_a_conversation_goes_on(server: Running, llm: ScriptedModel, engines: ScriptedWyoming) -> None:
    async with socket(server) as ws:
        await ask(ws, engines, "First question?")
        first = (await ws.to_end())[-1]
        conversation_id = first["conversation_id"]
        await ws.send({"type": "playback", "turn_id": first["turn_id"], "played_ms": 60_000})
        await ask(ws, engines, "Second question?", conversation_id=conversation_id)
        assert (await ws.to_end())[-1]["conversation_id"] == conversation_id
    said = [message.content for message in llm.log.generating[-1].messages if message.role == "user"]
    assert said == ["First question?", "Second question?"]


async def test_at_most_two_sentences_wait_for_somebody(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    """Whoever asked leaves at once; who resumes then takes sentence by sentence."""
    text = unheard_before(6)
    llm.script(Script(text=text))
    async with socket(server) as ws:
        await ask(ws, engines, "Tell me.")
        ack = (await ws.until("ack"))[-1]
    await asked_of(llm, "Tell me.")
    await llm.wait_for(lambda log: log.generating[0].outcome)
    assert len(asked_to_say(engines)) <= 3  # one was taken at most before the socket had gone
    async with resumed(server, ack["turn_id"]) as events:
        frames = await events.rest()
    assert_in_order(frames)
    assert len(of_type(frames, "audio_response")) == len(asked_to_say(engines)) == 6
    assert frames[-1]["content"] == text


async def test_with_nobody_there_the_answer_is_still_written(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jarvis.services.spoken.UNHEARD_S", 0.1)
    text = unheard_before(8)
    llm.script(Script(text=text))
    async with socket(server) as ws:
        await ask(ws, engines, "Tell me.")
        ack = (await ws.until("ack"))[-1]
    await server.assembly.services.turns._all_ended.wait()  # pyright: ignore[reportPrivateUsage]
    shown = await turn_of(server, ack["turn_id"])
    assert (shown["status"], shown["text"]) == ("complete", text)
    assert len(asked_to_say(engines)) <= 3


async def test_a_client_that_does_not_read_gets_no_more_than_fits(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent waits in the connection's buffers, a few MB; the rest is never spoken."""
    monkeypatch.setattr("jarvis.services.spoken.UNHEARD_S", 0.2)
    monkeypatch.setattr("jarvis.services.spoken.UNTAKEN_S", 0.4)
    monkeypatch.setattr(engines, "rate_hz", 48_000)
    sentences = [f"{a_word()[:8]} {'word ' * 14}end." for _ in range(40)]  # 0.8 MB each
    llm.script(Script(text=" ".join(sentences)))
    async with socket(server, max_queue=1) as ws:
        await ask(ws, engines, "Tell me.")
        ack = (await ws.until("ack"))[-1]
        await server.assembly.services.turns._all_ended.wait()  # pyright: ignore[reportPrivateUsage]
        assert len(asked_to_say(engines)) < 20
        shown = await turn_of(server, ack["turn_id"])
        assert (shown["status"], shown["text"]) == ("complete", " ".join(sentences))
        frames = await ws.to_end()
    assert len(of_type(frames, "audio_response")) == len(asked_to_say(engines))


async def test_who_resumes_gets_the_same(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script(Script(text=ANSWER))
    async with socket(server) as ws:
        await ask(ws, engines, "What is the weather like?")
        _, *events = await ws.to_end()
        turn_id = events[0]["turn_id"]
        async with resumed(server, turn_id) as again:
            assert await again.rest() == events
        middle = of_type(events, "audio_response")[0]["seq"]
        async with resumed(server, turn_id, after=middle) as rest:
            assert await rest.rest() == events[middle + 1 :]
        await ws.send({"type": "resume", "turn_id": turn_id, "last_seq": middle})
        assert await ws.to_end() == events[middle + 1 :]


async def test_a_spoken_turn_that_is_cancelled_ends(
    server: Running, llm: ScriptedModel, engines: ScriptedWyoming
) -> None:
    llm.script(Script(text=ANSWER, gate=a_word(), gate_at_token=6))
    async with socket(server) as ws:
        await ask(ws, engines, "What is the weather like?")
        frames = await ws.until("audio_response")
        await cancel(server, frames[-1]["turn_id"])
        end = (await ws.to_end())[-1]
    assert end["status"] == "cancelled"
    assert ANSWER.startswith(end["content"])
    assert end["content"]


async def test_raw_samples_need_their_rate(server: Running, engines: ScriptedWyoming) -> None:
    engines.said = "Hello there."
    raw = base64.b64encode(recording()[44:]).decode()
    async with socket(server) as ws:
        await ws.send({"type": "audio_data", "data": raw, "format": "pcm_s16le"})
        frame = await ws.next()
        assert (frame["type"], frame["code"]) == ("error", "invalid_request")
        await ws.send({"type": "audio_data", "data": raw, "format": "pcm_s16le", "sample_rate": 16_000})
        assert (await ws.next())["text"] == "Hello there."
        await ws.to_end()
