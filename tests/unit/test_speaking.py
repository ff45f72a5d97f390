"""Speaking what is written: sentence by sentence, never far ahead, and silent once there is no more use."""

import asyncio

import pytest

from jarvis.adapters.turn_log import InProcessTurnLog
from jarvis.core.errors import NotFound, Unavailable
from jarvis.core.events import AudioResponse
from jarvis.services.live import LiveTurn
from jarvis.services.speaking import Speaker, Speaking, audible
from jarvis.services.spoken import AHEAD, Sound, SpokenAnswer
from tests.turns import a_turn

SENTENCES = ["This is one.", "This is two.", "This is three.", "This is four."]
TEXT = " ".join(SENTENCES)


class Booth:
    """A speaker whose engine notes what it says, and a client that takes what it is told to."""

    def __init__(self) -> None:
        self.live = LiveTurn(a_turn())
        self.live.listeners = 1
        self.answer = self.live.speech = SpokenAnswer()
        self.said: list[str] = []
        self.told: list[AudioResponse] = []
        self.broken = False
        self.news = asyncio.Event()
        self.speaker = Speaker(self.live, self.answer, say=self.say, tell=self.tell)

    async def say(self, sentence: str) -> Sound:
        if self.broken:
            raise Unavailable("tts", "The engine is away.")
        self.said.append(sentence)
        return Sound(wav=sentence.encode(), sample_rate_hz=16_000, duration_ms=100)

    def tell(self, event: AudioResponse) -> None:
        self.told.append(event)
        self.news.set()

    def write(self, text: str) -> None:
        self.live.say(text)
        self.speaker.write(text)

    async def until_told(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.told) < count:
                self.news.clear()
                await self.news.wait()


async def test_each_sentence_is_told_once_and_the_last_is_marked() -> None:
    booth = Booth()
    running = asyncio.ensure_future(booth.speaker.run())
    for start in range(0, len(TEXT), 3):
        booth.write(TEXT[start : start + 3])
    booth.speaker.finish()
    for count in range(1, len(SENTENCES) + 1):
        await booth.until_told(count)
        booth.answer.take(booth.told[-1].seq)
    await running
    assert [each.text for each in booth.told] == booth.said == SENTENCES
    assert [each.sentence for each in booth.told] == [0, 1, 2, 3]
    assert [each.last for each in booth.told] == [False, False, False, True]
    assert [each.data.decode() for each in booth.told] == SENTENCES


async def test_what_nobody_takes_is_spoken_no_further_than_two_sentences_ahead() -> None:
    booth = Booth()
    running = asyncio.ensure_future(booth.speaker.run())
    booth.write(TEXT)
    booth.speaker.finish()
    await booth.until_told(AHEAD)
    await asyncio.sleep(0)
    assert booth.said == SENTENCES[:AHEAD]
    booth.answer.take(booth.told[0].seq)
    await booth.until_told(AHEAD + 1)
    assert booth.said == SENTENCES[: AHEAD + 1]
    booth.answer.stop()
    await running
    assert booth.said == SENTENCES[: AHEAD + 1]


async def test_the_end_that_turns_out_to_have_no_words_is_a_silent_sound() -> None:
    booth = Booth()
    running = asyncio.ensure_future(booth.speaker.run())
    booth.write("This is one. And")
    await booth.until_told(1)
    booth.answer.take(booth.told[0].seq)
    booth.write("\n\n")
    await booth.until_told(2)
    booth.write("```\ncode\n```")
    booth.speaker.finish()
    await running
    assert [(each.text, each.last) for each in booth.told] == [
        ("This is one.", False),
        ("And", False),
        ("", True),
    ]


async def test_nothing_to_say_is_no_sound() -> None:
    booth = Booth()
    booth.write("```\ncode\n```")
    booth.speaker.finish()
    await booth.speaker.run()
    assert booth.told == []


async def test_what_cannot_be_spoken_is_told_once_and_costs_only_the_sound() -> None:
    booth, complaints = Booth(), list[str]()
    booth.broken = True
    speaking = Speaking(say=lambda _: booth.say, log=InProcessTurnLog())
    async with speaking.aloud(booth.live, lambda error: complaints.append(error.code)) as speaker:
        speaker.write(TEXT)
    assert complaints == ["tts_unavailable"]


async def test_an_answer_is_known_to_its_owner_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.services.speaking.LINGER_S", 0.0)
    booth = Booth()
    turn = booth.live.turn
    speaking = Speaking(say=lambda _: booth.say, log=InProcessTurnLog())
    async with speaking.aloud(booth.live, lambda _: None):
        answer = speaking.answer(turn.user, turn.id)
        assert answer is booth.live.speech
        with pytest.raises(NotFound):
            speaking.answer(a_turn().user, turn.id)
        assert not answer.is_complete
    assert answer.is_complete
    later = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.0, later.set_result, None)
    await later
    with pytest.raises(NotFound):
        speaking.answer(turn.user, turn.id)


async def test_what_is_stopped_is_left_out_of_what_is_read() -> None:
    booth, log = Booth(), InProcessTurnLog()
    booth.speaker = Speaker(booth.live, booth.answer, say=booth.say, tell=log.append)
    booth.write(" ".join(SENTENCES[:2]))
    booth.speaker.finish()
    await booth.speaker.run()
    reading = audible(booth.live, log, after=-1)
    first = await anext(reading)
    assert first.type == "audio_response"
    booth.answer.hold()
    room = asyncio.ensure_future(booth.answer.room(lambda: True))
    await asyncio.sleep(0)
    assert not room.done()
    second = asyncio.ensure_future(anext(reading))
    assert await room  # the first is taken now
    assert not second.done()
    booth.answer.stop()
    await asyncio.sleep(0)
    assert not second.done()  # and nothing else has been told since
    second.cancel()
