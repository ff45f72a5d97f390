"""What Qdrant Edge promises beside the port: files of its own, and a process that holds them."""

import asyncio
import signal
import struct
import sys
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from jarvis.adapters.qdrant.edge import Edge
from jarvis.core.errors import Unavailable
from jarvis.core.ports import Vector, VectorPoint
from tests.vectors import ANNE, BRUNO, OTHER, SPACE, ids_near, points, vector

REPOSITORY = Path(__file__).parents[2]


async def test_reopening_finds_everything(tmp_path: Path) -> None:
    put = points(*range(50))
    async with Edge(tmp_path) as store:
        assert await store.open(SPACE)
        await store.put(ANNE, put)
        await store.delete(ANNE, [put[0].id])
    async with Edge(tmp_path) as store:
        assert not await store.open(SPACE)
        assert set(await ids_near(store, ANNE, vector("asked"))) == {point.id for point in put[1:]}


async def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WRITER, str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert writer.stdout is not None
    acknowledged = [UUID((await writer.stdout.readline()).decode().strip()) for _ in range(30)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [UUID(line.decode().strip()) async for line in writer.stdout if len(line) == 37]
    await writer.wait()

    async with Edge(tmp_path) as store:
        assert not await store.open(SPACE)
        kept = await ids_near(store, ANNE, vector("asked"), 10_000)
    assert set(acknowledged) <= set(kept)


async def test_a_process_that_was_killed_is_started_again(tmp_path: Path) -> None:
    async with Edge(tmp_path) as store:
        await store.open(SPACE)
        put = points(*range(20))
        await store.put(ANNE, put)
        asking = [asyncio.create_task(store.purge()), asyncio.create_task(store.ping())]
        await asyncio.sleep(0)
        engine(tmp_path).kill()
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert all(each is None or isinstance(each, Unavailable) for each in outcomes)
        with pytest.raises(Unavailable):
            await store.ping()

        assert not await store.open(SPACE)
        assert set(await ids_near(store, ANNE, vector("asked"))) == {point.id for point in put}


async def test_its_process_ends_with_it(tmp_path: Path) -> None:
    async with Edge(tmp_path) as store:
        await store.open(SPACE)
        process = engine(tmp_path)
    assert not process.is_running()


async def test_a_second_owner_waits_for_the_first(tmp_path: Path) -> None:
    put = points(*range(20))
    async with Edge(tmp_path) as second:
        async with Edge(tmp_path) as first:
            await first.open(SPACE)
            opening = asyncio.create_task(second.open(SPACE))
            await first.put(ANNE, put)
            await asyncio.wait({opening}, timeout=1)  # what must not happen gives no event
            assert not opening.done()
        assert not await opening
        assert len(await ids_near(second, ANNE, vector("asked"))) == 20


async def test_a_caller_who_leaves_takes_no_others_answer(tmp_path: Path) -> None:
    async with Edge(tmp_path) as store:
        await store.open(SPACE)
        put = points("one", "two")
        await store.put(ANNE, put)
        left = asyncio.create_task(store.nearest(ANNE, put[0].vector, limit=1))
        stayed = asyncio.create_task(store.nearest(ANNE, put[1].vector, limit=1))
        await asyncio.sleep(0)
        left.cancel()
        assert [each.id for each in await stayed] == [put[1].id]


async def test_what_was_forgotten_is_in_no_file_after_a_purge(tmp_path: Path) -> None:
    hers, his = points(*range(20)), points("his")
    replaced = VectorPoint(id=his[0].id, vector=vector("replaced"))
    async with Edge(tmp_path) as store:
        await store.open(SPACE)
        await store.put(ANNE, hers)
        await store.put(BRUNO, [replaced])
        await store.put(BRUNO, his)
        assert holds(tmp_path, stored(hers[4].vector)), "the test looks for something else"
        await store.delete(ANNE, [hers[4].id])
        await store.purge()
        for trace in (stored(hers[4].vector), hers[4].id.bytes, stored(replaced.vector)):
            assert not holds(tmp_path, trace)
        assert holds(tmp_path, stored(hers[5].vector))
        await store.delete_user(ANNE)
        await store.purge()
        for trace in (stored(hers[5].vector), hers[5].id.bytes, str(ANNE).encode()):
            assert not holds(tmp_path, trace)
        assert await ids_near(store, BRUNO, his[0].vector) == [his[0].id]


async def test_dropping_the_other_spaces_leaves_strange_folders_alone(tmp_path: Path) -> None:
    strange = tmp_path / "of somebody else"
    strange.mkdir()
    async with Edge(tmp_path) as store:
        await store.open(OTHER)
        await store.open(SPACE)
        await store.drop_other_spaces()
    assert strange in left_in(tmp_path)
    assert len(left_in(tmp_path)) == 3  # this, the space that is open, and the lock


@pytest.mark.parametrize("name", ["edge_config.json", "segment.json", "status.dat"])
async def test_damaged_files_are_made_again(tmp_path: Path, name: str) -> None:
    async with Edge(tmp_path) as store:
        await store.open(SPACE)
        await store.put(ANNE, points("one"))
    damage(tmp_path, name)
    async with Edge(tmp_path) as store:
        assert await store.open(SPACE)
        await store.put(ANNE, points("one"))


async def test_a_folder_that_cannot_be_written_is_not_available(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with Edge(tmp_path / "file") as store:
        with pytest.raises(Unavailable):
            await store.open(SPACE)


async def test_after_the_end_it_is_not_available(tmp_path: Path) -> None:
    async with Edge(tmp_path) as store:
        await store.open(SPACE)
    with pytest.raises(Unavailable):
        await store.ping()


def stored(values: Vector) -> bytes:
    """Return the first eight values as Edge keeps them, in half precision."""
    return struct.pack("<8e", *values[:8])


def holds(folder: Path, trace: bytes) -> bool:
    return any(trace in file.read_bytes() for file in folder.rglob("*") if file.is_file())


def damage(folder: Path, name: str) -> None:
    for damaged in folder.rglob(name):
        damaged.write_bytes(b"")


def engine(folder: Path) -> psutil.Process:
    """Return the process that holds the folder."""
    [found] = [each for each in psutil.Process().children() if str(folder) in each.cmdline()]
    return found


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


WRITER = f"""
import asyncio, sys
from pathlib import Path
from uuid import UUID
from jarvis.adapters.qdrant.edge import Edge
from tests.vectors import SPACE, points

async def main():
    async with Edge(Path(sys.argv[1])) as store:
        await store.open(SPACE)
        number = 0
        while True:
            put = points(number)
            await store.put(UUID("{ANNE}"), put)
            print(put[0].id, flush=True)
            number += 1

asyncio.run(main())
"""
