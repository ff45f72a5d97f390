"""The generator of docs/api.md as a pure function: schemas in words, documents in sections."""

from typing import Any

import pytest

from docs.generator.page import fill
from docs.generator.reference import anchor, sections, table
from docs.generator.wording import INT64_MAX, words

LINKS = {"Cat": "[Cat](#cat)", "Dog": "[Dog](#dog)"}
CAT = {"$ref": "#/components/schemas/Cat"}
DOG = {"$ref": "#/components/schemas/Dog"}
NULL = {"type": "null"}
IN_WORDS: list[tuple[dict[str, Any], str]] = [
    ({}, "any JSON"),
    ({"type": "boolean", "default": True, "description": "Left to the caller."}, "boolean"),
    ({"type": "string", "format": "uuid"}, "UUID"),
    ({"type": "string", "format": "date-time"}, "time"),
    ({"type": "string", "format": "binary"}, "binary"),
    ({"type": "string", "contentEncoding": "base64"}, "string in base64"),
    ({"type": "string", "minLength": 1, "maxLength": 200}, "string (1 to 200 characters)"),
    ({"type": "string", "maxLength": 9, "pattern": "^a|b$"}, "string (at most 9 characters, `^a|b$`)"),
    ({"type": "integer", "minimum": 1, "maximum": 8192}, "integer (1 to 8,192)"),
    ({"type": "integer", "minimum": 0, "maximum": INT64_MAX}, "integer (at least 0)"),
    ({"type": "number", "maximum": 0.5}, "number (at most 0.5)"),
    ({"type": "array"}, "array"),
    ({"type": "array", "items": CAT, "maxItems": 500}, "array of [Cat](#cat) (at most 500 items)"),
    ({"type": "object"}, "object"),
    ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number"),
    (
        {"type": "object", "additionalProperties": CAT, "propertyNames": {"format": "uuid"}},
        "object of [Cat](#cat), by UUID",
    ),
    ({"enum": ["a"]}, '`"a"`'),
    ({"enum": ["a", "b", "c"], "default": "a"}, '`"a"`, `"b"` or `"c"`'),
    ({"const": 400}, "`400`"),
    (CAT, "[Cat](#cat)"),
    ({"anyOf": [NULL, {"type": "string"}], "default": None}, "string or `null`"),
    ({"anyOf": [{"anyOf": [CAT, NULL], "discriminator": {}}, DOG]}, "[Cat](#cat), [Dog](#dog) or `null`"),
]


@pytest.mark.parametrize(
    ("schema", "said"),
    IN_WORDS,
    ids=str,
)
def test_a_schema_in_words(schema: dict[str, Any], said: str) -> None:
    assert words(schema, LINKS) == said


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minimum": 1},
        {"type": "integer", "multipleOf": 5},
        {"type": ["string", "null"]},
        {"enum": ["a"], "type": "string"},
        CAT | {"maxProperties": 1},
    ],
    ids=str,
)
def test_what_there_are_no_words_for_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no words for"):
        words(schema, LINKS)


def test_a_cell_stays_one_cell() -> None:
    assert table(("a",), [("x|y\nz",)]) == "| a |\n| --- |\n| x\\|y z |"


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("What holds everywhere", "what-holds-everywhere"),
        ("GET /api/chat/turns/{turn_id}", "get-apichatturnsturn_id"),
        ("Event `chat_response`", "event-chat_response"),
    ],
    ids=str,
)
def test_an_anchor_is_the_one_of_github(heading: str, expected: str) -> None:
    assert anchor(heading) == expected


def test_a_marker_is_replaced_wherever_it_stands() -> None:
    assert fill("{{ a }} and {{ b c }}, {{ a }}", {"a": "1", "b c": "{{ a }}"}) == "1 and {{ a }}, 1"


@pytest.mark.parametrize(
    ("template", "message"),
    [("{{ a }} {{ b }}", "markers that nothing fills: b"), ("nothing", "does not tell of: a")],
    ids=["unknown marker", "untold text"],
)
def test_markers_and_texts_have_to_match(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fill(template, {"a": "1"})


def object_of(**properties: Any) -> dict[str, Any]:  # schemas, as OpenAPI has them
    return {"type": "object", "properties": properties, "required": []}


def api(**operation: Any) -> dict[str, Any]:
    """Return a document with one route, POST /cats, and three shapes."""
    return {
        "paths": {"/cats": {"post": {"summary": "Keep a cat.", "responses": {}, **operation}}},
        "components": {
            "schemas": {
                "Cat": object_of(name={"type": "string"}, friend=DOG),
                "Dog": object_of(name={"type": "string"}),
                "Barked": object_of(type={"enum": ["barked"]}, by=DOG),
            }
        },
    }


def answering(schema: dict[str, Any], *, media_type: str = "application/json") -> dict[str, Any]:
    return {"200": {"description": "Kept", "content": {media_type: {"schema": schema}}}}


def shapes_in(section: str) -> list[str]:
    return [line.lstrip("# ") for line in section.splitlines() if line.startswith("#")]


def test_a_shape_that_only_an_answer_leads_to_is_among_the_shapes() -> None:
    told = sections(api(responses=answering({"type": "array", "items": CAT})))
    assert shapes_in(told["shapes"]) == ["Cat", "Dog"]
    assert "| 200 | Kept. | `application/json`: array of [Cat](#cat) |" in told["operations"]


def test_a_body_that_is_nothing_else_is_told_with_its_route() -> None:
    body = {"required": True, "content": {"application/json": {"schema": CAT}}}
    told = sections(api(requestBody=body))
    assert shapes_in(told["shapes"]) == ["Dog"]
    assert "Body, `application/json`:\n\n| field | type | default |" in told["operations"]
    assert "| `friend` | [Dog](#dog) | none |" in told["operations"]


def test_a_body_that_is_also_an_answer_is_a_shape() -> None:
    told = sections(
        api(requestBody={"content": {"application/json": {"schema": DOG}}}, responses=answering(CAT))
    )
    assert shapes_in(told["shapes"]) == ["Cat", "Dog"]
    assert "Body, `application/json`, or none: [Dog](#dog)." in told["operations"]


def test_events_and_frames_are_named_by_their_tags() -> None:
    streamed = sections(api(responses=answering({"$ref": "x/Barked"}, media_type="text/event-stream")))
    assert (shapes_in(streamed["events"]), shapes_in(streamed["shapes"])) == (["Event `barked`"], ["Dog"])
    frames = {"sends": {"anyOf": [DOG]}, "receives": {"anyOf": [{"$ref": "x/Barked"}]}}
    spoken = sections(api(**{"x-websocket": frames}))
    assert shapes_in(spoken["frames sent"]) == ["Frame Dog"]
    assert shapes_in(spoken["frames received"]) == ["Frame `barked`"]
    assert "The client sends: [Dog](#frame-dog)." in spoken["operations"]


def test_problems_are_told_by_status() -> None:
    narrowed = {"properties": {"code": {"enum": ["a", "b"]}}}
    schema = {"allOf": [DOG, narrowed]}
    responses = {
        "400": {"description": "Bad", "content": {"application/problem+json": {"schema": schema}}},
        "204": {"description": "Nothing"},
    }
    told = sections(api(responses=responses))["operations"]
    assert "[Problems](#errors): 400 `a`, `b`." in told
    assert "| 204 | Nothing. | none |" in told
    assert "| 400 |" not in told


def test_the_list_of_routes_has_the_first_paragraph() -> None:
    told = sections(api(summary="Keep a\ncat.\n\nFor ever."))
    assert "| [`POST /cats`](#post-cats) | Keep a cat. |" in told["routes"]
    assert "\n\nKeep a cat.\n\nFor ever." in told["operations"]


def test_parameters_have_their_bounds_defaults_and_notes() -> None:
    limit = {"type": "integer", "minimum": 1, "default": 50}
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "limit", "in": "query", "schema": limit, "description": "At most."},
    ]
    told = sections(api(parameters=parameters))["operations"]
    assert "| `id` | path | string | required |  |" in told
    assert "| `limit` | query | integer (at least 1) | `50` | At most. |" in told


def test_a_choice_of_required_fields_is_told() -> None:
    document = api(responses=answering(CAT))
    document["components"]["schemas"]["Cat"] |= {"oneOf": [{"required": ["name"]}, {"required": ["friend"]}]}
    assert "Exactly one of `name` and `friend` is required." in sections(document)["shapes"]
