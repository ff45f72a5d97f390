"""WebSocket frames that name what may be another's, and what is told on the socket that sent them."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from jarvis.core.types import new_id
from tests import sounds
from tests.clients import Json, socket
from tests.isolation.probes import scrubbed_text
from tests.isolation.stand import Stand, a_random_id
from tests.spoken import recording, s16

Sent = Json | bytes
RAW = {"format": "pcm_s16le", "sample_rate": 16_000}


class FrameProbe(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    covers: frozenset[str]
    frames: Callable[[str], Sequence[Sent]]


def of_turn() -> Iterator[FrameProbe]:
    yield _probe("CancelFrame", ("turn_id",), {"type": "cancel"})
    for last_seq in (-1, 0, 3, 1_000_000):
        yield _probe("ResumeFrame", ("turn_id", "last_seq"), {"type": "resume", "last_seq": last_seq})
    yield _probe("PlaybackFrame", ("turn_id",), {"type": "playback", "played_ms": 100})
    for played in ({}, {"played_ms": 0}, {"played_ms": 1_000}):
        yield _probe("BargeInFrame", ("turn_id",), {"type": "barge_in", **played})


def of_conversation() -> Iterator[FrameProbe]:
    name = ("conversation_id",)
    for if_busy in ("queue", "reject", "interrupt"):
        yield _probe(
            "ChatMessageFrame", name, {"type": "chat_message", "content": "mine", "if_busy": if_busy}
        )
        yield _probe("OldFrame", name, {"message": "mine", "if_busy": if_busy})


def spoken() -> Iterator[FrameProbe]:
    name = ("conversation_id",)
    clip = {"type": "audio_data", "data": sounds_base64(), "format": "wav", "speak": True}
    yield _probe("AudioDataFrame", name, clip)
    said = s16(sounds.speech("What is mine?"))
    pieces = [said[begin : begin + 32_768] for begin in range(0, len(said), 32_768)]
    stream = [*pieces, {"type": "audio_end"}]
    yield _probe("AudioStartFrame", name, {"type": "audio_start", **RAW}, *stream)


def by_name() -> Iterator[FrameProbe]:
    for probe in (*of_conversation(), *spoken()):
        title = next(iter(probe.covers)).partition(":")[0]
        (frame, *rest) = probe.frames("")
        assert isinstance(frame, dict)
        without = {field: value for field, value in frame.items() if field != "conversation_id"}
        yield _probe(title, ("user_id",), without, *rest)


def _probe(title: str, names: tuple[str, ...], frame: Json, *more: Sent) -> FrameProbe:
    return FrameProbe(
        name=f"{title} { ({**frame, 'data': '...'} if 'data' in frame else frame) }",
        covers=frozenset(f"{title}: {name}" for name in names),
        frames=lambda one: [frame | {names[0]: one}, *more],
    )


def sounds_base64() -> str:
    return msgspec.json.encode(recording()).decode().strip('"')


async def told(
    stand: Stand, headers: dict[str, str], frames: Sequence[Sent], *, to_end: bool = False
) -> list[Json]:
    """Send them and return what is told, up to an error or, without `to_end`, the first event of a turn.

    With what comes at once after it, and without the times.
    """
    seen: list[Json] = []
    async with socket(stand.server, additional_headers=headers) as ws:
        for frame in frames:
            await ws.send(frame)
        try:
            while not seen or not _is_over(seen[-1], to_end=to_end):
                seen.append(await ws.next())
        except TimeoutError:
            return [*seen, {"type": "nothing more"}]
        await ws.send({"type": "ping"})
        while seen[-1].get("type") != "pong":
            seen.append(await ws.next())
    return [{name: value for name, value in frame.items() if name != "timestamp"} for frame in seen]


def _is_over(frame: Json, *, to_end: bool) -> bool:
    return "error" in frame or "response" in frame or ("seq" in frame and not to_end)


def as_text(frames: Sequence[Json]) -> str:
    return scrubbed_text(msgspec.json.encode(frames).decode())


async def differences(stand: Stand, who: str, probes: Iterable[FrameProbe], kind: str) -> list[str]:
    """Tell where a socket is told of another's thing of that kind something else than of a random one."""
    headers = stand.people[who].headers
    found: list[str] = []
    for probe in probes:
        random = [await told(stand, headers, probe.frames(one)) for one in (a_random_id(), str(new_id()))]
        if random[0] != random[1] or "error" not in random[0][-2]:
            found.append(f"{probe.name} at random ids: {random}")
        for what, one in stand.theirs.items():
            if kind in what:
                answer = await told(stand, headers, probe.frames(one))
                if answer != random[0]:
                    found.append(f"{probe.name} of {what}: {answer} instead of {random[0]}")
    return found
