"""Every cell of the table: each fault of each thing that Jarvis needs, and each use during it and after."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.chaos.outages.rounds import Round, go_round
from tests.chaos.outages.stand import Stand, others, standing
from tests.chaos.outages.table import (
    DEPENDENCIES,
    FAULTS,
    HEALED_WITHIN_S,
    MARGIN_S,
    NOTICED_WITHIN_S,
    PROBE_WITHIN_S,
    USES,
    Dependency,
    Fault,
    Use,
    cell,
    outage,
)
from tests.postgres import PostgresServer

APART_S = 1.0
"""Between the beginnings of two rounds: the machine has to serve all at once besides."""

Rounds = Mapping[Dependency, Round | BaseException]
each_dependency = pytest.mark.parametrize("dependency", DEPENDENCIES)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stands(postgres: PostgresServer, migrated_template: str) -> AsyncGenerator[list[Stand]]:
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(others(postgres, migrated_template))
        starts = (stack.enter_async_context(standing(each, shared)) for each in DEPENDENCIES)
        yield await asyncio.gather(*starts)


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=FAULTS)
async def rounds(request: pytest.FixtureRequest, stands: list[Stand]) -> Rounds:
    """Try one fault on all, side by side."""
    fault: Fault = request.param

    async def one(number: int, stand: Stand) -> Round:
        await asyncio.sleep(number * APART_S)
        return await go_round(stand, fault)

    tried = await asyncio.gather(
        *(one(number, stand) for number, stand in enumerate(stands)), return_exceptions=True
    )
    return dict(zip(DEPENDENCIES, tried, strict=True))


def _of(rounds: Rounds, dependency: Dependency) -> Round:
    tried = rounds[dependency]
    if isinstance(tried, BaseException):
        raise tried
    return tried


@each_dependency
@pytest.mark.parametrize("use", USES)
def test_each_use_ends_as_the_table_says(rounds: Rounds, dependency: Dependency, use: Use) -> None:
    tried = _of(rounds, dependency)
    wanted = cell(dependency, tried.fault, use)
    seen = [each for each in tried.seen if each.use == use]
    assert sorted(each.phase for each in seen) == ["at first", "known"]
    for each in seen:
        limit = wanted.known if each.phase == "known" and wanted.known is not None else wanted.within
        within_s = HEALED_WITHIN_S if each.outcome.endswith("once back") else limit.tested_s
        assert each.outcome in wanted.outcomes
        assert each.took_s < within_s + tried.margin_s, each


@each_dependency
def test_the_probes_answer_at_once_and_tell(rounds: Rounds, dependency: Dependency) -> None:
    tried = _of(rounds, dependency)
    wanted = outage(dependency, tried.fault)
    slowest = max(tried.looks, key=lambda look: look.took_s)
    assert slowest.took_s < PROBE_WITHIN_S + tried.margin_s
    assert {look.service for look in tried.looks} <= {"healthy", *wanted.states}
    if "healthy" in wanted.states:
        return
    after = [look for look in tried.looks if look.at_s > NOTICED_WITHIN_S + tried.margin_s]
    assert {look.service for look in after} <= set(wanted.states)
    assert {look.overall for look in after} == {"unhealthy" if wanted.ready == 503 else "degraded"}
    assert {look.ready for look in after} == {wanted.ready}
    if wanted.ready == 200:
        assert {look.ready for look in tried.looks} == {200}


@each_dependency
def test_all_is_as_usual_again_without_a_restart(rounds: Rounds, dependency: Dependency) -> None:
    tried = _of(rounds, dependency)
    within_s = HEALED_WITHIN_S + tried.margin_s - MARGIN_S
    assert {what: s for what, s in tried.healed_after_s.items() if s > within_s} == {}
