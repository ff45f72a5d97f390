"""What is done while no turn runs."""

import anyio
import pytest

from jarvis.services.quiet import Quiet
from tests.turns import a_turn


class Work:
    """Goes on until it is let; tells when it began."""

    def __init__(self) -> None:
        self.began = anyio.Event()
        self.may_end = anyio.Event()

    async def __call__(self) -> str:
        self.began.set()
        await self.may_end.wait()
        return "done"


async def test_what_is_done_in_the_quiet_is_returned() -> None:
    work = Work()
    work.may_end.set()
    assert await Quiet(5).in_quiet(work) == "done"


async def test_nothing_is_begun_while_a_turn_runs() -> None:
    quiet, work = Quiet(0), Work()
    quiet.turn_began(a_turn())
    with anyio.fail_after(5):
        assert await quiet.in_quiet(work) is None
    assert not work.began.is_set()


@pytest.mark.parametrize("begins", ["in the middle", "before the quiet"])
async def test_a_turn_that_begins_ends_it(begins: str) -> None:
    quiet, work = Quiet(60), Work()
    if begins == "before the quiet":
        quiet.all_ended()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:

            async def begin() -> None:
                if begins == "in the middle":
                    await work.began.wait()
                quiet.turn_began(a_turn())

            tasks.start_soon(begin)
            assert await quiet.in_quiet(work) is None
    assert work.began.is_set() == (begins == "in the middle")


async def test_it_is_quiet_only_a_while_after_the_last_turn() -> None:
    quiet, work = Quiet(0.02), Work()
    work.may_end.set()
    quiet.turn_began(a_turn())
    ended = anyio.current_time()
    quiet.all_ended()
    assert await quiet.in_quiet(work) == "done"
    assert anyio.current_time() - ended >= 0.02
