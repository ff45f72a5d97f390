"""What the repository says of itself, compared with the code."""

import re
import tomllib
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dotenv import dotenv_values

from jarvis import __version__
from jarvis.settings import Settings, load

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETTING = re.compile(r"^#([A-Z_]+)=(.*)$", re.MULTILINE)
REQUIREMENT = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,-]+\])?==\S+(?: ; .*)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-server.lock")


def env_example() -> str:
    return (ROOT / ".env.example").read_text()


def direct_dependencies() -> set[str]:
    project: dict[str, Any] = PYPROJECT["project"]
    lists: list[list[Any]] = [
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *PYPROJECT["dependency-groups"].values(),
    ]
    return {re.split(r"[^a-z0-9-]", line)[0] for lines in lists for line in lines if isinstance(line, str)}


def locked(lock: str) -> set[str]:
    lines = (ROOT / lock).read_text().splitlines()
    return {found[1] for line in lines if (found := REQUIREMENT.match(line))}


def test_env_example_names_exactly_the_settings_once() -> None:
    named = [found[1] for found in SETTING.finditer(env_example())]
    assert sorted(named) == sorted(field.name.upper() for field in msgspec.structs.fields(Settings))


def test_env_example_says_in_a_line_of_words_what_each_setting_does() -> None:
    lines = env_example().splitlines()
    bare = [line for above, line in pairwise(lines) if SETTING.match(line) and above[:2] != "# "]
    assert bare == []


def test_env_example_taken_as_it_is_with_every_line_uncommented_gives_the_defaults() -> None:
    uncommented = SETTING.sub(r"\1=\2", env_example())
    environment = {name: value or "" for name, value in dotenv_values(stream=StringIO(uncommented)).items()}
    assert load(environment) == Settings()


def test_env_example_shows_every_default_but_the_system_prompt() -> None:
    hidden = {found[1] for found in SETTING.finditer(env_example()) if not found[2]}
    empty = {
        field.name.upper() for field in msgspec.structs.fields(Settings) if field.default in ("", (), None)
    }
    assert hidden == empty | {"SYSTEM_PROMPT"}


def test_every_direct_dependency_has_one_line_with_licence_and_replacement() -> None:
    rows = re.findall(
        r"^\| ([a-z0-9-]+) \|(.+)\|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE
    )
    assert sorted(name for name, _ in rows if name != "package") == sorted(direct_dependencies())
    assert [name for name, cells in rows if not all(cell.strip() for cell in cells.split("|"))] == []
    assert {cells.count("|") for _, cells in rows} == {2}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_only_pins_with_hashes_and_names_no_host(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    assert [
        line for line in lines if "://" in line or (line.lstrip().startswith("-") and not HASH.match(line))
    ] == []
    blocks = [index for index, line in enumerate(lines) if not line.startswith((" ", "#"))]
    assert blocks
    assert [lines[index] for index in blocks if not REQUIREMENT.match(lines[index])] == []
    assert [lines[index] for index in blocks if not HASH.match(lines[index + 1])] == []


def test_the_locks_hold_every_direct_dependency_and_agree() -> None:
    assert direct_dependencies() <= locked("requirements-dev.lock")
    pins = [re.findall(r"^[a-z0-9].*==\S+", (ROOT / lock).read_text(), re.MULTILINE) for lock in LOCKS]
    assert set(pins[0]) <= set(pins[1])


def test_the_version_is_written_twice_and_the_same() -> None:
    assert PYPROJECT["project"]["version"] == __version__
