"""One fault, tried on one dependency: what every use met while it lasted, and how soon it was over."""

import asyncio
import time
from contextlib import suppress
from typing import Literal

import httpx
import msgspec

from tests.chaos.outages.faults import suffering
from tests.chaos.outages.stand import Stand
from tests.chaos.outages.table import (
    AS_USUAL,
    MARGIN_S,
    NOTICED_WITHIN_S,
    SERVICE,
    USES,
    Dependency,
    Fault,
    Use,
)
from tests.chaos.outages.uses import Client
from tests.clients import Json

LOOK_S = 0.2
"""Between two looks at another process, of which there is no event to wait for."""
ENOUGH_S = 35.0
"""Longer than any deadline in the table."""
GIVE_UP_S = 20.0
PROBE_S = 10.0
Phase = Literal["at first", "known"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How one use ended, and after how long; "once back": after the fault, since when that is counted."""

    use: Use
    phase: Phase
    outcome: str
    took_s: float


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What /health and /ready said, so long after the fault began."""

    at_s: float
    took_s: float
    service: str
    overall: str
    ready: int


class Round(msgspec.Struct, kw_only=True):
    dependency: Dependency
    fault: Fault
    margin_s: float = MARGIN_S
    """How much later than its deadline anything may be: more where the machine has too much to do."""
    over_s: float | None = None
    """When the fault ended, by time.monotonic()."""
    seen: list[Seen] = []
    looks: list[Look] = []
    healed_after_s: dict[str, float] = {}


async def go_round(stand: Stand, fault: Fault) -> Round:
    """Use everything twice: when nobody knows of the fault, and when Jarvis has had the time to notice."""
    made = Round(dependency=stand.dependency, fault=fault)
    begun_s = time.monotonic()
    await asyncio.gather(*(stand.client.use(use) for use in 2 * USES))  # leaves connections that are idle
    made.margin_s = max(MARGIN_S, 2 * (time.monotonic() - begun_s))
    begun_s = time.monotonic()
    watching = asyncio.create_task(_watch(stand, made.looks, begun_s))
    tries: set[asyncio.Task[None]] = set()
    try:
        async with suffering(stand.part, fault):
            tries |= await _try_all(made, stand.client, "at first")
            await asyncio.sleep(max(0.0, begun_s + NOTICED_WITHIN_S + made.margin_s - time.monotonic()))
            tries |= await _try_all(made, stand.client, "known")
            await asyncio.sleep(2 * LOOK_S)  # at least once more
    finally:
        made.over_s = time.monotonic()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    made.healed_after_s = await _heal(stand)
    await asyncio.gather(*tries)
    return made


async def _try_all(made: Round, client: Client, phase: Phase) -> set[asyncio.Task[None]]:
    """Try each use; return those that go on after ENOUGH_S."""

    async def try_(use: Use) -> None:
        begun_s = time.monotonic()
        outcome = await client.use(use)
        if made.over_s is not None:
            outcome, begun_s = f"{outcome}, once back", made.over_s
        made.seen.append(Seen(use=use, phase=phase, outcome=outcome, took_s=time.monotonic() - begun_s))

    done, pending = await asyncio.wait({asyncio.create_task(try_(use)) for use in USES}, timeout=ENOUGH_S)
    await asyncio.gather(*done)
    return pending


async def _watch(stand: Stand, looks: list[Look], begun_s: float) -> None:
    async with httpx.AsyncClient(base_url=stand.client.jarvis.url, timeout=PROBE_S, trust_env=False) as http:
        while True:
            at_s = time.monotonic()
            health = await http.get("/health")
            took_s = time.monotonic() - at_s
            ready = await http.get("/ready")
            assert health.status_code == 200
            body: Json = health.json()
            looks.append(
                Look(
                    at_s=at_s - begun_s,
                    took_s=took_s,
                    service=body["services"][SERVICE[stand.dependency]]["status"],
                    overall=body["status"],
                    ready=ready.status_code,
                )
            )
            await asyncio.sleep(LOOK_S)


async def _heal(stand: Stand) -> dict[str, float]:
    """Return how soon each use was as usual again, and "health" as well."""
    begun_s = time.monotonic()

    async def until_usual(use: Use) -> float:
        while await stand.client.use(use) != AS_USUAL[use]:
            if time.monotonic() - begun_s > GIVE_UP_S:
                break
            await asyncio.sleep(LOOK_S)
        return time.monotonic() - begun_s

    async def until_healthy() -> float:
        http = stand.client.jarvis.http
        while (await http.get("/health")).json()["status"] != "healthy":
            if time.monotonic() - begun_s > GIVE_UP_S:
                break
            await asyncio.sleep(LOOK_S)
        return time.monotonic() - begun_s

    took_s = await asyncio.gather(until_healthy(), *(until_usual(use) for use in USES))
    return dict(zip(("health", *USES), took_s, strict=True))
