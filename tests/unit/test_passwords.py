"""What the PasswordHasher port promises, with Argon2id as it is used."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from argon2 import PasswordHasher as Argon2
from argon2 import extract_parameters

from jarvis.adapters.passwords import MAX_WAITING, THREADS, Argon2Passwords, FewThreads, nobodys_hash
from jarvis.core.errors import Invalid, Overloaded
from jarvis.core.identity import MAX_PASSWORD_BYTES

OTHER_PARAMETERS = Argon2(time_cost=2, memory_cost=19_456, parallelism=1)
BCRYPT = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"


@pytest.fixture
def passwords() -> Argon2Passwords:
    return Argon2Passwords()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Yield what keeps a thread busy that waits for it; set at the end, whatever happens."""
    gate = threading.Event()
    yield gate
    gate.set()


async def occupied(threads: FewThreads, gate: threading.Event) -> list[asyncio.Task[bool]]:
    """Keep all of them busy until `gate`; return once they are."""
    loop, busy = asyncio.get_running_loop(), asyncio.Semaphore(0)

    def work() -> bool:
        loop.call_soon_threadsafe(busy.release)
        return gate.wait(60)

    tasks = [asyncio.create_task(threads.run(work)) for _ in range(THREADS)]
    for _ in tasks:
        await busy.acquire()
    return tasks


async def test_a_password_is_told_from_others(passwords: Argon2Passwords) -> None:
    kept = await passwords.hash("correct horse")
    assert await passwords.verify("correct horse", kept)
    assert not await passwords.verify("Correct horse", kept)
    assert not await passwords.verify("", kept)


async def test_a_hash_is_salted_and_has_the_parameters_that_are_recommended(
    passwords: Argon2Passwords,
) -> None:
    one, other = await passwords.hash("correct horse"), await passwords.hash("correct horse")
    assert one != other
    assert one.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert not passwords.is_outdated(one)


@pytest.mark.parametrize("password", ["correct horse", "", "x" * 2000])
async def test_nobodys_password_is_wrong(passwords: Argon2Passwords, password: str) -> None:
    assert not await passwords.verify(password, None)


async def test_for_nobody_it_works_as_hard_as_for_anybody(passwords: Argon2Passwords) -> None:
    kept = await passwords.hash("correct horse")
    assert extract_parameters(nobodys_hash()) == extract_parameters(kept)
    assert nobodys_hash() != nobodys_hash()


async def test_hashes_with_other_parameters_count_and_are_outdated(passwords: Argon2Passwords) -> None:
    kept = OTHER_PARAMETERS.hash("correct horse")
    assert await passwords.verify("correct horse", kept)
    assert passwords.is_outdated(kept)


@pytest.mark.parametrize("kept", [BCRYPT, "", "correct horse", "$argon2id$"])
async def test_what_is_no_hash_of_ours_is_nobodys(passwords: Argon2Passwords, kept: str) -> None:
    assert not await passwords.verify("correct horse", kept)
    assert passwords.is_outdated(kept)


@pytest.mark.parametrize(
    ("set_as", "typed", "same"),
    [
        pytest.param("\u00e9t\u00e9", "e\u0301te\u0301", True, id="an accent of its own"),
        pytest.param("e\u0301te\u0301", "\u00e9t\u00e9", True, id="the other way round"),
        pytest.param("a b", "a\u00a0b", True, id="a no-break space"),
        pytest.param("\ufb01sh", "fish", False, id="a ligature is not its letters"),
        pytest.param("x\u00b2", "x2", False, id="nor a superscript its digit"),
        pytest.param("na\u0131ve", "naive", False, id="nor a dotless i an i"),
        pytest.param("a\x00b", "a", False, id="nothing ends at a NUL"),
        pytest.param("\ud800", "\ud800", True, id="half a character"),
    ],
)
async def test_what_is_typed_alike_is_the_same(
    passwords: Argon2Passwords, set_as: str, typed: str, *, same: bool
) -> None:
    assert await passwords.verify(typed, await passwords.hash(set_as)) == same


async def test_the_longest_password_counts_to_its_last_byte(passwords: Argon2Passwords) -> None:
    longest = "é" * (MAX_PASSWORD_BYTES // 2)
    kept = await passwords.hash(longest)
    assert await passwords.verify(longest, kept)
    assert not await passwords.verify(longest[:-1], kept)


async def test_a_longer_one_is_refused_or_wrong(passwords: Argon2Passwords) -> None:
    longer = "é" * (MAX_PASSWORD_BYTES // 2) + "x"
    with pytest.raises(Invalid):
        await passwords.hash(longer)
    assert not await passwords.verify(longer, await passwords.hash(longer[:-1]))


async def test_more_than_may_wait_are_told_to_come_later(passwords: Argon2Passwords) -> None:
    asking = [
        asyncio.create_task(passwords.verify("correct horse", None)) for _ in range(THREADS + MAX_WAITING)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await passwords.verify("correct horse", None)
    with pytest.raises(Overloaded):
        await passwords.hash("correct horse")

    for task in asking[4:]:
        task.cancel()
    assert await asyncio.gather(*asking[:4]) == [False] * 4
    assert await passwords.hash("correct horse")


async def test_who_is_cancelled_while_waiting_leaves_his_place_and_his_work_is_not_done(
    gate: threading.Event,
) -> None:
    threads, ran = FewThreads(), list[int]()
    await occupied(threads, gate)
    waiting = [asyncio.create_task(threads.run(partial(ran.append, number))) for number in range(MAX_WAITING)]
    await asyncio.sleep(0)
    for task in waiting[1:]:
        task.cancel()
    await asyncio.wait(waiting[1:])
    last = asyncio.create_task(threads.run(partial(ran.append, -1)))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(waiting[0], last)
    assert sorted(ran) == [-1, 0]


async def test_who_is_cancelled_while_served_frees_his_thread_when_that_is_done(
    gate: threading.Event,
) -> None:
    threads, ran = FewThreads(), list[int]()
    running = await occupied(threads, gate)
    for task in running:
        task.cancel()
    await asyncio.wait(running)

    after = asyncio.create_task(threads.run(partial(ran.append, 1)))
    done, _ = await asyncio.wait([after], timeout=0.1)
    assert not done
    gate.set()
    await after
    assert ran == [1]
