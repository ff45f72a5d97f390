"""Twenty at once send one message with one key, and somebody may be killed between commit and reply."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from random import Random

import pytest

from tests.chaos.doors import GONE, Door, Refused, Sent, send
from tests.chaos.journal import Journal, Wish, broken
from tests.chaos.listening import poll
from tests.chaos.proxy import Cut, Proxy, Weather
from tests.chaos.seeds import judge, runs
from tests.chaos.stand import Stand, standing
from tests.chaos.talking import Talker
from tests.postgres import PostgresServer

IN_CI = 6
SENDERS = 20
WORDS = 10
TOKENS_PER_S = 60.0
KILLED_WITHIN_S = 0.3
WITHIN_S = 60.0
KILL_EACH = 4
"""Of so many rounds one has a kill; by turns the server's and the model's."""
UNHEARD = Weather(cut=Cut(at_byte=0, how="truncate"))
ONE_WAY: tuple[Door, ...] = ("json", "sse")
"""Where nothing has to be heard before the message can be sent."""

pytestmark = pytest.mark.timeout(60 + 60 * len(runs(in_ci=IN_CI)))


async def test_one_key_is_one_message_one_turn_and_one_answer(
    postgres: PostgresServer, migrated_database: str, tmp_path: Path
) -> None:
    async with standing(postgres, migrated_database, tmp_path, tokens_per_s=TOKENS_PER_S) as stand:
        await judge("key", lambda seed, random: _round(stand, seed, random), in_ci=IN_CI)


async def _round(stand: Stand, seed: int, random: Random) -> tuple[str, list[str]]:
    journal = Journal()
    text = " ".join([f"key-{seed}", *(f"w{word}" for word in range(WORDS))])
    wish = journal.send(text, conversation_id=None, key=f"key-{seed}")
    victim = {0: "server", KILL_EACH: "model"}.get(seed % (2 * KILL_EACH), "nobody")
    moment_s = random.uniform(0, KILLED_WITHIN_S)
    if victim == "server":
        await _send_unheard(stand, wish, random, moment_s)
        await stand.start("server")
    senders = [_sender(stand, journal, random) for _ in range(SENDERS)]
    try:
        async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
            for sender in senders:
                tasks.create_task(sender.have(wish))
            if victim == "model":
                await _until_committed(stand, wish)
                await asyncio.sleep(moment_s)
                await stand.kill("model")
                await stand.start("model")
    except TimeoutError:
        return f"{victim} killed", [f"not all have their answer within {WITHIN_S:g} s"]
    wrong = [one for sender in senders for one in sender.wrong]
    rows = await stand.rows(text)
    wrong += broken(journal.wishes, rows)
    calls = stand.asked(text)
    fewest, most = int(victim != "server"), 1 + int(victim != "nobody")
    if not fewest <= calls <= most:
        wrong.append(f"the model was asked {calls} times")
    told = ", ".join(row.status for row in rows if row.role == "assistant")
    return f"{victim} killed {moment_s:.3f} s after the commit, {calls} calls, answer {told}", wrong


def _sender(stand: Stand, journal: Journal, random: Random) -> Talker:
    return Talker(
        url=stand.url,
        name="",
        journal=journal,
        random=Random(random.random()),  # noqa: S311  chance that can be repeated
        conversation_id="",
        words=WORDS,
    )


async def _send_unheard(stand: Stand, wish: Wish, random: Random, moment_s: float) -> None:
    """Have it committed, let nobody hear a word of it, and kill the server."""
    sent = Sent(text=wish.text, key=wish.key)

    async def send_once(url: str, door: Door) -> None:
        try:
            async with aclosing(send(url, sent, door)) as events:
                async for event in events:
                    raise AssertionError(event)
        except (*GONE, Refused):
            pass

    async with (
        Proxy(stand.address, port=stand.proxy_port, weather=UNHEARD) as proxy,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(SENDERS):
            tasks.create_task(send_once(proxy.url, random.choice(ONE_WAY)))
        await _until_committed(stand, wish)
        await asyncio.sleep(moment_s)
        await stand.kill("server")


async def _until_committed(stand: Stand, wish: Wish) -> None:
    async def committed() -> bool:
        return bool(await stand.rows(wish.text))

    await poll(committed, within_s=WITHIN_S)
