"""What is written for people, compared with the code: docs/api.md, the README, and every link."""

import json
import re
import shlex
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import msgspec
import pytest

from docs.generator.page import TEMPLATE, page
from docs.generator.reference import anchor
from jarvis.core.errors import PROBLEMS
from jarvis.core.events import Ack, Terminal, TurnEvent
from jarvis.settings import Settings
from jarvis.web.described import DESCRIBED
from jarvis.web.problems import Problem
from jarvis.web.schema import describe
from jarvis.web.socket import PONG
from jarvis.web.upgrading import socket
from tests.documents import API, MEMORY, README, ROOT, VOICE, Table, blocks, headings, links, tables

DOCUMENTS = sorted([README, *(ROOT / "docs").glob("*.md")])
SETTING = re.compile(r"`([A-Z]+(?:_[A-Z]+)*)(?:=[^`]*)?`")
NO_SETTINGS = {"POST", "GET", "SIGTERM"}
HERE = "localhost:8100"


def document() -> dict[str, Any]:
    return describe("1.2.3")


def operations() -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in document()["paths"].items() for method in methods]


def api_tables(*, first_column: str) -> list[Table]:
    found = [table for table in tables(API.read_text()) if table.head[0] == first_column]
    assert found
    return found


def name_of(path: Path) -> str:
    return path.name


def tag_of(struct: type[msgspec.Struct]) -> str:
    tag = struct.__struct_config__.tag
    if tag is None:
        type_of_frame = {field.name: field.type for field in msgspec.structs.fields(struct)}.get("type")
        (tag,) = get_args(type_of_frame) or (None,)
    return struct.__name__ if tag is None else f"`{tag}`"


def test_the_api_page_is_what_the_code_makes_of_it_now() -> None:
    assert API.read_text() == page(), "docs/api.md is out of date: run `make docs` and commit what it changed"


@pytest.mark.parametrize(("method", "path"), operations(), ids=lambda value: value)
def test_a_route_has_a_section_with_what_it_takes_and_gives(method: str, path: str) -> None:
    told = document()["paths"][path][method.lower()]
    under = f"{method} {path}"
    (answers,) = [table for table in api_tables(first_column="answer") if table.under == under]
    plain = {
        status
        for status, response in told["responses"].items()
        if set(response.get("content", {"": None})) - {"application/problem+json"}
    }
    assert answers.names == plain
    parameters = [table.names for table in api_tables(first_column="parameter") if table.under == under]
    wanted = {parameter["name"] for parameter in told["parameters"]}
    assert parameters == ([wanted] if wanted else [])


def test_the_list_of_routes_is_complete() -> None:
    (routes,) = api_tables(first_column="route")
    named = [re.sub(r"^\[`(.*)`\].*$", r"\1", row[0]) for row in routes.rows]
    assert named == [f"{method} {path}" for method, path in operations()]


def test_every_problem_has_a_row_that_says_what_to_do() -> None:
    (problems,) = api_tables(first_column="code")
    told = {row[0].strip("`"): (int(row[1]), row[2]) for row in problems.rows}
    assert told == PROBLEMS
    assert [row[0] for row in problems.rows if not row[3]] == []


@pytest.mark.parametrize("event", get_args(TurnEvent), ids=lambda event: event.__name__)
def test_an_event_has_a_section_with_all_its_fields(event: type[msgspec.Struct]) -> None:
    (fields,) = [
        table for table in api_tables(first_column="field") if table.under == f"Event {tag_of(event)}"
    ]
    assert fields.names == {"type", *(field.encode_name for field in msgspec.structs.fields(event))}


def test_every_frame_of_the_websocket_has_a_section_with_all_its_fields_and_is_spoken_of() -> None:
    described = DESCRIBED[socket]
    frames = [frame for frame in (*described.sends, *described.receives) if frame is not TurnEvent]
    sections = {table.under: table.names for table in api_tables(first_column="field")}
    told = {frame: sections.get(f"Frame {tag_of(frame)}") for frame in frames}
    wanted = {
        frame: {field.encode_name for field in msgspec.structs.fields(frame)}
        | ({"type"} if frame.__struct_config__.tag else set[str]())
        for frame in frames
    }
    assert told == wanted
    text = TEMPLATE.read_text()
    assert {f"#{anchor(f'Frame {tag_of(frame)}')}" for frame in frames} <= set(links(text))
    assert '`{"type":"ping"}`' in text
    assert f"`{PONG.decode()}`" in text


def test_every_field_of_every_shape_is_there() -> None:
    """A query's shape is a route's parameters; any other has one table of exactly its fields."""
    fields = [table.names for table in api_tables(first_column="field")]
    parameters = [table.names for table in api_tables(first_column="parameter")]
    untold = [
        name
        for name, shape in document()["components"]["schemas"].items()
        if (wanted := set(shape["properties"])) not in fields
        and not any(wanted <= told for told in parameters)
    ]
    assert untold == []


def test_no_two_headings_of_the_api_page_have_the_same_anchor() -> None:
    anchors = [anchor(heading) for heading in headings(API.read_text())]
    assert sorted(anchors) == sorted(set(anchors))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    broken: list[str] = []
    for link in links(document.read_text()):
        if urlsplit(link).scheme:
            continue
        file, _, fragment = link.partition("#")
        target = (document.parent / file).resolve() if file else document
        if not target.exists() or (
            fragment and fragment not in {anchor(heading) for heading in headings(target.read_text())}
        ):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", [README, API, MEMORY, VOICE], ids=name_of)
def test_every_setting_that_is_named_exists(document: Path) -> None:
    named = set(SETTING.findall(document.read_text())) - NO_SETTINGS
    assert named
    assert named <= {field.name.upper() for field in msgspec.structs.fields(Settings)}


@pytest.mark.parametrize("document", [README, API, MEMORY, VOICE], ids=name_of)
def test_every_curl_asks_for_a_route_that_is_documented(document: Path) -> None:
    commands = [
        line
        for block in blocks(document.read_text(), "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("curl")
    ]
    assert commands
    known = [(method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path))) for method, path in operations()]
    unknown = [
        command
        for command in commands
        if not any(
            method == asked and path.fullmatch(_path(command))
            for method, path in known
            for asked in [_method(command)]
        )
    ]
    assert unknown == []


def _method(command: str) -> str:
    words = shlex.split(command)
    if "-X" in words:
        return words[words.index("-X") + 1]
    return "POST" if "-d" in words else "GET"


def _path(command: str) -> str:
    (address,) = [word for word in shlex.split(command) if word.startswith(HERE)]
    return address.removeprefix(HERE).partition("?")[0]


def test_the_events_that_are_shown_are_a_whole_turn_of_today() -> None:
    (shown,) = blocks(API.read_text(), "text")
    events: list[TurnEvent] = []
    for sent in shown.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in sent.splitlines())
        event: TurnEvent = msgspec.json.decode(lines["data"], type=TurnEvent)  # pyright: ignore[reportArgumentType]  a union is a type to msgspec
        assert msgspec.to_builtins(event) == json.loads(lines["data"])
        assert (lines["id"], lines["event"]) == (str(event.seq), type(event).__struct_config__.tag)
        events.append(event)
    assert [event.seq for event in events] == list(range(len(events)))
    assert isinstance(events[0], Ack)
    assert isinstance(events[-1], Terminal)


def test_the_problem_that_is_shown_is_one_of_today() -> None:
    (shown,) = blocks(API.read_text(), "json")
    problem = msgspec.json.decode(shown, type=Problem)
    assert msgspec.to_builtins(problem) == json.loads(shown)
    assert PROBLEMS[problem.code] == (problem.status, problem.title)
