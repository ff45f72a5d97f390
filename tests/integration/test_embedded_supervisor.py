import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jarvis.embedded.errors import PartFailed
from jarvis.embedded.process import Command, end_stray, started_at
from jarvis.embedded.restarts import RestartPolicy
from jarvis.embedded.supervisor import Child, Phase, Supervised, Supervisor

FAST = RestartPolicy(base_s=0.01, cap_s=0.02)


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    async with Supervisor(log_dir=tmp_path / "logs", run_dir=tmp_path / "run") as supervisor:
        yield supervisor


def child(name: str, program: str, *, ready: Path | None = None, stop_within_s: float = 5.0) -> Child:
    async def probe() -> None:
        if ready is not None:
            ready.stat()  # noqa: ASYNC240  a file on a local disk

    return Child(
        name=name,
        title=name.capitalize(),
        command=Command(argv=[sys.executable, "-S", "-c", program], env={}),
        probe=probe,
        restarts=FAST,
        stop_within_s=stop_within_s,
    )


async def until(supervised: Supervised, phase: Phase) -> None:
    async with asyncio.timeout(10):
        async for state in supervised.watch():
            if state.phase is phase:
                return


def gone(pid: int, *, within_s: float) -> bool:
    """Whether a process that is not our child ends in time; the kernel tells, nothing is polled for."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], within_s)[0])
    finally:
        os.close(pidfd)


async def test_a_child_is_ready_when_its_probe_says_so(supervisor: Supervisor, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = f"import pathlib, signal; pathlib.Path({str(ready)!r}).touch(); signal.pause()"
    supervised = supervisor.start(child("part", program, ready=ready))
    assert supervised.state.phase is Phase.STARTING
    await supervised.wait_ready()
    assert ready.exists()
    assert supervised.state.detail == "Part is running."


async def test_a_killed_child_comes_back(supervisor: Supervisor) -> None:
    supervised = supervisor.start(child("part", "import signal; signal.pause()"))
    await supervised.wait_ready()
    first = supervised.state.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(supervised, Phase.BACKOFF)
    assert "was killed by SIGKILL" in supervised.state.detail
    await until(supervised, Phase.RUNNING)
    assert supervised.state.pid != first
    assert supervised.state.restarts == 1


async def test_a_crash_loop_is_given_up_with_the_last_words(supervisor: Supervisor, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    program = f"import sys; open({str(runs)!r}, 'a').write('x'); sys.exit('no such disk')"
    supervised = supervisor.start(child("part", program, ready=tmp_path / "never"))
    with pytest.raises(PartFailed, match=r"exited with status 1, 5 times within 60 s(.|\n)*no such disk"):
        await supervised.wait_ready()
    assert runs.read_text() == "xxxxx"


async def test_a_program_that_is_not_there_fails_with_its_name(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    missing = Child(
        name="part",
        title="Part",
        command=Command(argv=["/no/such/program"], env={}),
        probe=child("", "", ready=tmp_path / "never").probe,
        restarts=FAST,
    )
    with pytest.raises(PartFailed, match=r"Part exited with status 1(.|\n)*No such file"):
        await supervisor.start(missing).wait_ready()


async def test_a_child_that_stops_answering_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    well = tmp_path / "well"
    well.touch()
    hanging = child("part", "import signal; signal.pause()", ready=well)
    fast = Child(
        name=hanging.name,
        title=hanging.title,
        command=hanging.command,
        probe=hanging.probe,
        restarts=FAST,
        probe_every_s=0.01,
        probe_failures=3,
    )
    supervised = supervisor.start(fast)
    await supervised.wait_ready()
    well.unlink()
    await until(supervised, Phase.BACKOFF)
    assert "did not answer 3 checks" in supervised.state.detail
    well.touch()
    await until(supervised, Phase.RUNNING)


async def test_children_stop_in_reverse_order(tmp_path: Path) -> None:
    stops = tmp_path / "stops"
    async with Supervisor(log_dir=tmp_path / "logs", run_dir=tmp_path / "run") as supervisor:
        for name in ("one", "two", "three"):
            ready = tmp_path / name
            program = (
                "import os, pathlib, signal\n"
                f"def stop(*_): open({str(stops)!r}, 'a').write('{name} '); os._exit(0)\n"
                f"signal.signal(signal.SIGTERM, stop); pathlib.Path({str(ready)!r}).touch()\n"
                "while True: signal.pause()"
            )
            await supervisor.start(child(name, program, ready=ready)).wait_ready()
    assert stops.read_text() == "three two one "


async def test_a_child_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = (
        "import pathlib, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(ready)!r}).touch()\nwhile True: signal.pause()"
    )
    async with Supervisor(log_dir=tmp_path / "logs", run_dir=tmp_path / "run") as supervisor:
        supervised = supervisor.start(child("part", program, ready=ready, stop_within_s=0.05))
        await supervised.wait_ready()
        pid = supervised.state.pid
    assert pid is not None
    assert started_at(pid) == ""
    assert supervised.state.phase is Phase.STOPPED


PARENT = """
import asyncio, sys
from pathlib import Path
from jarvis.embedded.process import Command
from jarvis.embedded.supervisor import Child, Supervisor

async def main(folder):
    ready = folder / "ready"  # beyond the start, where the child would notice a missing parent by itself
    async def probe(): ready.stat()
    program = f"import pathlib, signal; pathlib.Path({str(ready)!r}).touch(); signal.pause()"
    async with Supervisor(log_dir=folder / "logs", run_dir=folder / "run") as supervisor:
        command = Command(argv=[sys.executable, "-S", "-c", program], env={})
        supervised = supervisor.start(Child(name="part", title="Part", command=command, probe=probe))
        await supervised.wait_ready()
        print(supervised.state.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True)


async def test_kill_9_of_the_parent_ends_the_child(tmp_path: Path) -> None:
    with start(PARENT, str(tmp_path)) as parent:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        assert started_at(pid) != ""
        parent.kill()
        assert await asyncio.to_thread(gone, pid, within_s=2.0)


async def test_a_child_that_outlived_its_parent_is_ended_at_the_next_start(tmp_path: Path) -> None:
    pidfile = tmp_path / "part.pid"
    with start("import signal; signal.pause()") as stray:
        pidfile.write_text(f"{stray.pid} {started_at(stray.pid)}\n")
        assert await end_stray(pidfile, stop_signal=signal.SIGTERM, deadline_s=5.0) == stray.pid
        assert stray.wait(timeout=5) == -signal.SIGTERM
    assert not pidfile.exists()


async def test_a_process_that_got_the_same_pid_later_is_left_alone(tmp_path: Path) -> None:
    pidfile = tmp_path / "part.pid"
    pidfile.write_text(f"{os.getpid()} 1\n")
    assert await end_stray(pidfile, stop_signal=signal.SIGTERM, deadline_s=5.0) is None
