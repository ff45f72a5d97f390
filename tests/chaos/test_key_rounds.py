"""Twenty at once send one message with one key, and somebody may be killed between commit and reply."""

import asyncio
from contextlib import AsyncExitStack, aclosing
from functools import partial
from pathlib import Path
from random import Random
from typing import Literal

import pytest

from tests.chaos.doors import GONE, Door, Refused, Sent, send
from tests.chaos.journal import Journal, Wish, broken
from tests.chaos.listening import poll
from tests.chaos.proxy import Cut, Weather
from tests.chaos.seeds import judge, runs
from tests.chaos.stand import Stand, standing
from tests.chaos.talking import Talker

SEEDS = runs(in_ci=10)
SENDERS = 20
WORDS = 10
TOKENS_PER_S = 60.0
KILLED_WITHIN_S = 0.3
WITHIN_S = 60.0
KILLED: tuple[Literal["server", "model", "valkey"], ...] = ("server", "model", "valkey")
"""By turns; the server is the one that runs the turn."""
KILL_EACH = 4
"""Of so many rounds one has a kill."""
UNHEARD = Weather(cut=Cut(at_byte=0, how="truncate"))
ONE_WAY: tuple[Door, ...] = ("json", "sse")
"""Where nothing has to be heard before the message can be sent."""

pytestmark = pytest.mark.timeout(60 + 60 * len(SEEDS))


async def test_one_key_is_one_message_one_turn_and_one_answer(tmp_path: Path) -> None:
    async with standing(tmp_path, tokens_per_s=TOKENS_PER_S) as stand:
        await judge("key", SEEDS, partial(_round, stand))


async def _round(stand: Stand, seed: int, random: Random) -> tuple[str, list[str]]:
    journal = Journal()
    text = " ".join([f"key-{seed}", *(f"w{word}" for word in range(WORDS))])
    wish = journal.send(text, conversation_id=None, key=f"key-{seed}")
    victim = None if seed % KILL_EACH else KILLED[seed // KILL_EACH % len(KILLED)]
    moment_s = random.uniform(0, KILLED_WITHIN_S)
    killed = await _send_unheard(stand, wish, random, moment_s) if victim == "server" else None
    senders = [_sender(stand, journal, random) for _ in range(SENDERS)]
    try:
        async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
            for sender in senders:
                tasks.create_task(sender.have(wish))
            if killed is not None:
                await stand.start(killed)
            if victim == "model" or victim == "valkey":  # noqa: PLR1714  so that its type is known
                await _until_committed(stand, wish)
                await asyncio.sleep(moment_s)
                await stand.kill(victim)
                await stand.start(victim)
    except TimeoutError:
        return f"{victim or 'nobody'} killed", [f"not all have their answer within {WITHIN_S:g} s"]
    wrong = [one for sender in senders for one in sender.wrong]
    rows = await stand.rows(text)
    wrong += broken(journal.wishes, rows)
    calls = len(stand.asked(text))
    fewest, most = int(victim != "server"), 1 + int(victim in {"server", "model"})
    if not fewest <= calls <= most:
        wrong.append(f"the model was asked {calls} times")
    told = ", ".join(row.status for row in rows if row.role == "assistant")
    return (
        f"{victim or 'nobody'} killed {moment_s:.3f} s after the commit, {calls} calls, answer {told}",
        wrong,
    )


def _sender(stand: Stand, journal: Journal, random: Random) -> Talker:
    own = Random(random.random())  # noqa: S311  chance that can be repeated
    return Talker(
        come_by=stand.come_by(own), name="", journal=journal, random=own, conversation_id="", words=WORDS
    )


async def _send_unheard(
    stand: Stand, wish: Wish, random: Random, moment_s: float
) -> Literal["one", "other"] | None:
    """Have it committed, let nobody hear a word of it, and kill the server that runs its turn.

    Return which that is; None where the turn had ended before.
    """
    sent = Sent(text=wish.text, key=wish.key)

    async def send_once(url: str, door: Door) -> None:
        try:
            async with aclosing(send(url, sent, door)) as events:
                async for event in events:
                    raise AssertionError(event)
        except (*GONE, Refused):
            pass

    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(stand.proxied(one, UNHEARD)) for one in stand.servers]
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        sending = [
            tasks.create_task(send_once(random.choice(proxies).url, random.choice(ONE_WAY)))
            for _ in range(SENDERS)
        ]
        await _until_committed(stand, wish)
        await asyncio.sleep(moment_s)
        owner = await stand.owner(wish.text)
        if owner is not None:
            await stand.kill(owner)
        for task in sending:
            task.cancel()  # at the other server they would wait on
    return owner


async def _until_committed(stand: Stand, wish: Wish) -> None:
    async def committed() -> bool:
        return bool(await stand.rows(wish.text))

    await poll(committed, within_s=WITHIN_S)
