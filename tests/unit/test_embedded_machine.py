import os
from pathlib import Path

import pytest

from jarvis.embedded.child_log import ChildLog
from jarvis.embedded.cpu import quota_cores
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import DataDirInUse, DataDirUnusable, PartUnavailable
from jarvis.embedded.llama import NEEDED_CPU_FLAGS, check_machine
from jarvis.embedded.postgres import database_url
from jarvis.embedded.programs import wheel_file
from jarvis.embedded.progress import Progress, Stage


@pytest.mark.parametrize(
    ("cpu_max", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("", 8),
        ("990000 100000", 8),
    ],
)
def test_cores_of_a_container(cpu_max: str, cores: int) -> None:
    assert quota_cores(cpu_max, at_most=8) == cores


@pytest.mark.parametrize(
    ("machine", "libc", "flags", "reason"),
    [
        ("aarch64", ("glibc", "2.39"), NEEDED_CPU_FLAGS, "aarch64"),
        ("x86_64", ("glibc", "2.31"), NEEDED_CPU_FLAGS, r"glibc 2\.31"),
        ("x86_64", ("", ""), NEEDED_CPU_FLAGS, "another C library"),
        ("x86_64", ("glibc", "2.39"), NEEDED_CPU_FLAGS - {"avx512f"}, "lacks avx512f"),
    ],
)
def test_a_machine_the_model_server_cannot_run_on(
    machine: str, libc: tuple[str, str], flags: frozenset[str], reason: str
) -> None:
    with pytest.raises(PartUnavailable, match=rf"{reason}.*Install Ollama"):
        check_machine(machine, libc, flags)


def test_a_machine_it_can_run_on() -> None:
    check_machine("x86_64", ("glibc", "2.35"), NEEDED_CPU_FLAGS)


def test_a_missing_wheel_says_what_to_install() -> None:
    with pytest.raises(PartUnavailable, match="make run"):
        wheel_file("no-such-distribution", "bin/x", needed_for="Postgres")


def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with (
        DataDir(tmp_path / "data"),
        pytest.raises(DataDirInUse, match=r"process \d+.*JARVIS_DATA_DIR"),
        DataDir(tmp_path / "data"),
    ):
        pass
    with DataDir(tmp_path / "data"):
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirUnusable, match="JARVIS_DATA_DIR"), DataDir(tmp_path / "file" / "data"):
        pass


def test_the_folder_is_closed_to_other_users(tmp_path: Path) -> None:
    with DataDir(tmp_path / "data") as data_dir:
        assert data_dir.path.stat().st_mode & 0o066 == 0
        assert data_dir.models_dir.stat().st_mode & 0o077 == 0


def test_the_way_to_the_sockets_is_open_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with DataDir(tmp_path / "data") as data_dir:
            assert data_dir.run_dir.stat().st_mode & 0o777 == 0o711
    finally:
        os.umask(before)


def test_sockets_fit_however_deep_the_folder_lies(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / "data"
    with DataDir(deep) as data_dir:
        run_dir = data_dir.run_dir
        assert len(str(run_dir / "postgres/.s.PGSQL.5432")) <= 107
        assert (deep / "run").readlink() == run_dir
        assert run_dir.stat().st_mode & 0o066 == 0
    assert not run_dir.exists()


def test_a_temporary_run_folder_of_a_killed_owner_is_removed(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / "data"
    with DataDir(deep) as killed:
        left_behind = killed.run_dir
    left_behind.mkdir()  # as if it had never been left
    (deep / "run").symlink_to(left_behind)
    with DataDir(deep) as data_dir:
        assert data_dir.run_dir != left_behind
        assert not left_behind.exists()


def test_a_log_is_cut_at_its_bound_and_the_child_goes_on_writing(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "part.log", max_bytes=10)
    with log.open() as child:
        child.write(b"0123456789 one\n")
        log.rotate()
        child.write(b"two\n")
    assert (tmp_path / "part.log").read_bytes() == b"two\n"
    assert (tmp_path / "part.log.1").read_bytes() == b"0123456789 one\n"
    assert log.tail() == "two"


def test_the_address_of_the_database_survives_odd_paths() -> None:
    assert (
        database_url(Path("/a b/ü&c/run"))
        == "postgresql://postgres@/jarvis?host=/a%20b/%C3%BC%26c/run/postgres&port=5432"
    )


def test_progress_reads_as_a_sentence() -> None:
    progress = Progress(stage=Stage.FETCHING, bytes_done=43, bytes_total=100)
    assert progress.sentence == "The language model is being fetched: 43 %."
